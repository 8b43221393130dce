import MQTTTestKit
import Testing

/// 5.0 §3.3.1.3 and §3.8.3.1: what RETAIN stores, and what a subscription gets of it.
@Suite("V50 retained messages", .blocking) struct V50RetainTests {
    /// What a new subscriber finds at a topic: its only message, or nothing.
    static func stored(_ topic: String, _ broker: BrokerProcess, _ options: UInt8 = 2) throws -> ReceivedPacket? {
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, options)
        client.send(Wire.pingreq)
        var found: ReceivedPacket?
        while true {
            let packet = try client.receive()
            if packet.kind == .pingresp { break }
            #expect(found == nil, "one topic, one retained message")
            found = packet
        }
        if found == nil { try client.expectNoMessage() }
        return found
    }

    @Test(
        "[5.0 MQTT-3.3.1-5] RETAIN 1 stores the message and replaces the one before", arguments: [0, 1, 2] as [UInt8])
    func replaces(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "first", qos: qos, retain: true, properties: [.contentType("a")])
        #expect(try Self.stored(topic, broker)?.payloadText == "first")
        try publisher.publish(topic, "second", qos: qos, retain: true)
        let second = try #require(try Self.stored(topic, broker))
        #expect(second.payloadText == "second")
        #expect(second.retain)
        #expect(second.qos == qos)
        #expect(!second.dup)
        #expect(second.properties.isEmpty)
        // Another topic has its own.
        #expect(try Self.stored(topic + "/below", broker) == nil)
    }

    @Test("[5.0 facts] a retained message keeps its properties, and goes out at the lower of the two QoS")
    func keepsProperties() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let properties: [Property] = [
            .payloadFormatIndicator(1), .contentType("c"), .responseTopic("r"), .correlationData([0, 9]),
            .user("a", "1"),
            .user("a", "0"),
        ]
        try RawClient.v5(broker).publish(topic, "x", qos: 2, retain: true, properties: properties)
        for options in [0, 1, 2] as [UInt8] {
            let message = try #require(try Self.stored(topic, broker, options))
            #expect(message.qos == options)
            #expect(message.retain)
            #expect(Set(message.properties) == Set(properties))
            #expect(message.properties.filter { $0.id == 0x26 } == [.user("a", "1"), .user("a", "0")])
        }
    }

    @Test("[5.0 MQTT-3.3.1-6] an empty retained message deletes what was stored, and is delivered like any other")
    func deletes() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "x", qos: 1, retain: true)
        try publisher.publish(topic + "/other", "y", qos: 1, retain: true)
        let live = try RawClient.v5(broker)
        try live.subscribe(topic, 1)
        try live.expectMessage(topic, "x", retain: true)
        try publisher.publish(topic, "", qos: 1, retain: true)
        try live.expectMessage(topic, "", qos: 1, retain: false)
        #expect(try Self.stored(topic, broker) == nil)
        #expect(try Self.stored(topic + "/other", broker)?.payloadText == "y")
    }

    @Test("[5.0 MQTT-3.3.1-7] an empty message is never stored", arguments: [0, 1, 2] as [UInt8])
    func neverEmpty(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        try RawClient.v5(broker).publish(topic, "", qos: qos, retain: true, properties: [.contentType("not empty")])
        #expect(try Self.stored(topic, broker) == nil)
    }

    @Test("[5.0 MQTT-3.3.1-8] RETAIN 0 neither stores nor changes nor deletes")
    func plainMessage() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "plain", qos: 1)
        #expect(try Self.stored(topic, broker) == nil)
        try publisher.publish(topic, "kept", qos: 1, retain: true)
        try publisher.publish(topic, "plain", qos: 1)
        try publisher.publish(topic, "", qos: 1)
        #expect(try Self.stored(topic, broker)?.payloadText == "kept")
    }

    // MARK: Retain Handling, bits 4 and 5 of the options

    @Test("[5.0 MQTT-3.3.1-9] Retain Handling 0 sends retained messages at every SUBSCRIBE")
    func handling0() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker)
        for _ in 1...3 {
            try client.subscribe(topic, 0x01)
            try client.expectMessage(topic, "x", qos: 1, retain: true)
        }
        try client.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.3.1-10] Retain Handling 1 sends them only to a subscription that is new")
    func handling1() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, 0x11)
        try client.expectMessage(topic, "x", qos: 1, retain: true)
        try client.subscribe(topic, 0x11)
        try client.expectNoMessage()
        // Other options, the same subscription.
        try client.subscribe(topic, 0x10)
        try client.expectNoMessage()
        // Another filter is another subscription, though the topic is the same.
        try client.subscribe(topic + "/#", 0x11)
        try client.expectMessage(topic, "x", qos: 1, retain: true)
        try client.disconnect()
        // It exists still when the session is resumed, and is new again once it was given up.
        let back = try RawClient.v5(broker, id: id, clean: false)
        try back.subscribe(topic, 0x11)
        try back.expectNoMessage()
        try back.unsubscribe(topic)
        try back.subscribe(topic, 0x11)
        try back.expectMessage(topic, "x", qos: 1, retain: true)
    }

    @Test("[5.0 MQTT-3.3.1-11] Retain Handling 2 never sends them")
    func handling2() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker)
        for _ in 1...2 {
            try client.subscribe(topic, 0x21)
            try client.expectNoMessage()
        }
        try publisher.publish(topic, "live", qos: 1, retain: true)
        try client.expectMessage(topic, "live", qos: 1, retain: false)
    }

    // MARK: Retain As Published, bit 3 of the options

    @Test("[5.0 MQTT-3.3.1-12] with Retain As Published 0 a forwarded message has RETAIN 0", arguments: [true, false])
    func asPublished0(retain: Bool) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, 0x01)
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: retain)
        try client.expectMessage(topic, "x", qos: 1, retain: false)
    }

    @Test("[5.0 MQTT-3.3.1-13] with Retain As Published 1 it keeps the publisher's RETAIN", arguments: [true, false])
    func asPublished1(retain: Bool) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, 0x09)
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: retain)
        try client.expectMessage(topic, "x", qos: 1, retain: retain)
    }

    @Test("[5.0 facts] Retain As Published is kept for messages that wait for an absent client")
    func asPublishedQueued() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic + "/as", 0x09)
        try client.subscribe(topic + "/not", 0x01)
        try client.disconnect()
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic + "/as", "x", qos: 1, retain: true)
        try publisher.publish(topic + "/not", "x", qos: 1, retain: true)
        let back = try RawClient.v5(broker, id: id, clean: false)
        try back.expectMessage(topic + "/as", "x", retain: true)
        try back.expectMessage(topic + "/not", "x", retain: false)
    }

    @Test(
        "[5.0 facts] what SUBSCRIBE brings has RETAIN 1, with Retain As Published or without",
        arguments: [0x01, 0x09] as [UInt8])
    func retainedAtSubscribe(options: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, options)
        try client.expectMessage(topic, "x", qos: 1, retain: true)
    }

    @Test("[5.0 facts] a wildcard brings every retained message that matches, once each, and with the identifier")
    func wildcard() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        let levels = ["a", "a/b", "a/b/c", "b", "/a"]
        for level in levels { try publisher.publish("\(topic)/\(level)", level, qos: 1, retain: true) }
        func found(_ filter: String) throws -> Set<String> {
            let client = try RawClient.v5(broker)
            try client.subscribe("\(topic)/\(filter)", 0, properties: [.subscriptionIdentifier(300)])
            let messages = try client.barrier()
            for message in messages { #expect(message.variableByteIntegers(0x0B) == [300]) }
            #expect(Set(messages.map(\.payloadText)).count == messages.count)
            return Set(messages.map(\.payloadText))
        }
        #expect(try found("#") == Set(levels))
        #expect(try found("+") == ["a", "b"])
        #expect(try found("a/#") == ["a", "a/b", "a/b/c"])
        #expect(try found("+/b") == ["a/b"])
        #expect(try found("+/a") == ["/a"])
        #expect(try found("+/+/c") == ["a/b/c"])
    }

    @Test("[5.0 facts] a shared subscription brings no retained messages")
    func shared() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        try RawClient.v5(broker).publish(topic, "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker)
        try client.subscribe("$share/\(unique("g"))/\(topic)", 1)
        try withKnownDifference(.mosquitto, "2.0.11 sends them") { try client.expectNoMessage() }
    }

    @Test("[5.0 facts] a PUBLISH the broker refuses stores nothing")
    func refusedStoresNothing() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        client.send(
            Wire.publish(
                topic: topic, payload: "x", retain: true,
                properties: [.payloadFormatIndicator(1), .payloadFormatIndicator(1)]))
        try client.expectDisconnect(0x82)
        #expect(try Self.stored(topic, broker) == nil)
    }
}
