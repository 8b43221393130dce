import MQTTTestKit
import Testing

/// Whatever a client leaves unread, the broker keeps little of it.
@Suite("Bounded memory", .serialized, .blocking)
struct BoundedMemoryTests {
    private static let bufferBytes: Int32 = 4_096
    private static let mebibyte = 1 << 20

    @Test(
        "Retained messages reach a slow reader exactly once, paced by its socket; others are served meanwhile",
        arguments: [(UInt8(0), 20_000, 1), (1, 2_000, 1), (0, 10_000, 3)])
    func retained(qos: UInt8, count: Int, loops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "slow_reader_wait 300\nevent_loops \(loops)\n")
        let publisher = try RawClient.patient(broker)
        let filling = String(repeating: "r", count: 1_000)
        for number in 0..<count {
            publisher.send(
                Wire.publish(
                    topic: "r/\(number % 100)/\(number)", payload: filling, qos: qos, id: UInt16(number % 60_000 + 1),
                    retain: true))
            // Take the PUBACKs along, or we would be the slow reader.
            if number % 500 == 499 { try publisher.barrier() }
        }
        try publisher.barrier()
        let before = broker.residentBytes
        #expect(before > count * 1_000)

        let reader = try RawClient.patient(broker, receiveBufferBytes: Self.bufferBytes)
        reader.send(Wire.subscribe(id: 1, [("r/#", qos)]))
        let other = try RawClient.patient(broker)
        try other.subscribe("other", 1)
        var peak = 0
        var topics = Set<String>()
        // Longer than slow_reader_wait without reading anything.
        let silence = Deadline(milliseconds: 1_000)
        while silence.millisecondsLeft > 0 {
            try publisher.publish("other", "x", qos: 1)
            #expect(try other.receivePublish().payloadText == "x")
            peak = max(peak, broker.residentBytes)
        }
        try #require(reader.expect(.suback).reasonCodes == [qos])
        for number in 0..<count {
            let packet = try reader.receive()
            #expect(packet.kind == .publish && packet.retain && packet.payload.count == 1_000)
            if let id = packet.packetID { reader.send(Wire.puback(id)) }
            topics.insert(packet.topicText)
            guard number % 1_000 == 0 else { continue }
            try publisher.publish("other", "y", qos: 1)
            #expect(try other.receivePublish().payloadText == "y")
            peak = max(peak, broker.residentBytes)
        }
        try reader.expectQuiet()
        #expect(topics.count == count)
        let growth = peak - before
        #expect(growth < 8 * Self.mebibyte, "grew by \(growth) bytes over \(before)")
    }

    /// Something to ask that is answered, and the kind of answer.
    struct Question: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let answer: ReceivedPacket.Kind
    }

    private static let questions = [
        Question(testDescription: "PINGREQ", bytes: Wire.pingreq, answer: .pingresp),
        Question(testDescription: "SUBSCRIBE", bytes: Wire.subscribe(id: 1, [("a", 0)]), answer: .suback),
        Question(
            testDescription: "PUBLISH", bytes: Wire.publish(topic: "a/b", payload: "", qos: 1, id: 7), answer: .puback),
        Question(testDescription: "PUBREL", bytes: Wire.pubrel(9), answer: .pubcomp),
    ]

    @Test(
        "A client that asks and never reads the answers is no longer read itself", arguments: questions, [1, 3])
    func neverReads(question: Question, loops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "output_buffer_bytes 65536\nevent_loops \(loops)\n")
        let client = try RawClient.patient(broker, receiveBufferBytes: Self.bufferBytes)
        let before = broker.residentBytes
        let many = Array(repeatElement(question.bytes, count: 5_000).joined())
        var sent = 0
        let limit = 48 * Self.mebibyte
        while sent < limit {
            let took = client.offer(many[...], withinMilliseconds: 2_000)
            sent += took
            if took < many.count { break }
        }
        #expect(sent < limit, "the broker read everything")
        let growth = broker.residentBytes - before
        #expect(growth < 16 * Self.mebibyte, "grew by \(growth) bytes after \(sent)")
        try RawClient.patient(broker).expectQuiet()
        // It is read again once it reads.
        for _ in 0..<min(100_000, sent / question.bytes.count) {
            let kind = try client.receive().kind
            if kind != question.answer { Issue.record("\(kind)") }
        }
    }
}
