import MQTTTestKit
import Testing

/// The small version of Benchmarks/startup.py and drain.py: a store with much in it serves soon, its queue drains whole,
/// and the file gives its room back.
@Suite("Large stores", .blocking)
struct LargeStoreTests {
    private static let count = 20_000
    private static let payload = String(repeating: "x", count: 1_000)

    /// Publishes with a window, so that many share a sync.
    private func fill(_ client: RawClient, _ topic: (Int) -> String, retain: Bool) throws {
        var (sent, acknowledged) = (0, 0)
        while acknowledged < Self.count {
            var bytes: [UInt8] = []
            while sent < min(Self.count, acknowledged + 1_000) {
                bytes += Wire.publish(
                    topic: topic(sent), payload: "\(sent) " + Self.payload, qos: 1, id: UInt16(sent % 50_000 + 1),
                    retain: retain)
                sent += 1
            }
            client.send(bytes)
            try client.expectAcknowledgement(.puback, UInt16(acknowledged % 50_000 + 1))
            acknowledged += 1
            // What else has come, before more is sent.
            while acknowledged < sent, sent - acknowledged > 500 {
                try client.expectAcknowledgement(.puback, UInt16(acknowledged % 50_000 + 1))
                acknowledged += 1
            }
        }
    }

    @Test(
        "a queue and as many retained messages: serving within 5 s, drained in order, room given back",
        arguments: End.allCases)
    func large(_ end: End) throws {
        let store = try StoreFolder()
        var broker = try store.start("max_inflight_messages 1000")
        let subscriber = try RawClient.patient(broker, id: "s", version: 4)
        try subscriber.subscribe("queue", 1)
        try subscriber.disconnect()
        let publisher = try RawClient.patient(broker, version: 4, cleanStart: true)
        try fill(publisher, { _ in "queue" }, retain: false)
        try fill(publisher, { "kept/\($0)" }, retain: true)
        try end.of(broker)
        let filledBytes = store.bytes
        #expect(filledBytes > 2 * Self.count * Self.payload.utf8.count)

        // The best of a few starts: the machine has other work.
        var fastest = Duration.seconds(60)
        for attempt in 0..<5 where fastest >= .seconds(5) {
            if attempt > 0 { try end.of(broker) }
            let started = ContinuousClock.now
            broker = try store.start("max_inflight_messages 1000")
            try RawClient.patient(broker, version: 4, cleanStart: true).disconnect()
            fastest = min(fastest, ContinuousClock.now - started)
        }
        #expect(fastest < .seconds(5))
        let again = try RawClient.patient(broker, id: "s", version: 4)
        #expect(again.connack?.sessionPresent == true)
        for number in 0..<Self.count {
            let packet = try again.expect(.publish)
            guard packet.payloadText.hasPrefix("\(number) "), let identifier = packet.packetID else {
                throw Trouble("\(packet) came where \(number) was due")
            }
            again.send(Wire.puback(identifier))
        }
        try again.expectQuiet()
        // Deleted, all but a few: then most of the file is empty.
        var deletions: [UInt8] = []
        for number in 10..<Self.count { deletions += Wire.publish(topic: "kept/\(number)", payload: "", retain: true) }
        let eraser = try RawClient.patient(broker, version: 4, cleanStart: true)
        eraser.send(deletions)
        // Acknowledged, and so kept with all before it.
        try eraser.publish("kept/9", "", qos: 1, retain: true)
        // What is done when nobody asks for anything takes a moment; then the file, its log carried over, is small.
        let isSmall = Deadline(milliseconds: patienceMilliseconds).wait { store.fileBytes < filledBytes / 2 }
        #expect(isSmall, "\(filledBytes) bytes filled, \(store.fileBytes) kept")
        try end.of(broker)
        broker = try store.start()
        #expect(try RawClient.patient(broker, id: "s", version: 4).connack?.sessionPresent == true)
    }
}
