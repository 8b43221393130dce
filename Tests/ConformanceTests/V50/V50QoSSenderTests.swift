import MQTTTestKit
import Testing

/// Chapters 4.3 and 4.4, the broker as sender: what it sends to a subscriber, and what again when a session resumes.
@Suite(.blocking) struct V50QoSSenderTests {
    /// A subscriber whose session lasts, and a publisher for its topic.
    private struct Pair {
        let id = unique("s")
        let topic = unique("t")
        let subscriber: RawClient
        let publisher: RawClient

        init(_ qos: UInt8, _ properties: [Property] = []) throws {
            subscriber = try RawClient.connected(
                to: .shared(), id: id, version: 5, properties: [.sessionExpiryInterval(60)] + properties)
            publisher = try RawClient.v5()
            try subscriber.subscribe(topic, qos)
        }

        /// Publishes numbered messages, and answers what the subscriber got, unanswered.
        func send(_ numbers: Range<Int>, qos: UInt8, _ properties: [Property] = []) throws -> [ReceivedPacket] {
            for number in numbers { try publisher.publish(topic, "\(number)", qos: qos, properties: properties) }
            return try numbers.map { _ in try subscriber.receiveUnanswered() }
        }

        /// Publishes with DUP set, which is the publisher's own affair and must not show.
        func sendRepeated(qos: UInt8) {
            publisher.send(
                Wire.publish(topic: topic, payload: "x", qos: qos, id: 50_000, dup: qos > 0, properties: []))
            if qos == 2 { publisher.send(Wire.pubrel(50_000)) }
        }
    }

