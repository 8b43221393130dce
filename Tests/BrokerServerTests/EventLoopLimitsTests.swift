import MQTTTestKit
import Testing

/// What one event loop promises, several promise together: limits count for the whole broker, and a slow reader makes its
/// publishers wait on whatever loop they live. The clients of each test are enough that all loops have some.
@Suite("Limits over several event loops", .serialized, .blocking)
struct EventLoopLimitsTests {
    private static let conf = BrokerProcess.anonymous + "event_loops 3\nsys_interval 1\n"

    /// Clients that all send CONNECT before any answer is read: those who were let in, and the codes of the others.
    private func storm(
        _ broker: BrokerProcess, _ ids: [String], cleanStart: Bool = true
    ) throws -> (welcome: [RawClient], refusals: [UInt8]) {
        let clients = try ids.map { id in
            let client = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
            client.send(Wire.connect(id: id, cleanStart: cleanStart))
            return client
        }
        var welcome: [RawClient] = []
        var refusals: [UInt8] = []
        for client in clients {
            let code = try #require(client.expect(.connack).reasonCode)
            if code == 0 { welcome.append(client) } else { refusals.append(code) }
        }
        return (welcome, refusals)
    }

    @Test("global_max_connections: exactly so many of a crowd get in, and one more for each that leaves")
    func connections() throws {
        let broker = try BrokerProcess.start(Self.conf + "global_max_connections 10\n")
        var (welcome, refusals) = try storm(broker, (0..<40).map { _ in unique("c") })
        #expect(welcome.count == 10)
        #expect(refusals.allSatisfy { $0 == 3 }, "server unavailable: \(refusals)")
        for client in welcome { try client.expectQuiet() }
        for _ in 0..<5 {
            try welcome.removeFirst().disconnect()
            #expect(
                Deadline(milliseconds: patienceMilliseconds).wait {
                    guard let client = try? RawClient.patient(broker) else { return false }
                    welcome.append(client)
                    return true
                })
            #expect(try storm(broker, (0..<6).map { _ in unique("c") }).welcome.isEmpty)
        }
    }

    @Test("global_max_clients: sessions count, connected or not; whose session is there comes in")
    func sessions() throws {
        let broker = try BrokerProcess.start(Self.conf + "global_max_clients 10\n")
        let ids = (0..<40).map { _ in unique("kept") }
        let welcome = try storm(broker, ids, cleanStart: false).welcome
        #expect(welcome.count == 10)
        for client in welcome { try client.disconnect() }
        let (back, refusals) = try storm(broker, ids, cleanStart: false)
        #expect(back.count == 10 && back.allSatisfy { $0.version == 4 })
        #expect(refusals.count == 30)
        // A session that ends makes room for exactly one. Begun anew as a clean one, it ends with its connection.
        for client in back { try client.disconnect() }
        var ended = 0
        for id in ids where ended == 0 {
            guard let client = try? RawClient.patient(broker, id: id) else { continue }
            try client.disconnect()
            ended = 1
        }
        #expect(ended == 1)
        let newcomers = try storm(broker, (0..<10).map { _ in unique("new") }, cleanStart: false)
        #expect(newcomers.welcome.count == 1)
    }

    @Test(
        "Publishers of every loop wait for a slow reader; memory stays small, and all of it comes when it reads in time"
    )
    func waits() throws {
        let broker = try BrokerProcess.start(Self.conf + "slow_reader_wait 60000\noutput_buffer_bytes 65536\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(broker, receiveBufferBytes: 4_096)
        for number in 0..<6 { try reader.subscribe("f/\(number)", 0) }
        let floods = try (0..<6).map { try Flood(broker, topic: "f/\($0)", payloadBytes: 10_000) }
        let each = 1_500
        let before = broker.residentBytes
        for flood in floods { #expect(!flood.send(upTo: each, withinMilliseconds: 700), "nobody made it wait") }
        // Two outputs' worth, and at most 4 MiB on the way from each of two loops; what sockets hold is not ours.
        let growth = broker.residentBytes - before
        #expect(growth < 24 << 20, "grew by \(growth) bytes while 90 MB were offered")

        var received: [String: [Int]] = [:]
        var count = 0
        let deadline = Deadline(milliseconds: 2 * patienceMilliseconds)
        while count < each * floods.count, deadline.millisecondsLeft > 0 {
            for flood in floods { _ = flood.send(upTo: each, withinMilliseconds: 0) }
            while let packet = try reader.next(withinMilliseconds: 20) {
                received[packet.topicText, default: []].append(Flood.number(packet))
                count += 1
            }
        }
        #expect(received.count == 6 && received.values.allSatisfy { $0 == Array(0..<each) })
        try sys.listen(forMilliseconds: 1_500)
        #expect(sys["publish/messages/dropped"] == 0)
    }

    @Test(
        "A CONNECT in many pieces is read; one that says it is too large is refused at its first bytes",
        arguments: [1, 3])
    func largeConnect(loops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "event_loops \(loops)\nmax_packet_size 200000\n")
        let long = String(repeating: "x", count: 60_000)
        for _ in 0..<3 {
            let client = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
            let connect = Wire.connect(
                id: unique("c"), will: Wire.Will(topic: "w", payload: long), user: long, password: Array(long.utf8))
            client.sendSlowly(connect + Wire.pingreq, pieceBytes: 997, pauseMilliseconds: 0)
            #expect(try client.expect(.connack).reasonCode == 0)
            try client.expect(.pingresp)
            let greedy = try RawClient(broker, deadlineMilliseconds: patienceMilliseconds)
            greedy.send([0x10, 0x80, 0x80, 0x80, 0x01])  // 2 MiB are to come
            try greedy.expectClosed()
        }
    }
}
