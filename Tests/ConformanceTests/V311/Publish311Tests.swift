import MQTTTestKit
import Testing

/// PUBLISH as such: DUP, QoS bits, topics, and how it is answered. Sections 3.3 and 4.3.
@Suite("3.1.1 PUBLISH", .blocking) struct Publish311Tests {
    @Test("[3.1.1 MQTT-3.3.1-1] a PUBLISH that is sent again has DUP 1", arguments: [1, 2] as [UInt8])
    func duplicate(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        try talk.publisher.publish(talk.topic, "again", qos: qos)
        let first = try talk.subscriber.expect(.publish)
        #expect(!first.dup)
        talk.subscriber.close()
        let again = try talk.reconnected()
        let second = try again.expect(.publish)
        #expect(second.bytes == [first.bytes[0] | 0x08] + first.bytes.dropFirst())
    }

    @Test("[3.1.1 MQTT-3.3.1-2] QoS 0 is sent with DUP 0, live and retained")
    func noDuplicateAtQoS0() throws {
        let talk = try Conversation(subscribing: 2)
        try talk.publisher.publish(talk.topic, "0", retain: true)
        #expect(try talk.subscriber.expect(.publish).bytes[0] == 0x30)
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(talk.topic, 2)
        #expect(try late.expect(.publish).bytes[0] == 0x31)
    }

    @Test("[3.1.1 MQTT-3.3.1-2] QoS 0 with DUP 1 is malformed")
    func duplicateAtQoS0() throws {
        try Violation(
            "DUP at QoS 0", Wire.publish(topic: "a", payload: "", dup: true),
            good: Wire.publish(topic: "a", payload: ""),
            keptByMosquitto: "DUP of a QoS 0 PUBLISH is not looked at"
        ).closesConnection()
    }

