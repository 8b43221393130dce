import MQTTTestKit
import Testing

/// The first byte, packet ids, and what a broker must hang up on: sections 2.2, 2.3 and 4.8.
@Suite("3.1.1 fixed header and packet ids", .blocking) struct FixedHeader311Tests {
    @Test("[3.1.1 MQTT-2.2.2-1] every packet that the broker sends has the flags of its type")
    func flagsSent() throws {
        let talk = try Conversation()
        let subscriber = talk.subscriber
        subscriber.send(Wire.subscribe(id: 1, [(talk.topic, 2)]))
        #expect(try subscriber.expect(.suback).bytes[0] == 0x90)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "1", qos: 1, id: 1))
        #expect(try talk.publisher.expect(.puback).bytes[0] == 0x40)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "2", qos: 2, id: 2))
        #expect(try talk.publisher.expect(.pubrec).bytes[0] == 0x50)
        talk.publisher.send(Wire.pubrel(2))
        #expect(try talk.publisher.expect(.pubcomp).bytes[0] == 0x70)
        #expect(try subscriber.receivePublish().bytes[0] == 0x32)
        let second = try subscriber.expect(.publish)
        #expect(second.bytes[0] == 0x34)
        subscriber.send(Wire.pubrec(second.packetID ?? 0))
        #expect(try subscriber.expect(.pubrel).bytes[0] == 0x62)
        subscriber.send(Wire.pubcomp(second.packetID ?? 0))
        subscriber.send(Wire.unsubscribe(id: 3, [talk.topic]))
        #expect(try subscriber.expect(.unsuback).bytes[0] == 0xB0)
        subscriber.send(Wire.pingreq)
        #expect(try subscriber.receive().bytes[0] == 0xD0)
    }

