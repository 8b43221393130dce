import Foundation
import MQTTClient
import MQTTTestKit
import Testing

/// Every way to a broker, to ours and to Debian's mosquitto: a message there and back.
@Suite("Ways to a broker", .timeLimit(.minutes(10)))
struct WayTests {
    typealias Broker = TransportWorld.Broker
    let world: TransportWorld

    init() throws { world = try TransportWorld.made.get() }

    @Test("TCP, TLS, WebSocket, WebSocket over TLS, a Unix socket", arguments: Broker.present)
    func ways(_ broker: Broker) async throws {
        let running = try world.running(broker)
        let endpoints: [Endpoint] = [
            .tcp("127.0.0.1", port: Int(running.process.port)),
            .tls("localhost", port: try world.port(broker, .tls), trust: world.trust),
            .tls("127.0.0.1", port: try world.port(broker, .tls), trust: world.trust),
            .tls("localhost", port: try world.port(broker, .commonName), trust: world.trust),
            .tls("localhost", port: try world.port(broker, .modern), trust: world.trust),
            .webSocket("127.0.0.1", port: try world.port(broker, .webSocket)),
            .webSocket("localhost", port: try world.port(broker, .webSocketTLS), tls: ClientTLS(trust: world.trust)),
            .unix(running.socketPath),
        ]
        for endpoint in endpoints {
            #expect(try await TransportWorld.roundTrip(endpoint), "\(endpoint)")
        }
    }

    @Test("a pre-shared key: the right one comes in, others do not", arguments: Broker.present)
    func preSharedKey(_ broker: Broker) async throws {
        let port = try world.port(broker, .preSharedKey)
        let right = try #require(TransportWorld.preSharedKey)
        #expect(try await TransportWorld.roundTrip(.tls("localhost", port: port, ClientTLS(preSharedKey: right))))
        for wrong in [
            ClientTLS.PreSharedKey(identity: "device", key: [1, 2, 3]),
            ClientTLS.PreSharedKey(identity: "nobody", key: right.key.bytes),
        ] {
            let failure = await TransportWorld.failure(.tls("localhost", port: port, ClientTLS(preSharedKey: wrong)))
            guard case .connectFailed(let failure)? = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
            #expect(failure.stage == .tls)
            #expect(
                failure.remedy?.contains("key") == true || failure.remedy?.contains("psk_file") == true, "\(failure)")
        }
    }

    @Test(
        "a name that nobody resolves, by an address of ours; the certificate is for the name", arguments: Broker.present
    )
    func resolving(_ broker: Broker) async throws {
        let endpoint = Endpoint.tls("broker.example", port: try world.port(broker, .tls), trust: world.trust)
            .resolving(to: "127.0.0.1")
        #expect(await TransportWorld.failure(endpoint) == nil)
        guard case .connectFailed(let failure)? = await TransportWorld.failure(.tcp("no-such-host.invalid")) else {
            Issue.record("a name that does not exist was reached")
            return
        }
        #expect(failure.stage == .lookup)
        #expect(failure.reason.contains("no-such-host.invalid"))
    }

    @Test("from an address of this machine that we choose")
    func localAddress() async throws {
        let running = try world.running(.martlet)
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(running.process.port))
        #expect(await TransportWorld.failure(endpoint.from(localAddress: "127.0.0.77")) == nil)
        #expect(running.process.log.contains("127.0.0.77"))
        for (address, words) in [("nonsense", "no IPv4 or IPv6 address"), ("203.0.113.9", "not one of this machine's")]
        {
            guard case .connectFailed(let failure)? = await TransportWorld.failure(endpoint.from(localAddress: address))
            else {
                Issue.record("\(address) was taken")
                continue
            }
            #expect(failure.description.contains(words))
        }
    }

    @Test(
        "endpoints that cannot be are refused before anything is tried, and not tried again",
        arguments: [
            (Endpoint.tcp("", port: 1883), "host"), (.tcp("h", port: 0), "port 0"),
            (.tcp("h", port: 65_536), "port 65536"),
            (.unix(""), "socket"), (.unix("/" + String(repeating: "x", count: 107)), "107 bytes"),
            (.unix("/x").through(SOCKS5Proxy(host: "p")), "Unix socket"),
            (.webSocket("h", path: "mqtt"), "begins with /"), (.webSocket("h", path: "/a b"), "blanks"),
            (.webSocket("h", headers: [HTTPHeader("X", "a\r\nY: b")]), "line break"),
            (.webSocket("h", headers: [HTTPHeader("X Y", "a")]), "no name of a header"),
            (.webSocket("h", headers: [HTTPHeader("Sec-WebSocket-Key", "a")]), "WebSocket's own"),
            (.tcp("h").through(SOCKS5Proxy(host: "p", userName: "", password: "x")), "user name"),
            (.tcp("h").through(SOCKS5Proxy(host: "p", port: 0)), "proxy"),
            (.tcp(String(repeating: "h", count: 256)).through(SOCKS5Proxy(host: "p")), "255 bytes"),
        ])
    func impossible(endpoint: Endpoint, words: String) async {
        let error = await TransportWorld.failure(endpoint)
        guard case .connectFailed(let failure)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.stage == .settings)
        #expect(failure.description.contains(words), "\(failure)")
        #expect(error?.isTransient == false)
    }

    @Test("a Unix socket that is not there")
    func noSocket() async {
        guard case .connectFailed(let failure)? = await TransportWorld.failure(.unix("/tmp/no-such.sock")) else {
            Issue.record("there was one")
            return
        }
        #expect(failure.stage == .socket)
        #expect(failure.reason == "there is no such socket")
        #expect(failure.endpoint == "mqtt+unix:///tmp/no-such.sock")
    }

    @Test("the other protocol on the other port: said, with what to do", arguments: Broker.present)
    func wrongPort(_ broker: Broker) async throws {
        let plain = Int(try world.running(broker).process.port)
        let webSocket = try world.port(broker, .webSocket)
        let cases: [(Endpoint, [String])] = [
            (.tls("localhost", port: plain, trust: world.trust), ["TLS", "does that port speak TLS?"]),
            (.tls("localhost", port: webSocket, trust: world.trust), ["TLS", "does that port speak TLS?"]),
            (.webSocket("localhost", port: plain), ["WebSocket"]),
            (.tcp("localhost", port: try world.port(broker, .tls)), ["TLS"]),
            (.tcp("localhost", port: webSocket), ["WebSocket"]),
        ]
        for (endpoint, words) in cases {
            let error = await TransportWorld.failure(endpoint)
            for word in words {
                #expect(error?.description.contains(word) == true, "\(endpoint) \(String(describing: error))")
            }
        }
    }

    @Test("what is printed of an endpoint has no secret in it")
    func secrets() {
        let tls = ClientTLS(
            trust: .system, identity: .pkcs12(file: "me.p12", password: "hunter2"))
        let endpoint = Endpoint.tls("h", tls).through(SOCKS5Proxy(host: "p", userName: "u", password: "hunter3"))
        var text = "\(endpoint)"
        dump(endpoint, to: &text)
        dump(ClientIdentity.files(certificate: "c", key: "k", password: "hunter4"), to: &text)
        dump(ClientTLS.PreSharedKey(identity: "i", key: Array("hunter5".utf8)), to: &text)
        #expect(text.hasPrefix("mqtts://h:8883"))
        #expect(!text.contains("hunter"))
    }
}
