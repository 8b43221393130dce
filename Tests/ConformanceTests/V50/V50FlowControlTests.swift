import MQTTTestKit
import Testing

/// Chapter 4.9: Receive Maximum and the send quota, in both directions.
@Suite(.blocking) struct V50FlowControlTests {
    private static let overspends: Comment = "one PUBACK lets two messages out of the queue"

    /// A subscriber with a window, and `count` messages for it at `qos`.
    private func flooded(
        maximum: UInt16, qos: UInt8, count: Int = 12, id: String = unique("c")
    ) throws -> (subscriber: RawClient, publisher: RawClient, topic: String) {
        let topic = unique("t")
        let subscriber = try RawClient.v5(.sessionExpiryInterval(60), .receiveMaximum(maximum), id: id)
        let publisher = try RawClient.v5()
        try subscriber.subscribe(topic, qos)
        for number in 0..<count { try publisher.publish(topic, "\(number)", qos: qos) }
        return (subscriber, publisher, topic)
    }

    /// Exactly `count` PUBLISH packets come without an answer.
    private func expectPublishes(_ count: Int, at subscriber: RawClient) throws -> [ReceivedPacket] {
        let packets = try (0..<count).map { _ in try subscriber.receiveUnanswered() }
        try subscriber.expectNothing(forMilliseconds: 60)
        return packets
    }

    @Test("[5.0 MQTT-4.9.0-1] the quota begins at no more than Receive Maximum", arguments: [1, 2, 5, 9] as [UInt16])
    func startsAtMaximum(maximum: UInt16) throws {
        for qos: UInt8 in 1...2 {
            let (subscriber, publisher, _) = try flooded(maximum: maximum, qos: qos)
            let packets = try expectPublishes(Int(maximum), at: subscriber)
            #expect(packets.map(\.payloadText) == (0..<Int(maximum)).map(String.init))
            publisher.close()
        }
    }

    @Test("[5.0 MQTT-4.9.0-2] each PUBLISH above QoS 0 takes one from the quota, and at 0 no more are sent")
    func quota() throws {
        // PUBACK gives one back, with any code.
        let (one, firstPublisher, _) = try flooded(maximum: 2, qos: 1)
        var open = try expectPublishes(2, at: one).compactMap(\.packetID)
        try withKnownDifference(.mosquitto, Self.overspends) {
            for reason in [nil, 0x00, 0x10, 0x80, 0x97] as [UInt8?] {
                one.send(Wire.puback(open.removeFirst(), reason: reason))
                open += try expectPublishes(1, at: one).compactMap(\.packetID)
            }
        }
        // PUBREC does not, PUBCOMP does.
        let (two, secondPublisher, _) = try flooded(maximum: 2, qos: 2)
        open = try expectPublishes(2, at: two).compactMap(\.packetID)
        try withKnownDifference(.mosquitto, Self.overspends) {
            for _ in 0..<3 {
                let id = open.removeFirst()
                two.send(Wire.pubrec(id))
                try two.expect(Wire.pubrel(id))
                try two.expectQuiet()
                two.send(Wire.pubcomp(id))
                open += try expectPublishes(1, at: two).compactMap(\.packetID)
            }
        }
        // PUBREC of 80 or above does.
        let (three, thirdPublisher, _) = try flooded(maximum: 2, qos: 2)
        open = try expectPublishes(2, at: three).compactMap(\.packetID)
        try withKnownDifference(.mosquitto, Self.overspends) {
            for reason: UInt8 in [0x80, 0x87, 0x97] {
                three.send(Wire.pubrec(open.removeFirst(), reason: reason))
                open += try expectPublishes(1, at: three).compactMap(\.packetID)
            }
        }
        for publisher in [firstPublisher, secondPublisher, thirdPublisher] { try publisher.expectQuiet() }
    }

    @Test("[5.0 MQTT-4.9.0-3] other packets are handled while the quota is 0")
    func otherPacketsAtZero() throws {
        let (subscriber, publisher, topic) = try flooded(maximum: 1, qos: 1)
        let open = try expectPublishes(1, at: subscriber)
        try subscriber.expectQuiet()  // PINGREQ is answered
        let plain = unique("t")
        try subscriber.subscribe(plain, 0, id: 21)
        try publisher.publish(plain, "QoS 0 is free", qos: 1)
        #expect(try subscriber.receiveUnanswered().payloadText == "QoS 0 is free")
        try subscriber.publish(unique("t"), "x", qos: 1, id: 22)
        try subscriber.publish(unique("t"), "x", qos: 2, id: 23)
        try subscriber.unsubscribe(plain, id: 24)
        subscriber.answer(open[0])
        #expect(try expectPublishes(1, at: subscriber)[0].payloadText == "1")
        try subscriber.unsubscribe(topic, id: 25)
    }

    // MARK: rules without an id

    @Test("[5.0 facts] the quota never rises above its start")
    func neverAboveStart() throws {
        let (subscriber, publisher, _) = try flooded(maximum: 2, qos: 1)
        var open = try expectPublishes(2, at: subscriber).compactMap(\.packetID)
        // Answers to nothing earn nothing, and neither does a second answer.
        for id in 60_000...60_004 as ClosedRange<UInt16> { subscriber.send(Wire.puback(id) + Wire.pubcomp(id)) }
        try subscriber.expectQuiet()
        let id = open.removeFirst()
        subscriber.send(Wire.puback(id))
        try withKnownDifference(.mosquitto, Self.overspends) {
            open += try expectPublishes(1, at: subscriber).compactMap(\.packetID)
            if !open.contains(id) {
                subscriber.send(Wire.puback(id))
                try subscriber.expectQuiet()
            }
        }
        publisher.close()
    }