    @Test("[3.1.1 MQTT-3.3.1-3] the publisher's DUP is not passed on", arguments: [1, 2] as [UInt8])
    func duplicateNotCopied(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "d", qos: qos, id: 1, dup: true))
        if qos == 2 {
            try talk.publisher.expect(Wire.pubrec(1))
            talk.publisher.send(Wire.pubrel(1))
        }
        let packet = try talk.subscriber.expect(.publish)
        #expect(packet.qos == qos && !packet.dup)
    }

    @Test("[3.1.1 MQTT-3.3.1-4] QoS 3 closes the connection", arguments: [0x36, 0x37, 0x3E, 0x3F] as [UInt8])
    func qos3(first: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        try Violation(
            "QoS 3", Wire.packet(first, Wire.string(talk.topic) + [0, 1, 0x31]),
            good: Wire.publish(topic: "a", payload: "1", qos: 1, id: 1)
        ).closesConnection()
        #expect(try talk.delivered().isEmpty)
    }

    @Test(
        "[3.1.1 MQTT-3.3.2-2] a topic with a wildcard closes the connection",
        arguments: ["a/+", "a/#", "#", "+", "a+b", "a#", "+/a", "a/#/b"])
    func wildcard(topic: String) throws {
        for qos in 0...2 as ClosedRange<UInt8> {
            try Violation(
                topic, Wire.publish(topic: topic, payload: "", qos: qos, id: 1),
                good: Wire.publish(topic: "a-b", payload: "", qos: qos, id: 1)
            ).closesConnection()
        }
    }

    @Test(
        "[3.1.1 MQTT-4.7.1-1] a topic with a wildcard reaches nobody, though a filter spells it the same",
        arguments: ["+", "#"])
    func wildcardDelivered(wildcard: String) throws {
        let talk = try Conversation()
        let topic = "\(talk.topic)/\(wildcard)"
        try talk.subscriber.subscribe(topic, 0)
        let offender = try RawClient.connected(to: .shared())
        offender.send(Wire.publish(topic: topic, payload: "", retain: true))
        try offender.expectClosed()
        #expect(try talk.delivered().isEmpty)
        let will = try RawClient(.shared())
        will.send(Wire.connect(id: unique("c"), will: .init(topic: topic, payload: "")))
        try will.expectClosed()
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.3.2-3] a subscriber gets the topic that was published, under a filter that matches it")
    func topicSent() throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe("\(talk.topic)/+/b/#", 0)
        let matching = ["a/b", "a/b/c", "/b", "a/b/", "Ä/b/c d"].map { "\(talk.topic)/\($0)" }
        let others = ["a", "a/c", "a/b2", "a/a/b", "b"].map { "\(talk.topic)/\($0)" }
        for topic in matching + others { talk.publisher.send(Wire.publish(topic: topic, payload: "x")) }
        #expect(try talk.delivered().map(\.topicText) == matching)
    }

    @Test("[3.1.1 MQTT-3.3.4-1] QoS 0 is not answered, QoS 1 by PUBACK, QoS 2 by PUBREC", arguments: [true, false])
    func answers(withSubscriber: Bool) throws {
        let talk = try Conversation(subscribing: withSubscriber ? 2 : nil)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: ""))
        try talk.publisher.expectQuiet()
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "", qos: 1, id: 10))
        #expect(try talk.publisher.packets(1).map(\.bytes) == [Wire.puback(10)])
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "", qos: 2, id: 11))
        #expect(try talk.publisher.packets(1).map(\.bytes) == [Wire.pubrec(11)])
        talk.publisher.send(Wire.pubrel(11))
        #expect(try talk.publisher.packets(1).map(\.bytes) == [Wire.pubcomp(11)])
    }

    @Test(
        "[3.1.1 MQTT-3.3.5-1] overlapping subscriptions give the highest QoS that was granted",
        arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0]] as [[UInt8]])
    func overlap(granted: [UInt8]) throws {
        let talk = try Conversation()
        for (filter, qos) in zip(["#", "+", "x"], granted) {
            try talk.subscriber.subscribe("\(talk.topic)/\(filter)", qos)
        }
        let why: Comment = "the one copy has the QoS of the subscription that was found first"
        try withKnownDifference(.mosquitto, why, when: granted.last != 2) {
            for qos in 0...2 as ClosedRange<UInt8> {
                try talk.publisher.publish("\(talk.topic)/x", "\(qos)", qos: qos)
                // One copy, as mosquitto does it; the standard would allow one for each subscription.
                let packet = try talk.subscriber.receivePublish()
                #expect(packet.qos == qos)
                try talk.subscriber.expectQuiet()
            }
        }
    }

    @Test(
        "[3.1.1 MQTT-3.3.5-2] a PUBLISH that is not allowed is acknowledged or closes, and reaches nobody",
        arguments: [0, 1, 2] as [UInt8])
    func notAllowed(qos: UInt8) throws {
        let talk = try Conversation()
        let topic = "$SYS/\(talk.topic)"
        try talk.subscriber.subscribe(topic, 2)
        let offender = try RawClient.connected(to: .shared())
        offender.send(
            Wire.publish(topic: topic, payload: "", qos: qos, id: 3, retain: true) + (qos == 2 ? Wire.pubrel(3) : []))
        let answers = try [offender.next(withinMilliseconds: qos == 0 ? 100 : nil), qos == 2 ? offender.next() : nil]
            .compactMap { $0?.bytes }
        let normal: [[UInt8]] = qos == 0 ? [] : qos == 1 ? [Wire.puback(3)] : [Wire.pubrec(3), Wire.pubcomp(3)]
        #expect(answers == normal || answers.isEmpty)
        #expect(try talk.delivered().isEmpty)
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(topic, 0)
        try late.expectQuiet()
    }

    @Test("[3.1.1 MQTT-4.3.1-1] QoS 0 is delivered once, with QoS 0 and DUP 0")
    func atMostOnce() throws {
        let talk = try Conversation(subscribing: 2)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "0"))
        #expect(try talk.delivered().map(\.bytes) == [Wire.publish(topic: talk.topic, payload: "0")])
    }

    @Test("[3.1.1 MQTT-4.3.2-1] QoS 1 is sent with a free id and DUP 0, and stays open until PUBACK")
    func atLeastOnceSending() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.publisher.publish(talk.topic, "1", qos: 1)
        let first = try talk.subscriber.expect(.publish)
        #expect(first.bytes[0] == 0x32)
        talk.subscriber.close()
        let second = try talk.reconnected()
        #expect(try second.expect(.publish).packetID == first.packetID)
        second.send(Wire.puback(first.packetID ?? 0))
        try second.expectQuiet()
        second.close()
        try talk.reconnected().expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-4.3.2-1] a PUBACK of another id does not finish the message", arguments: [1, 65_535] as [UInt16])
    func otherID(offset: UInt16) throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.publisher.publish(talk.topic, "1", qos: 1)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        var other = id &+ offset
        if other == 0 { other = 2 }
        talk.subscriber.send(Wire.puback(other))
        _ = try? talk.subscriber.barrier()
        talk.subscriber.close()
        let again = try talk.reconnected().expect(.publish)
        #expect(again.packetID == id && again.dup)
    }

    @Test(
        "[3.1.1 MQTT-4.3.2-2] after PUBACK the same id is a new message, whatever DUP says", arguments: [true, false])
    func atLeastOnceReceiving(dup: Bool) throws {
        let talk = try Conversation(subscribing: 1)
        for _ in 1...2 {
            talk.publisher.send(Wire.publish(topic: talk.topic, payload: "same", qos: 1, id: 5, dup: dup))
            try talk.publisher.expect(Wire.puback(5))
            let packet = try talk.subscriber.receivePublish()
            #expect(packet.payloadText == "same" && !packet.dup)
        }
    }

    @Test("[3.1.1 MQTT-4.3.3-1] QoS 2 is sent with DUP 0; after PUBREC only PUBREL, until PUBCOMP")
    func exactlyOnceSending() throws {
        let talk = try Conversation(subscribing: 2, cleanStart: false)
        try talk.publisher.publish(talk.topic, "2", qos: 2)
        let first = try talk.subscriber.expect(.publish)
        #expect(first.bytes[0] == 0x34)
        let id = try #require(first.packetID)
        // Nothing but PUBREC moves it on.
        try talk.subscriber.expectQuiet()
        talk.subscriber.send(Wire.pubrec(id))
        try talk.subscriber.expect(Wire.pubrel(id))
        talk.subscriber.close()
        for _ in 1...2 {
            let again = try talk.reconnected()
            #expect(try again.packets(1).map(\.bytes) == [Wire.pubrel(id)])
            again.close()
        }
        let last = try talk.reconnected()
        try last.expect(Wire.pubrel(id))
        last.send(Wire.pubcomp(id))
        try last.expectQuiet()
        last.close()
        try talk.reconnected().expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-4.3.3-2] a repeat before PUBREL is answered, not delivered; after PUBCOMP the id is new",
        arguments: [true, false], [2, 3])
    func exactlyOnceReceiving(dup: Bool, sendings: Int) throws {
        let talk = try Conversation(subscribing: 2)
        try withKnownDifference(.mosquitto, "the second repeat closes the connection", when: sendings > 2) {
            for round in ["first", "second"] {
                for _ in 1...sendings {
                    talk.publisher.send(Wire.publish(topic: talk.topic, payload: round, qos: 2, id: 6, dup: dup))
                    try talk.publisher.expect(Wire.pubrec(6))
                }
                talk.publisher.send(Wire.pubrel(6))
                try talk.publisher.expect(Wire.pubcomp(6))
                let packet = try talk.subscriber.receivePublish()
                #expect(packet.payloadText == round)
                try talk.subscriber.expectQuiet()
            }
        }
    }

    @Test("[3.1.1 MQTT-4.3.3-1] only PUBREC moves a QoS 2 message on", arguments: [0x40, 0x70] as [UInt8])
    func wrongAcknowledgement(first: UInt8) throws {
        let talk = try Conversation(subscribing: 2, cleanStart: false)
        try talk.publisher.publish(talk.topic, "2", qos: 2)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        // Whether the broker ignores this or hangs up, the message is not finished.
        talk.subscriber.send(Wire.packet(first, Wire.u16(id)))
        _ = try? talk.subscriber.barrier()
        talk.subscriber.close()
        let again = try talk.reconnected()
        let packet = try again.receivePublish()
        #expect(packet.packetID == id && packet.dup && packet.payloadText == "2")
        try again.expectQuiet()
    }

    @Test("[3.1.1 MQTT-4.3.2-1] a PUBREC does not finish a QoS 1 message")
    func wrongAcknowledgementAtQoS1() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.publisher.publish(talk.topic, "1", qos: 1)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        talk.subscriber.send(Wire.pubrec(id))
        _ = try? talk.subscriber.barrier()
        talk.subscriber.close()
        let packet = try talk.reconnected().expect(.publish)
        #expect(packet.packetID == id && packet.dup)
    }

    @Test(
        "[3.1.1 MQTT-4.3.3-2] ids of both directions are independent: one client, one id, two messages",
        arguments: [1, 2] as [UInt8])
    func bothDirections(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        try talk.publisher.publish(talk.topic, "to the client", qos: 2)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        talk.subscriber.send(Wire.publish(topic: talk.topic + "/back", payload: "from the client", qos: qos, id: id))
        try talk.subscriber.expect(qos == 1 ? Wire.puback(id) : Wire.pubrec(id))
        talk.subscriber.send(Wire.pubrec(id))
        try talk.subscriber.expect(Wire.pubrel(id))
        if qos == 2 {
            talk.subscriber.send(Wire.pubrel(id))
            try talk.subscriber.expect(Wire.pubcomp(id))
        }
        talk.subscriber.send(Wire.pubcomp(id))
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1.1 MQTT-4.3.3-2] PUBREL is answered with PUBCOMP each time it comes")
    func repeatedRelease() throws {
        let talk = try Conversation(subscribing: 0)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "2", qos: 2, id: 8))
        try talk.publisher.expect(Wire.pubrec(8))
        for _ in 1...2 {
            talk.publisher.send(Wire.pubrel(8))
            try talk.publisher.expect(Wire.pubcomp(8))
        }
        #expect(try texts(talk.delivered()) == ["2"])
    }

    @Test("[3.1.1 MQTT-4.6.0-5] topics are ordered unless somebody says otherwise")
    func orderedByDefault() throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe("\(talk.topic)/#", 0)
        let wanted = (1...200).map(String.init)
        talk.publisher.send(wanted.flatMap { Wire.publish(topic: "\(talk.topic)/\($0.count)", payload: $0) })
        #expect(try texts(talk.delivered()) == wanted)
    }

    @Test(
        "[3.1.1 MQTT-4.6.0-6] messages of one QoS arrive in the order they were published",
        arguments: [0, 1, 2] as [UInt8])
    func ordered(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos)
        var received: [ReceivedPacket] = []
        for batch in 0..<50 {
            let ids = (1...20).map { UInt16(batch * 20 + $0) }
            talk.publisher.send(ids.flatMap { Wire.publish(topic: talk.topic, payload: "\($0)", qos: qos, id: $0) })
            // Answers come in the order of what they answer: a rule of this requirement too.
            if qos == 1 { for id in ids { try talk.publisher.expect(Wire.puback(id)) } }
            if qos == 2 {
                for id in ids { try talk.publisher.expect(Wire.pubrec(id)) }
                talk.publisher.send(ids.flatMap { Wire.pubrel($0) })
                for id in ids { try talk.publisher.expect(Wire.pubcomp(id)) }
            }
            received += try takeAll(20, from: talk.subscriber)
        }
        #expect(texts(received) == (1...1_000).map(String.init))
        #expect(received.allSatisfy { $0.qos == qos && !$0.dup })
    }

    /// Reads and acknowledges until `count` messages came, not waiting for the end of one handshake before the next.
    private func takeAll(_ count: Int, from client: RawClient) throws -> [ReceivedPacket] {
        var messages: [ReceivedPacket] = []
        var open = 0
        while messages.count < count || open > 0 {
            let packet = try client.receive()
            let id = packet.packetID ?? 0
            switch packet.kind {
            case .publish:
                messages.append(packet)
                if packet.qos == 1 { client.send(Wire.puback(id)) }
                guard packet.qos == 2 else { continue }
                open += 1
                client.send(Wire.pubrec(id))
            case .pubrel:
                open -= 1
                client.send(Wire.pubcomp(id))
            default:
                Issue.record("unexpected \(packet)")
                return messages
            }
        }
        return messages
    }
}
