import MQTTTestKit
import Testing

/// One of the four packets that finish a PUBLISH, and the moment at which a client owes it.
enum Acknowledgement: UInt8, CaseIterable, Sendable {
    case puback = 0x40, pubrec = 0x50, pubrel = 0x62, pubcomp = 0x70

    /// A client that owes this packet, and the id it owes it for.
    func moment(_ properties: Property...) throws -> (client: RawClient, id: UInt16) {
        let topic = unique("t")
        let client = try RawClient.connected(to: .shared(), version: 5, properties: properties)
        if self == .pubrel {
            client.send(Wire.publish(topic: topic, payload: "", qos: 2, id: 7, properties: []))
            try client.expectAcknowledgement(.pubrec, 7)
            return (client, 7)
        }
        try client.subscribe(topic, self == .puback ? 1 : 2)
        let publisher = try RawClient.v5()
        try publisher.publish(topic, "", qos: 2)
        let publish = try client.receiveUnanswered()
        let id = try #require(publish.packetID)
        if self == .pubcomp {
            client.send(Wire.pubrec(id))
            try client.expectAcknowledgement(.pubrel, id)
        }
        return (client, id)
    }

    /// The packet was understood: what follows it comes, nothing else does, and the connection lives.
    func expectTaken(by client: RawClient, _ id: UInt16) throws {
        switch self {
        case .puback, .pubcomp: break
        case .pubrec: try client.expect(Wire.pubrel(id))
        case .pubrel: try client.expect(Wire.pubcomp(id))
        }
        try client.expectQuiet()
    }

    /// Wrong answers of the peer are refused: reason codes that this packet does not have.
    func expectRefusal(ofReason reason: UInt8) throws {
        let (client, id) = try moment()
        client.send(Wire.packet(rawValue, Wire.u16(id) + [reason]))
        try client.expectFault(0x81, 0x82)
    }
}

/// Chapters 3.4 to 3.7: PUBACK, PUBREC, PUBREL and PUBCOMP.
@Suite(.blocking) struct V50AcknowledgementTests {
    /// The broker's code for a PUBLISH that has a reader, one that has none, and one that is refused.
    private func expectCodes(_ kind: ReceivedPacket.Kind, qos: UInt8) throws {
        let client = try RawClient.v5()
        func code(of topic: String) throws -> UInt8? {
            client.send(Wire.publish(topic: topic, payload: "x", qos: qos, id: 9, properties: []))
            let answer = try client.expect(kind)
            #expect(answer.packetID == 9)
            if qos == 2, answer.reasonCodes[0] < 0x80 {
                client.send(Wire.pubrel(9))
                try client.expect(Wire.pubcomp(9))
            }
            return answer.reasonCode
        }
        let topic = unique("t")
        let reader = try RawClient.v5()
        defer { reader.close() }
        try reader.subscribe(topic, 0)
        #expect(try code(of: topic) == 0x00)
        #expect([0x00, 0x10].contains(try code(of: unique("nobody"))))
        #expect(try code(of: refusedTopic()) == 0x87)
        try client.expectQuiet()
    }

    @Test("[5.0 facts] PUBACK and PUBREC say that nobody subscribes with 10", arguments: [1, 2] as [UInt8])
    func noMatchingSubscribers(qos: UInt8) throws {
        let client = try RawClient.v5()
        // Other tests on this broker subscribe to "#", which does not reach here. [5.0 MQTT-4.7.2-1]
        client.send(Wire.publish(topic: "$" + unique("nobody"), payload: "", qos: qos, id: 5, properties: []))
        try withKnownDifference(.mosquitto, "PUBREC says 00", when: qos == 2) {
            try client.expect([qos == 1 ? 0x40 : 0x50, 0x03, 0x00, 0x05, 0x10])
        }
    }

    @Test("[5.0 MQTT-3.4.2-1] PUBACK uses only its own reason codes")
    func pubackReasons() throws {
        try expectCodes(.puback, qos: 1)
        try withKnownDifference(.mosquitto, "any code in PUBACK is taken") {
            for reason: UInt8 in [0x01, 0x92, 0xFF] { try Acknowledgement.puback.expectRefusal(ofReason: reason) }
        }
    }

    @Test("[5.0 MQTT-3.5.2-1] PUBREC uses only its own reason codes")
    func pubrecReasons() throws {
        try expectCodes(.pubrec, qos: 2)
        try withKnownDifference(.mosquitto, "any code in PUBREC is taken") {
            for reason: UInt8 in [0x01, 0x92, 0xFF] { try Acknowledgement.pubrec.expectRefusal(ofReason: reason) }
        }
    }

