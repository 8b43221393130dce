import MQTTTestKit
import Testing

/// MQTT 3.1 (MQIsdp): messages and subscriptions, alone and beside clients of other versions.
@Suite("3.1 messages", .blocking) struct Messages31Tests {
    @Test(
        "[3.1] a message is delivered at the smaller of its QoS and the granted one", arguments: [0, 1, 2] as [UInt8],
        [0, 1, 2] as [UInt8])
    func delivery(published: UInt8, granted: UInt8) throws {
        let talk = try Conversation(subscribing: granted, version: 3)
        try talk.publisher.publish(talk.topic, "x", qos: published, id: 300)
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.qos == min(published, granted) && packet.payloadText == "x" && !packet.dup && !packet.retain)
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1] clients of all versions hear each other", arguments: [3, 4, 5] as [UInt8], [3, 4, 5] as [UInt8])
    func acrossVersions(from: UInt8, to: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let subscriber = try RawClient.connected(to: broker, version: to)
        try subscriber.subscribe(topic, 2)
        let publisher = try RawClient.connected(to: broker, version: from)
        for qos in 0...2 as ClosedRange<UInt8> {
            try publisher.publish(topic, "from \(from) at \(qos)", qos: qos)
            let packet = try subscriber.receivePublish()
            #expect(packet.payloadText == "from \(from) at \(qos)" && packet.qos == qos && packet.topicText == topic)
            #expect(packet.properties.isEmpty)
        }
    }

    @Test("[3.1] DUP may be set on SUBSCRIBE, UNSUBSCRIBE and PUBREL")
    func duplicates() throws {
        let talk = try Conversation(version: 3)
        talk.subscriber.send([0x8A] + Wire.subscribe(id: 1, [(talk.topic, 2)]).dropFirst())
        try talk.subscriber.expect([0x90, 0x03, 0x00, 0x01, 0x02])
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "2", qos: 2, id: 4))
        try talk.publisher.expect(Wire.pubrec(4))
        talk.publisher.send([0x6A, 0x02, 0x00, 0x04])
        try talk.publisher.expect(Wire.pubcomp(4))
        #expect(try talk.subscriber.receivePublish().payloadText == "2")
        talk.subscriber.send([0xAA] + Wire.unsubscribe(id: 2, [talk.topic]).dropFirst())
        try talk.subscriber.expect([0xB0, 0x02, 0x00, 0x02])
        try talk.publisher.publish(talk.topic, "gone", qos: 1)
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1] SUBACK never has the code 80", arguments: ["a", "#", "+/x", "$SYS/x", "a#", "a/#/b", "$share/g/a"])
    func noFailureCode(filter: String) throws {
        let client = try RawClient.connected(to: .shared(), version: 3)
        client.send(Wire.subscribe(id: 1, [("ok", 1), (filter, 2)]) + Wire.pingreq)
        // `#` may bring other tests' messages, before SUBACK too.
        var answer = try client.next()
        while answer?.kind == .publish { answer = try client.next() }
        guard let suback = answer, suback.kind == .suback else { return try client.expectClosed() }
        #expect(suback.packetID == 1 && suback.reasonCodes.count == 2 && suback.reasonCodes.allSatisfy { $0 <= 2 })
    }

    @Test("[3.1] many filters in one SUBSCRIBE have one SUBACK, many in one UNSUBSCRIBE one UNSUBACK")
    func manyFilters() throws {
        let talk = try Conversation(version: 3)
        let filters = (0...2).map { ("\(talk.topic)/\($0)", UInt8($0)) }
        talk.subscriber.send(Wire.subscribe(id: 513, filters))
        try talk.subscriber.expect([0x90, 0x05, 0x02, 0x01, 0x00, 0x01, 0x02])
        for (topic, qos) in filters {
            try talk.publisher.publish(topic, topic, qos: 2)
            #expect(try talk.subscriber.receivePublish().qos == qos)
        }
        talk.subscriber.send(Wire.unsubscribe(id: 514, filters.map(\.0)))
        try talk.subscriber.expect([0xB0, 0x02, 0x02, 0x02])
        for (topic, _) in filters { try talk.publisher.publish(topic, topic) }
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1] retained messages are kept, replaced and deleted", arguments: [0, 1, 2] as [UInt8])
    func retained(qos: UInt8) throws {
        let talk = try Conversation(version: 3)
        for (payload, kept) in [("old", ["old"]), ("new", ["new"]), ("", [])] {
            try talk.publisher.publish(talk.topic, payload, qos: qos, retain: true)
            let late = try RawClient.connected(to: .shared(), version: 3)
            try late.subscribe(talk.topic, 2)
            let packets = try late.packets(kept.count)
            #expect(texts(packets) == kept && packets.allSatisfy { $0.retain && $0.qos == qos })
        }
    }

    @Test("[3.1] a live message has RETAIN 0")
    func live() throws {
        let talk = try Conversation(subscribing: 1, version: 3)
        try talk.publisher.publish(talk.topic, "x", qos: 1, retain: true)
        #expect(try talk.subscriber.receivePublish().bytes[0] == 0x32)
    }

    @Test("[3.1] a kept session keeps its subscriptions and what was sent meanwhile", arguments: [1, 2] as [UInt8])
    func kept(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false, version: 3)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "waited", qos: qos)
        let again = try talk.reconnected()
        let first = try again.expect(.publish)
        #expect(first.payloadText == "waited" && first.qos == qos && !first.dup)
        again.close()
        let third = try talk.reconnected()
        let second = try third.receivePublish()
        #expect(second.dup && second.packetID == first.packetID)
        try third.expectQuiet()
    }

    @Test("[3.1] a clean session forgets")
    func clean() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false, version: 3)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "old", qos: 1)
        try talk.reconnected(cleanStart: true).disconnect()
        let again = try talk.reconnected()
        try talk.publisher.publish(talk.topic, "new", qos: 1)
        #expect(try talk.delivered(to: again).isEmpty)
    }

    @Test(
        "[3.1] a message may come again while connected, with DUP: QoS 2 is delivered once, QoS 1 each time",
        arguments: [1, 2] as [UInt8])
    func repeated(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 0, version: 3)
        for dup in [false, true] {
            talk.publisher.send(Wire.publish(topic: talk.topic, payload: "r", qos: qos, id: 12, dup: dup))
            try talk.publisher.expect(qos == 1 ? Wire.puback(12) : Wire.pubrec(12))
        }
        if qos == 2 {
            talk.publisher.send(Wire.pubrel(12))
            try talk.publisher.expect(Wire.pubcomp(12))
        }
        #expect(try talk.delivered().count == (qos == 1 ? 2 : 1))
    }

    @Test(
        "[3.1] a violation closes the connection",
        arguments: [
            Violation("QoS 3", [0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01]),
            Violation(
                "wildcard in a topic", Wire.publish(topic: "a/+", payload: ""),
                good: Wire.publish(topic: "a", payload: "")),
            Violation("type 0", [0x00, 0x00]),
            Violation("AUTH", [0xF0, 0x00]),
            Violation(
                "no filter", [0x82, 0x02, 0x00, 0x01], good: Wire.subscribe(id: 1, [("a", 0)]),
                keptByMosquitto: "a SUBSCRIBE of 3.1 without a filter is answered"),
            Violation("length of five bytes", [0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
            Violation("topic cut short", [0x30, 0x03, 0x00, 0x05, 0x61]),
        ])
    func violation(violation: Violation) throws {
        try violation.closesConnection(version: 3)
    }
}
