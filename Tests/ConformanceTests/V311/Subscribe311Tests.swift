import MQTTTestKit
import Testing

/// SUBSCRIBE, SUBACK and what follows from them: sections 3.8, 3.9 and 4.7.
@Suite("3.1.1 SUBSCRIBE", .blocking) struct Subscribe311Tests {
    @Test("[3.1.1 MQTT-3.8.3-3] a SUBSCRIBE without a filter closes")
    func noFilter() throws {
        try Violation("no filter", [0x82, 0x02, 0x00, 0x01], good: Wire.subscribe(id: 1, [("a", 0)])).closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-3.8.3-4] QoS 3 and reserved bits in a subscribe option close",
        arguments: [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x81] as [UInt8])
    func optionBits(option: UInt8) throws {
        try Violation("option", Wire.subscribe(id: 1, [("a", option)]), good: Wire.subscribe(id: 1, [("a", 2)]))
            .closesConnection()
        try Violation(
            "second option", Wire.subscribe(id: 1, [("a", 0), ("b", option)]),
            good: Wire.subscribe(id: 1, [("a", 0), ("b", 1)])
        )
        .closesConnection()
    }

    @Test("[3.1.1 MQTT-3.8.4-1] SUBSCRIBE is answered with SUBACK", arguments: [0, 1, 2] as [UInt8])
    func answered(qos: UInt8) throws {
        let client = try RawClient.connected(to: .shared())
        let filter = unique("f")
        for _ in 1...2 {
            client.send(Wire.subscribe(id: 7, [(filter, qos)]))
            #expect(try client.packets(1).map(\.bytes) == [[0x90, 0x03, 0x00, 0x07, qos]])
        }
    }

    @Test("[3.1.1 MQTT-3.8.4-2] SUBACK has the packet id of its SUBSCRIBE")
    func packetIDs() throws {
        let client = try RawClient.connected(to: .shared())
        let ids: [UInt16] = [3, 1, 65_535, 2, 256]
        client.send(ids.flatMap { Wire.subscribe(id: $0, [("f\($0)", 0)]) })
        #expect(try client.packets(ids.count).map(\.packetID) == ids)
    }

    @Test(
        "[3.1.1 MQTT-3.8.4-3] the same filter again replaces the subscription", arguments: [0, 1, 2] as [UInt8],
        [0, 1, 2] as [UInt8])
    func replaced(first: UInt8, second: UInt8) throws {
        let talk = try Conversation(subscribing: first)
        try talk.subscriber.subscribe(talk.topic, second)
        try talk.publisher.publish(talk.topic, "x", qos: 2)
        #expect(try talk.subscriber.receivePublish().qos == second)
        try talk.subscriber.expectQuiet()
        // It was one subscription: once removed, nothing is left of it.
        try talk.subscriber.unsubscribe(talk.topic)
        try talk.publisher.publish(talk.topic, "y", qos: 2)
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.8.4-3] the same filter again brings the retained messages again")
    func retainedAgain() throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "r", qos: 1, retain: true)
        for qos in [1, 1, 0] as [UInt8] {
            try talk.subscriber.subscribe(talk.topic, qos)
            let packet = try talk.subscriber.receivePublish()
            #expect(packet.payloadText == "r" && packet.retain && packet.qos == qos)
        }
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.8.4-3] the same filter again does not interrupt the flow")
    func noGap() throws {
        let talk = try Conversation(subscribing: 1)
        var received: [String] = []
        for number in 1...100 {
            talk.publisher.send(Wire.publish(topic: talk.topic, payload: "\(number)", qos: 1, id: UInt16(number)))
            talk.subscriber.send(Wire.subscribe(id: UInt16(number), [(talk.topic, 1)]))
            try talk.publisher.expect(Wire.puback(UInt16(number)))
            for _ in 1...2 {
                let packet = try talk.subscriber.receive()
                guard packet.kind == .publish else { continue }
                received.append(packet.payloadText)
                talk.subscriber.send(Wire.puback(packet.packetID ?? 0))
            }
        }
        #expect(received == (1...100).map(String.init))
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.8.4-4] many filters in one SUBSCRIBE act like many SUBSCRIBEs, with one SUBACK")
    func manyFilters() throws {
        let talk = try Conversation()
        let filters = (0..<30).map { ("\(talk.topic)/\($0)", UInt8($0 % 3)) }
        talk.subscriber.send(Wire.subscribe(id: 77, filters))
        let answers = try talk.subscriber.packets(1)
        #expect(answers.map(\.bytes) == [Wire.packet(0x90, [0, 77] + filters.map(\.1))])
        for (topic, qos) in filters {
            try talk.publisher.publish(topic, topic, qos: 2)
            let packet = try talk.subscriber.receivePublish()
            #expect(packet.topicText == topic && packet.qos == qos)
        }
    }

    @Test("[3.1.1 MQTT-3.8.4-4] the same filter twice in one SUBSCRIBE: the last one counts")
    func sameFilterTwice() throws {
        let talk = try Conversation()
        talk.subscriber.send(Wire.subscribe(id: 1, [(talk.topic, 2), (talk.topic, 1)]))
        try talk.subscriber.expect([0x90, 0x04, 0x00, 0x01, 0x02, 0x01])
        try talk.publisher.publish(talk.topic, "x", qos: 2)
        #expect(try talk.subscriber.receivePublish().qos == 1)
        try talk.subscriber.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.8.4-5] SUBACK has one code for each filter", arguments: [1, 2, 3, 10, 130])
    func oneCodeEach(count: Int) throws {
        let client = try RawClient.connected(to: .shared())
        let root = unique("f")
        client.send(Wire.subscribe(id: 1, (0..<count).map { ("\(root)/\($0)", 1) }))
        let suback = try client.expect(.suback)
        #expect(suback.reasonCodes == [UInt8](repeating: 1, count: count))
    }

    @Test(
        "[3.1.1 MQTT-3.8.4-6] a message is delivered at the smaller of its QoS and the granted one",
        arguments: [0, 1, 2] as [UInt8], [0, 1, 2] as [UInt8])
    func smaller(published: UInt8, granted: UInt8) throws {
        let talk = try Conversation(subscribing: granted)
        try talk.publisher.publish(talk.topic, "x", qos: published)
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.qos == min(published, granted) && packet.payloadText == "x")
        try talk.subscriber.expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-3.9.3-1] SUBACK's codes are in the order of the filters",
        arguments: [[0, 1, 2], [2, 1, 0], [1, 0, 2, 2, 0, 1]] as [[UInt8]])
    func codeOrder(options: [UInt8]) throws {
        let client = try RawClient.connected(to: .shared())
        let root = unique("f")
        client.send(Wire.subscribe(id: 1, options.enumerated().map { ("\(root)/\($0.offset)", $0.element) }))
        #expect(try client.expect(.suback).reasonCodes == options)
    }

    @Test(
        "[3.1.1 MQTT-3.9.3-2] SUBACK's codes are 0, 1, 2 or 80, for any filter",
        arguments: ["a", "+", "#", "/", "$SYS/x", "$share/g/a", "$CONTROL/x", "a//b", " "])
    func codeRange(filter: String) throws {
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.subscribe(id: 1, [("\(filter)", 0), (filter, 1), (filter, 2)]))
        let suback = try client.receive { $0.kind == .suback }
        #expect(
            suback.reasonCodes.count == 3
                && zip(suback.reasonCodes, [0, 1, 2] as [UInt8]).allSatisfy { $0 == $1 || $0 == 0x80 })
    }

    @Test(
        "[3.1.1 MQTT-4.7.1-2] # stands alone behind a slash, at the end",
        arguments: ["a#", "a/#/b", "#/a", "a/b#", "##", "a/##", "+#"])
    func badMultiLevel(filter: String) throws {
        try refused(filter)
    }

    @Test(
        "[3.1.1 MQTT-4.7.1-2] # matches its parent and everything below",
        arguments: [("#", true), ("a/#", true), ("a/b/#", false), ("b/#", false)])
    func multiLevel(filter: String, matchesParent: Bool) throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe(filter == "#" ? "\(talk.topic)/#" : "\(talk.topic)/\(filter)", 0)
        let topics = filter == "#" ? ["", "/a", "/a/b", "/a/b/c", "/"] : ["/a", "/a/b", "/a/b/c", "/a/"]
        for topic in topics { talk.publisher.send(Wire.publish(topic: talk.topic + topic, payload: topic)) }
        talk.publisher.send(Wire.publish(topic: talk.topic + "a", payload: "neighbour"))
        let wanted = matchesParent ? topics : filter == "b/#" ? [] : ["/a/b", "/a/b/c"]
        #expect(try texts(talk.delivered()) == wanted)
    }

    @Test("[3.1.1 MQTT-4.7.1-3] + fills a whole level", arguments: ["a+", "+a", "a/b+", "a/+b/c", "++", "a/++"])
    func badSingleLevel(filter: String) throws {
        try refused(filter)
    }

    @Test(
        "[3.1.1 MQTT-4.7.1-3] + matches one level, also an empty one",
        arguments: ["+", "+/b", "a/+", "+/+", "/+", "+/b/+"])
    func singleLevel(filter: String) throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe("\(talk.topic)/\(filter)", 0)
        let matches: [String: [String]] = [
            "+": ["a", ""], "+/b": ["a/b", "/b"], "a/+": ["a/b", "a/"], "+/+": ["a/b", "/b", "a/"], "/+": ["/b"],
            "+/b/+": ["a/b/c"],
        ]
        for topic in ["a", "", "a/b", "/b", "a/", "a/b/c"] {
            talk.publisher.send(Wire.publish(topic: "\(talk.topic)/\(topic)", payload: topic))
        }
        #expect(try texts(talk.delivered()) == matches[filter])
    }

    @Test(
        "[3.1.1 MQTT-4.7.2-1] filters that begin with a wildcard do not match topics that begin with $",
        arguments: ["#", "+/x", "+/#", "+/+"])
    func dollar(filter: String) throws {
        let talk = try Conversation()
        let root = "$" + unique("d")
        try talk.publisher.publish("\(root)/x", "kept", retain: true)
        talk.subscriber.send(Wire.subscribe(id: 1, [(filter, 0)]))
        try talk.publisher.publish("\(root)/x", "live")
        #expect(try talk.delivered().allSatisfy { $0.topic.first != 0x24 })
        let explicit = try RawClient.connected(to: .shared())
        for (id, named) in ["\(root)/#", "\(root)/+", "\(root)/x"].enumerated() {
            explicit.send(Wire.subscribe(id: UInt16(id + 1), [(named, 0)]))
            #expect(try texts(explicit.packets(2).filter { $0.kind == .publish }) == ["kept"])
        }
        try talk.publisher.publish("\(root)/x", "", retain: true)
    }

    @Test("[3.1.1 MQTT-3.9.3-2] a filter of more levels than the broker takes is answered with 80")
    func tooManyLevels() throws {
        let client = try RawClient.connected(to: .shared())
        let deep = Array(repeating: "a", count: 1_000).joined(separator: "/")
        client.send(Wire.subscribe(id: 7, [(unique("t"), 1), (deep, 1)]))
        try withKnownDifference(.mosquitto, "closes the connection") {
            try client.expect([0x90, 0x04, 0x00, 0x07, 0x01, 0x80])
        }
    }

    /// A broker may refuse such a filter or hang up; it may not act on it.
    private func refused(_ filter: String) throws {
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.subscribe(id: 1, [(filter, 0)]))
        if let answer = try client.next() { #expect(answer.bytes == [0x90, 0x03, 0x00, 0x01, 0x80]) }
        let removing = try RawClient.connected(to: .shared())
        removing.send(Wire.unsubscribe(id: 1, [filter]))
        if let answer = try removing.next() { #expect(answer.bytes == [0xB0, 0x02, 0x00, 0x01]) }
    }
}
