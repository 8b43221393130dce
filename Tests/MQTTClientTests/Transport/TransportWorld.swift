import CertificateTestKit
import Foundation
import MQTTClient
import MQTTTestKit
import Testing

/// Certificates good and bad, and for each broker a process with a listener of every kind. Made once.
final class TransportWorld: Sendable {
    enum Broker: String, Sendable, CaseIterable, CustomTestStringConvertible {
        case martlet, mosquitto
        var testDescription: String { rawValue }
        static let present = BrokerProcess.mosquitto == nil ? [Broker.martlet] : allCases
    }

    enum Listener: String, Sendable, CaseIterable {
        /// By `chain`: for localhost and broker.example, from an authority in between.
        case tls, webSocketTLS
        /// By `chain`, and a client certificate is wanted.
        case mutual
        /// Version 1, no alternative names, common name localhost: as the seeds' recipes make them.
        case commonName
        /// For other.example.
        case other
        case expired, future
        case modern
        case preSharedKey
        case webSocket
    }

    let lab: CertificateLab
    private let running: [Broker: Running]

    struct Running: Sendable {
        let process: BrokerProcess
        let ports: [Listener: Int]
        let socketPath: String
    }

    static let made = Result { try TransportWorld() }

    private static let localhost = """
        basicConstraints = CA:FALSE
        extendedKeyUsage = serverAuth
        subjectAltName = DNS:localhost,DNS:broker.example,IP:127.0.0.1
        """
    private static let otherServer = "extendedKeyUsage = serverAuth\nsubjectAltName = DNS:other.example"

    private init() throws {
        lab = try CertificateLab()
        try Self.makeCertificates(lab)
        var running: [Broker: Running] = [:]
        for broker in Broker.present { running[broker] = try Self.start(broker, lab) }
        self.running = running
    }

    private static func makeCertificates(_ lab: CertificateLab) throws {
        for name in ["ca", "foreign"] {
            try lab.certificate(name, subject: "/CN=\(name)", extensions: CertificateLab.authority)
        }
        try lab.certificate("between", by: "ca", extensions: CertificateLab.authority)
        try lab.certificate("server", kind: "RSA 2048", by: "between", extensions: localhost)
        try lab.certificate("plain", subject: "/CN=localhost", kind: "RSA 2048", by: "ca", extensions: nil)
        try lab.certificate("other", subject: "/CN=localhost", by: "ca", extensions: otherServer)
        try lab.dated("expired", by: "ca", from: "20200101000000Z", until: "20210101000000Z", extensions: localhost)
        try lab.dated("future", by: "ca", from: "20450101000000Z", until: "20460101000000Z", extensions: localhost)
        try lab.certificate("self", subject: "/CN=localhost", extensions: localhost)
        try lab.certificate("alice", kind: "RSA 2048", by: "ca", extensions: CertificateLab.client)
        try lab.certificate("bob", by: "between", extensions: CertificateLab.client)
        try lab.certificate("gone", by: "ca", extensions: CertificateLab.client)
        try lab.certificate("mallory", by: "foreign", extensions: CertificateLab.client)
        try lab.dated(
            "old", by: "ca", from: "20200101000000Z", until: "20210101000000Z", extensions: CertificateLab.client)
        try lab.revocationList("list", by: "ca", revoking: ["gone"])
        try lab.openSSL.write(try ["server", "between"].flatMap { try lab.openSSL.read("\($0).crt") }, to: "chain.crt")
        try lab.openSSL.write(
            try ["bob", "between"].flatMap { try lab.openSSL.read("\($0).crt") }, to: "bob-chain.crt")
        try lab.openSSL.write("device:00112233445566778899aabbccddeeff\n", to: "keys.psk")
    }

    private static func start(_ broker: Broker, _ lab: CertificateLab) throws -> Running {
        var ports: [Listener: Int] = [:]
        let folder = lab.openSSL.folder.path
        var text = BrokerProcess.anonymous + "log_type all\npsk_file \(folder)/keys.psk\n"
        func listener(_ name: Listener, _ certificate: String?, _ more: String = "") throws {
            guard let port = Loopback.freePort() else { throw BrokerProcess.StartFailure(description: "no free port") }
            ports[name] = Int(port)
            text += "listener \(port) 127.0.0.1\n"
            if let certificate {
                let key = certificate == "chain" ? "server" : certificate
                text += "certfile \(folder)/\(certificate).crt\nkeyfile \(folder)/\(key).key\n"
            }
            text += more
        }
        let mutual = "cafile \(folder)/ca.crt\ncrlfile \(folder)/list.crl\nrequire_certificate true\n"
        try listener(.tls, "chain")
        try listener(.webSocketTLS, "chain", "protocol websockets\n")
        try listener(.mutual, "chain", mutual)
        try listener(.commonName, "plain")
        try listener(.other, "other")
        try listener(.expired, "expired")
        try listener(.future, "future")
        try listener(.modern, "chain", "tls_version tlsv1.3\n")
        try listener(.preSharedKey, nil, "psk_hint hint\n")
        try listener(.webSocket, nil, "protocol websockets\n")
        let socketPath = "/tmp/\(unique("mqtt")).sock"
        text += "listener 0 \(socketPath)\n"
        let process = try BrokerProcess.start(text, program: broker == .mosquitto ? BrokerProcess.mosquitto : nil)
        return Running(process: process, ports: ports, socketPath: socketPath)
    }

    deinit {
        for one in running.values { unlink(one.socketPath) }
    }

    // MARK: For tests

    func running(_ broker: Broker) throws -> Running {
        guard let one = running[broker] else {
            throw BrokerProcess.StartFailure(description: "\(broker.rawValue) does not run")
        }
        return one
    }

    func port(_ broker: Broker, _ listener: Listener) throws -> Int { try running(broker).ports[listener] ?? 0 }

    func path(_ name: String) -> String { lab.openSSL.path(name) }
    var trust: TrustRoots { .file(path("ca.crt")) }

    func identity(_ name: String, chain: String? = nil) -> ClientIdentity {
        .files(certificate: path("\(chain ?? name).crt"), key: path("\(name).key"))
    }

    static let preSharedKey = ClientTLS.PreSharedKey(
        identity: "device", hexadecimal: "00112233445566778899aabbccddeeff")

    /// Why there was no connection, nil = there was one.
    static func failure(_ endpoint: Endpoint, version: ProtocolVersion = .v5) async -> ClientError? {
        do {
            var configuration = ClientConfiguration(clientIdentifier: unique("t"), version: version)
            configuration.connectTimeout = .seconds(60)
            try await MQTTClient.withConnection(to: endpoint, configuration, reconnect: .never) { _ in }
            return nil
        } catch {
            return error as? ClientError
        }
    }

    /// A message of some size there and back.
    static func roundTrip(_ endpoint: Endpoint, bytes: Int = 20_000) async throws -> Bool {
        let configuration = ClientConfiguration(clientIdentifier: unique("t"), version: .v5)
        return try await MQTTClient.withConnection(to: endpoint, configuration, reconnect: .never) { client in
            let topic = Topic(stringLiteral: unique("t"))
            var messages = try await client.subscribe(to: TopicFilter(topic), qos: .exactlyOnce).makeAsyncIterator()
            let payload = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await client.publish(Message(topic, payload, qos: .exactlyOnce))
            return try await messages.next()?.payload == payload
        }
    }
}
