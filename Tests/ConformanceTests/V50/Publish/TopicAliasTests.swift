import MQTTTestKit
import Testing

/// 5.0 §3.3.2.3.4: topic aliases, in either direction.
@Suite("V50 topic aliases", .blocking) struct V50TopicAliasTests {
    static func publish(_ topic: String, _ payload: String, alias: UInt16, qos: UInt8 = 0, retain: Bool = false)
        -> [UInt8]
    {
        Wire.publish(topic: topic, payload: payload, qos: qos, id: 1, retain: retain, properties: [.topicAlias(alias)])
    }

    // MARK: from the client

    @Test(
        "[5.0 MQTT-3.3.2-12] every alias from 1 to the announced maximum works", arguments: [1, 2, 9, 10] as [UInt16])
    func everyAlias(alias: UInt16) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let client = try RawClient.v5(broker)
        #expect(client.connack?.number(0x22) == 10)
        client.send(Self.publish(topic, "set", alias: alias))
        client.send(Self.publish("", "used", alias: alias))
        for payload in ["set", "used"] {
            let message = try watcher.expectMessage(topic, payload)
            // An alias belongs to one connection and is not passed on.
            #expect(message.property(0x23).isEmpty)
        }
    }

    @Test("[5.0 facts] an alias can be given another topic, and others keep theirs")
    func resetAlias() throws {
        let broker = try BrokerProcess.shared()
        let (one, two, three) = (unique("t"), unique("t"), unique("t"))
        let watcher = try RawClient.v5(broker)
        for topic in [one, two, three] { try watcher.subscribe(topic, 1) }
        let client = try RawClient.v5(broker)
        func say(_ topic: String, _ alias: UInt16, heardAt heard: String) throws {
            let payload = unique("p")
            client.send(Self.publish(topic, payload, alias: alias, qos: 1))
            try client.expectAcknowledgement(.puback, 1)
            try watcher.expectMessage(heard, payload)
        }
        try say(one, 1, heardAt: one)
        try say(two, 2, heardAt: two)
        try say("", 1, heardAt: one)
        try say(three, 1, heardAt: three)
        try say("", 1, heardAt: three)
        try say("", 2, heardAt: two)
        // A plain PUBLISH in between changes nothing.
        client.send(Wire.publish(topic: one, payload: "plain", properties: []))
        try watcher.expectMessage(one, "plain")
        try say("", 1, heardAt: three)
    }

    @Test("[5.0 facts] an alias is resolved before a message is stored")
    func aliasAndRetain() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        client.send(Self.publish(topic, "plain", alias: 4))
        client.send(Self.publish("", "kept", alias: 4, qos: 1, retain: true))
        try client.expectAcknowledgement(.puback, 1)
        let stored = try #require(try V50RetainTests.stored(topic, broker))
        #expect(stored.payloadText == "kept")
        #expect(stored.topicText == topic)
        #expect(stored.property(0x23).isEmpty)
    }

    @Test("[5.0 MQTT-3.3.2-7] aliases end with their connection, also where the session goes on")
    func endWithConnection() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        first.send(Self.publish(topic, "x", alias: 1))
        try watcher.expectMessage(topic, "x")
        first.close()
        let second = try RawClient.v5(broker, id: id, clean: false)
        #expect(second.connack?.sessionPresent == true)
        second.send(Self.publish("", "y", alias: 1))
        try second.expectDisconnect(0x82)
        try watcher.expectNoMessage()
    }

    @Test("[5.0 facts] an alias of one client means nothing to another")
    func ownAlias() throws {
        let broker = try BrokerProcess.shared()
        let first = try RawClient.v5(broker)
        first.send(Self.publish(unique("t"), "x", alias: 1))
        try first.expectNoMessage()
        let second = try RawClient.v5(broker)
        second.send(Self.publish("", "y", alias: 1))
        try second.expectDisconnect(0x82)
    }

    @Test("[5.0 MQTT-3.3.2-8] alias 0 closes with 94", arguments: ["t", ""])
    func aliasZero(topic: String) throws {
        let client = try RawClient.v5(.shared())
        client.send(Self.publish(topic, "x", alias: 0))
        try withKnownDifference(.mosquitto, "the code is 81") { try client.expectDisconnect(0x94) }
    }

    @Test("[5.0 facts] an alias above the announced maximum closes with 94", arguments: [11, 12, 65_535] as [UInt16])
    func aliasTooHigh(alias: UInt16) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let client = try RawClient.v5(broker)
        client.send(Self.publish(topic, "x", alias: alias))
        try client.expectDisconnect(0x94)
        try watcher.expectNoMessage()
    }

    @Test("[5.0 facts] max_topic_alias sets the maximum", arguments: [0, 3] as [UInt16])
    func configured(maximum: UInt16) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "max_topic_alias \(maximum)\n")
        let client = try RawClient.v5(broker)
        #expect((client.connack?.number(0x22) ?? 0) == UInt32(maximum))
        if maximum > 0 {
            let topic = unique("t")
            try client.subscribe(topic, 0)
            client.send(Self.publish(topic, "x", alias: maximum))
            try client.expectMessage(topic, "x")
        }
        client.send(Self.publish(unique("t"), "x", alias: maximum + 1))
        try client.expectDisconnect(0x94)
    }

    @Test("[5.0 facts] an alias never set, with an empty topic, is a protocol error")
    func unknownAlias() throws {
        let client = try RawClient.v5(.shared())
        client.send(Self.publish(unique("t"), "x", alias: 1))
        client.send(Self.publish("", "x", alias: 2))
        try client.expectDisconnect(0x82)
    }

    // MARK: from the broker

    /// Reads messages as a client does: an alias with a topic is set, one without is looked up.
    struct Reading {
        var topics: [UInt32: String] = [:]
        var highest: UInt32 = 0

        mutating func topic(of message: ReceivedPacket) throws -> String {
            guard let alias = message.number(0x23) else {
                #expect(!message.topic.isEmpty)
                return message.topicText
            }
            #expect(alias > 0)
            #expect(message.property(0x23).count == 1)
            highest = max(highest, alias)
            if message.topic.isEmpty { return try #require(topics[alias], "alias \(alias) was never set") }
            topics[alias] = message.topicText
            return message.topicText
        }
    }

    /// Publishes to eight topics in turn and checks what a client with this maximum reads; the highest alias seen.
    static func highestAlias(maximum: UInt16?) throws -> UInt32 {
        let broker = try BrokerProcess.shared()
        let root = unique("t")
        let client = try RawClient.v5(broker, maximum.map { [.topicAliasMaximum($0)] } ?? [])
        try client.subscribe(root + "/#", 1)
        let publisher = try RawClient.v5(broker)
        var reading = Reading()
        for round in 1...4 {
            for number in 1...8 {
                let (topic, payload) = ("\(root)/\(number)", "\(round)/\(number)")
                try publisher.publish(topic, payload, qos: UInt8(round % 2))
                let message = try client.receivePublish()
                #expect(message.payloadText == payload)
                #expect(try reading.topic(of: message) == topic)
            }
        }
        return reading.highest
    }

    @Test(
        "[5.0 MQTT-3.1.2-26] the broker's aliases stay within the client's Topic Alias Maximum",
        arguments: [1, 2, 65_535] as [UInt16])
    func withinMaximum(maximum: UInt16) throws {
        #expect(try Self.highestAlias(maximum: maximum) <= UInt32(maximum))
    }

    @Test(
        "[5.0 MQTT-3.1.2-27] without a Topic Alias Maximum, or with 0, the broker sends no alias",
        arguments: [nil, 0] as [UInt16?])
    func noAliases(maximum: UInt16?) throws {
        #expect(try Self.highestAlias(maximum: maximum) == 0)
    }

    @Test("[5.0 MQTT-3.3.2-11] the maximum of the newest CONNECT counts, and a message sent again has its whole topic")
    func newestMaximum() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60), .topicAliasMaximum(5)])
        try first.subscribe(topic, 1)
        let publisher = try RawClient.v5(broker)
        for payload in ["1", "2", "3"] { try publisher.publish(topic, payload, qos: 1) }
        for _ in 1...3 { _ = try first.expect(.publish) }
        first.close()
        let second = try RawClient.v5(broker, id: id, clean: false)
        try publisher.publish(topic, "4", qos: 1)
        for payload in ["1", "2", "3", "4"] {
            let message = try second.expectMessage(topic, payload)
            #expect(message.property(0x23).isEmpty)
        }
    }
}