    @Test("[5.0 MQTT-3.6.2-1] PUBREL uses only 00 and 92")
    func pubrelReasons() throws {
        try Acknowledgement.pubrel.expectTaken(afterReason: 0x00)
        try withKnownDifference(.mosquitto, "any code in PUBREL is taken") {
            for reason: UInt8 in [0x01, 0x10, 0x80] { try Acknowledgement.pubrel.expectRefusal(ofReason: reason) }
        }
    }

    @Test("[5.0 MQTT-3.7.2-1] PUBCOMP uses only 00 and 92")
    func pubcompReasons() throws {
        try Acknowledgement.pubcomp.expectTaken(afterReason: 0x00)
        try withKnownDifference(.mosquitto, "any code in PUBCOMP is taken") {
            for reason: UInt8 in [0x01, 0x10, 0x80] { try Acknowledgement.pubcomp.expectRefusal(ofReason: reason) }
        }
    }

    // MARK: sizes

    /// Provokes an answer that the broker would like to explain, from a client that takes 20 bytes at most.
    private func expectAnswerFits(_ kind: ReceivedPacket.Kind, reason: UInt8, _ request: [UInt8]) throws {
        let client = try RawClient.v5(.maximumPacketSize(20))
        client.send(request)
        let answer = try client.expect(kind)
        #expect(answer.bytes.count <= 20)
        #expect(answer.packetID == 9)
        #expect(answer.reasonCodes == [reason])
        try client.expectQuiet()
    }

    private func refusedPublish(_ qos: UInt8, _ properties: [Property] = []) -> [UInt8] {
        Wire.publish(topic: refusedTopic(), payload: "", qos: qos, id: 9, properties: properties)
    }

    /// What a broker that copies user properties into its answers would trip over.
    private let talkative: [Property] = [.user("a name of some length", "a value of some length")]

    @Test("[5.0 MQTT-3.4.2-2] PUBACK leaves Reason String out where it does not fit")
    func pubackReasonStringFits() throws { try expectAnswerFits(.puback, reason: 0x87, refusedPublish(1)) }

    @Test("[5.0 MQTT-3.4.2-3] PUBACK leaves User Property out where it does not fit")
    func pubackUserPropertyFits() throws { try expectAnswerFits(.puback, reason: 0x87, refusedPublish(1, talkative)) }

    @Test("[5.0 MQTT-3.5.2-2] PUBREC leaves Reason String out where it does not fit")
    func pubrecReasonStringFits() throws { try expectAnswerFits(.pubrec, reason: 0x87, refusedPublish(2)) }

    @Test("[5.0 MQTT-3.5.2-3] PUBREC leaves User Property out where it does not fit")
    func pubrecUserPropertyFits() throws { try expectAnswerFits(.pubrec, reason: 0x87, refusedPublish(2, talkative)) }

    private static let pubrelDiffers: Comment = "PUBREC of an unknown id is answered with PUBREL 00"
    private static let pubcompDiffers: Comment = "PUBREL of an unknown id is answered with PUBCOMP 00"

    @Test("[5.0 MQTT-3.6.2-2] PUBREL leaves Reason String out where it does not fit")
    func pubrelReasonStringFits() throws {
        try withKnownDifference(.mosquitto, Self.pubrelDiffers) {
            try expectAnswerFits(.pubrel, reason: 0x92, Wire.pubrec(9))
        }
    }

    @Test("[5.0 MQTT-3.6.2-3] PUBREL leaves User Property out where it does not fit")
    func pubrelUserPropertyFits() throws {
        try withKnownDifference(.mosquitto, Self.pubrelDiffers) {
            try expectAnswerFits(.pubrel, reason: 0x92, Wire.pubrec(9, reason: 0, properties: talkative))
        }
    }

    @Test("[5.0 MQTT-3.7.2-2] PUBCOMP leaves Reason String out where it does not fit")
    func pubcompReasonStringFits() throws {
        try withKnownDifference(.mosquitto, Self.pubcompDiffers) {
            try expectAnswerFits(.pubcomp, reason: 0x92, Wire.pubrel(9))
        }
    }

    @Test("[5.0 MQTT-3.7.2-3] PUBCOMP leaves User Property out where it does not fit")
    func pubcompUserPropertyFits() throws {
        try withKnownDifference(.mosquitto, Self.pubcompDiffers) {
            try expectAnswerFits(.pubcomp, reason: 0x92, Wire.pubrel(9, reason: 0, properties: talkative))
        }
    }

    // MARK: fixed header

    @Test("[5.0 MQTT-3.6.1-1] PUBREL has flag bits 0010", arguments: [0x60, 0x61, 0x63, 0x66, 0x6A, 0x6F] as [UInt8])
    func pubrelFlags(first: UInt8) throws {
        try Acknowledgement.pubrel.expectTaken(afterReason: nil)
        let (client, id) = try Acknowledgement.pubrel.moment()
        client.send(Wire.packet(first, Wire.u16(id)))
        try withKnownDifference(.mosquitto, "wrong flags of PUBREL close without a DISCONNECT") {
            try client.expectFault(0x81)
        }
    }

