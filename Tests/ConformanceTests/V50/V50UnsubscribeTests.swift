import MQTTTestKit
import Testing

/// Chapters 3.10 and 3.11: UNSUBSCRIBE and UNSUBACK; 3.12: PINGREQ.
@Suite(.blocking) struct V50UnsubscribeTests {
    /// Sends UNSUBSCRIBE and answers the codes of its UNSUBACK.
    private func codes(
        _ client: RawClient, _ filters: [String], id: UInt16 = 5, properties: [Property] = [],
        file: StaticString = #fileID, line: UInt = #line
    ) throws -> [UInt8] {
        client.send(Wire.unsubscribe(id: id, filters, properties: properties))
        let unsuback = try client.expect(.unsuback, file: file, line: line)
        #expect(unsuback.packetID == id)
        return unsuback.reasonCodes
    }

    @Test(
        "[5.0 MQTT-3.10.1-1] UNSUBSCRIBE has flag bits 0010",
        arguments: [0xA0, 0xA1, 0xA3, 0xA6, 0xAA, 0xAF] as [UInt8])
    func flags(first: UInt8) throws {
        let client = try RawClient.v5()
        let right = Wire.unsubscribe(id: 1, [unique("t")], properties: [])
        client.send(right)
        try client.expect(.unsuback)
        client.send([first] + right.dropFirst())
        try client.expectFault(0x81)
    }

    @Test("[5.0 MQTT-3.10.3-1] filters in UNSUBSCRIBE are valid UTF-8", arguments: IllFormed.strings)
    func filterIsUTF8(filter: [UInt8]) throws {
        let client = try RawClient.v5()
        #expect(try codes(client, ["gr\u{FC}n"]) == [0x11])
        client.send(Wire.packet(0xA2, [0, 1, 0] + Wire.field(filter)))
        try client.expectFault(0x81)
    }

    @Test("[5.0 MQTT-3.10.3-2] UNSUBSCRIBE has at least one filter")
    func emptyPayload() throws {
        let client = try RawClient.v5()
        client.send(Wire.unsubscribe(id: 1, [], properties: []))
        try withKnownDifference(.mosquitto, "an empty UNSUBSCRIBE is called malformed (81)") {
            try client.expectFault(0x82)
        }
    }

    @Test("[5.0 MQTT-3.10.4-1] a filter is removed if and only if it is held, character for character")
    func exactFilter() throws {
        let base = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try client.subscribe(base + "/#", 0)
        let others = ["/b", "", "/+", "/", "/##", "/b/#"].map { base + $0 } + [base.uppercased() + "/#"]
        for other in others where !other.hasSuffix("##") { #expect(try codes(client, [other]) == [0x11]) }
        try publisher.publish(base + "/b", "still", qos: 1)
        #expect(try client.receivePublish().payloadText == "still")
        #expect(try codes(client, [base + "/#"]) == [0x00])
        try publisher.publish(base + "/b", "no more", qos: 1)
        #expect(try client.everything(from: publisher).isEmpty)
        #expect(try codes(client, [base + "/#"]) == [0x11])
    }

    @Test("[5.0 MQTT-3.10.4-2] after UNSUBSCRIBE nothing new comes for the filter", arguments: [0, 1, 2] as [UInt8])
    func nothingNew(qos: UInt8) throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let other = try RawClient.v5()
        let publisher = try RawClient.v5()
        for reader in [client, other] { try reader.subscribe(topic, qos) }
        try publisher.publish(topic, "before", qos: qos)
        #expect(try client.receivePublish().payloadText == "before")
        #expect(try codes(client, [topic]) == [0x00])
        try publisher.publish(topic, "after", qos: qos)
        #expect(try client.everything(from: publisher).isEmpty)
        #expect(try other.everything(from: publisher).map(\.payloadText) == ["before", "after"])
    }

