import MQTTTestKit
import Testing

/// 5.0 §3.3.4 and §4.9: Receive Maximum and Maximum Packet Size, in either direction.
@Suite("V50 flow", .blocking) struct V50FlowTests {
    // MARK: what the broker may have under way

    @Test(
        "[5.0 MQTT-3.3.4-9] no more than Receive Maximum messages are under way at once", arguments: [1, 2] as [UInt8],
        [1, 2, 7] as [UInt16])
    func receiveMaximum(qos: UInt8, maximum: UInt16) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, [.receiveMaximum(maximum)])
        try client.subscribe(topic, qos)
        let publisher = try RawClient.v5(broker)
        for number in 1...12 { try publisher.publish(topic, "\(number)", qos: qos) }
        var open: [UInt16] = []
        var next = 1
        func take(_ count: Int) throws {
            for _ in 0..<count {
                let message = try client.expect(.publish)
                #expect(message.payloadText == "\(next)")
                next += 1
                open.append(try #require(message.packetID))
            }
        }
        try take(Int(maximum))
        try client.expectNoMessage()
        // Each that is finished makes room for one, and not earlier: at QoS 2 PUBREC is only half way.
        try withKnownDifference(.mosquitto, "one acknowledgement lets several messages go", when: maximum > 1) {
            while next <= 12 {
                let id = open.removeFirst()
                if qos == 1 {
                    client.send(Wire.puback(id))
                } else {
                    client.send(Wire.pubrec(id))
                    try client.expectAcknowledgement(.pubrel, id)
                    if next < maximum + 3 { try client.expectNoMessage() }
                    client.send(Wire.pubcomp(id))
                }
                try take(1)
                if next < maximum + 3 { try client.expectNoMessage() }
            }
            try client.expectNoMessage()
        }
    }

    @Test("[5.0 facts] a negative PUBREC, and a PUBACK that refuses, make room as well, and end the message")
    func negative() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let client = try RawClient.v5(broker, id: id, [.receiveMaximum(1), .sessionExpiryInterval(60)])
        try client.subscribe(topic, 2)
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "1", qos: 2)
        try publisher.publish(topic, "2", qos: 1)
        try publisher.publish(topic, "3", qos: 2)
        client.send(Wire.pubrec(try #require(client.expect(.publish).packetID), reason: 0x97))
        let second = try client.expect(.publish)
        #expect(second.payloadText == "2")
        client.send(Wire.puback(try #require(second.packetID), reason: 0x80))
        try client.expectMessage(topic, "3", qos: 2)
        try client.expectNoMessage()
        client.close()
        try RawClient.v5(broker, id: id, clean: false).expectNoMessage()
    }

    @Test("[5.0 facts] QoS 0 is never held back by a full window")
    func qos0PassesBy() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, [.receiveMaximum(1)])
        try client.subscribe(topic + "/#", 1)
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic + "/1", "under way", qos: 1)
        try publisher.publish(topic + "/1", "waiting", qos: 1)
        #expect(try client.expect(.publish).payloadText == "under way")
        for number in 1...5 { try publisher.publish(topic + "/0", "\(number)", qos: 0) }
        for number in 1...5 { try client.expectMessage(topic + "/0", "\(number)", qos: 0) }
        try client.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.3.4-10] a full window delays nothing but PUBLISH")
    func otherPackets() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, [.receiveMaximum(1)])
        try client.subscribe(topic, 1)
        let publisher = try RawClient.v5(broker)
        for payload in ["1", "2"] { try publisher.publish(topic, payload, qos: 1) }
        let first = try client.expect(.publish)
        try client.expectQuiet()
        try client.subscribe(unique("t"), 2, id: 21)
        try client.unsubscribe(unique("t"), id: 22)
        try client.publish(unique("t"), "x", qos: 1, id: 23)
        try client.publish(unique("t"), "x", qos: 2, id: 24)
        client.send(Wire.puback(try #require(first.packetID)))
        try client.expectMessage(topic, "2", qos: 1)
    }

    @Test("[5.0 facts] what is sent again after a reconnect keeps to the new Receive Maximum")
    func newestReceiveMaximum() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 1)
        let publisher = try RawClient.v5(broker)
        for number in 1...5 { try publisher.publish(topic, "\(number)", qos: 1) }
        for _ in 1...5 { _ = try first.expect(.publish) }
        first.close()
        let second = try RawClient.v5(broker, id: id, clean: false, [.receiveMaximum(2)])
        var open: [UInt16] = []
        try withKnownDifference(.mosquitto, "all of them are sent again at once") {
            for number in 1...5 {
                if open.count == 2 {
                    try second.expectNoMessage()
                    second.send(Wire.puback(open.removeFirst()))
                }
                let again = try second.expect(.publish)
                #expect(again.payloadText == "\(number)")
                #expect(again.dup)
                open.append(try #require(again.packetID))
            }
        }
    }

    // MARK: what a client may have under way

    static let fiveInFlight = BrokerProcess.anonymous + "max_inflight_messages 5\n"

    @Test("[5.0 facts] a client with more than Receive Maximum QoS 2 messages open is closed with 93")
    func clientOverMaximum() throws {
        let client = try RawClient.v5(.shared(Self.fiveInFlight))
        let topic = unique("t")
        #expect(client.connack?.number(0x21) == 5)
        func publish(_ id: UInt16) {
            client.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: id, properties: []))
        }
        for id in 1...5 as ClosedRange<UInt16> {
            publish(id)
            try client.expectAcknowledgement(.pubrec, id)
        }
        // One that is finished makes room; QoS 0 takes none.
        client.send(Wire.pubrel(1))
        try client.expectAcknowledgement(.pubcomp, 1)
        publish(6)
        try client.expectAcknowledgement(.pubrec, 6)
        try client.publish(topic, "x", qos: 0)
        publish(7)
        try withKnownDifference(.mosquitto, "the message is refused with PUBREC 97") {
            try client.expectDisconnect(0x93)
        }
    }

    @Test("[5.0 facts] a client that stays within Receive Maximum may go on for ever")
    func clientWithinMaximum() throws {
        let client = try RawClient.v5(.shared(Self.fiveInFlight))
        for round in 0..<8 as Range<UInt16> {
            for qos in [1, 2] as [UInt8] { try client.publish(unique("t"), "x", qos: qos, id: 100 + round) }
        }
        try client.expectQuiet()
    }

    // MARK: how big a packet may be

    static let thousandBytes = BrokerProcess.anonymous + "max_packet_size 1000\n"

    @Test(
        "[5.0 facts] a packet bigger than the broker's Maximum Packet Size closes with 95, one just as big is taken",
        arguments: [0, 1, 2])
    func maximumPacketSize(excess: Int) throws {
        let broker = try BrokerProcess.shared(Self.thousandBytes)
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let client = try RawClient.v5(broker)
        // Three bytes of header, the topic with its length, one byte of property length.
        let room = 1_000 - 3 - 2 - topic.utf8.count - 1
        let packet = Wire.publish(topic: topic, payload: String(repeating: "p", count: room + excess), properties: [])
        client.send(packet)
        if excess == 0 {
            #expect(try watcher.receivePublish().bytes == packet)
            return
        }
        try withKnownDifference(.mosquitto, "the fixed header is not counted") {
            try client.expectDisconnect(0x95)
            try watcher.expectNoMessage()
        }
    }

    @Test("[5.0 facts] the size is checked as soon as the length is known, before the packet is there")
    func sizeBeforeContent() throws {
        let broker = try BrokerProcess.shared(Self.thousandBytes)
        let client = try RawClient.v5(broker)
        client.send([0x30] + Wire.variableByteInteger(268_435_455))
        try client.expectDisconnect(0x95)
    }

    @Test("[5.0 facts] a CONNECT that is too big is refused with 95")
    func bigConnect() throws {
        let broker = try BrokerProcess.shared(Self.thousandBytes)
        let big = connectPacket([.user("a", String(repeating: "u", count: 2_000))])
        try RawClient.sending(big, to: broker).expectRefusal(0x95)
        try RawClient.sending(connectPacket([.user("a", String(repeating: "u", count: 900))]), to: broker)
            .expectAccepted()
    }

    @Test("[5.0 facts] the announced limit of 2,000,000 bytes holds")
    func defaultMaximumPacketSize() throws {
        let client = try RawClient.v5(.shared())
        client.send([0x30] + Wire.variableByteInteger(2_000_000 - 3))
        try withKnownDifference(.mosquitto, "2.0.11 has no limit of size; 2.1 has this one") {
            try client.expectDisconnect(0x95)
        }
    }
}