    // MARK: rules without an id

    @Test("[5.0 facts] acknowledgements may be short, or carry properties", arguments: Acknowledgement.allCases)
    func forms(kind: Acknowledgement) throws {
        let explained: [Property] = [.reasonString("because"), .user("a", "1"), .user("a", "2")]
        for tail in [[], [0x00], [0x00, 0x00], [0x00] + Wire.properties(explained)] as [[UInt8]] {
            let (client, id) = try kind.moment()
            client.send(Wire.packet(kind.rawValue, Wire.u16(id) + tail))
            try kind.expectTaken(by: client, id)
        }
    }

    @Test("[5.0 facts] acknowledgements whose lengths do not add up are malformed", arguments: Acknowledgement.allCases)
    func brokenForms(kind: Acknowledgement) throws {
        // After the id: a property length that goes too far, one byte too many, a property cut short, half an id.
        for tail in [[0x00, 0x05], [0x00, 0x00, 0x00], [0x00, 0x02, 0x1F, 0x00]] as [[UInt8]] {
            try expectFault(0x81, kind, tail)
        }
        let (client, _) = try kind.moment()
        client.send([kind.rawValue, 0x01, 0x00])
        try withKnownDifference(.mosquitto, "such packets close without a DISCONNECT") {
            try client.expectFault(0x81)
        }
    }

    @Test(
        "[5.0 facts] acknowledgements hold Reason String once, and User Property", arguments: Acknowledgement.allCases)
    func strangeProperties(kind: Acknowledgement) throws {
        let twice: [Property] = [.reasonString("a"), .reasonString("b")]
        try expectFault(0x82, kind, [0x00] + Wire.properties(twice))
        for stranger: Property in [.payloadFormatIndicator(1), .subscriptionIdentifier(1), .byte(0x7F, 0)] {
            try expectFault(0x81, kind, [0x00] + Wire.properties([stranger]))
        }
    }

    private func expectFault(_ reason: UInt8, _ kind: Acknowledgement, _ tail: [UInt8]) throws {
        let (client, id) = try kind.moment()
        client.send(Wire.packet(kind.rawValue, Wire.u16(id) + tail))
        try withKnownDifference(.mosquitto, "such packets close without a DISCONNECT, or pass") {
            try client.expectFault(reason)
        }
    }

    @Test("[5.0 facts] PUBREL of an unknown id is answered with PUBCOMP 92, as often as it comes")
    func unknownPubrel() throws {
        try withKnownDifference(.mosquitto, Self.pubcompDiffers) {
            let (client, id) = try Acknowledgement.pubrel.moment()
            client.send(Wire.pubrel(id))
            try client.expect(Wire.pubcomp(id))
            for _ in 0..<2 {
                client.send(Wire.pubrel(id))
                let again = try client.expect(.pubcomp)
                #expect(again.packetID == id)
                #expect(again.reasonCodes == [0x92])
            }
            client.send(Wire.pubrel(60_000, reason: 0x92))
            #expect(try client.expect(.pubcomp).reasonCodes == [0x92])
            try client.expectQuiet()
        }
    }

    @Test("[5.0 facts] PUBREL of an unknown id in a session that lasts is answered with PUBCOMP 92")
    func unknownPubrelKept() throws {
        try withKnownDifference(.mosquitto, Self.pubcompDiffers) {
            let client = try RawClient.v5(.sessionExpiryInterval(30))
            client.send(Wire.pubrel(4_320))
            #expect(try client.expect(.pubcomp).reasonCodes == [0x92])
        }
    }

    @Test("[5.0 facts] PUBREC of an unknown id is answered with PUBREL 92")
    func unknownPubrec() throws {
        try withKnownDifference(.mosquitto, Self.pubrelDiffers) {
            let client = try RawClient.v5()
            client.send(Wire.pubrec(4_321))
            let answer = try client.expect(.pubrel)
            #expect(answer.packetID == 4_321)
            #expect(answer.reasonCodes == [0x92])
            client.send(Wire.pubcomp(4_321, reason: 0x92))
            try client.expectQuiet()
        }
    }

    @Test("[5.0 facts] PUBACK and PUBCOMP of unknown ids are no reason to hang up")
    func unknownFinalAcknowledgements() throws {
        let client = try RawClient.v5()
        client.send(Wire.puback(4_322) + Wire.pubcomp(4_323) + Wire.pubcomp(4_324, reason: 0x92))
        try client.expectQuiet()
    }
}

extension Acknowledgement {
    /// A packet with this code, or without one, is taken.
    fileprivate func expectTaken(afterReason reason: UInt8?) throws {
        let (client, id) = try moment()
        client.send(Wire.packet(rawValue, Wire.u16(id) + (reason.map { [$0] } ?? [])))
        try expectTaken(by: client, id)
    }
}