    @Test(
        "[3.1.1 MQTT-2.2.2-2] wrong flag bits close the connection",
        arguments: [
            Violation(
                "SUBSCRIBE 80", [0x80] + Wire.subscribe(id: 1, [("a", 0)]).dropFirst(),
                good: Wire.subscribe(id: 1, [("a", 0)])),
            Violation(
                "UNSUBSCRIBE A0", [0xA0] + Wire.unsubscribe(id: 1, ["a"]).dropFirst(),
                good: Wire.unsubscribe(id: 1, ["a"])),
            Violation(
                "PINGREQ C1", [0xC1, 0x00], good: Wire.pingreq,
                keptByMosquitto: "the flags of PINGREQ are not looked at"),
            Violation(
                "PINGREQ C2", [0xC2, 0x00], good: Wire.pingreq,
                keptByMosquitto: "the flags of PINGREQ are not looked at"),
            Violation(
                "PINGREQ C8", [0xC8, 0x00], good: Wire.pingreq,
                keptByMosquitto: "the flags of PINGREQ are not looked at"),
            Violation("DISCONNECT E1", [0xE1, 0x00]),
        ])
    func flagsReceived(violation: Violation) throws {
        try violation.closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-2.2.2-2] CONNECT with flag bits closes without CONNACK",
        arguments: [0x11, 0x12, 0x14, 0x18, 0x1F] as [UInt8])
    func connectFlags(first: UInt8) throws {
        let packet = Wire.connect(id: unique("c"))
        try Violation("CONNECT", [first] + packet.dropFirst(), good: packet).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-2.2.2-2] PUBACK with flag bits closes the connection", arguments: [0x41, 0x42, 0x48] as [UInt8])
    func pubackFlags(first: UInt8) throws {
        let talk = try Conversation(subscribing: 1)
        for byte in [0x40, first] {
            try talk.publisher.publish(talk.topic, "1", qos: 1)
            let id = try #require(talk.subscriber.expect(.publish).packetID)
            talk.subscriber.send(Wire.packet(byte, Wire.u16(id)))
            if byte == 0x40 { try talk.subscriber.expectQuiet() }
        }
        try withKnownDifference(.mosquitto, "the flags of PUBACK are not looked at") {
            try talk.subscriber.expectClosed()
        }
    }

    @Test(
        "[3.1.1 MQTT-2.2.2-2] PUBREC and PUBCOMP with flag bits close the connection",
        arguments: [0x51, 0x52, 0x71, 0x72] as [UInt8])
    func pubrecFlags(first: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        try talk.publisher.publish(talk.topic, "1", qos: 2)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        if first >> 4 == 7 {
            talk.subscriber.send(Wire.pubrec(id))
            try talk.subscriber.expect(Wire.pubrel(id))
        }
        talk.subscriber.send(Wire.packet(first, Wire.u16(id)))
        try withKnownDifference(.mosquitto, "the flags of PUBREC and PUBCOMP are not looked at") {
            try talk.subscriber.expectClosed()
        }
    }

    @Test(
        "[3.1.1 MQTT-3.6.1-1] PUBREL with flags other than 2 closes",
        arguments: [0x60, 0x61, 0x63, 0x66, 0x6A] as [UInt8])
    func pubrelFlags(first: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "1", qos: 2, id: 1))
        try talk.publisher.expect(Wire.pubrec(1))
        talk.publisher.send(Wire.packet(first, [0, 1]))
        try talk.publisher.expectClosed()
    }

    @Test(
        "[3.1.1 MQTT-3.8.1-1] SUBSCRIBE with flags other than 2 closes",
        arguments: [0x80, 0x81, 0x83, 0x86, 0x8A] as [UInt8])
    func subscribeFlags(first: UInt8) throws {
        let packet = Wire.subscribe(id: 1, [("a", 0)])
        try Violation("SUBSCRIBE", [first] + packet.dropFirst(), good: packet).closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-3.10.1-1] UNSUBSCRIBE with flags other than 2 closes",
        arguments: [0xA0, 0xA1, 0xA3, 0xA6, 0xAA] as [UInt8])
    func unsubscribeFlags(first: UInt8) throws {
        let packet = Wire.unsubscribe(id: 1, ["a"])
        try Violation("UNSUBSCRIBE", [first] + packet.dropFirst(), good: packet).closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-1] packet id 0 closes the connection",
        arguments: [
            Violation("SUBSCRIBE", Wire.subscribe(id: 0, [("a", 0)]), good: Wire.subscribe(id: 1, [("a", 0)])),
            Violation("UNSUBSCRIBE", Wire.unsubscribe(id: 0, ["a"]), good: Wire.unsubscribe(id: 1, ["a"])),
            Violation(
                "PUBLISH QoS 1", Wire.publish(topic: "a", payload: "", qos: 1, id: 0),
                good: Wire.publish(topic: "a", payload: "", qos: 1, id: 1)),
            Violation(
                "PUBLISH QoS 2", Wire.publish(topic: "a", payload: "", qos: 2, id: 0),
                good: Wire.publish(topic: "a", payload: "", qos: 2, id: 1)),
        ])
    func packetIDZero(violation: Violation) throws {
        try violation.closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-4] ids of unacknowledged messages differ, are not 0, and come back after a reconnect",
        arguments: [1, 2] as [UInt8])
    func packetIDsSent(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        for number in 1...5 { try talk.publisher.publish(talk.topic, "\(number)", qos: qos, id: UInt16(number) + 100) }
        let first = try (1...5).map { _ in try talk.subscriber.expect(.publish) }
        let ids = first.compactMap(\.packetID)
        #expect(Set(ids).count == 5 && !ids.contains(0))
        talk.subscriber.close()
        let again = try talk.reconnected()
        let second = try (1...5).map { _ in try again.expect(.publish) }
        #expect(second.compactMap(\.packetID) == ids)
        #expect(texts(second) == ["1", "2", "3", "4", "5"])
        // An id that was acknowledged may be used again, one that was not may not.
        if qos == 1 { again.send(Wire.puback(ids[0])) }
        try talk.publisher.publish(talk.topic, "6", qos: qos)
        let sixth = try #require(again.expect(.publish).packetID)
        #expect(!ids.dropFirst(qos == 1 ? 1 : 0).contains(sixth) && sixth != 0)
    }

    @Test("[3.1.1 MQTT-2.3.1-5] a QoS 0 PUBLISH has no packet id, either way")
    func noPacketIDAtQoS0() throws {
        let talk = try Conversation(subscribing: 2)
        talk.publisher.send(
            [0x30] + Wire.variableByteInteger(talk.topic.utf8.count + 4) + Wire.string(talk.topic) + [0x00, 0x01])
        let packet = try talk.subscriber.expect(.publish)
        #expect(packet.bytes[0] == 0x30 && packet.body == Wire.string(talk.topic) + [0x00, 0x01])
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-6] PUBACK, PUBREC, PUBREL and PUBCOMP repeat the id of the PUBLISH",
        arguments: [1, 2, 255, 256, 32_768, 65_535] as [UInt16])
    func acknowledgedID(id: UInt16) throws {
        let talk = try Conversation(subscribing: 2)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "1", qos: 1, id: id))
        try talk.publisher.expect(Wire.puback(id))
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "2", qos: 2, id: id))
        try talk.publisher.expect(Wire.pubrec(id))
        talk.publisher.send(Wire.pubrel(id))
        try talk.publisher.expect(Wire.pubcomp(id))
        let ids = try [talk.subscriber.receivePublish(), talk.subscriber.receivePublish()].map(\.packetID)
        #expect(!ids.contains(nil))
        try talk.subscriber.expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-7] SUBACK and UNSUBACK repeat the id of their request",
        arguments: [1, 2, 255, 256, 4_660, 65_535] as [UInt16])
    func requestID(id: UInt16) throws {
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.subscribe(id: id, [(unique("f"), 0)]))
        try client.expect([0x90, 0x03] + Wire.u16(id) + [0x00])
        client.send(Wire.unsubscribe(id: id, ["f"]))
        try client.expect([0xB0, 0x02] + Wire.u16(id))
    }

    @Test(
        "[3.1.1 MQTT-4.8.0-1] a protocol violation closes the connection it arrived on",
        arguments: [
            Violation("type 0", [0x00, 0x00]),
            Violation("AUTH", [0xF0, 0x00]),
            Violation("CONNACK", [0x20, 0x02, 0x00, 0x00]),
            Violation(
                "SUBACK", [0x90, 0x03, 0x00, 0x01, 0x00],
                keptByMosquitto: "packets that only a broker sends are ignored"),
            Violation(
                "UNSUBACK", [0xB0, 0x02, 0x00, 0x01], keptByMosquitto: "packets that only a broker sends are ignored"),
            Violation("PINGRESP", [0xD0, 0x00], keptByMosquitto: "packets that only a broker sends are ignored"),
            Violation("remaining length of five bytes", [0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
            Violation(
                "remaining length FF FF FF FF", [0xC0, 0xFF, 0xFF, 0xFF, 0xFF],
                keptByMosquitto: "a fifth byte of the length is waited for"),
            Violation("PUBLISH with a topic cut short", [0x30, 0x03, 0x00, 0x05, 0x61]),
            Violation("PUBLISH without a topic", [0x30, 0x00]),
            Violation("PUBLISH QoS 1 without its id", [0x32, 0x03, 0x00, 0x01, 0x61]),
            Violation("PUBACK of one byte", [0x40, 0x01, 0x00]),
            Violation("PUBREL without an id", [0x62, 0x00]),
            Violation("SUBSCRIBE with a filter cut short", [0x82, 0x05, 0x00, 0x01, 0x00, 0x05, 0x61]),
            Violation("SUBSCRIBE without an option byte", [0x82, 0x05, 0x00, 0x01, 0x00, 0x01, 0x61]),
            Violation("UNSUBSCRIBE with a filter cut short", [0xA2, 0x05, 0x00, 0x01, 0x00, 0x05, 0x61]),
        ])
    func violations(violation: Violation) throws {
        let bystander = try RawClient.connected(to: .shared())
        try violation.closesConnection()
        try bystander.expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-4.8.0-1] bytes behind the last field are a violation",
        arguments: [
            Violation(
                "PINGREQ", [0xC0, 0x01, 0x00], good: Wire.pingreq,
                keptByMosquitto: "bytes behind the last field are not looked at"),
            Violation(
                "PUBACK", [0x40, 0x03, 0x00, 0x01, 0x00],
                keptByMosquitto: "bytes behind the last field are not looked at"),
            Violation(
                "PUBREC", [0x50, 0x03, 0x00, 0x01, 0x00],
                keptByMosquitto: "bytes behind the last field are not looked at"),
            Violation(
                "PUBREL", [0x62, 0x03, 0x00, 0x01, 0x00],
                keptByMosquitto: "bytes behind the last field are not looked at"),
            Violation(
                "PUBCOMP", [0x70, 0x03, 0x00, 0x01, 0x00],
                keptByMosquitto: "bytes behind the last field are not looked at"),
        ])
    func trailingBytes(violation: Violation) throws {
        try violation.closesConnection()
    }

    @Test("[3.1.1 MQTT-7.1.1-1] TCP carries packets in order, wherever they are cut", arguments: [1, 2, 3, 7])
    func stream(pieceBytes: Int) throws {
        let client = try RawClient(.shared())
        let topic = unique("w")
        client.sendSlowly(
            Wire.connect(id: unique("c")) + Wire.subscribe(id: 1, [(topic, 1)])
                + Wire.publish(topic: topic, payload: "slow", qos: 1, id: 5) + Wire.pingreq, pieceBytes: pieceBytes)
        try client.expect([0x20, 0x02, 0x00, 0x00])
        // Answers come in order. The message may come before SUBACK: §3.8.4, and on several event loops it sometimes does.
        #expect(try client.receive { $0.kind != .publish }.bytes == [0x90, 0x03, 0x00, 0x01, 0x01])
        let rest = try (1...3).map { _ in try client.receive() }
        #expect(Set(rest.map(\.kind)) == [.publish, .puback, .pingresp])
        #expect(rest.first { $0.kind == .publish }?.payloadText == "slow")
    }

    /// Remaining lengths at which one more byte is needed, and a packet that no socket buffer takes whole.
    @Test(
        "[3.1.1 MQTT-7.1.1-1] packets of any size arrive unchanged",
        arguments: [0, 127, 128, 16_383, 16_384, 1_500_000], [0, 1] as [UInt8])
    func sizes(remainingLength: Int, qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos)
        let header = 2 + talk.topic.utf8.count + (qos > 0 ? 2 : 0)
        let payload = (0..<max(0, remainingLength - header)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        talk.publisher.send(Wire.publish(topic: Array(talk.topic.utf8), payload: payload, qos: qos, id: 1))
        if qos == 1 { try talk.publisher.expect(Wire.puback(1)) }
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.payload == payload && packet.body.count == max(remainingLength, header))
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1.1 MQTT-7.1.1-1] many packets in one segment are all answered, in order")
    func pipelined() throws {
        let client = try RawClient(.shared())
        let topic = unique("w")
        client.send(
            Wire.connect(id: unique("c"))
                + (1...100).flatMap { Wire.publish(topic: topic, payload: "p", qos: 1, id: $0) })
        try client.expect([0x20, 0x02, 0x00, 0x00])
        for id in 1...100 { try client.expect(Wire.puback(UInt16(id))) }
    }
}
