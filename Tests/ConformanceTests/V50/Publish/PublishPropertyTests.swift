import MQTTTestKit
import Testing

/// 5.0 §3.3.2: topic and properties of a PUBLISH, as the broker takes them and as it passes them on.
@Suite("V50 PUBLISH properties", .blocking) struct V50PublishPropertyTests {
    /// A client that is connected to the shared broker and listens to a topic of its own.
    struct Scene {
        let broker: BrokerProcess
        let topic = unique("t")
        let client: RawClient

        init() throws {
            broker = try .shared()
            client = try RawClient.v5(broker)
            try client.subscribe(topic, 2)
        }

        /// What the client receives of a message it sends itself.
        func passOn(_ properties: [Property], payload: String = "x") throws -> ReceivedPacket {
            client.send(Wire.publish(topic: topic, payload: payload, properties: properties))
            return try client.expectMessage(topic, payload)
        }

        /// A PUBLISH of another client ends that one, and reaches nobody.
        func expectRejected(
            _ packet: [UInt8], _ code: UInt8, _ other: UInt8? = nil, file: StaticString = #fileID, line: UInt = #line
        ) throws {
            let sender = try RawClient.v5(broker)
            sender.send(packet)
            try sender.expectDisconnect(code, other ?? code, file: file, line: line)
            try client.expectNoMessage(file: file, line: line)
        }

        func publish(_ properties: [Property]) -> [UInt8] {
            Wire.publish(topic: topic, payload: "x", properties: properties)
        }
    }

    // MARK: the topic

    @Test("[5.0 MQTT-3.3.2-1] the topic comes first, and is UTF-8")
    func topicText() throws {
        let scene = try Scene()
        #expect(Array(try scene.passOn([]).body.prefix(2 + scene.topic.utf8.count)) == Wire.string(scene.topic))
        try scene.expectRejected(Wire.publish(topic: [0x61, 0xFF], payload: [], properties: []), 0x81)
        // Cut short: the length says more than there is.
        try scene.expectRejected([0x30, 3, 0, 9, 0x61], 0x81)
        try scene.expectRejected([0x30, 1, 0], 0x81)
        try scene.expectRejected([0x30, 0], 0x81)
    }

    @Test("[5.0 MQTT-3.3.2-2] a topic with a wildcard is refused", arguments: ["#", "+", "a/#", "a/+/b", "a+", "a#b"])
    func wildcards(topic: String) throws {
        try withKnownDifference(.mosquitto, "the code is 82 instead of 81 or 90") {
            try Scene().expectRejected(Wire.publish(topic: topic, payload: "x", properties: []), 0x81, 0x90)
        }
    }

    @Test("[5.0 facts] an empty topic without an alias is a protocol error", arguments: [0, 1] as [UInt8])
    func emptyTopic(qos: UInt8) throws {
        try Scene().expectRejected(Wire.publish(topic: "", payload: "x", qos: qos, id: 1, properties: []), 0x82)
    }

    @Test("[5.0 MQTT-3.3.2-3] what a subscriber gets was published to a topic its filter matches, under that name")
    func matching() throws {
        let scene = try Scene()
        let top = unique("t")
        let topics = ["", "/", "/a", "/a/", "/a/b", "/a/b/c", "/b", "/ a", "//b", "/A"].map { top + $0 }
        let table: [(filter: String, matches: Set<String>)] = [
            ("/#", Set(topics)), ("/+", ["/", "/a", "/b", "/ a", "/A"]), ("/a/#", ["/a", "/a/", "/a/b", "/a/b/c"]),
            ("/a/+", ["/a/", "/a/b"]), ("/+/b", ["/a/b", "//b"]), ("/a", ["/a"]), ("//+", ["//b"]),
            ("/+/+/+", ["/a/b/c"]),
            ("", [""]), ("/", ["/"]), ("/+/#", ["/", "/a", "/a/", "/a/b", "/a/b/c", "/b", "/ a", "//b", "/A"]),
        ]
        for (filter, matches) in table {
            let client = try RawClient.v5(scene.broker)
            try client.subscribe(top + filter, 1)
            let publisher = try RawClient.v5(scene.broker)
            for topic in topics { try publisher.publish(topic, topic, qos: 1) }
            let wanted = topics.filter { matches.contains($0) || matches.contains(String($0.dropFirst(top.count))) }
            for topic in wanted { try client.expectMessage(topic, topic) }
            try client.expectNoMessage()
        }
    }