    @Test("[5.0 MQTT-4.3.1-1] QoS 0 goes out with QoS 0 and DUP 0")
    func qos0() throws {
        let pair = try Pair(0)
        let reader = try RawClient.v5()
        try reader.subscribe(pair.topic, 2)
        for qos: UInt8 in 0...2 {
            pair.sendRepeated(qos: qos)
            #expect(try pair.subscriber.receiveUnanswered().bytes[0] == 0x30)
            if qos == 0 { #expect(try reader.receiveUnanswered().bytes[0] == 0x30) }
        }
        try pair.subscriber.expectQuiet()
    }

    @Test("[5.0 MQTT-4.3.2-1] a QoS 1 message takes a free packet id")
    func freeIdentifiers1() throws { try expectFreeIdentifiers(1) }

    @Test("[5.0 MQTT-4.3.3-1] a QoS 2 message takes a free packet id")
    func freeIdentifiers2() throws { try expectFreeIdentifiers(2) }

    private func expectFreeIdentifiers(_ qos: UInt8) throws {
        let pair = try Pair(qos)
        let open = try pair.send(0..<10, qos: qos)
        #expect(Set(open.compactMap(\.packetID)).count == 10)
        #expect(!open.contains { $0.packetID == 0 })
        // Answer the first five: the ids of the others stay taken.
        for packet in open.prefix(5) {
            pair.subscriber.answer(packet)
            if qos == 2 { pair.subscriber.answer(try pair.subscriber.expect(.pubrel)) }
        }
        let next = try pair.send(10..<15, qos: qos)
        #expect(Set((open.suffix(5) + next).compactMap(\.packetID)).count == 10)
    }

    @Test("[5.0 MQTT-4.3.2-2] the first send at QoS 1 has QoS 1 and DUP 0")
    func firstSend1() throws { try expectFirstSend(1, 0x32) }

    @Test("[5.0 MQTT-4.3.3-2] the first send at QoS 2 has QoS 2 and DUP 0")
    func firstSend2() throws { try expectFirstSend(2, 0x34) }

    private func expectFirstSend(_ qos: UInt8, _ first: UInt8) throws {
        let pair = try Pair(qos)
        pair.sendRepeated(qos: qos)
        let packet = try pair.subscriber.receivePublish()
        #expect(packet.bytes[0] == first)
        // Also where the message waited for its subscriber.
        pair.subscriber.close()
        let publisher = try RawClient.v5()
        try publisher.publish(pair.topic, "waited", qos: qos)
        let again = try RawClient.resumed(pair.id)
        let waited = try again.receivePublish()
        #expect(waited.payloadText == "waited")
        #expect(waited.bytes[0] == first)
    }

    /// The message that was not answered, and nothing else, comes with its id when the session resumes.
    private func expectResent(_ qos: UInt8) throws {
        let pair = try Pair(qos)
        let packets = try pair.send(0..<2, qos: qos)
        pair.subscriber.answer(packets[0])
        if qos == 2 { pair.subscriber.answer(try pair.subscriber.expect(.pubrel)) }
        try pair.subscriber.expectQuiet()
        pair.subscriber.close()
        for _ in 0..<2 {
            let again = try RawClient.resumed(pair.id)
            let resent = try again.receiveUnanswered()
            #expect(resent.packetID == packets[1].packetID)
            #expect(resent.payloadText == "1")
            #expect(resent.bytes[0] == 0x38 | qos << 1)
            try again.expectQuiet()
            again.close()
        }
        let last = try RawClient.resumed(pair.id)
        try last.receivePublish()
        try last.expectQuiet()
        last.close()
        try RawClient.resumed(pair.id).expectQuiet()
    }

    @Test("[5.0 MQTT-4.3.2-3] a QoS 1 message stays open until its PUBACK")
    func openUntilPuback() throws { try expectResent(1) }

    @Test("[5.0 MQTT-4.3.3-3] a QoS 2 message stays open until its PUBREC")
    func openUntilPubrec() throws { try expectResent(2) }

    @Test("[5.0 MQTT-4.3.3-4] PUBREC below 80 is answered with PUBREL of the same id")
    func pubrelFollows() throws {
        for reason in [nil, 0x00, 0x10] as [UInt8?] {
            let pair = try Pair(2)
            let id = try #require(try pair.send(0..<1, qos: 2)[0].packetID)
            pair.subscriber.send(Wire.pubrec(id, reason: reason))
            try pair.subscriber.expect(Wire.pubrel(id))
            pair.subscriber.send(Wire.pubcomp(id))
            try pair.subscriber.expectQuiet()
        }
        for reason: UInt8 in [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] {
            let pair = try Pair(2)
            let id = try #require(try pair.send(0..<1, qos: 2)[0].packetID)
            pair.subscriber.send(Wire.pubrec(id, reason: reason))
            try pair.subscriber.expectQuiet()
        }
    }

    @Test("[5.0 MQTT-4.3.3-4] every PUBREC is answered, also a second one of the same message")
    func secondPubrec() throws {
        let (client, id) = try Acknowledgement.pubcomp.moment()
        client.send(Wire.pubrec(id))
        try client.expect(Wire.pubrel(id))
        client.send(Wire.pubcomp(id))
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-4.3.3-5] PUBREL stays open until its PUBCOMP")
    func openUntilPubcomp() throws {
        let pair = try Pair(2)
        let id = try #require(try pair.send(0..<1, qos: 2)[0].packetID)
        pair.subscriber.send(Wire.pubrec(id))
        try pair.subscriber.expect(Wire.pubrel(id))
        pair.subscriber.close()
        let again = try RawClient.resumed(pair.id)
        try again.expect(Wire.pubrel(id))
        again.send(Wire.pubcomp(id))
        try again.expectQuiet()
        again.close()
        try RawClient.resumed(pair.id).expectQuiet()
    }

    @Test("[5.0 MQTT-4.3.3-6] once PUBREL went out the PUBLISH is not sent again")
    func noPublishAfterPubrel() throws {
        let pair = try Pair(2)
        let packets = try pair.send(0..<3, qos: 2)
        let ids = packets.compactMap(\.packetID)
        for id in ids {
            pair.subscriber.send(Wire.pubrec(id))
            try pair.subscriber.expect(Wire.pubrel(id))
        }
        pair.subscriber.reset()
        let again = try RawClient.resumed(pair.id)
        let resent = try again.barrier()
        #expect(resent.allSatisfy { $0.kind == .pubrel })
        #expect(resent.compactMap(\.packetID) == ids)
    }

    @Test("[5.0 MQTT-4.3.3-7] message expiry is not applied once the PUBLISH was sent")
    func begunDoesNotExpire() throws {
        let pair = try Pair(2)
        let packets = try pair.send(0..<2, qos: 2, [.messageExpiryInterval(1)])
        let ids = packets.compactMap(\.packetID)
        pause(milliseconds: 2_100)
        pair.subscriber.send(Wire.pubrec(ids[0]))
        try pair.subscriber.expect(Wire.pubrel(ids[0]))
        pair.subscriber.close()
        try withKnownDifference(.mosquitto, "an expired message is not resent, though it was begun") {
            let again = try RawClient.resumed(pair.id)
            let resent = try again.barrier()
            #expect(resent.map(\.kind) == [.pubrel, .publish] || resent.map(\.kind) == [.publish, .pubrel])
            #expect(Set(resent.compactMap(\.packetID)) == Set(ids))
        }
    }

    // MARK: 4.4

    @Test("[5.0 MQTT-4.4.0-1] open packets are resent with old ids when a session resumes, and at no other time")
    func resentOnResume() throws {
        let pair = try Pair(2)
        let two = try pair.send(0..<2, qos: 2)
        let one = try pair.send(2..<4, qos: 1)
        pair.subscriber.send(Wire.pubrec(two[1].packetID ?? 0))
        try pair.subscriber.expect(Wire.pubrel(two[1].packetID ?? 0))
        // Not while the connection lasts, however long the answers take.
        try pair.subscriber.expectNothing(forMilliseconds: 2_500)
        pair.subscriber.close()
        let again = try RawClient.resumed(pair.id)
        let resent = try again.barrier()
        #expect(Set(resent.compactMap(\.packetID)) == Set((two + one).compactMap(\.packetID)))
        let publishes = resent.filter { $0.kind == .publish }
        #expect(publishes.map(\.payloadText) == ["0", "2", "3"])
        #expect(publishes.map(\.packetID) == [two[0], one[0], one[1]].map(\.packetID))
        #expect(publishes.allSatisfy { $0.dup })
        #expect(resent.filter { $0.kind == .pubrel }.map(\.bytes) == [Wire.pubrel(two[1].packetID ?? 0)])
        try again.expectNothing(forMilliseconds: 300)
    }

    @Test("[5.0 MQTT-4.4.0-2] PUBACK or PUBREC of 80 or above closes the message", arguments: [1, 2] as [UInt8])
    func refusedIsNotResent(qos: UInt8) throws {
        let pair = try Pair(qos)
        for reason: UInt8 in [0x80, 0x87, 0x97, 0x99] {
            let id = try #require(try pair.send(0..<1, qos: qos)[0].packetID)
            pair.subscriber.send(qos == 1 ? Wire.puback(id, reason: reason) : Wire.pubrec(id, reason: reason))
        }
        try pair.subscriber.expectQuiet()
        pair.subscriber.close()
        try RawClient.resumed(pair.id).expectQuiet()
    }

    @Test("[5.0 facts] what waited comes behind what is resent, without DUP")
    func resentBeforeNew() throws {
        let pair = try Pair(1)
        let open = try pair.send(0..<3, qos: 1)
        pair.subscriber.close()
        for number in 3..<6 { try pair.publisher.publish(pair.topic, "\(number)", qos: 1) }
        let again = try RawClient.resumed(pair.id)
        let packets = try (0..<6).map { _ in try again.receiveUnanswered() }
        #expect(packets.map(\.payloadText) == (0..<6).map(String.init))
        #expect(packets.map(\.dup) == [true, true, true, false, false, false])
        #expect(packets.prefix(3).map(\.packetID) == open.map(\.packetID))
        #expect(Set(packets.map(\.packetID)).count == 6)
    }

    @Test("[5.0 facts] an acknowledgement of another kind finishes nothing")
    func wrongKind() throws {
        for (qos, wrong): (UInt8, (UInt16) -> [UInt8]) in [
            (1, { Wire.pubcomp($0) }), (2, { Wire.puback($0) }), (2, { Wire.pubcomp($0) }),
        ] {
            let pair = try Pair(qos)
            let id = try #require(try pair.send(0..<1, qos: qos)[0].packetID)
            // Ignored, or an error: the standard leaves it open. The message stays owed either way.
            pair.subscriber.send(wrong(id) + Wire.disconnect(reason: 0))
            try pair.subscriber.packetsUntilClosed()
            let resent = try RawClient.resumed(pair.id).receiveUnanswered()
            #expect((resent.packetID, resent.payloadText, resent.dup) == (id, "0", true))
        }
    }

    @Test("[5.0 facts] a takeover resumes like any other connection")
    func takeoverResends() throws {
        let pair = try Pair(1)
        let open = try pair.send(0..<2, qos: 1)
        let again = try RawClient.resumed(pair.id)
        try withKnownDifference(.mosquitto, "takeover closes without a DISCONNECT") {
            try pair.subscriber.expectFault(0x8E)
        }
        let packets = try (0..<2).map { _ in try again.receiveUnanswered() }
        #expect(packets.map(\.packetID) == open.map(\.packetID))
        #expect(packets.allSatisfy { $0.dup })
        try again.expectQuiet()
    }

    @Test("[5.0 facts] a clean start resends nothing", arguments: [1, 2] as [UInt8])
    func cleanStartResendsNothing(qos: UInt8) throws {
        let pair = try Pair(qos)
        _ = try pair.send(0..<3, qos: qos)
        pair.subscriber.close()
        let fresh = try RawClient.v5(.sessionExpiryInterval(60), id: pair.id)
        #expect(try fresh.everything(from: pair.publisher).isEmpty)
        fresh.close()
        #expect(try RawClient.resumed(pair.id).everything(from: pair.publisher).isEmpty)
    }
}
