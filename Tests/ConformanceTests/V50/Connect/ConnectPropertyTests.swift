import MQTTTestKit
import Testing

/// 5.0 §3.1.2.11 and §3.1.3.2: what the properties of CONNECT and of the will may be, and what they change.
@Suite("V50 CONNECT properties", .blocking) struct V50ConnectPropertyTests {
    /// One right value of every property there is.
    static let every: [Property] = [
        .payloadFormatIndicator(1), .messageExpiryInterval(60), .contentType("c"), .responseTopic("r"),
        .correlationData([1]),
        .subscriptionIdentifier(1), .sessionExpiryInterval(60), .string(0x12, "id"), .u16(0x13, 9),
        .authenticationMethod("m"), .authenticationData([1]),
        .requestProblemInformation(1), .willDelayInterval(1), .requestResponseInformation(1), .string(0x1A, "i"),
        .string(0x1C, "s"),
        .reasonString("why"), .receiveMaximum(9), .topicAliasMaximum(9), .topicAlias(1), .byte(0x24, 1), .byte(0x25, 1),
        .user("a", "b"), .maximumPacketSize(900), .byte(0x28, 1), .byte(0x29, 1), .byte(0x2A, 1),
    ]
    static let ofConnect: Set<UInt8> = [0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27]
    static let ofWill: Set<UInt8> = [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26]

    static func withWill(_ properties: [Property]) -> [UInt8] {
        Wire.connect(
            id: unique("c"), version: 5, will: .init(topic: unique("w"), payload: "x", properties: properties))
    }

    @Test(
        "[5.0 facts] every property of CONNECT is taken once, and twice is a protocol error",
        arguments: [0x11, 0x17, 0x19, 0x21, 0x22, 0x27] as [UInt8])
    func connectTwice(id: UInt8) throws {
        let property = try #require(Self.every.first { $0.id == id })
        try RawClient.sending(connectPacket([property]), to: .shared()).expectAccepted()
        try RawClient.sending(connectPacket([property, property]), to: .shared()).expectRefusal(0x82)
    }

    @Test("[5.0 facts] Authentication Method or Data twice is a protocol error")
    func authenticationTwice() throws {
        let (method, data) = (Property.authenticationMethod("m"), Property.authenticationData([1]))
        try RawClient.sending(connectPacket([method, method]), to: .shared()).expectRefusal(0x82)
        try RawClient.sending(connectPacket([method, data, data]), to: .shared()).expectRefusal(0x82)
    }

    @Test(
        "[5.0 facts] every property of the will is taken once, and twice is a protocol error",
        arguments: [0x01, 0x02, 0x03, 0x08, 0x09, 0x18] as [UInt8])
    func willTwice(id: UInt8) throws {
        let property = try #require(Self.every.first { $0.id == id })
        try RawClient.sending(Self.withWill([property]), to: .shared()).expectAccepted()
        try RawClient.sending(Self.withWill([property, property]), to: .shared()).expectRefusal(0x82)
    }

    @Test("[5.0 facts] User Property may repeat, in CONNECT and in the will")
    func userProperties() throws {
        let pairs: [Property] = [.user("a", "1"), .user("a", "1"), .user("", "")]
        try RawClient.sending(connectPacket(pairs), to: .shared()).expectAccepted()
        try RawClient.sending(Self.withWill(pairs), to: .shared()).expectAccepted()
    }

    @Test(
        "[5.0 facts] a property that CONNECT may not carry is malformed",
        arguments: every.filter { !ofConnect.contains($0.id) })
    func foreignToConnect(property: Property) throws {
        try RawClient.sending(connectPacket([property]), to: .shared()).expectRefusal(0x81)
    }

    @Test(
        "[5.0 facts] a property that a will may not carry is malformed",
        arguments: every.filter { !ofWill.contains($0.id) })
    func foreignToWill(property: Property) throws {
        try RawClient.sending(Self.withWill([property]), to: .shared()).expectRefusal(0x81)
    }

