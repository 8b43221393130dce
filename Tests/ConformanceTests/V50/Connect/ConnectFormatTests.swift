import MQTTTestKit
import Testing

/// 5.0 §3.1.0 to §3.1.3: what a CONNECT must look like.
@Suite("V50 CONNECT format", .blocking) struct V50ConnectFormatTests {
    @Test(
        "[5.0 MQTT-3.1.0-1] nothing is served before CONNECT",
        arguments: [
            Wire.pingreq, Wire.disconnect, Wire.subscribe(id: 1, [("t", 0)], properties: []),
            Wire.unsubscribe(id: 1, ["t"], properties: []),
            Wire.publish(topic: "t", payload: "", qos: 1, id: 1, properties: []),
            Wire.puback(1), Wire.pubrel(1), Wire.auth(reason: 0x18, properties: [.authenticationMethod("m")]),
        ])
    func connectComesFirst(packet: [UInt8]) throws {
        // No DISCONNECT either: a server may not send one before its CONNACK (5.0 §3.14).
        try RawClient.sending(packet, to: .shared()).expectRefusal(0x82)
    }

    @Test("[5.0 MQTT-3.1.0-1] a PUBLISH in front of CONNECT reaches nobody")
    func publishBeforeConnect() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let early =
            Wire.publish(topic: topic, payload: "early", properties: []) + Wire.connect(id: unique("c"), version: 5)
        try RawClient.sending(early, to: broker).expectRefusal(0x82)
        try watcher.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.1.0-2] a second CONNECT is a protocol error", arguments: [true, false])
    func secondConnect(sameID: Bool) throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let client = try RawClient.v5(broker, id: id, will: .init(topic: topic, payload: "gone"))
        client.send(Wire.connect(id: sameID ? id : unique("c"), version: 5))
        try client.expectDisconnect(0x82)
        // The server closed the link, so the will is due.
        try withKnownDifference(.mosquitto, "a second CONNECT loses the will") {
            try watcher.expectMessage(topic, "gone")
        }
    }

    @Test(
        "[5.0 MQTT-3.1.2-1] another protocol name is refused",
        arguments: ["MQTX", "mqtt", "MQT", "MQTTT", "", "MQIsdp", "MQTT\u{20}"])
    func protocolName(name: String) throws {
        try withKnownDifference(.mosquitto, "MQIsdp is answered as 3.1 is, whatever its level", when: name == "MQIsdp")
        {
            try RawClient.sending(connectPacket(name: name), to: .shared()).expectRefusal(0x84)
        }
    }

    @Test(
        "[5.0 MQTT-3.1.2-2] a version that does not exist is refused with 84", arguments: [6, 7, 100, 255] as [UInt8])
    func protocolVersion(level: UInt8) throws {
        try withKnownDifference(.mosquitto, "unknown versions above 5 are answered 20 02 00 01, as below 5") {
            try RawClient.sending(connectPacket(level: level), to: .shared()).expectRefusal(0x84)
        }
    }

    @Test("[5.0 facts] level 6 is answered 20 03 00 84 00 or with a close, levels below 3 as 3.1.1 does")
    func unknownLevels() throws {
        let answer = try RawClient.sending(connectPacket(level: 6), to: .shared()).packetsUntilClosed()
        try withKnownDifference(.mosquitto, "unknown versions above 5 are answered 20 02 00 01, as below 5") {
            #expect(answer.isEmpty || answer.map(\.bytes) == [[0x20, 3, 0, 0x84, 0]])
        }
        let body = Wire.string("MQTT") + [0, 2, 0, 0] + Wire.string(unique("c"))
        let old = try RawClient.sending(Wire.packet(0x10, body), to: .shared()).packetsUntilClosed()
        #expect(old.isEmpty || old.map(\.bytes) == [[0x20, 2, 0, 1]])
    }

    @Test("[5.0 MQTT-3.1.2-3] the reserved flag makes a CONNECT malformed", arguments: [0x01, 0x03] as [UInt8])
    func reservedFlag(flags: UInt8) throws {
        try RawClient.sending(connectPacket(flags: flags), to: .shared()).expectRefusal(0x81)
    }

    // MARK: the will's flags and fields

    @Test("[5.0 MQTT-3.1.2-9] a Will Flag without the will's fields is malformed")
    func willFieldsMissing() throws {
        let id = Wire.string(unique("c"))
        let (properties, topic): ([UInt8], [UInt8]) = ([0], Wire.string("t"))
        for payload in [id, id + properties, id + properties + topic, id + topic + Wire.string("x")] {
            try RawClient.sending(connectPacket(flags: 0x06, payload: payload), to: .shared()).expectRefusal(0x81)
        }
        let whole = connectPacket(flags: 0x06, payload: id + properties + topic + Wire.string(""))
        try RawClient.sending(whole, to: .shared()).expectAccepted()
    }

    @Test("[5.0 MQTT-3.1.2-9] a Will Flag of 0 with the will's fields is malformed")
    func willFieldsTooMany() throws {
        let payload = Wire.string(unique("c")) + [0] + Wire.string("t") + Wire.string("x")
        try RawClient.sending(connectPacket(flags: 0x02, payload: payload), to: .shared()).expectRefusal(0x81)
    }

    @Test(
        "[5.0 MQTT-3.1.2-11] Will QoS without a will is malformed",
        arguments: [0x08, 0x10, 0x18, 0x0A, 0x12] as [UInt8])
    func willQoSWithoutWill(flags: UInt8) throws {
        try RawClient.sending(connectPacket(flags: flags), to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 MQTT-3.1.2-12] Will QoS is 0, 1 or 2, and 3 is malformed")
    func willQoS() throws {
        let broker = try BrokerProcess.shared()
        func will() -> [UInt8] { Wire.string(unique("c")) + [0] + Wire.string("t") + Wire.string("x") }
        for flags: UInt8 in [0x06, 0x0E, 0x16] {
            try RawClient.sending(connectPacket(flags: flags, payload: will()), to: broker).expectAccepted()
        }
        for flags: UInt8 in [0x1E, 0x3E] {
            try RawClient.sending(connectPacket(flags: flags, payload: will()), to: broker).expectRefusal(0x81)
        }
    }

    @Test("[5.0 MQTT-3.1.2-13] Will Retain without a will is malformed", arguments: [0x20, 0x22] as [UInt8])
    func willRetainWithoutWill(flags: UInt8) throws {
        try RawClient.sending(connectPacket(flags: flags), to: .shared()).expectRefusal(0x81)
    }

    // MARK: user name and password

    @Test("[5.0 MQTT-3.1.2-16] with User Name Flag 0 a user name is one field too many")
    func userNameWithoutFlag() throws {
        let payload = Wire.string(unique("c")) + Wire.string("user")
        try RawClient.sending(connectPacket(flags: 0x02, payload: payload), to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 MQTT-3.1.2-17] with User Name Flag 1 the user name must be there")
    func userNameMissing() throws {
        let id = Wire.string(unique("c"))
        try RawClient.sending(connectPacket(flags: 0x82, payload: id), to: .shared()).expectRefusal(0x81)
        let whole = connectPacket(flags: 0x82, payload: id + Wire.string("user"))
        try RawClient.sending(whole, to: .shared()).expectAccepted()
    }

    @Test("[5.0 MQTT-3.1.2-18] with Password Flag 0 a password is one field too many")
    func passwordWithoutFlag() throws {
        let payload = Wire.string(unique("c")) + Wire.string("user") + Wire.string("secret")
        try RawClient.sending(connectPacket(flags: 0x82, payload: payload), to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 MQTT-3.1.2-19] with Password Flag 1 the password must be there; it needs no user name")
    func passwordMissing() throws {
        let id = Wire.string(unique("c"))
        try RawClient.sending(connectPacket(flags: 0x42, payload: id), to: .shared()).expectRefusal(0x81)
        let user = connectPacket(flags: 0xC2, payload: id + Wire.string("user"))
        try RawClient.sending(user, to: .shared()).expectRefusal(0x81)
        let both = connectPacket(flags: 0xC2, payload: id + Wire.string("user") + Wire.string("secret"))
        try RawClient.sending(both, to: .shared()).expectAccepted()
        // Not text: a password is binary data.
        let alone = connectPacket(flags: 0x42, payload: id + Wire.field([0xFF, 0x00]))
        try RawClient.sending(alone, to: .shared()).expectAccepted()
    }

    // MARK: the payload

    @Test("[5.0 MQTT-3.1.3-1] all fields of the payload are read in their order")
    func payloadOrder() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let client = try RawClient(broker, version: 5)
        try client.connect(
            id: id, version: 5,
            will: .init(
                topic: topic, payload: "last words", qos: 1, properties: [.contentType("text"), .user("a", "b")]),
            user: "user", password: "secret", properties: [.sessionExpiryInterval(60)])
        client.close()
        let will = try watcher.expectMessage(topic, "last words", qos: 1)
        #expect(will.properties == [.contentType("text"), .user("a", "b")])
        #expect(try #require(try RawClient.v5(broker, id: id, clean: false).connack).sessionPresent)
    }

    @Test("[5.0 MQTT-3.1.3-3] the client id is the first field of the payload and always there")
    func clientIDFirst() throws {
        try RawClient.sending(connectPacket(payload: []), to: .shared()).expectRefusal(0x81)
        try RawClient.sending(connectPacket(payload: [0]), to: .shared()).expectRefusal(0x81)
        // A length that reaches beyond the packet.
        try RawClient.sending(connectPacket(payload: [0, 9, 0x61]), to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 MQTT-3.1.3-4] a client id that is not UTF-8 is malformed")
    func clientIDText() throws {
        try V50StringTests.Place.clientID.expectMalformed([0x63, 0xFF])
    }

    @Test("[5.0 MQTT-3.1.3-11] a will topic that is not UTF-8 is malformed")
    func willTopicText() throws {
        try V50StringTests.Place.willTopic.expectMalformed([0x63, 0xFF])
    }

    @Test("[5.0 MQTT-3.1.3-12] a user name that is not UTF-8 is malformed")
    func userNameText() throws {
        try V50StringTests.Place.userName.expectMalformed([0x63, 0xFF])
    }

    @Test("[5.0 facts] a will topic with a wildcard, or empty, is refused", arguments: ["a/+", "#", "a#", ""])
    func willTopicWildcard(topic: String) throws {
        let connect = Wire.connect(id: unique("c"), version: 5, will: .init(topic: topic, payload: "x"))
        try RawClient.sending(connect, to: .shared()).expectRefusal(0x81, 0x82, 0x90)
    }

    @Test("[5.0 MQTT-3.1.3-5] ids of 1 to 23 digits and ASCII letters are accepted")
    func plainClientIDs() throws {
        let broker = try BrokerProcess.shared()
        for id in ["7", "ABCDEFGHIJKLMNOPQRSTUVW", "XYZabcdefghijklmnopqrst", "uvwxyz0123456789"] {
            let connack = try #require(try RawClient.v5(broker, id: id).connack)
            #expect(connack.reasonCode == 0)
            #expect(connack.property(0x12).isEmpty, "an id that was given needs no other")
        }
    }

    @Test(
        "[5.0 MQTT-3.1.4-1] a CONNECT that does not match §3.1 closes the connection",
        arguments: [
            // Cut short, with bytes left over, and with lengths that do not add up.
            Wire.packet(0x10, []), Wire.packet(0x10, Wire.string("MQTT")),
            Wire.packet(0x10, Wire.string("MQTT") + [5, 2]),
            Wire.packet(0x10, Wire.string("MQTT") + [5, 2, 0, 0]),
            connectPacket(payload: Wire.string("left") + [0]),
            Wire.packet(0x10, Wire.string("MQTT") + [5, 2, 0, 0, 9] + Wire.string("c")),
            Wire.packet(0x10, Wire.string("MQTT") + [5, 2, 0, 0, 4, 0x11, 0, 0, 0] + Wire.string("c")),
            Wire.packet(0x10, Wire.string("MQTT") + [5, 2, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x00] + Wire.string("c")),
        ])
    func malformed(connect: [UInt8]) throws {
        try RawClient.sending(connect, to: .shared()).expectRefusal(0x81)
    }
}
