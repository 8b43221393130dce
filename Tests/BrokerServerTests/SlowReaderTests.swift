import MQTTTestKit
import Testing

/// Readers that do not read: whom they hold up, for how long, and that every message they miss is counted. The rules are
/// told in Docs/guides/slow-readers.md.
@Suite("Slow readers", .serialized, .blocking)
struct SlowReaderTests {
    private static let conf =
        BrokerProcess.anonymous + "sys_interval 1\nslow_reader_wait 300\noutput_buffer_bytes 65536\n"
    /// Small, so that little fits between the broker and a reader that does not read.
    private static let bufferBytes: Int32 = 4_096

    /// Reads what comes until everything that was sent has either come or been counted as dropped. The numbers that came.
    private func drain(_ reader: RawClient, sent: Int, _ sys: SysReader) throws -> [Int] {
        var numbers: [Int] = []
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while deadline.millisecondsLeft > 0 {
            while let packet = try reader.next(withinMilliseconds: 200) {
                if let id = packet.packetID { reader.send(Wire.puback(id)) }
                numbers.append(Flood.number(packet))
            }
            try sys.listen(forMilliseconds: 100)
            if numbers.count + (sys["publish/messages/dropped"] ?? 0) == sent { break }
        }
        return numbers
    }

    private func droppedByLog(_ broker: BrokerProcess, _ client: String) throws -> Int {
        var dropped = 0
        for line in try broker.logLines(#"\d+: Client \#(client) reads again; \d+ messages to it were dropped\."#) {
            // `… again; N messages …`
            let words = line.split(separator: " ")
            let at = try #require(words.firstIndex(of: "again;"))
            dropped += try #require(Int(words[at + 1]))
        }
        return dropped
    }

    @Test("One stopped reader among 50 pairs: the others lose nothing, its publisher goes on, all it misses is counted")
    func amongFiftyPairs() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        let stopped = try RawClient.patient(broker, id: "stopped", receiveBufferBytes: Self.bufferBytes)
        try stopped.subscribe("stopped", 0)
        let flood = try Flood(broker, topic: "stopped", payloadBytes: 1_000)
        let pairs = try (0..<50).map { number in
            let subscriber = try RawClient.patient(broker)
            try subscriber.subscribe("pair/\(number)", 0)
            return (topic: "pair/\(number)", publisher: try RawClient.patient(broker), subscriber: subscriber)
        }
        let rounds = 20
        let perRound = 5
        let total = 15_000
        for round in 0..<rounds {
            _ = flood.send(upTo: total, withinMilliseconds: 20)
            for pair in pairs {
                for number in 0..<perRound {
                    pair.publisher.send(Wire.publish(topic: pair.topic, payload: "\(round * perRound + number)"))
                }
            }
            for pair in pairs {
                let expected = (0..<perRound).map { "\(round * perRound + $0)" }
                #expect(try pair.subscriber.payloads(perRound) == expected, "\(pair.topic)")
            }
        }
        #expect(flood.send(upTo: total, withinMilliseconds: patienceMilliseconds), "\(flood.count) of \(total)")
        #expect(
            try broker.logs(
                #"\d+: Client stopped does not read: nobody waits for it after 300 ms .*QoS 0 .*dropped and counted\."#)
        )
        #expect(try sys.wait { ($0["publish/messages/dropped"] ?? 0) > 0 })

