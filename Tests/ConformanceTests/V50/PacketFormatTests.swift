import MQTTTestKit
import Testing

/// 5.0 §1.5.5 and §2: lengths, first bytes, packet ids, the property length.
@Suite("V50 packet format", .blocking) struct V50PacketFormatTests {
    /// PUBLISH has 2 + 20 bytes of topic and one of property length before its payload.
    static let overheadBytes = 23

    @Test(
        "[5.0 MQTT-1.5.5-1] the remaining length takes the fewest bytes there are",
        arguments: [(127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4)])
    func shortestLength(remaining: Int, lengthBytes: Int) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "max_packet_size 3000000\n")
        let topic = String((unique("t") + String(repeating: "x", count: 20)).prefix(20))
        let client = try RawClient.v5(broker)
        try client.subscribe(topic, 0)
        let payload = String(repeating: "p", count: remaining - Self.overheadBytes)
        client.send(Wire.publish(topic: topic, payload: payload, properties: []))
        let message = try client.receivePublish()
        #expect(message.bytes.count == 1 + lengthBytes + remaining)
        #expect(message.body.count == remaining)
        #expect(message.payload.count == payload.utf8.count)
    }

    @Test("[5.0 MQTT-1.5.5-1] the property length takes the fewest bytes there are", arguments: [(127, 1), (128, 2)])
    func shortestPropertyLength(properties: Int, lengthBytes: Int) throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared())
        try client.subscribe(topic, 0)
        // A Content Type takes three bytes more than its text.
        let property = Property.contentType(String(repeating: "c", count: properties - 3))
        client.send(Wire.publish(topic: topic, payload: "x", properties: [property]))
        let message = try client.receivePublish()
        #expect(message.body.count == 2 + topic.utf8.count + lengthBytes + properties + 1)
        #expect(message.properties == [property])
    }

    @Test("[5.0 facts] a length of five bytes closes the connection, nothing more is read")
    func lengthOfFiveBytes() throws {
        let broker = try BrokerProcess.shared()
        try RawClient.sending([0x10, 0x80, 0x80, 0x80, 0x80, 0x01], to: broker).expectRefusal(0x81)
        let client = try RawClient.v5(broker)
        client.send([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
        try client.expectDisconnect(0x81)
    }

    /// PINGREQ, and a PUBLISH without properties, whose length takes two bytes where one is enough.
    static let wastefulLengths: [[UInt8]] = [
        [0xC0, 0x80, 0x00], [0x30, 0x06, 0x00, 0x01, 0x74, 0x80, 0x00, 0x78],
    ]

    @Test("[5.0 MQTT-1.5.5-1] a length in more bytes than it needs closes with 81", arguments: wastefulLengths)
    func wastefulLength(packet: [UInt8]) throws {
        let client = try RawClient.v5(.shared())
        client.send(packet)
        try withKnownDifference(.mosquitto, "the remaining length is read in any form", when: packet[0] == 0xC0) {
            try client.expectDisconnect(0x81)
        }
    }

    @Test("[5.0 facts] an identifier of five bytes closes with 81")
    func identifierOfFiveBytes() throws {
        let client = try RawClient.v5(.shared())
        let five = Property(id: 0x0B, bytes: [0x80, 0x80, 0x80, 0x80, 0x01])
        client.send(Wire.subscribe(id: 1, [(unique("t"), 0)], properties: [five]))
        try client.expectDisconnect(0x81)
    }

    /// Right packets but for one bit of the first byte. A CONNECT of this sort is in `ConnectFormatTests`.
    static let wrongFlags: [[UInt8]] = {
        let right: [[UInt8]] = [
            Wire.puback(1), Wire.pubrec(1), Wire.pubrel(1), Wire.pubcomp(1),
            Wire.subscribe(id: 1, [("t", 0)], properties: []), Wire.unsubscribe(id: 1, ["t"], properties: []),
            Wire.pingreq, Wire.disconnect, Wire.auth(reason: 0x19, properties: [.authenticationMethod("m")]),
        ]
        return right.flatMap { bytes in
            (0..<4).map { bit in [bytes[0] ^ (1 << bit)] + bytes.dropFirst() }
        }
    }()

    @Test("[5.0 MQTT-2.1.3-1] a reserved bit of the first byte that is wrong closes with 81", arguments: wrongFlags)
    func reservedFlags(packet: [UInt8]) throws {
        let client = try RawClient.v5(.shared())
        client.send(packet)
        let isIgnored = [4, 5, 7, 12].contains(packet[0] >> 4)
        try withKnownDifference(.mosquitto, "flags of PUBACK, PUBREC, PUBCOMP and PINGREQ are ignored", when: isIgnored)
        {
            // AUTH is out of place here for another reason as well, so either may be named.
            if packet[0] >> 4 == 15 {
                try client.expectDisconnect(0x81, 0x82)
            } else {
                try client.expectDisconnect(0x81)
            }
        }
    }

    @Test(
        "[5.0 MQTT-2.1.3-1] CONNECT with a flag in its first byte is refused",
        arguments: [0x11, 0x12, 0x14, 0x18] as [UInt8])
    func reservedFlagsOfConnect(first: UInt8) throws {
        let bytes = [first] + connectPacket().dropFirst()
        try RawClient.sending(bytes, to: .shared()).expectRefusal(0x81)
    }

    @Test("[5.0 MQTT-2.1.3-1] the broker's own first bytes have the fixed value of their type")
    func ownFlags() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let reader = try RawClient.v5(broker)
        #expect(reader.connack?.bytes.first == 0x20)
        reader.send(Wire.subscribe(id: 1, [(topic, 2)], properties: []))
        #expect(try reader.expect(.suback).bytes.first == 0x90)
        let writer = try RawClient.v5(broker)
        writer.send(Wire.publish(topic: topic, payload: "x", qos: 1, id: 9, properties: []))
        #expect(try writer.expect(.puback).bytes.first == 0x40)
        let first = try reader.expect(.publish)
        #expect(first.bytes.first == 0x32)
        reader.send(Wire.puback(try #require(first.packetID)))
        writer.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: 9, properties: []))
        #expect(try writer.expect(.pubrec).bytes.first == 0x50)
        writer.send(Wire.pubrel(9))
        #expect(try writer.expect(.pubcomp).bytes.first == 0x70)
        let second = try reader.expect(.publish)
        #expect(second.bytes.first == 0x34)
        reader.send(Wire.pubrec(try #require(second.packetID)))
        #expect(try reader.expect(.pubrel).bytes.first == 0x62)
        reader.send(Wire.pubcomp(try #require(second.packetID)))
        reader.send(Wire.unsubscribe(id: 2, [topic], properties: []))
        #expect(try reader.expect(.unsuback).bytes.first == 0xB0)
        reader.send(Wire.pingreq)
        try reader.expect([0xD0, 0x00])
    }

    @Test(
        "[5.0 facts] packet types that a client may not send close with 81 or 82",
        arguments: [0x00, 0x20, 0x90, 0xB0, 0xD0] as [UInt8])
    func foreignTypes(first: UInt8) throws {
        let client = try RawClient.v5(.shared())
        client.send([first, 0x04, 0, 1, 0, 0])
        let isIgnored = [0x90, 0xB0, 0xD0].contains(first)
        try withKnownDifference(.mosquitto, "SUBACK, UNSUBACK and PINGRESP are ignored", when: isIgnored) {
            try client.expectDisconnect(0x81, 0x82)
        }
    }

    @Test("[5.0 MQTT-2.2.1-2] a QoS 0 PUBLISH has no packet id, in either direction")
    func noPacketID() throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared())
        try client.subscribe(topic, 2)
        client.send([0x30] + [UInt8(2 + topic.utf8.count + 1 + 2)] + Wire.string(topic) + [0x00, 0x68, 0x69])
        try client.expect([0x30] + [UInt8(2 + topic.utf8.count + 1 + 2)] + Wire.string(topic) + [0x00, 0x68, 0x69])
    }

    @Test("[5.0 MQTT-2.2.1-4] messages under way have ids of their own, none of them 0", arguments: [1, 2] as [UInt8])
    func freshPacketIDs(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let subscriber = try RawClient.v5(broker)
        try subscriber.subscribe(topic, qos)
        let publisher = try RawClient.v5(broker)
        for number in 1...10 { try publisher.publish(topic, "\(number)", qos: qos, id: 5) }
        var ids: Set<UInt16> = []
        for _ in 1...10 { ids.insert(try #require(try subscriber.expect(.publish).packetID)) }
        #expect(ids.count == 10)
        #expect(!ids.contains(0))
        // A new one comes while nine are open still: it may take the freed id, and none of the others.
        let freed = try #require(ids.min())
        subscriber.send(qos == 1 ? Wire.puback(freed) : Wire.pubrec(freed, reason: 0x80))
        ids.remove(freed)
        try publisher.publish(topic, "11", qos: qos, id: 5)
        let next = try #require(try subscriber.expect(.publish).packetID)
        #expect(next != 0)
        #expect(!ids.contains(next))
    }

    @Test(
        "[5.0 MQTT-2.2.1-5] acknowledgements repeat the id of their PUBLISH",
        arguments: [1, 2, 255, 256, 65_535] as [UInt16])
    func acknowledgedIDs(id: UInt16) throws {
        let topic = unique("t")
        let writer = try RawClient.v5(.shared())
        let reader = try RawClient.v5(.shared())
        try reader.subscribe(topic, 2)
        writer.send(Wire.publish(topic: topic, payload: "x", qos: 1, id: id, properties: []))
        #expect(try writer.expect(.puback).packetID == id)
        writer.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: id, properties: []))
        #expect(try writer.expect(.pubrec).packetID == id)
        writer.send(Wire.pubrel(id))
        #expect(try writer.expect(.pubcomp).packetID == id)
        // The other way round: PUBREL repeats the id the broker itself chose.
        let first = try #require(try reader.expect(.publish).packetID)
        reader.send(Wire.puback(first))
        let second = try #require(try reader.expect(.publish).packetID)
        reader.send(Wire.pubrec(second))
        #expect(try reader.expect(.pubrel).packetID == second)
        reader.send(Wire.pubcomp(second))
        try reader.expectQuiet()
    }

    @Test(
        "[5.0 MQTT-2.2.1-6] SUBACK and UNSUBACK repeat the id of their request",
        arguments: [1, 256, 65_535] as [UInt16])
    func answeredIDs(id: UInt16) throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared())
        client.send(Wire.subscribe(id: id, [(topic, 1)], properties: []))
        try client.expect([0x90, 4] + Wire.u16(id) + [0, 1])
        client.send(Wire.unsubscribe(id: id, [topic], properties: []))
        try client.expect([0xB0, 4] + Wire.u16(id) + [0, 0])
    }

    @Test("[5.0 facts] packet id 0 in PUBLISH, SUBSCRIBE or UNSUBSCRIBE closes with 81 or 82")
    func packetIDZero() throws {
        let broker = try BrokerProcess.shared()
        for packet in [
            Wire.publish(topic: "t", payload: "", qos: 1, id: 0, properties: []),
            Wire.publish(topic: "t", payload: "", qos: 2, id: 0, properties: []),
            Wire.subscribe(id: 0, [("t", 0)], properties: []), Wire.unsubscribe(id: 0, ["t"], properties: []),
        ] {
            let client = try RawClient.v5(broker)
            client.send(packet)
            try client.expectDisconnect(0x81, 0x82)
        }
    }

    @Test("[5.0 MQTT-2.2.2-1] a packet without properties still says so with a length of 0")
    func emptyProperties() throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared())
        let connack = try #require(client.connack)
        #expect(connack.body.count >= 3)
        #expect(Wire.properties(connack.properties) == Array(connack.body.dropFirst(2)))
        client.send(Wire.subscribe(id: 7, [(topic, 1)], properties: []))
        try client.expect([0x90, 4, 0, 7, 0, 1])
        client.send(Wire.publish(topic: topic, payload: "", qos: 0, properties: []))
        try client.expect(Wire.publish(topic: topic, payload: "", qos: 0, properties: []))
        client.send(Wire.unsubscribe(id: 8, [topic], properties: []))
        try client.expect([0xB0, 4, 0, 8, 0, 0])
    }

    @Test("[5.0 MQTT-2.2.2-1] a packet without a property length is malformed")
    func missingPropertyLength() throws {
        let broker = try BrokerProcess.shared()
        for packet in [
            Wire.publish(topic: "t", payload: "", properties: nil), Wire.packet(0x82, [0, 1]),
            Wire.packet(0xA2, [0, 1]),
        ] {
            let client = try RawClient.v5(broker)
            client.send(packet)
            try client.expectDisconnect(0x81)
        }
    }
}