    // MARK: passed on

    @Test("[5.0 MQTT-3.3.2-4] Payload Format Indicator is passed on", arguments: [0, 1] as [UInt8])
    func payloadFormat(value: UInt8) throws {
        #expect(try Scene().passOn([.payloadFormatIndicator(value)]).properties == [.payloadFormatIndicator(value)])
        // And none where there was none.
        #expect(try Scene().passOn([]).properties.isEmpty)
    }

    @Test("[5.0 MQTT-3.3.2-15] Response Topic is passed on")
    func responseTopic() throws {
        for text in ["r", "a//b", "$SYS/x", String(repeating: "r", count: 65_535)] {
            #expect(try Scene().passOn([.responseTopic(text)]).properties == [.responseTopic(text)])
        }
    }

    @Test("[5.0 MQTT-3.3.2-16] Correlation Data is passed on, whatever its bytes")
    func correlationData() throws {
        for data in [[], [0], [0xFF, 0xFE, 0x00, 0xC0], Array(repeating: 0xED, count: 65_535)] as [[UInt8]] {
            #expect(try Scene().passOn([.correlationData(data)]).properties == [.correlationData(data)])
        }
    }

    @Test("[5.0 MQTT-3.3.2-20] Content Type is passed on")
    func contentType() throws {
        for text in ["", "application/json", "\u{1F600}", String(repeating: "c", count: 65_535)] {
            #expect(try Scene().passOn([.contentType(text)]).properties == [.contentType(text)])
        }
    }

    static let pairs: [Property] = [
        .user("a", "1"), .user("b", "2"), .user("a", "3"), .user("", ""), .user("a", "1"), .user("\u{E9}", "e\u{301}"),
    ]

    @Test(
        "[5.0 MQTT-3.3.2-17] all user properties are passed on, repeated and empty ones too",
        arguments: [0, 1, 2] as [UInt8])
    func userProperties(qos: UInt8) throws {
        let scene = try Scene()
        try RawClient.v5(scene.broker).publish(scene.topic, "x", qos: qos, properties: Self.pairs)
        let message = try scene.client.expectMessage(scene.topic, "x", qos: qos)
        #expect(message.properties.count == Self.pairs.count)
        #expect(Set(message.properties) == Set(Self.pairs))
    }

    @Test("[5.0 MQTT-3.3.2-18] user properties keep their order, for a client that was away as well")
    func userPropertyOrder() throws {
        let scene = try Scene()
        let order = Self.pairs + Self.pairs.reversed()
        let mixed: [Property] =
            [order[0], .contentType("c")] + order[1...3] + [.payloadFormatIndicator(1)] + order[4...]
        #expect(try scene.passOn(mixed).properties.filter { $0.id == 0x26 } == order)
        let id = unique("c")
        let away = try RawClient.v5(scene.broker, id: id, [.sessionExpiryInterval(60)])
        try away.subscribe(scene.topic, 1)
        try away.disconnect()
        try RawClient.v5(scene.broker).publish(scene.topic, "y", qos: 1, properties: mixed)
        let back = try RawClient.v5(scene.broker, id: id, clean: false)
        #expect(try back.expectMessage(scene.topic, "y").properties.filter { $0.id == 0x26 } == order)
    }

    @Test(
        "[5.0 facts] a 3.1.1 subscriber gets no properties, nor does a 5.0 one from a 3.1.1 publisher"
    )
    func acrossVersions() throws {
        let scene = try Scene()
        let old = try RawClient.connected(to: scene.broker, version: 4)
        try old.subscribe(scene.topic, 1)
        try RawClient.v5(scene.broker).publish(
            scene.topic, "x", qos: 1, properties: [.contentType("c"), .user("a", "b")])
        let message = try old.receivePublish()
        #expect(message.payloadText == "x")
        #expect(message.body.count == 2 + scene.topic.utf8.count + 2 + 1)
        try scene.client.expectMessage(scene.topic, "x")
        try old.unsubscribe(scene.topic)
        try old.publish(scene.topic, "y")
        #expect(try scene.client.expectMessage(scene.topic, "y").properties.isEmpty)
    }

