import MQTTTestKit
import Testing

/// Limits in bytes, and what a full queue means.
@Suite("Keys of queues", .blocking) struct QueueKeyTests {
    private static let isMartlet = !BrokerUnderTest.isMosquitto

    private func broker(_ settings: String) throws -> BrokerProcess {
        try .start(BrokerProcess.anonymous + settings + "\n")
    }

    /// Payloads that wait for a session that was away when these were published, each 100 bytes long and beginning with its
    /// number; and what the publisher heard of each.
    private func waiting(
        _ broker: BrokerProcess, _ count: Int
    ) throws -> (numbers: [String], codes: [UInt8]) {
        let away = try RawClient.connected(to: broker, id: "away", cleanStart: false)
        try away.subscribe("t", 1)
        try away.disconnect()
        let writer = try RawClient.v5(broker)
        var codes: [UInt8] = []
        for number in 1...count {
            let payload = "\(number)" + String(repeating: " ", count: 99)
            writer.send(Wire.publish(topic: "t", payload: payload, qos: 1, id: UInt16(number), properties: []))
            codes.append(try writer.expect(.puback).reasonCode ?? 0)
        }
        let back = try RawClient.connected(to: broker, id: "away", cleanStart: false)
        // Fewer than may be on their way: all are sent at once.
        let numbers = try back.barrier().filter { $0.kind == .publish }.map { $0.payloadText.filter(\.isNumber) }
        return (numbers, codes)
    }

    @Test("[max_queued_bytes] what is too much for a client that is away is dropped, the newest first")
    func queuedBytes() throws {
        let (numbers, _) = try waiting(try broker("max_queued_bytes 500"), 10)
        #expect((1..<10).contains(numbers.count))
        #expect(numbers == (1...numbers.count).map(String.init))
    }

    @Test("[max_inflight_bytes] no more bytes are on the way until some are acknowledged")
    func inflightBytes() throws {
        let broker = try broker("max_inflight_bytes 250")
        let reader = try RawClient.connected(to: broker)
        try reader.subscribe("t", 1)
        let writer = try RawClient.connected(to: broker)
        for number in 1...6 {
            try writer.publish("t", String(repeating: "\(number)", count: 100), qos: 1, id: UInt16(number))
        }
        let first = try reader.barrier().filter { $0.kind == .publish }
        // mosquitto's limit is a soft one: twice as many bytes may be on their way.
        #expect((1...(BrokerUnderTest.isMosquitto ? 5 : 3)).contains(first.count))
        for packet in first { reader.send(Wire.puback(packet.packetID ?? 0)) }
        var rest = 0
        while first.count + rest < 6 {
            let packet = try reader.receive { $0.kind == .publish }
            reader.send(Wire.puback(packet.packetID ?? 0))
            rest += 1
        }
    }

    @Test(
        "[allow_duplicate_messages] either way overlapping subscriptions bring one copy, at the highest QoS",
        .enabled(if: isMartlet, "2.0 sends one copy only with false"), arguments: [true, false])
    func duplicates(_ value: Bool) throws {
        let broker = try broker("allow_duplicate_messages \(value)")
        let reader = try RawClient.connected(to: broker)
        try reader.subscribe("t/#", 1)
        try reader.subscribe("t/+", 0, id: 2)
        try RawClient.connected(to: broker).publish("t/x", "once", qos: 1)
        try reader.expectMessage("t/x", "once", qos: 1)
        try reader.expectNoMessage()
    }

    @Test(
        "[queue_full_policy] the newest goes, or the oldest, or the publisher hears of it",
        .enabled(if: isMartlet, "ours"),
        arguments: [
            ("drop_newest", ["1", "2", "3"], 0), ("drop_oldest", ["4", "5", "6"], 0),
            ("refuse_publisher", ["1", "2", "3"], 0x97),
        ] as [(String, [String], UInt8)])
    func policy(_ policy: String, _ expected: [String], _ code: UInt8) throws {
        let broker = try broker("max_queued_messages 3\nqueue_full_policy \(policy)")
        let (numbers, codes) = try waiting(broker, 6)
        #expect(numbers == expected)
        #expect(codes == [0, 0, 0, code, code, code])
    }
}
