import Certificates
import MQTTClient
import MQTTClientPKCS11
import MQTTTestKit
import Testing

/// Mutual TLS with a key in a token, or in the file store: our broker and Debian's mosquitto, both versions of TLS.
@Suite("Mutual TLS with a stored key", .timeLimit(.minutes(10)))
struct MutualTLSTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let broker: String
        let kind: KeyKind
        let version: ClientTLS.Version
        let isToken: Bool
        var testDescription: String { "\(broker), \(kind), \(version), \(isToken ? "token" : "files")" }
    }

    static let brokers = BrokerProcess.mosquitto == nil ? ["martlet"] : ["martlet", "mosquitto"]
    static let cases: [Case] = brokers.flatMap { broker in
        [KeyKind.rsa2048, .p256].flatMap { kind in
            [ClientTLS.Version.tls12, .tls13].flatMap { version in
                [true, false].map { Case(broker: broker, kind: kind, version: version, isToken: $0) }
            }
        }
    }

    static func start(_ broker: String, _ more: String = "") throws -> BrokerProcess {
        try BrokerProcess.start(
            Authority.mutual(more), files: try Authority.shared.get().files,
            program: broker == "mosquitto" ? BrokerProcess.mosquitto : nil)
    }

    /// A store with a key made there and a certificate for it.
    static func provisioned(_ store: some KeyStore, _ kind: KeyKind, _ authority: Authority) async throws
        -> StoredIdentity
    {
        let publicKey = try PublicKey(der: try await store.generateKey(kind, labels: KeyLabels(), replacing: false))
        let request = try UnsignedRequest(
            subject: DistinguishedName([("CN", "device")]), publicKey: publicKey, extensions: [])
        let signed = try request.signed(try await store.sign(request.bytes, with: .label(.privateKey)))
        try await store.importCertificate(
            authority.sign(signed), label: DeviceLabel.certificate.rawValue, key: .label(.privateKey), replacing: false)
        return try await store.identity()
    }

    static func endpoint(
        _ broker: BrokerProcess, _ identity: StoredIdentity, _ version: ClientTLS.Version? = nil
    ) throws -> Endpoint {
        var tls = ClientTLS(
            trust: .pem(try Authority.shared.get().authority.certificate.pem), identity: identity.client)
        if let version { (tls.minimumVersion, tls.maximumVersion) = (version, version) }
        return .tls("localhost", port: Int(broker.port), tls)
    }

    static func echo(_ endpoint: Endpoint) async throws {
        try await MQTTClient.withConnection(
            to: endpoint, ClientConfiguration(clientIdentifier: unique("dev")), reconnect: .never
        ) { client in
            var messages = try await client.subscribe(to: "device/#", qos: .atLeastOnce).makeAsyncIterator()
            try await client.publish(Message("device/7", "hello", qos: .atLeastOnce))
            #expect(try await messages.next()?.payload == Array("hello".utf8))
        }
    }

    @Test("a key that never leaves its store opens the connection", arguments: cases)
    func connects(_ setting: Case) async throws {
        let broker = try Self.start(setting.broker)
        defer { broker.stop() }
        let folder = SoftHSM.makeFolder()
        defer { SoftHSM.remove(folder) }
        let authority = try Authority.shared.get()
        let identity =
            setting.isToken
            ? try await Self.provisioned(try SoftHSM.token(), setting.kind, authority)
            : try await Self.provisioned(FileKeyStore("\(folder)/keys"), setting.kind, authority)
        try await Self.echo(try Self.endpoint(broker, identity, setting.version))
        #expect(identity.key.lastFailure == nil)
    }

    @Test("sessions that were ended between connections, and tokens that many connections use at once")
    func survives() async throws {
        let broker = try Self.start("martlet")
        defer { broker.stop() }
        let token = try SoftHSM.token()
        let identity = try await Self.provisioned(token, .p256, try Authority.shared.get())
        let endpoint = try Self.endpoint(broker, identity)
        try await Self.echo(endpoint)
        try await token.closeAllSessions()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { try await Self.echo(endpoint) } }
            try await group.waitForAll()
        }
    }

    @Test("a key that is gone when TLS asks for it: the error says which, and the next connection finds it again")
    func keyGone() async throws {
        let broker = try Self.start("martlet")
        defer { broker.stop() }
        let token = try SoftHSM.token()
        let client = try Authority.shared.get().client("device")
        try await token.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
        try await token.importCertificate(
            client.certificate, label: DeviceLabel.certificate.rawValue, key: nil, replacing: false)
        let identity = try await token.identity()
        let endpoint = try Self.endpoint(broker, identity)
        try await token.remove(.privateKey, .label(.privateKey))
        let error = await #expect(throws: ClientError.self) { try await Self.echo(endpoint) }
        #expect(
            "\(try #require(error))".contains("our key did not sign: \(token) has no private key 'Device Priv TLS Key'")
        )
        guard case .missing = identity.key.lastFailure else {
            Issue.record("\(String(describing: identity.key.lastFailure))")
            return
        }
        #expect(try #require(error).isTransient)
        try await token.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: true)
        try await Self.echo(endpoint)
    }

    @Test("a certificate of an authority that the broker does not know is refused", arguments: brokers)
    func foreign(_ name: String) async throws {
        let broker = try Self.start(name)
        defer { broker.stop() }
        let identity = try await Self.provisioned(try SoftHSM.token(), .p256, try Authority.stranger.get())
        let endpoint = try Self.endpoint(broker, identity)
        let error = await #expect(throws: ClientError.self) { try await Self.echo(endpoint) }
        // With TLS 1.3 the server says no after the handshake: its words may come too late to be heard.
        switch try #require(error) {
        case .connectFailed(let failure): #expect(failure.stage == .tls)
        case .connectionLost: break
        default: Issue.record("\(String(describing: error))")
        }
    }

    @Test("jitter comes from where it is told to, and a source that fails ends the client")
    func jitter() async throws {
        let token = try SoftHSM.token()
        let asked = Counter()
        struct Broken: Error {}
        let client = try MQTTClient(
            .tcp("127.0.0.1", port: 1),
            reconnect: ReconnectPolicy(
                backoff: Backoff(baseMilliseconds: 1, maximumMilliseconds: 2), retriesFirstConnection: true),
            jitter: {
                guard asked.next() <= 3 else { throw Broken() }
                return try await token.random()
            })
        await #expect(throws: ClientError.noRandomness("Broken()")) { try await client.run() }
        #expect(asked.value == 4)
    }
}
