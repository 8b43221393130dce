import MQTTTestKit
import Testing

/// Chapter 4.3, the broker as receiver: what it owes a publisher.
@Suite(.blocking) struct V50QoSReceiverTests {
    private func publish(_ topic: String, _ payload: String, _ qos: UInt8, _ id: UInt16, dup: Bool = false) -> [UInt8] {
        Wire.publish(topic: topic, payload: payload, qos: qos, id: id, dup: dup, properties: [])
    }

    /// A publisher, a reader that listens at QoS 2, and their topic.
    private func pair() throws -> (publisher: RawClient, reader: RawClient, topic: String) {
        let topic = unique("t")
        let reader = try RawClient.v5()
        try reader.subscribe(topic, 2)
        return (try .v5(), reader, topic)
    }

    @Test("[5.0 MQTT-4.3.2-4] a QoS 1 PUBLISH is answered with PUBACK of its id")
    func puback() throws {
        let (publisher, reader, topic) = try pair()
        let ids: [UInt16] = [1, 255, 256, 40_000, 65_535]
        publisher.send(ids.flatMap { publish(topic, "\($0)", 1, $0) })
        for id in ids { try publisher.expect(Wire.puback(id)) }
        try publisher.expectQuiet()
        #expect(try reader.everything(from: publisher).map(\.payloadText) == ids.map { "\($0)" })
    }

    @Test("[5.0 MQTT-4.3.2-5] after PUBACK the same id is a new message, whatever DUP says", arguments: [false, true])
    func sameIdAfterPuback(dup: Bool) throws {
        let (publisher, reader, topic) = try pair()
        for number in 0..<3 {
            publisher.send(publish(topic, "\(number)", 1, 5, dup: dup && number > 0))
            try publisher.expect(Wire.puback(5))
        }
        #expect(try reader.everything(from: publisher).map(\.payloadText) == ["0", "1", "2"])
    }

    @Test("[5.0 MQTT-4.3.3-8] a QoS 2 PUBLISH is answered with PUBREC of its id")
    func pubrec() throws {
        let (publisher, reader, topic) = try pair()
        let ids: [UInt16] = [1, 255, 256, 40_000, 65_535]
        publisher.send(ids.flatMap { publish(topic, "\($0)", 2, $0) })
        for id in ids { try publisher.expect(Wire.pubrec(id)) }
        try publisher.expectQuiet()
        publisher.send(ids.flatMap { Wire.pubrel($0) })
        for id in ids { try publisher.expect(Wire.pubcomp(id)) }
        #expect(try reader.everything(from: publisher).map(\.payloadText) == ids.map { "\($0)" })
    }

    @Test("[5.0 MQTT-4.3.3-9] after PUBREC of 80 or above the same id is a new message")
    func sameIdAfterRefusal() throws {
        let (publisher, reader, topic) = try pair()
        publisher.send(publish(refusedTopic(), "refused", 2, 5))
        #expect(try publisher.expect(.pubrec).reasonCodes == [0x87])
        // Without a PUBREL in between.
        publisher.send(publish(topic, "taken", 2, 5))
        try publisher.expect(Wire.pubrec(5))
        publisher.send(Wire.pubrel(5))
        try publisher.expect(Wire.pubcomp(5))
        #expect(try reader.everything(from: publisher).map(\.payloadText) == ["taken"])
    }

    @Test(
        "[5.0 MQTT-4.3.3-10] until PUBREL a repeated id is answered with PUBREC and delivered once",
        arguments: [false, true])
    func repeatedBeforePubrel(dup: Bool) throws {
        let (publisher, reader, topic) = try pair()
        try withKnownDifference(.mosquitto, "a repeated PUBLISH on the same connection ends it (82)") {
            for repeated in [false, true, true] {
                publisher.send(publish(topic, "once", 2, 5, dup: dup && repeated))
                try publisher.expect(Wire.pubrec(5))
            }
            publisher.send(Wire.pubrel(5))
            try publisher.expect(Wire.pubcomp(5))
            #expect(try reader.everything(from: publisher).map(\.payloadText) == ["once"])
        }
    }

    @Test("[5.0 MQTT-4.3.3-11] PUBREL is answered with PUBCOMP of its id")
    func pubcomp() throws {
        let (publisher, reader, topic) = try pair()
        publisher.send(publish(topic, "a", 2, 300) + publish(topic, "b", 2, 301))
        try publisher.expect(Wire.pubrec(300))
        try publisher.expect(Wire.pubrec(301))
        for id: UInt16 in [301, 300] {
            publisher.send(Wire.pubrel(id))
            try publisher.expect(Wire.pubcomp(id))
        }
        #expect(Set(try reader.everything(from: publisher).map(\.payloadText)) == ["a", "b"])
    }

