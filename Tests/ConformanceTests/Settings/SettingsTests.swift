import MQTTTestKit
import Testing

/// What the operator's limits and choices change on the wire. Not the standard's rules but mosquitto's, so both brokers
/// are asked; settings that the standard speaks of are tested in its chapters.
@Suite("Settings on the wire", .blocking) struct SettingsTests {
    private func broker(_ settings: String) throws -> BrokerProcess {
        try .shared(BrokerProcess.anonymous + settings + "\n")
    }

    /// A session that waits for `topic` at QoS 1, with nobody connected.
    private func absentee(_ topic: String, _ broker: BrokerProcess) throws -> String {
        let id = unique("c")
        let client = try RawClient.connected(to: broker, id: id, cleanStart: false)
        try client.subscribe(topic, 1)
        try client.disconnect()
        return id
    }

    /// The payloads that wait for it.
    private func waiting(for id: String, _ count: Int, _ broker: BrokerProcess) throws -> [String] {
        let client = try RawClient.connected(to: broker, id: id, cleanStart: false)
        var payloads: [String] = []
        for _ in 0..<count { payloads.append(try client.receivePublish().payloadText) }
        try client.expectNoMessage()
        return payloads
    }

    @Test("[message_size_limit] a payload above the limit reaches nobody, and a 5.0 client is told")
    func messageSizeLimit() throws {
        let broker = try broker("message_size_limit 100")
        let topic = unique("t")
        let reader = try RawClient.v5(broker)
        try reader.subscribe(topic, 0)
        let writer = try RawClient.v5(broker)
        let fitting = String(repeating: "x", count: 100)
        writer.send(Wire.publish(topic: topic, payload: fitting + "x", qos: 1, id: 1, properties: []))
        let code = try #require(try writer.expect(.puback).reasonCode)
        #expect(code >= 0x80)
        try writer.publish(topic, fitting, qos: 1, id: 2)
        try reader.expectMessage(topic, fitting)
        try reader.expectNoMessage()
    }

    @Test("[max_queued_messages] the first messages wait, those beyond the limit are dropped")
    func queueLimit() throws {
        let broker = try broker("max_queued_messages 3")
        let topic = unique("t")
        let id = try absentee(topic, broker)
        let writer = try RawClient.connected(to: broker)
        for number in 1...6 { try writer.publish(topic, "\(number)", qos: 1, id: UInt16(number)) }
        #expect(try waiting(for: id, 3, broker) == ["1", "2", "3"])
    }

    @Test("[queue_qos0_messages] QoS 0 waits for an absent session too, where the operator says so")
    func queueQoS0() throws {
        let broker = try broker("queue_qos0_messages true")
        let topic = unique("t")
        let id = try absentee(topic, broker)
        let writer = try RawClient.connected(to: broker)
        try writer.publish(topic, "zero")
        try writer.publish(topic, "one", qos: 1)
        #expect(try waiting(for: id, 2, broker) == ["zero", "one"])
    }

    @Test(
        "[upgrade_outgoing_qos] a message comes at the subscription's QoS, even above its own",
        arguments: [1, 2] as [UInt8])
    func upgradeOutgoingQoS(granted: UInt8) throws {
        let broker = try broker("upgrade_outgoing_qos true")
        let topic = unique("t")
        let reader = try RawClient.connected(to: broker)
        try reader.subscribe(topic, granted)
        try RawClient.connected(to: broker).publish(topic, "x")
        try reader.expectMessage(topic, "x", qos: granted)
    }
}
