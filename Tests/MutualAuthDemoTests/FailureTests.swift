import MQTTClient
import MutualAuthDemo
import Synchronization
import Testing

/// The demo's logic beside a broker that goes wrong: each failure is one, and says what it is.
@Suite("The demo's failures", .timeLimit(.minutes(10)))
struct FailureTests {
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private func run(
        port: Int, _ change: (inout DemoSettings) -> Void = { _ in }, random: @escaping JitterSource = { 0 }
    ) async -> (Bool, [String]) {
        var settings = DemoSettings(clientIdentifier: "thing")
        settings.iterations = 1
        settings.publishPause = .milliseconds(1)
        settings.packetTimeout = .seconds(60)
        settings.connackTimeout = .seconds(60)
        change(&settings)
        let lines = Lines()
        let demo = MutualAuthDemo(settings, to: .tcp("127.0.0.1", port: port), random: random) { lines.add($0) }
        return (await demo.run(), lines.all)
    }

    @Test("[FR-7] a filter that is refused: six SUBSCRIBEs under one identifier, then failure")
    func filterRefused() async throws {
        let broker = try RefusingBroker(.init(suback: 0x80))
        defer { broker.stop() }
        let (succeeded, lines) = await run(port: broker.port)
        #expect(!succeeded)
        let subscribes = broker.packets.filter { $0[0] == 0x82 }
        #expect(subscribes.count == 6)
        #expect(Set(subscribes.map { Array($0[2..<4]) }) == [[0, 1]])
        #expect(lines.filter { $0.contains("refused the subscription") && $0.contains("(128)") }.count == 6)
        #expect(lines.contains("Retry 5 of 5 in 0 ms."))
        #expect(lines.contains("Iteration 1 failed: all 5 retries of the subscription are used up"))
        #expect(lines.last == "Demo failed: 0 of 1 iterations succeeded, 1 are required.")
        #expect(broker.packets.last?.first == 0xE0)  // it says goodbye all the same [FR-2]
    }

    @Test("nobody there: six attempts, then failure")
    func nobody() async {
        let (succeeded, lines) = await run(port: 1)
        #expect(!succeeded)
        #expect(lines.filter { $0 == "TLS: connecting to 127.0.0.1:1" }.count == 6)
        #expect(lines.filter { $0.contains("connection refused") }.count == 6)
        #expect(lines.contains("Iteration 1 failed: all 5 retries of the connection are used up"))
    }

    @Test("[BO-5] without randomness nothing is tried again")
    func noRandomness() async {
        struct Broken: Error, CustomStringConvertible { let description = "the token is broken" }
        let (succeeded, lines) = await run(port: 1, random: { throw Broken() })
        #expect(!succeeded)
        #expect(lines.filter { $0.hasPrefix("TLS: connecting") }.count == 1)
        #expect(lines.contains("Iteration 1 failed: no random number for the delay: the token is broken"))
    }

    @Test("a CONNACK that refuses, and none")
    func connack() async throws {
        let refusing = try RefusingBroker(.init(connack: 5))
        defer { refusing.stop() }
        let (entered, lines) = await run(port: refusing.port)
        #expect(!entered && lines.contains { $0.hasPrefix("Iteration 1 failed: the server refused the connection") })
        #expect(lines.filter { $0.hasPrefix("TLS: connecting") }.count == 1)
        let silent = try RefusingBroker(.init(connack: nil))
        defer { silent.stop() }
        let (heard, words) = await run(port: silent.port, { $0.connackTimeout = .milliseconds(300) })
        #expect(!heard && words.contains("Iteration 1 failed: the server did not answer CONNECT in time"))
    }

    @Test("an echo that stays away, and a PUBACK that does, are failures")
    func missing() async throws {
        let deaf = try RefusingBroker(.init())
        defer { deaf.stop() }
        let (succeeded, lines) = await run(port: deaf.port, { $0.packetTimeout = .seconds(5) })
        #expect(!succeeded)
        #expect(lines.contains("Acknowledged: packet 2"))
        #expect(lines.contains("Iteration 1 failed: the message coming back did not come within 5000 ms"))
        let mute = try RefusingBroker(.init(puback: false))
        defer { mute.stop() }
        let (_, words) = await run(port: mute.port, { $0.packetTimeout = .seconds(5) })
        #expect(words.contains("Iteration 1 failed: the acknowledgement did not come within 5000 ms"))
    }

    @Test("[FR-3] a failed iteration does not stop the next, and more than half must succeed")
    func iterations() async {
        let (succeeded, lines) = await run(
            port: 1,
            {
                $0.iterations = 4
                $0.retriesMax = 0
                $0.iterationPause = .milliseconds(1)
            })
        #expect(!succeeded)
        #expect(lines.filter { $0.hasSuffix("failed: all 0 retries of the connection are used up") }.count == 4)
        #expect(lines.last == "Demo failed: 0 of 4 iterations succeeded, 3 are required.")
    }
}