        let numbers = try drain(stopped, sent: total, sys)
        let dropped = try #require(sys["publish/messages/dropped"])
        #expect(numbers.count + dropped == total, "\(numbers.count) came, \(dropped) counted")
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "in order, none twice")
        #expect(try broker.logs(#"\d+: Client stopped reads again; .*"#))
        #expect(try droppedByLog(broker, "stopped") == dropped)

        // It has recovered: nothing is dropped any more.
        #expect(flood.send(upTo: total + 50, withinMilliseconds: patienceMilliseconds))
        for number in total..<total + 50 { #expect(Flood.number(try stopped.receivePublish()) == number) }
        for pair in pairs { try pair.subscriber.expectQuiet() }
    }

    @Test("A publisher that waits for a reader goes on when that reader's connection ends")
    func readerLeaves() throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "slow_reader_wait 60000\noutput_buffer_bytes 65536\n")
        let reader = try RawClient.patient(broker, receiveBufferBytes: Self.bufferBytes)
        try reader.subscribe("f", 0)
        let flood = try Flood(broker, topic: "f", payloadBytes: 10_000)
        let total = 2_000
        #expect(!flood.send(upTo: total, withinMilliseconds: 2_000), "nobody made it wait")
        reader.reset()
        #expect(flood.send(upTo: total, withinMilliseconds: patienceMilliseconds))
    }

    @Test("A waiting publisher loses nothing: the reader gets all of it when it reads in time")
    func readsInTime() throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "sys_interval 1\nslow_reader_wait 60000\noutput_buffer_bytes 65536\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(broker, receiveBufferBytes: Self.bufferBytes)
        try reader.subscribe("f", 0)
        let flood = try Flood(broker, topic: "f", payloadBytes: 10_000)
        let total = 2_000
        #expect(!flood.send(upTo: total, withinMilliseconds: 1_000))
        var numbers: [Int] = []
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while numbers.count < total, deadline.millisecondsLeft > 0 {
            _ = flood.send(upTo: total, withinMilliseconds: 0)
            while let packet = try reader.next(withinMilliseconds: 20) { numbers.append(Flood.number(packet)) }
        }
        #expect(numbers == Array(0..<total))
        try sys.listen(forMilliseconds: 1_500)
        #expect(sys["publish/messages/dropped"] == 0)
    }

    @Test(
        "A waiting publisher that has sent all, DISCONNECT too, and gone: all of it comes, and its will does not",
        arguments: [1, 3])
    func publisherLeaves(eventLoops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous
                + "sys_interval 1\nslow_reader_wait 60000\noutput_buffer_bytes 65536\nevent_loops \(eventLoops)\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(broker, receiveBufferBytes: Self.bufferBytes)
        try reader.subscribe("f/#", 0)
        let flood = try Flood(
            broker, topic: "f/m", payloadBytes: 10_000, will: Wire.Will(topic: "f/will", payload: "the will"))
        #expect(!flood.send(upTo: 3_000, withinMilliseconds: 1_000), "nobody made it wait")
        let total = flood.count
        // Room for its last bytes, and no more: the broker soon makes it wait again, with megabytes unread.
        var numbers: [Int] = []
        let hasLeft = try flood.leave(withinMilliseconds: patienceMilliseconds) {
            if let packet = try reader.next(withinMilliseconds: 20) { numbers.append(Flood.number(packet)) }
        }
        #expect(hasLeft)
        try sys.listen(forMilliseconds: 1_500)  // it has been gone for a while when the reader goes on
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while numbers.count < total, deadline.millisecondsLeft > 0 {
            while let packet = try reader.next(withinMilliseconds: 20) { numbers.append(Flood.number(packet)) }
        }
        #expect(numbers == Array(0..<total), "\(numbers.count) of \(total)")
        try reader.expectQuiet()
        try sys.listen(forMilliseconds: 1_500)
        #expect(sys["publish/messages/dropped"] == 0)
    }

    @Test(
        "QoS 1 beyond max_queued_messages: dropped, counted, said once, until the queue is empty again",
        arguments: [true, false])
    func queueLimit(cleanStart: Bool) throws {
        let broker = try BrokerProcess.start(Self.conf + "max_queued_messages 100\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(broker, id: "late", cleanStart: cleanStart)
        try reader.subscribe("q", 1)
        let publisher = try RawClient.patient(broker)
        for number in 0..<300 { try publisher.publish("q", "\(number)", qos: 1) }
        // 20 in flight, 100 behind them.
        #expect(try sys.wait { $0["publish/messages/dropped"] == 180 }, "\(sys["publish/messages/dropped"] ?? -1)")
        let line = #"\d+: Outgoing messages are being dropped for client late: .*"#
        #expect(try broker.logLines(line).count == 1)

        #expect(try reader.payloads(120) == (0..<120).map { "\($0)" })
        try reader.expectQuiet()
        for number in 300..<500 { try publisher.publish("q", "\(number)", qos: 1) }
        #expect(try sys.wait { $0["publish/messages/dropped"] == 260 }, "\(sys["publish/messages/dropped"] ?? -1)")
        #expect(try broker.logLines(line).count == 2)
        #expect(try reader.payloads(120) == (300..<420).map { "\($0)" })
    }

    @Test(
        "QoS 1 to a stalled reader waits in its queue: each message comes, or is counted once",
        arguments: [true, false])
    func stalledQueue(cleanStart: Bool) throws {
        let broker = try BrokerProcess.start(Self.conf + "max_inflight_messages 200\nmax_queued_messages 50\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(
            broker, id: "late", cleanStart: cleanStart, receiveBufferBytes: Self.bufferBytes)
        try reader.subscribe("q", 1)
        let publisher = try RawClient.patient(broker)
        let total = 300
        let filling = String(repeating: ".", count: 100_000)
        for number in 0..<total { try publisher.publish("q", "\(number)" + filling, qos: 1) }
        #expect(try broker.logs(#"\d+: Client late does not read: .*"#))
        let numbers = try drain(reader, sent: total, sys)
        let dropped = try #require(sys["publish/messages/dropped"])
        #expect(dropped > 0)
        #expect(numbers.count + dropped == total, "\(numbers.count) came, \(dropped) counted")
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "in order, none twice")
    }
}
