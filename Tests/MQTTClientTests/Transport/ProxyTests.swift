import MQTTClient
import MQTTTestKit
import Testing

/// Through Debian's `microsocks` to brokers.
@Suite("Through a SOCKS5 proxy", .timeLimit(.minutes(10)), .enabled(if: MicroSocks.isPresent, "microsocks: make setup"))
struct ProxyTests {
    let world: TransportWorld

    init() throws { world = try TransportWorld.made.get() }

    @Test("plain, TLS, WebSocket over TLS; with a user name and without", arguments: [nil, "user"])
    func through(userName: String?) async throws {
        let proxy = try MicroSocks(userName.map { ["-u", $0, "-P", "s p:c"] } ?? [])
        let way = SOCKS5Proxy(
            host: "127.0.0.1", port: proxy.port, userName: userName, password: userName.map { _ in "s p:c" })
        let endpoints: [Endpoint] = [
            .tcp("127.0.0.1", port: Int(try world.running(.martlet).process.port)),
            .tcp("localhost", port: Int(try world.running(.martlet).process.port)),
            .tls("localhost", port: try world.port(.martlet, .tls), trust: world.trust),
            .webSocket("localhost", port: try world.port(.martlet, .webSocketTLS), tls: ClientTLS(trust: world.trust)),
        ]
        for endpoint in endpoints { #expect(try await TransportWorld.roundTrip(endpoint.through(way)), "\(endpoint)") }
        let wrongName = Endpoint.tls("localhost", port: try world.port(.martlet, .other), trust: world.trust)
        guard case .connectFailed(let failure)? = await TransportWorld.failure(wrongName.through(way)) else {
            Issue.record("a wrong name passed behind a proxy")
            return
        }
        #expect(failure.certificateProblem == .wrongName)
    }

    @Test("what a proxy refuses is said")
    func refused() async throws {
        let proxy = try MicroSocks(["-u", "user", "-P", "right"])
        let broker = Endpoint.tcp("127.0.0.1", port: Int(try world.running(.martlet).process.port))
        let nobody = try #require(Loopback.freePort())
        let open = try MicroSocks([])
        let cases: [(Endpoint, String)] = [
            (broker.through(SOCKS5Proxy(host: "127.0.0.1", port: proxy.port)), "give user name and password"),
            (
                broker.through(SOCKS5Proxy(host: "127.0.0.1", port: proxy.port, userName: "user", password: "wrong")),
                "refused user name or password"
            ),
            (
                .tcp("127.0.0.1", port: Int(nobody)).through(SOCKS5Proxy(host: "127.0.0.1", port: open.port)),
                "refuses the proxy's connection"
            ),
            (broker.through(SOCKS5Proxy(host: "127.0.0.1", port: broker.port)), "is that a SOCKS5 proxy?"),
        ]
        for (endpoint, words) in cases {
            guard case .connectFailed(let failure)? = await TransportWorld.failure(endpoint) else {
                Issue.record("\(endpoint) was reached")
                continue
            }
            #expect(failure.stage == .proxy)
            #expect(failure.description.contains(words), "\(failure)")
            #expect(!failure.description.contains("wrong"))
        }
    }
}
