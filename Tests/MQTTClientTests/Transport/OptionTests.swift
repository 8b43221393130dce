import CertificateTestKit
import Foundation
import MQTTClient
import MQTTTestKit
import Testing

/// The options of Paho's `MQTTClient_SSLOptions`, one by one [CH-19], and those around them, as `openssl s_server` sees them.
@Suite("TLS options", .timeLimit(.minutes(10)))
struct OptionTests {
    let world: TransportWorld

    init() throws { world = try TransportWorld.made.get() }

    private func server(_ arguments: String...) async throws -> OpenSSLServer {
        try await OpenSSLServer(
            world.lab.openSSL,
            ["-cert", "server.crt", "-key", "server.key", "-cert_chain", "between.crt"] + arguments)
    }

    /// Connects to a server that speaks no MQTT; what it said by the time it had said `text`.
    private func visit(
        _ server: OpenSSLServer, host: String = "localhost", until text: String,
        _ change: (inout ClientTLS) -> Void = { _ in }
    ) async -> (said: String, failure: ConnectFailure?) {
        var tls = ClientTLS(trust: world.trust)
        change(&tls)
        let endpoint = Endpoint.tls(host, port: server.port, tls).resolving(to: "127.0.0.1")
        let failure = await OpenSSLServer.visit(endpoint)
        return (text.isEmpty ? "" : await server.process.says(text), failure)
    }

    @Test("cipher list: the one that was asked for is taken; a list that comes to nothing is refused")
    func ciphers() async throws {
        let wanted = "ECDHE-RSA-AES256-GCM-SHA384"
        let server = try await server("-tls1_2")
        let (said, failure) = await visit(server, until: "CIPHER is \(wanted)") { $0.ciphers = wanted }
        #expect(failure == nil)
        #expect(said.contains("CIPHER is \(wanted)"), "\(said)")
        for nonsense in ["nonsense", "!ALL", "DHE-RSA-AES256-GCM-SHA384"] {
            let failure = await visit(server, until: "") { $0.ciphers = nonsense }.failure
            #expect(failure?.stage == .settings)
            #expect(failure?.description.contains("cipher list \(nonsense)") == true)
        }
    }

    @Test("no cipher suite in common: said")
    func noCommonCipher() async throws {
        let server = try await server("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305")
        let failure = try #require(
            await visit(server, until: "no shared cipher") { $0.ciphers = "ECDHE-RSA-AES128-GCM-SHA256" }.failure)
        #expect(failure.stage == .tls)
        #expect(failure.reason.contains("cipher suite in common"), "\(failure)")
    }

    @Test("minimum and maximum version; none in common: said")
    func versions() async throws {
        let both = try await server()
        #expect(
            await visit(both, until: "CIPHER is ECDHE") { $0.maximumVersion = .tls12 }.said.contains("CIPHER is ECDHE"))
        let newest = try await server()
        #expect(await visit(newest, until: "CIPHER is TLS_").said.contains("CIPHER is TLS_"))
        let old = try await server("-tls1_2")
        let failure = try #require(await visit(old, until: "") { $0.minimumVersion = .tls13 }.failure)
        #expect(failure.reason.contains("version"), "\(failure)")
        let impossible = await visit(both, until: "") {
            $0.minimumVersion = .tls13
            $0.maximumVersion = .tls12
        }
        #expect(impossible.failure?.stage == .settings)
    }

    @Test("the server's name is told (SNI), an address is not; protocols are offered (ALPN)")
    func indications() async throws {
        let named = try await server("-servername", "broker.example", "-cert2", "server.crt", "-key2", "server.key")
        var said = await visit(named, host: "broker.example", until: "CIPHER is") {
            // This server's second certificate comes without the one in between.
            $0.trust = world.trust.and(.file(world.path("between.crt")))
        }.said
        #expect(said.contains("Hostname in TLS extension: \"broker.example\""), "\(said)")
        let choosing = try await server("-alpn", "mqtt")
        said =
            await visit(choosing, until: "ALPN protocols selected") {
                $0.applicationProtocols = ["x-amzn-mqtt-ca", "mqtt"]
            }.said
        #expect(said.contains("ALPN protocols advertised by the client: x-amzn-mqtt-ca, mqtt"), "\(said)")
        #expect(said.contains("ALPN protocols selected: mqtt"), "\(said)")
        let byAddress = try await server(
            "-servername", "broker.example", "-cert2", "server.crt", "-key2", "server.key")
        let silent = await visit(byAddress, host: "127.0.0.1", until: "CIPHER is")
        #expect(silent.failure == nil)
        #expect(!silent.said.contains("Hostname in TLS extension"), "\(silent.said)")
        let tooLong = await visit(byAddress, until: "") {
            $0.applicationProtocols = [String(repeating: "x", count: 256)]
        }
        #expect(tooLong.failure?.stage == .settings)
    }

    @Test("the key log has the connection's secrets, and nobody else may read it")
    func keyLog() async throws {
        let path = world.path("keys.log")
        let server = try await server()
        #expect(await visit(server, until: "CIPHER is") { $0.keyLogFile = path }.failure == nil)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "))
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        let failure = await visit(server, until: "") { $0.keyLogFile = "/no/such/folder/keys" }.failure
        #expect(failure?.stage == .settings)
    }

    @Test("errors reach the program: the call that failed, the stream of states, the library's own words")
    func errors() async throws {
        let endpoint = Endpoint.tls(
            "localhost", port: try world.port(.martlet, .tls), trust: .file(world.path("foreign.crt")))
        let client = try MQTTClient(
            endpoint, ClientConfiguration(clientIdentifier: "errors"),
            reconnect: ReconnectPolicy(
                backoff: Backoff(baseMilliseconds: 1, maximumMilliseconds: 2), retriesFirstConnection: true))
        async let life: Void = client.run()
        var seen: ConnectFailure?
        for await state in client.states {
            if case .waiting(_, after: .connectFailed(let failure)) = state {
                seen = failure
                break
            }
        }
        client.close()
        try await life
        #expect(seen?.certificateProblem == .untrusted)
        #expect(seen?.details.contains { $0.contains("CERTIFICATE_VERIFY_FAILED") } == true, "\(seen?.details ?? [])")
    }
}
