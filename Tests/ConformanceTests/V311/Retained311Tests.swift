import MQTTTestKit
import Testing

/// Retained messages: section 3.3.1.3.
@Suite("3.1.1 retained messages", .blocking) struct Retained311Tests {
    /// What somebody who subscribes now is given at once: `count` messages.
    private func kept(_ filter: String, qos: UInt8 = 0, count: Int = 1) throws -> [ReceivedPacket] {
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(filter, qos)
        return try late.packets(count)
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-5] a retained message is stored with its QoS", arguments: [0, 1, 2] as [UInt8],
        [0, 1, 2] as [UInt8])
    func storedQoS(published: UInt8, granted: UInt8) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "r", qos: published, retain: true)
        let packets = try kept(talk.topic, qos: granted)
        #expect(texts(packets) == ["r"] && packets.map(\.topicText) == [talk.topic])
        #expect(packets.map(\.qos) == [min(published, granted)])
    }

    @Test("[3.1.1 MQTT-3.3.1-6] a new subscription gets the last retained message of each matching topic")
    func eachTopic() throws {
        let talk = try Conversation()
        for level in ["1", "2", "2/deep", "3"] {
            try talk.publisher.publish("\(talk.topic)/\(level)", "old \(level)", retain: true)
            try talk.publisher.publish("\(talk.topic)/\(level)", "new \(level)", retain: true)
        }
        #expect(try Set(texts(kept("\(talk.topic)/#", count: 4))) == ["new 1", "new 2", "new 2/deep", "new 3"])
        #expect(try Set(texts(kept("\(talk.topic)/+", count: 3))) == ["new 1", "new 2", "new 3"])
        #expect(try texts(kept("\(talk.topic)/+/deep")) == ["new 2/deep"])
        #expect(
            try texts(kept("\(talk.topic)/2/#", count: 2).sorted { $0.topicText < $1.topicText }) == [
                "new 2", "new 2/deep",
            ])
        #expect(try texts(kept("\(talk.topic)/3")) == ["new 3"])
        #expect(try kept(talk.topic, count: 0).isEmpty)
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-6] retained messages of QoS 1 and 2 can be finished by the new subscriber",
        arguments: [1, 2] as [UInt8])
    func handshake(qos: UInt8) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "r", qos: qos, retain: true)
        try talk.subscriber.subscribe(talk.topic, 2)
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.qos == qos && packet.retain && !packet.dup)
        try talk.subscriber.expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-7] a retained message of QoS 0 takes the place of the one before",
        arguments: [0, 1, 2] as [UInt8])
    func replaced(before: UInt8) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "old", qos: before, retain: true)
        try talk.publisher.publish(talk.topic, "new", qos: 0, retain: true)
        let packets = try kept(talk.topic, qos: 2)
        #expect(texts(packets) == ["new"] && packets.map(\.qos) == [0])
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-8] what comes because of a new subscription has RETAIN 1", arguments: [0, 1, 2] as [UInt8])
    func flagOnSubscribe(qos: UInt8) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "r", qos: qos, retain: true)
        #expect(try kept(talk.topic, qos: 2).map { $0.bytes[0] } == [0x31 | qos << 1])
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-9] what comes through an existing subscription has RETAIN 0",
        arguments: [0, 1, 2] as [UInt8])
    func flagLive(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        try talk.publisher.publish(talk.topic, "r", qos: qos, retain: true)
        #expect(try talk.subscriber.receivePublish().bytes[0] == 0x30 | qos << 1)
    }

    @Test("[3.1.1 MQTT-3.3.1-9] a retained message that waited for its subscriber has RETAIN 0")
    func flagQueued() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "r", qos: 1, retain: true)
        let packets = try talk.reconnected().packets(1)
        #expect(packets.map { $0.bytes[0] } == [0x32])
    }

    @Test("[3.1.1 MQTT-3.3.1-10] an empty retained message is delivered, and deletes", arguments: [0, 1, 2] as [UInt8])
    func deleted(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        try talk.publisher.publish(talk.topic, "r", qos: 1, retain: true)
        #expect(try talk.subscriber.receivePublish().payloadText == "r")
        try talk.publisher.publish(talk.topic, "", qos: qos, retain: true)
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.payload.isEmpty && packet.qos == qos && !packet.retain)
        #expect(try kept(talk.topic, count: 0).isEmpty)
    }

    @Test("[3.1.1 MQTT-3.3.1-10] only the topic itself is emptied")
    func othersStay() throws {
        let talk = try Conversation()
        for level in ["", "/a", "/b"] { try talk.publisher.publish(talk.topic + level, "r", retain: true) }
        try talk.publisher.publish(talk.topic + "/a", "", retain: true)
        #expect(try Set(kept(talk.topic + "/#", count: 2).map(\.topicText)) == [talk.topic, talk.topic + "/b"])
    }

    @Test("[3.1.1 MQTT-3.3.1-11] an empty message is never retained")
    func emptyNotStored() throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "", qos: 1, retain: true)
        #expect(try kept(talk.topic, count: 0).isEmpty)
        try talk.publisher.publish(talk.topic, "back", qos: 1, retain: true)
        #expect(try texts(kept(talk.topic, qos: 1)) == ["back"])
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-12] a PUBLISH with RETAIN 0 neither stores nor changes what is retained",
        arguments: ["plain", ""])
    func plain(payload: String) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, payload, qos: 1)
        #expect(try kept(talk.topic, count: 0).isEmpty)
        try talk.publisher.publish(talk.topic, "kept", qos: 1, retain: true)
        try talk.publisher.publish(talk.topic, payload, qos: 1)
        #expect(try texts(kept(talk.topic, qos: 1)) == ["kept"])
    }
}