    @Test(
        "[5.0 facts] everything arrives once and in order through a window of any size",
        arguments: [1, 3, 65_535] as [UInt16])
    func throughTheWindow(maximum: UInt16) throws {
        for qos: UInt8 in 1...2 {
            let (subscriber, publisher, _) = try flooded(maximum: maximum, qos: qos, count: 60)
            #expect(try subscriber.everything(from: publisher).map(\.payloadText) == (0..<60).map(String.init))
        }
    }

    @Test("[5.0 facts] what is resent stays inside the new connection's quota", arguments: [1, 2] as [UInt8])
    func resentInsideQuota(qos: UInt8) throws {
        let id = unique("c")
        let (subscriber, publisher, _) = try flooded(maximum: 5, qos: qos, count: 8, id: id)
        let first = try expectPublishes(5, at: subscriber)
        subscriber.close()
        try withKnownDifference(.mosquitto, "everything is resent at once, whatever Receive Maximum says") {
            let again = try RawClient.resumed(id, .receiveMaximum(2))
            let packets = try expectPublishes(2, at: again)
            #expect(packets.map(\.packetID) == first.prefix(2).map(\.packetID))
            for packet in packets { again.answer(packet) }
            if qos == 2 { for _ in packets { again.answer(try again.expect(.pubrel)) } }
            let rest = try packets.indices.map { _ in try again.receivePublish() }
            #expect(rest.map(\.payloadText) == ["2", "3"])
            #expect(try again.everything(from: publisher).map(\.payloadText) == ["4", "5", "6", "7"])
        }
    }

    @Test("[5.0 facts] the window is the connection's, not the session's")
    func windowOfConnection() throws {
        let id = unique("c")
        let (subscriber, publisher, _) = try flooded(maximum: 2, qos: 1, id: id)
        _ = try expectPublishes(2, at: subscriber)
        subscriber.close()
        let again = try RawClient.resumed(id, .receiveMaximum(7))
        #expect(try expectPublishes(7, at: again).map(\.payloadText) == (0..<7).map(String.init))
        publisher.close()
    }

    @Test("[5.0 facts] a PUBREL that is resent takes no quota")
    func pubrelIsFree() throws {
        let id = unique("c")
        let (subscriber, publisher, _) = try flooded(maximum: 2, qos: 2, count: 4, id: id)
        let open = try expectPublishes(2, at: subscriber).compactMap(\.packetID)
        for id in open {
            subscriber.send(Wire.pubrec(id))
            try subscriber.expect(Wire.pubrel(id))
        }
        subscriber.close()
        let again = try RawClient.resumed(id, .receiveMaximum(1))
        let packets = try again.barrier()
        #expect(packets.filter { $0.kind == .pubrel }.compactMap(\.packetID) == open)
        #expect(packets.filter { $0.kind == .publish }.count <= 1)
        for id in open { again.send(Wire.pubcomp(id)) }
        for packet in packets where packet.kind == .publish { again.answer(packet) }
        let rest = packets.filter { $0.kind == .publish } + (try again.everything(from: publisher))
        #expect(rest.map(\.payloadText) == ["2", "3"])
    }

    @Test("[5.0 facts] Receive Maximum 0 is a protocol error")
    func maximumZero() throws {
        let client = try RawClient(.shared(), version: 5)
        client.send(Wire.connect(id: unique("c"), version: 5, properties: [.receiveMaximum(0)]))
        let packets = try client.packetsUntilClosed()
        try withKnownDifference(.mosquitto, "closes without a CONNACK, or another code") {
            #expect(packets.map(\.reasonCodes) == [[0x82]])
        }
    }

    @Test("[5.0 facts] the broker takes as many open QoS 2 messages as it said, and not one more (93)")
    func brokerMaximum() throws {
        let client = try RawClient(.shared(), version: 5)
        let connack = try client.connect(id: unique("c"), version: 5)
        let maximum = UInt16(connack.number(0x21) ?? 65_535)
        guard maximum < 1_000 else { return }
        let topic = unique("t")
        for id in 1...maximum {
            client.send(Wire.publish(topic: topic, payload: "", qos: 2, id: id, properties: []))
            try client.expectAcknowledgement(.pubrec, id)
        }
        // PUBREL frees a place once PUBCOMP is on its way; a QoS 0 message needs none.
        client.send(Wire.pubrel(1))
        try client.expectAcknowledgement(.pubcomp, 1)
        client.send(Wire.publish(topic: topic, payload: "", properties: []))
        client.send(Wire.publish(topic: topic, payload: "", qos: 2, id: maximum + 1, properties: []))
        try client.expectAcknowledgement(.pubrec, maximum + 1)
        client.send(Wire.publish(topic: topic, payload: "", qos: 2, id: maximum + 2, properties: []))
        try withKnownDifference(.mosquitto, "a message too many is refused by PUBREC 97") {
            try client.expectFault(0x93)
        }
    }
}