    @Test(
        "[5.0 facts] a property that does not exist is malformed",
        arguments: [0x00, 0x04, 0x0A, 0x10, 0x1B, 0x2B, 0x7F, 0xFF] as [UInt8])
    func unknown(id: UInt8) throws {
        try RawClient.sending(connectPacket([Property(id: id, bytes: [1])]), to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 facts] a property cut short by the property length is malformed")
    func cutShort() throws {
        for property in Self.every where Self.ofConnect.contains(property.id) {
            let short = Property(id: property.id, bytes: Array(property.bytes.dropLast()))
            try RawClient.sending(connectPacket([short]), to: .shared()).expectRefusal(0x81)
        }
    }

    @Test(
        "[5.0 facts] a value that a property may not have is a protocol error",
        arguments: [
            .receiveMaximum(0), .maximumPacketSize(0), .requestProblemInformation(2), .requestProblemInformation(255),
            .requestResponseInformation(2), .authenticationData([1]),
        ] as [Property])
    func values(property: Property) throws {
        // The last one is Authentication Data without a method.
        try withKnownDifference(.mosquitto, "data without a method is ignored", when: property.id == 0x16) {
            try RawClient.sending(connectPacket([property]), to: .shared()).expectRefusal(0x82)
        }
    }

    @Test("[5.0 facts] a Maximum Packet Size of 0 does not bind the CONNACK that refuses it")
    func refusedMaximumPacketSize() throws {
        let answer = try RawClient.sending(connectPacket([.maximumPacketSize(0)]), to: .shared()).expectRefusal(0x82)
        #expect(answer != nil || BrokerUnderTest.isMosquitto)
    }

    @Test(
        "[5.0 facts] a Payload Format of the will other than 0 and 1 is a protocol error",
        arguments: [2, 255] as [UInt8])
    func willPayloadFormat(value: UInt8) throws {
        try withKnownDifference(.mosquitto, "the will's properties are not looked into") {
            try RawClient.sending(Self.withWill([.payloadFormatIndicator(value)]), to: .shared()).expectRefusal(0x82)
        }
    }

    @Test("[5.0 facts] a Response Topic of the will with a wildcard is a protocol error", arguments: ["a/+", "#"])
    func willResponseTopic(topic: String) throws {
        try withKnownDifference(.mosquitto, "the will's properties are not looked into") {
            try RawClient.sending(Self.withWill([.responseTopic(topic)]), to: .shared()).expectRefusal(0x82)
        }
    }

    @Test("[5.0 facts] an Authentication Method that the server does not know is refused with 8C")
    func unknownMethod() throws {
        let connect = connectPacket([.authenticationMethod("no-such-method"), .authenticationData([1])])
        let connack = try RawClient.sending(connect, to: .shared()).expectRefusal(0x8C)
        #expect(connack?.reasonCode == 0x8C)
    }

    @Test("[5.0 facts] the edges of every number are taken")
    func edges() throws {
        for property: Property in [
            .receiveMaximum(1), .receiveMaximum(65_535), .topicAliasMaximum(0), .topicAliasMaximum(65_535),
            .sessionExpiryInterval(0), .requestProblemInformation(0), .requestResponseInformation(0),
            .maximumPacketSize(0xFFFF_FFFF), .maximumPacketSize(100),
        ] {
            try RawClient.sending(connectPacket([property]), to: .shared()).expectAccepted()
        }
    }

    // MARK: Maximum Packet Size

    @Test(
        "[5.0 MQTT-3.1.2-24] no packet is bigger than the client's Maximum Packet Size",
        arguments: [0, 1, 2] as [UInt8],
        [-1, 0, 1, 2, 100])
    func maximumPacketSize(qos: UInt8, excess: Int) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, [.maximumPacketSize(100)])
        try client.subscribe(topic, qos)
        // First byte, length, topic with its length, packet id, property length: the rest is payload.
        let overhead = 2 + (2 + topic.utf8.count) + (qos > 0 ? 2 : 0) + 1
        let payload = String(repeating: "p", count: 100 + excess - overhead)
        try RawClient.v5(broker).publish(topic, payload, qos: qos)
        try withKnownDifference(.mosquitto, "one byte of the fixed header is not counted", when: excess == 1) {
            if excess <= 0 { #expect(try client.expectMessage(topic, payload, qos: qos).bytes.count == 100 + excess) }
            try client.expectNoMessage()
        }
    }

