import Glibc
import MQTTTestKit
import Testing

/// Limits on those whom nobody knows yet, and on how many may come.
@Suite("Limits on connections", .blocking)
struct StrangersTests {
    @Test("max_connections: one more is closed at once, and is welcome when another has left")
    func maxConnections() throws {
        let broker = try BrokerProcess.start(BrokerProcess.anonymous + "max_connections 2\n")
        // The start-up's own probe must have left first.
        var clients: [RawClient] = []
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                if let client = try? RawClient.patient(broker) { clients.append(client) }
                return clients.count == 2
            })
        let third = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        third.send(Wire.connect(id: unique("c")))
        try third.expectClosed()
        for client in clients { try client.expectQuiet() }
        try clients[0].disconnect()
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { (try? RawClient.patient(broker)) != nil })
    }

    @Test("connect_timeout: a connection without CONNECT is closed, one with goes on", arguments: [1, 3])
    func connectTimeout(loops: Int) throws {
        let broker = try BrokerProcess.start(BrokerProcess.anonymous + "connect_timeout 3\nevent_loops \(loops)\n")
        let client = try RawClient.patient(broker)
        let silent = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        let slow = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
        slow.send(Array(Wire.connect(id: unique("c")).dropLast()))
        try silent.expectClosed()
        try slow.expectClosed()
        try client.expectQuiet()
    }

    @Test(
        "max_pending_connections_per_address: strangers beyond it are closed; who said CONNECT does not count",
        arguments: [1, 3])
    func pendingPerAddress(loops: Int) throws {
        let broker = try BrokerProcess.start(
            "listener {port}\nallow_anonymous true\nmax_pending_connections_per_address 3\nevent_loops \(loops)\n")
        var known: [RawClient] = []
        for _ in 0..<6 { known.append(try .patient(broker)) }
        // The start-up's own probe may still count for a moment.
        var strangers: [RawClient] = []
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                strangers = (0..<3).compactMap { _ in try? RawClient(broker) }
                return strangers.allSatisfy { $0.isOpen(forMilliseconds: 100) }
            })
        try RawClient(broker, deadlineMilliseconds: patienceMilliseconds).expectClosed()
        // Another address is another count.
        if Loopback.hasIPv6 {
            let other = try RawClient(.version6, port: broker.port, deadlineMilliseconds: patienceMilliseconds)
            try other.connect(id: unique("c"))
        }
        for client in known { try client.expectQuiet() }
        strangers.forEach { $0.close() }
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { (try? RawClient.patient(broker)) != nil })
    }

    @Test("Many who come and go without a word leave no trace in the count", arguments: [1, 3])
    func comeAndGo(loops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "max_pending_connections 20\nevent_loops \(loops)\n")
        for round in 0..<60 {
            let client = try RawClient(broker)
            if round % 3 == 0 { client.send([0x10]) }
            if round % 2 == 0 { client.reset() } else { client.close() }
        }
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { (try? RawClient.patient(broker)) != nil })
        // And all the room is there again.
        var strangers: [RawClient] = []
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                strangers = (0..<20).compactMap { _ in try? RawClient(broker) }
                return strangers.allSatisfy { $0.isOpen(forMilliseconds: 20) }
            })
    }

    @Test("Out of descriptors the listener rests, clients that are there are served, and it goes on afterwards")
    func outOfDescriptors() throws {
        let port = try #require(Loopback.freePort())
        let program = try Program(["broker", "-p", String(port)], openFilesMax: 60)
        #expect(program.answers(port: port))
        let client = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        try client.connect(id: unique("c"))
        var crowd: [RawClient] = []
        for _ in 0..<80 { crowd.append(try RawClient(port: port)) }
        #expect(
            Deadline(milliseconds: patienceMilliseconds).wait {
                program.standardError.contains("Out of file descriptors: port \(port)")
            })
        try client.expectQuiet()
        crowd.forEach { $0.close() }
        let late = try RawClient(port: port, deadlineMilliseconds: patienceMilliseconds)
        try late.connect(id: unique("c"))
        try client.expectQuiet()
        program.signal(SIGTERM)
        #expect(program.exitStatus(withinMilliseconds: patienceMilliseconds) == 0)
    }
}

extension RawClient {
    /// Whether the broker leaves the connection open for this long.
    func isOpen(forMilliseconds limit: Int) -> Bool {
        do {
            try expectNothing(forMilliseconds: limit)
            return true
        } catch {
            return false
        }
    }
}
