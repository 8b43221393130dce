import Foundation
import Glibc
import MQTTTestKit
import Testing

/// What those get who never say CONNECT, and what happens when the process has no descriptors left.
@Suite(
    "Limits on strangers", .blocking,
    .enabled(if: !BrokerUnderTest.isMosquitto, "these limits are Martlet's own"))
struct StrangerTests {
    private func broker(_ limits: String) throws -> BrokerProcess {
        try BrokerProcess.start("listener {port} 127.0.0.1\nallow_anonymous true\n\(limits)\n")
    }

    @Test("no CONNECT within connect_timeout closes, with nothing sent, half of one, or a byte now and then")
    func connectTimeout() throws {
        let broker = try broker("connect_timeout 1")
        let silent = try RawClient(broker)
        let half = try RawClient(broker)
        half.send(Array(Wire.connect(id: "half").dropLast()))
        let dripping = try RawClient(broker)
        let start = ContinuousClock.now
        dripping.sendSlowly(Array(Wire.connect(id: unique("dripping")).dropLast()), pauseMilliseconds: 150)
        #expect(ContinuousClock.now - start > .milliseconds(1_000), "it dripped too fast to show anything")
        for client in [silent, half, dripping] { try client.expectClosed() }
        // Whoever did say it stays.
        try persistently { try RawClient.connected(to: broker).disconnect() }
    }

    @Test("more pending connections than max_pending_connections_per_address are closed; a client gets in after them")
    func pendingPerAddress() throws {
        let broker = try broker("max_pending_connections_per_address 5\nconnect_timeout 60")
        var pair = try HealthyPair(broker)
        var strangers: [RawClient] = []
        for _ in 0..<20 { strangers.append(try RawClient(broker)) }
        func closed() -> Int {
            strangers.filter { client in
                _ = client.arrived()
                return client.hasEnded
            }.count
        }
        _ = Deadline(milliseconds: patienceMilliseconds).wait { closed() >= 15 }
        usleep(300_000)  // for more of them
        // One more where the harness's own first connection still counted.
        #expect((15...16).contains(closed()))
        try pair.round()

        for stranger in strangers { stranger.close() }
        try eventually { try RawClient.connected(to: broker).disconnect() }
        try pair.round()
    }

    @Test("out of descriptors only the listener rests: clients go on, and new ones get in when descriptors are free")
    func outOfDescriptors() throws {
        let broker = try broker("")
        var pair = try HealthyPair(broker)
        let inUse = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(broker.pid)/fd").count
        try limitOpenFiles(of: broker, to: inUse + 5)

        // The kernel takes all of them in; the broker can take about five.
        var clients: [RawClient] = []
        for _ in 0..<20 {
            let client = try RawClient(broker)
            client.send(Wire.connect(id: unique("many")))
            clients.append(client)
        }
        var accepted: [RawClient] = []
        var waiting: [RawClient] = []
        for client in clients {
            if try client.next(withinMilliseconds: 200)?.kind == .connack {
                accepted.append(client)
            } else {
                waiting.append(client)
            }
        }
        // About five: what was open when they were counted may have closed since, the start-up's probe for instance.
        #expect((1..<15).contains(accepted.count), "\(accepted.count) were accepted")
        for _ in 0..<50 { try pair.round() }
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { broker.log.contains("Out of file descriptors") })

        // As the first ones go, the others come in, a few at a time.
        while !waiting.isEmpty {
            for client in accepted { client.close() }
            accepted = []
            for client in waiting.prefix(4) {
                try client.expect(.connack)
                accepted.append(client)
            }
            waiting.removeFirst(min(4, waiting.count))
            try pair.round()
        }
        #expect(broker.isRunning)
    }

    /// Lowers the limit of a process that runs: at its start it raises its own.
    private func limitOpenFiles(of broker: BrokerProcess, to count: Int) throws {
        let program = Process()
        program.executableURL = URL(filePath: "/usr/bin/prlimit")
        program.arguments = ["--pid", "\(broker.pid)", "--nofile=\(count):\(count)"]
        try program.run()
        program.waitUntilExit()
        try #require(program.terminationStatus == 0, "prlimit ended with \(program.terminationStatus)")
    }

    /// Tries again for up to a minute: a close is noticed a moment later.
    private func eventually(_ body: () throws -> Void) throws {
        let end = ContinuousClock.now + .milliseconds(patienceMilliseconds)
        while ContinuousClock.now < end {
            do { return try body() } catch { usleep(20_000) }
        }
        try body()
    }
}