    @Test("[5.0 MQTT-4.3.3-12] after PUBCOMP the same id is a new message")
    func sameIdAfterPubcomp() throws {
        let (publisher, reader, topic) = try pair()
        for number in 0..<3 {
            publisher.send(publish(topic, "\(number)", 2, 5, dup: number == 2))
            try publisher.expect(Wire.pubrec(5))
            publisher.send(Wire.pubrel(5))
            try publisher.expect(Wire.pubcomp(5))
        }
        #expect(try reader.everything(from: publisher).map(\.payloadText) == ["0", "1", "2"])
    }

    @Test("[5.0 MQTT-4.3.3-13] the QoS 2 handshake goes on though the message has expired")
    func handshakeOutlivesMessage() throws {
        let topic = unique("t")
        let id = unique("c")
        let reader = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        try reader.subscribe(topic, 2)
        let publisher = try RawClient.v5()
        publisher.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: 5, properties: [.messageExpiryInterval(1)]))
        try publisher.expect(Wire.pubrec(5))
        pause(milliseconds: 2_100)
        publisher.send(Wire.pubrel(5))
        try publisher.expect(Wire.pubcomp(5))  // without 92: the id was still held
        // The same on the way out.
        for packet in try reader.everything(from: publisher) { #expect(packet.qos == 2) }
        try reader.expectQuiet()
    }

    @Test("[5.0 facts] QoS 2 is delivered once though the publisher loses its connection at every step")
    func onceAcrossReconnects() throws {
        let topic = unique("t")
        let id = unique("p")
        let reader = try RawClient.v5()
        try reader.subscribe(topic, 2)
        let first = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        first.send(publish(topic, "once", 2, 9))
        try first.expect(Wire.pubrec(9))
        first.reset()

        let second = try RawClient.resumed(id)
        second.send(publish(topic, "once", 2, 9, dup: true))
        try second.expect(Wire.pubrec(9))
        second.send(Wire.pubrel(9))
        try second.expect(Wire.pubcomp(9))
        second.reset()

        // The PUBCOMP was lost, as far as the publisher knows.
        let third = try RawClient.resumed(id)
        third.send(Wire.pubrel(9))
        let again = try third.expect(.pubcomp)
        #expect(again.packetID == 9)
        #expect(try reader.everything(from: third).map(\.payloadText) == ["once"])
    }

    @Test("[5.0 facts] a session that ends forgets the QoS 2 ids it held")
    func cleanStartForgets() throws {
        let topic = unique("t")
        let id = unique("p")
        let reader = try RawClient.v5()
        try reader.subscribe(topic, 2)
        let first = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        first.send(publish(topic, "first", 2, 9))
        try first.expect(Wire.pubrec(9))
        first.close()
        let second = try RawClient.v5(id: id)
        second.send(publish(topic, "second", 2, 9))
        try second.expect(Wire.pubrec(9))
        second.send(Wire.pubrel(9))
        try second.expect(Wire.pubcomp(9))
        let packets = try reader.everything(from: second).map(\.payloadText)
        #expect(packets.contains("second"))
        #expect(packets.filter { $0 == "first" }.count <= 1)
    }

    @Test("[5.0 facts] acknowledgements come in the order of what they acknowledge")
    func acknowledgementOrder() throws {
        let (publisher, reader, topic) = try pair()
        defer { reader.close() }
        let ids: [UInt16] = [9, 3, 7, 1, 8]
        publisher.send(ids.flatMap { publish(topic, "x", 1, $0) })
        for id in ids { try publisher.expect(Wire.puback(id)) }
        publisher.send(ids.flatMap { publish(topic, "x", 2, $0) })
        for id in ids { try publisher.expect(Wire.pubrec(id)) }
        publisher.send(ids.flatMap { Wire.pubrel($0) })
        for id in ids { try publisher.expect(Wire.pubcomp(id)) }
    }

    @Test("[5.0 facts] both directions may use the same packet id at once")
    func independentIdentifiers() throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let other = try RawClient.v5()
        try client.subscribe(topic, 2)
        try other.publish(topic, "down", qos: 2)
        let down = try client.receiveUnanswered()
        let id = try #require(down.packetID)
        client.send(publish(unique("up"), "up", 2, id))
        try client.expectAcknowledgement(.pubrec, id)
        client.send(Wire.pubrec(id))
        try client.expect(Wire.pubrel(id))
        client.send(Wire.pubrel(id))
        try client.expect(Wire.pubcomp(id))
        client.send(Wire.pubcomp(id))
        try client.expectQuiet()
    }
}
