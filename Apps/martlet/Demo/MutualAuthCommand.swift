import ArgumentParser
import Certificates
import Glibc
import MQTTClient
import MQTTClientPKCS11
import MutualAuthDemo

/// `martlet demo mutual-auth`: coreMQTT's demo. [FR-1…10]
struct MutualAuthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutual-auth",
        abstract: "Connect with a certificate, subscribe, publish and hear it back, again and again.",
        discussion: """
            Key and certificate come from the token or folder that martlet provision filled. The server is trusted by
            --cafile, or by the store's 'Root Cert'.

            Examples:    martlet demo mutual-auth --host localhost --store keys
                         martlet demo mutual-auth --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --token device --iterations 0

            Exit status: 0 more than half of the iterations succeeded, 1 they did not, or key or certificate cannot be
            used, 64 the command line is wrong.
            """)

    @Option(help: "The broker's name or address; its certificate must be for it.")
    var host = "localhost"

    @Option(help: "The broker's port.")
    var port = 8883

    @Option(help: "The certificates that the server is trusted by, PEM or DER.")
    var cafile: String?

    @Option(help: "The device's name; by default the common name of its certificate.")
    var clientId: String?

    @OptionGroup(title: "Key and certificate") var place: StoreOptions
    @OptionGroup(title: "Labels") var labels: LabelOptions
    @OptionGroup(title: "The demo's constants") var constants: DemoConstants

    func run() async throws {
        let succeeded = try await StoreOptions.reporting {
            let (store, named) = try place.open()
            let identity = try await store.identity(
                key: labels.key(named),
                certificate: labels.keyLabel == nil && named == nil
                    || labels.certLabel != DeviceLabel.certificate.rawValue
                    ? .label(labels.certLabel) : nil)
            let own = try ParsedCertificate(der: identity.certificates[0])
            guard let name = clientId ?? own.subject.commonName, !name.isEmpty else {
                throw ValidationError("The certificate has no common name; give --client-id.")
            }
            let tls = ClientTLS(trust: try await trust(store), identity: identity.client)
            let demo = MutualAuthDemo(
                try constants.settings(name), to: .tls(host, port: port, tls),
                random: { try await store.random() }, say: { Self.say($0) })
            return await demo.run()
        }
        if !succeeded { throw CertsCommand.failed }
    }

    private func trust(_ store: any KeyStore) async throws -> TrustRoots {
        if let cafile { return .file(cafile) }
        do throws(KeyStoreError) {
            return .bytes(try await store.certificate(.label(labels.rootLabel)))
        } catch {
            guard case .missing = error else { throw error }
            return .system
        }
    }

    /// At once, also into a pipe: the demo is watched while it runs.
    private static func say(_ line: String) {
        var line = line + "\n"
        _ = line.withUTF8 { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}

/// Every constant of the demo.
struct DemoConstants: ParsableArguments {
    @Option(help: "How often everything is done; 0 = for ever.")
    var iterations = 3

    @Option(help: "Messages an iteration.")
    var publishes = 5

    @Option(help: "The topic; by default CLIENT-ID/example/topic.")
    var topic: String?

    @Option(help: "What is published.")
    var payload = "Hello World!"

    @Option(help: "QoS of subscription and messages.")
    var qos: UInt8 = 1

    @Option(help: "3.1.1 or 5.")
    var mqttVersion = "3.1.1"

    @Option(help: "Seconds.")
    var keepAlive: UInt16 = 60

    @Option(help: "Retries of the connection, and of SUBSCRIBE.")
    var retries: UInt32 = 5

    @Option(help: "Milliseconds: the longest first delay.")
    var retryBase: UInt16 = 500

    @Option(help: "Milliseconds: what the longest delay grows to.")
    var retryMax: UInt16 = 5_000

    @Option(help: "Milliseconds CONNACK may take, and before it TCP and TLS.")
    var connackTimeout = 1_000

    @Option(help: "Milliseconds of one turn of waiting for a packet.")
    var loopTimeout = 700

    @Option(help: "Turns of waiting for a packet.")
    var loopCalls = 30

    @Option(help: "Milliseconds after each message.")
    var publishPause = 2_000

    @Option(help: "Milliseconds between iterations.")
    var iterationPause = 5_000

    @Option(help: "Bytes of the largest packet that is taken.")
    var networkBuffer: UInt32 = 1_024

    func validate() throws {
        guard iterations >= 0 else { throw ValidationError("--iterations is 0 or more.") }
        guard publishes >= 1 else { throw ValidationError("--publishes is 1 or more.") }
        guard QoS(rawValue: qos) != nil else { throw ValidationError("--qos is 0, 1 or 2.") }
        guard ["3.1.1", "5"].contains(mqttVersion) else { throw ValidationError("--mqtt-version is 3.1.1 or 5.") }
        guard connackTimeout > 0, loopTimeout > 0, loopCalls > 0, publishPause >= 0, iterationPause >= 0 else {
            throw ValidationError("Times are milliseconds; timeouts are 1 or more, pauses 0 or more.")
        }
        guard networkBuffer > 0 else { throw ValidationError("--network-buffer is 1 or more.") }
    }

    func settings(_ clientIdentifier: String) throws -> DemoSettings {
        var settings = DemoSettings(clientIdentifier: clientIdentifier)
        settings.iterations = iterations
        settings.publishes = publishes
        settings.topic = topic
        settings.payload = payload
        settings.qos = QoS(rawValue: qos) ?? settings.qos
        settings.version = mqttVersion == "5" ? .v5 : .v311
        settings.keepAliveSeconds = keepAlive
        settings.retriesMax = retries
        settings.retryBaseMilliseconds = retryBase
        settings.retryMaximumMilliseconds = retryMax
        settings.connackTimeout = .milliseconds(connackTimeout)
        settings.packetTimeout = .milliseconds(loopTimeout * loopCalls)
        settings.publishPause = .milliseconds(publishPause)
        settings.iterationPause = .milliseconds(iterationPause)
        settings.packetBytesMax = networkBuffer
        return settings
    }
}