    @Test("[5.0 MQTT-3.10.4-3] after UNSUBSCRIBE deliveries that had begun are finished")
    func begunIsFinished() throws {
        let base = unique("t")
        let id = unique("c")
        let client = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        let publisher = try RawClient.v5()
        _ = try client.subscribe(all: [(base + "/1", 1), (base + "/2", 2)])
        try publisher.publish(base + "/1", "one", qos: 1)
        try publisher.publish(base + "/2", "two", qos: 2)
        let one = try #require(try client.receiveUnanswered().packetID)
        let two = try #require(try client.receiveUnanswered().packetID)
        #expect(try codes(client, [base + "/1", base + "/2"]) == [0, 0])
        client.send(Wire.pubrec(two))
        try client.expect(Wire.pubrel(two))
        client.close()
        // The unanswered QoS 1 message is still owed, and so is the PUBREL.
        let again = try RawClient.resumed(id)
        let publish = try again.receiveUnanswered()
        #expect((publish.payloadText, publish.packetID, publish.dup) == ("one", one, true))
        try again.expect(Wire.pubrel(two))
        again.send(Wire.puback(one) + Wire.pubcomp(two))
        try again.expectQuiet()
    }

    @Test("[5.0 MQTT-3.10.4-4] UNSUBSCRIBE is answered with UNSUBACK")
    func answered() throws {
        let client = try RawClient.v5()
        let topic = unique("t")
        try client.subscribe(topic, 0)
        client.send(Wire.unsubscribe(id: 77, [topic], properties: []))
        try client.expect([0xB0, 0x04, 0, 77, 0, 0x00])
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.10.4-5] UNSUBACK has the packet id, also if nothing was removed")
    func sameIdentifier() throws {
        let client = try RawClient.v5()
        for id: UInt16 in [1, 255, 256, 65_535] {
            #expect(try codes(client, [unique("t")], id: id) == [0x11])
        }
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.10.4-6] many filters act like many UNSUBSCRIBEs with one UNSUBACK")
    func manyFilters() throws {
        let base = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        _ = try client.subscribe(all: ["/a", "/b", "/c"].map { (base + $0, 1) })
        #expect(try codes(client, [base + "/a", base + "/c"]) == [0, 0])
        try client.expectQuiet()
        for topic in ["/a", "/b", "/c"] { try publisher.publish(base + topic, topic, qos: 1) }
        #expect(try client.everything(from: publisher).map(\.payloadText) == ["/b"])
    }

    @Test("[5.0 MQTT-3.11.2-1] UNSUBACK leaves Reason String out where it does not fit")
    func reasonStringFits() throws { try expectUnsubackFits([]) }

    @Test("[5.0 MQTT-3.11.2-2] UNSUBACK leaves User Property out where it does not fit")
    func userPropertyFits() throws { try expectUnsubackFits([.user("a name of some length", "and a value")]) }

    private func expectUnsubackFits(_ properties: [Property]) throws {
        let client = try RawClient.v5(.maximumPacketSize(20))
        client.send(Wire.unsubscribe(id: 3, (0..<15).map { _ in unique("t") }, properties: properties))
        let unsuback = try client.expect(.unsuback)
        #expect(unsuback.bytes.count == 20)
        #expect(unsuback.reasonCodes == [UInt8](repeating: 0x11, count: 15))
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.11.3-1] UNSUBACK codes are in the order of the filters")
    func codesInOrder() throws {
        let client = try RawClient.v5()
        let held = (0..<4).map { _ in unique("t") }
        _ = try client.subscribe(all: held.map { ($0, 0) })
        let filters = [held[0], unique("no"), held[1], held[2], unique("no"), unique("no"), held[3]]
        #expect(try codes(client, filters) == [0, 0x11, 0, 0, 0x11, 0x11, 0])
    }

    @Test("[5.0 MQTT-3.11.3-2] UNSUBACK uses only its own reason codes, one per filter")
    func unsubackReasons() throws {
        let own: Set<UInt8> = [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]
        let client = try RawClient.v5()
        let topic = unique("t")
        try client.subscribe(topic, 2)
        let filters = [topic, topic, "$SYS/#", "$share/g/\(topic)", "#", "+/+"]
        let found = try codes(client, filters)
        #expect(found.count == filters.count)
        #expect(own.isSuperset(of: found))
        #expect(found.prefix(2) == [0x00, 0x11])
    }

    @Test("[5.0 MQTT-3.12.4-1] PINGREQ is answered with PINGRESP")
    func ping() throws {
        let client = try RawClient.v5()
        for _ in 0..<3 {
            client.send([0xC0, 0x00])
            try client.expect([0xD0, 0x00])
        }
        client.send([0xC0, 0x00, 0xC0, 0x00])
        try client.expect([0xD0, 0x00])
        try client.expect([0xD0, 0x00])
    }
}