    @Test("[5.0 MQTT-3.1.2-24] properties count as well, and retained messages obey too")
    func maximumPacketSizeOfRetained() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(
            topic + "/big", "x", qos: 1, retain: true, properties: [.contentType(String(repeating: "c", count: 99))])
        try publisher.publish(topic + "/small", "x", qos: 1, retain: true)
        let client = try RawClient.v5(broker, [.maximumPacketSize(100)])
        try client.subscribe(topic + "/#", 1)
        try client.expectMessage(topic + "/small", "x", qos: 1, retain: true)
        try client.expectNoMessage()
    }

    @Test(
        "[5.0 MQTT-3.1.2-25] a message that is too big counts as delivered: nothing is stuck behind it",
        arguments: [1, 2] as [UInt8])
    func tooBig(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let properties: [Property] = [.maximumPacketSize(100), .receiveMaximum(2), .sessionExpiryInterval(60)]
        let client = try RawClient.v5(broker, id: id, properties)
        try client.subscribe(topic, qos)
        let publisher = try RawClient.v5(broker)
        let big = String(repeating: "b", count: 200)
        // More than the window holds: a dropped message must not keep its place in it.
        for _ in 1...4 { try publisher.publish(topic, big, qos: qos) }
        try publisher.publish(topic, "small", qos: qos)
        try withKnownDifference(.mosquitto, "messages that are too big fill the window for ever") {
            try client.expectMessage(topic, "small", qos: qos)
            try client.expectNoMessage()
            // Nor does it wait for a client that takes more.
            try client.disconnect()
            let back = try RawClient.v5(broker, id: id, clean: false)
            #expect(back.connack?.sessionPresent == true)
            try back.expectNoMessage()
        }
    }

    @Test("[5.0 MQTT-3.1.2-25] a message queued for an absent client is dropped if it turns out too big")
    func tooBigForTheQueue() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 1)
        try first.disconnect()
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, String(repeating: "b", count: 200), qos: 1)
        try publisher.publish(topic, "small", qos: 1)
        let client = try RawClient.v5(broker, id: id, clean: false, [.maximumPacketSize(100)])
        try client.expectMessage(topic, "small", qos: 1)
        try client.expectNoMessage()
    }

    // MARK: Request Response Information, Request Problem Information

    @Test(
        "[5.0 MQTT-3.1.2-28] without the request there is no Response Information",
        arguments: [[], [.requestResponseInformation(0)]] as [[Property]])
    func responseInformation(properties: [Property]) throws {
        let connack = try #require(try RawClient.v5(.shared(), properties).connack)
        #expect(connack.property(0x1A).isEmpty)
    }

    @Test(
        "[5.0 MQTT-3.1.2-29] with Request Problem Information 0 answers carry no reason text and no user property"
    )
    func problemInformation() throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared(), [.requestProblemInformation(0)])
        // Nobody listens; nobody subscribed; nobody knows this id: codes 10, 11, 92, and whatever text goes with them.
        client.send(Wire.publish(topic: topic, payload: "x", qos: 1, id: 1, properties: []))
        client.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: 2, properties: []))
        client.send(Wire.pubrel(2))
        client.send(Wire.pubrel(77))
        client.send(Wire.subscribe(id: 3, [("$share/g/" + topic, 0), (topic, 2)], properties: []))
        client.send(Wire.unsubscribe(id: 4, [topic, unique("never")], properties: []))
        client.send(Wire.pubrec(99))
        let answers = try client.barrier()
        #expect(
            answers.filter { $0.kind != .pubrel }.map(\.kind) == [
                .puback, .pubrec, .pubcomp, .pubcomp, .suback, .unsuback,
            ])
        for answer in answers {
            #expect(answer.properties.isEmpty, "\(answer)")
        }
    }

    @Test("[5.0 facts] with Request Problem Information 0 a PUBLISH keeps its user properties")
    func problemInformationAndPublish() throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared(), [.requestProblemInformation(0)])
        try client.subscribe(topic, 0)
        client.send(Wire.publish(topic: topic, payload: "x", properties: [.user("a", "b")]))
        #expect(try client.expectMessage(topic, "x").properties == [.user("a", "b")])
    }

    // MARK: defaults

    @Test("[5.0 facts] without Receive Maximum a client takes more than a few messages at once")
    func defaultReceiveMaximum() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, 1)
        let publisher = try RawClient.v5(broker)
        for number in 1...20 { try publisher.publish(topic, "\(number)", qos: 1) }
        // Twenty are under way by mosquitto's default; none was acknowledged.
        for number in 1...20 { #expect(try client.expect(.publish).payloadText == "\(number)") }
    }

    @Test("[5.0 facts] without Session Expiry Interval the session ends with the link")
    func defaultSessionExpiry() throws {
        let id = unique("c")
        try RawClient.v5(.shared(), id: id).disconnect()
        #expect(try RawClient.v5(.shared(), id: id, clean: false).connack?.sessionPresent == false)
    }
}