    // MARK: refused

    @Test("[5.0 MQTT-3.3.2-13] a Response Topic that is not UTF-8 is malformed")
    func responseTopicText() throws {
        let scene = try Scene()
        try scene.expectRejected(scene.publish([.binary(0x08, [0x61, 0xFF])]), 0x81)
    }

    @Test(
        "[5.0 MQTT-3.3.2-14] a Response Topic with a wildcard is a protocol error", arguments: ["#", "a/+", "a/#", "+"])
    func responseTopicWildcard(topic: String) throws {
        let scene = try Scene()
        try withKnownDifference(.mosquitto, "Response Topic is not looked into") {
            try scene.expectRejected(scene.publish([.responseTopic(topic)]), 0x82)
        }
    }

    @Test("[5.0 MQTT-3.3.2-19] a Content Type that is not UTF-8 is malformed")
    func contentTypeText() throws {
        let scene = try Scene()
        try scene.expectRejected(scene.publish([.binary(0x03, [0xC0, 0x80])]), 0x81)
    }

    @Test(
        "[5.0 facts] a property twice is a protocol error", arguments: [0x01, 0x02, 0x03, 0x08, 0x09, 0x23] as [UInt8])
    func twice(id: UInt8) throws {
        let scene = try Scene()
        let property = try #require(V50ConnectPropertyTests.every.first { $0.id == id })
        try scene.expectRejected(scene.publish([property, property]), 0x82)
        #expect(try scene.passOn([property]).payloadText == "x")
    }

    static let ofPublish: Set<UInt8> = [0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26]

    @Test(
        "[5.0 facts] a property that PUBLISH may not carry is malformed",
        arguments: V50ConnectPropertyTests.every.filter { !ofPublish.contains($0.id) })
    func foreign(property: Property) throws {
        let scene = try Scene()
        try scene.expectRejected(scene.publish([property]), 0x81)
    }

    @Test(
        "[5.0 facts] a property that does not exist is malformed", arguments: [0x00, 0x04, 0x2B, 0x7F, 0xFF] as [UInt8])
    func unknown(id: UInt8) throws {
        let scene = try Scene()
        try scene.expectRejected(scene.publish([Property(id: id, bytes: [1])]), 0x81)
    }

    @Test(
        "[5.0 facts] a Payload Format Indicator other than 0 and 1 is a protocol error", arguments: [2, 255] as [UInt8])
    func payloadFormatValue(value: UInt8) throws {
        let scene = try Scene()
        try withKnownDifference(.mosquitto, "the value is not looked at") {
            try scene.expectRejected(scene.publish([.payloadFormatIndicator(value)]), 0x82)
        }
    }

    @Test("[5.0 facts] properties that do not add up are malformed")
    func lengths() throws {
        let scene = try Scene()
        let topic = Wire.string(scene.topic)
        // A property length beyond the packet; one that cuts a property; one of five bytes.
        try scene.expectRejected(Wire.packet(0x30, topic + [9, 0x01, 1]), 0x81)
        try scene.expectRejected(Wire.packet(0x30, topic + [3, 0x02, 0, 0, 0, 9]), 0x81)
        try scene.expectRejected(Wire.packet(0x30, topic + [0x80, 0x80, 0x80, 0x80, 0]), 0x81)
        // A packet id that is cut off.
        try scene.expectRejected(Wire.packet(0x32, topic + [0]), 0x81)
    }

    @Test(
        "[5.0 MQTT-3.3.4-6] a Subscription Identifier in a client's PUBLISH is a protocol error",
        arguments: [1, 268_435_455])
    func subscriptionIdentifier(id: Int) throws {
        let scene = try Scene()
        try withKnownDifference(.mosquitto, "the identifier is ignored") {
            try scene.expectRejected(scene.publish([.subscriptionIdentifier(id)]), 0x82)
        }
    }
}
