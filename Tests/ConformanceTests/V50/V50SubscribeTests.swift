import MQTTTestKit
import Testing

/// Chapters 3.8 and 3.9: SUBSCRIBE and SUBACK. Shared subscriptions have a file of their own.
@Suite(.blocking) struct V50SubscribeTests {
    @Test(
        "[5.0 MQTT-3.8.1-1] SUBSCRIBE has flag bits 0010", arguments: [0x80, 0x81, 0x83, 0x86, 0x8A, 0x8F] as [UInt8])
    func flags(first: UInt8) throws {
        let client = try RawClient.v5()
        let right = Wire.subscribe(id: 1, [(unique("t"), 0)], properties: [])
        client.send(right)
        try client.expect(.suback)
        client.send([first] + right.dropFirst())
        try client.expectFault(0x81)
    }

    @Test("[5.0 MQTT-3.8.3-1] filters in SUBSCRIBE are valid UTF-8", arguments: IllFormed.strings)
    func filterIsUTF8(filter: [UInt8]) throws {
        let client = try RawClient.v5()
        #expect(try client.subscribe(all: [(unique("gr\u{FC}n"), 0)]) == [0])
        client.send(Wire.packet(0x82, [0, 1, 0] + Wire.field(filter) + [0]))
        try client.expectFault(0x81)
    }

    @Test("[5.0 MQTT-3.8.3-2] SUBSCRIBE has at least one filter with options")
    func emptyPayload() throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [], properties: []))
        try withKnownDifference(.mosquitto, "an empty SUBSCRIBE is called malformed (81)") {
            try client.expectFault(0x82)
        }
        let other = try RawClient.v5()
        other.send(Wire.packet(0x82, [0, 1, 0] + Wire.string("t")))  // a filter whose options are missing
        try other.expectFault(0x81)
    }

    @Test("[5.0 MQTT-3.8.3-3] No Local keeps a client's own messages from it", arguments: [0, 1, 2] as [UInt8])
    func noLocal(qos: UInt8) throws {
        let topic = unique("t")
        let own = try RawClient.v5()
        let other = try RawClient.v5()
        try own.subscribe(topic, 0x04 | qos)
        try other.subscribe(topic, 0x04 | qos)
        own.send(Wire.publish(topic: topic, payload: "mine", properties: []))
        #expect(try other.receivePublish().payloadText == "mine")
        try other.publish(topic, "theirs", qos: 2)
        #expect(try own.everything(from: other).map(\.payloadText) == ["theirs"])
        #expect(try other.everything(from: own).isEmpty)
        // Without the option the same client hears itself.
        let plain = unique("t")
        try own.subscribe(plain, qos)
        own.send(Wire.publish(topic: plain, payload: "mine", properties: []))
        #expect(try own.receivePublish().payloadText == "mine")
    }

    @Test("[5.0 MQTT-3.8.3-3] No Local keeps a client's own retained messages from it, and no others")
    func noLocalRetained() throws {
        let (client, other) = (try RawClient.v5(), try RawClient.v5())
        let root = unique("t")
        try client.publish("\(root)/own", "own", qos: 1, retain: true)
        try other.publish("\(root)/other", "other", qos: 1, retain: true)
        client.send(Wire.subscribe(id: 1, [("\(root)/+", 0x04)], properties: []))
        try withKnownDifference(.mosquitto, "No Local does not hold for retained messages") {
            let packets = try client.packets(2)
            #expect(packets.filter { $0.kind == .publish }.map(\.payloadText) == ["other"])
        }
        for name in ["own", "other"] { try other.publish("\(root)/\(name)", "", retain: true) }
    }

    @Test(
        "[5.0 MQTT-3.8.3-4] No Local on a shared subscription is a protocol error",
        arguments: [0x04, 0x05, 0x06] as [UInt8])
    func noLocalOnShared(options: UInt8) throws {
        let client = try RawClient.v5()
        let filter = "$share/\(unique("g"))/\(unique("t"))"
        #expect(try client.subscribe(all: [(filter, options & 3)]) == [options & 3])
        client.send(Wire.subscribe(id: 2, [(filter, options)], properties: []))
        try withKnownDifference(.mosquitto, "No Local on a shared subscription is taken") {
            try client.expectFault(0x82)
        }
    }

    @Test("[5.0 MQTT-3.8.3-5] option bits 6 and 7 are reserved", arguments: [0x40, 0x80, 0xC0, 0x41] as [UInt8])
    func reservedOptionBits(options: UInt8) throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [(unique("t"), options)], properties: []))
        try client.expectFault(0x81)
    }

    @Test("[5.0 facts] Retain Handling 3 is a protocol error", arguments: [0x30, 0x31, 0x3A] as [UInt8])
    func retainHandling3(options: UInt8) throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [(unique("t"), options)], properties: []))
        try client.expectDisconnect(0x81, 0x82)
    }

    @Test("[5.0 facts] a Subscription Identifier of 0 is a protocol error")
    func subscriptionIdentifier0() throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [(unique("t"), 0)], properties: [.subscriptionIdentifier(0)]))
        try withKnownDifference(.mosquitto, "calls it malformed (81)") { try client.expectDisconnect(0x82) }
    }

    @Test("[5.0 MQTT-3.8.4-1] every SUBSCRIBE is answered with SUBACK")
    func answered() throws {
        let client = try RawClient.v5()
        let filter = unique("t")
        for id in 1...5 as ClosedRange<UInt16> { client.send(Wire.subscribe(id: id, [(filter, 1)], properties: [])) }
        for _ in 1...5 {
            let suback = try client.expect(.suback)
            #expect(suback.bytes[0] == 0x90)
            #expect(suback.reasonCodes == [1])
        }
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.8.4-2] SUBACK has the packet id of its SUBSCRIBE")
    func sameIdentifier() throws {
        let client = try RawClient.v5()
        for id: UInt16 in [1, 2, 255, 256, 32_768, 65_535] { try client.subscribe(unique("t"), 0, id: id) }
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.8.4-3] the same filter again replaces the subscription")
    func replaces() throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        func reception() throws -> [ReceivedPacket] {
            try publisher.publish(topic, "x", qos: 2)
            return try client.everything(from: publisher)
        }
        try client.subscribe(topic, 2, properties: [.subscriptionIdentifier(5)])
        let first = try reception()
        #expect(first.map(\.qos) == [2])
        #expect(first.map { $0.variableByteIntegers(0x0B) } == [[5]])

        try client.subscribe(topic, 1, properties: [.subscriptionIdentifier(268_435_455)])
        let second = try reception()
        #expect(second.map(\.qos) == [1])
        #expect(second.map { $0.variableByteIntegers(0x0B) } == [[268_435_455]])

        try client.subscribe(topic, 0)  // an absent identifier takes the old one away
        let third = try reception()
        #expect(third.map(\.qos) == [0])
        #expect(third.map { $0.property(0x0B) } == [[]])
    }

    @Test("[5.0 facts] replacing a subscription changes Retain As Published and No Local")
    func replacesOptions() throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try withKnownDifference(.mosquitto, "a repeated SUBSCRIBE keeps the first one's options") {
            for options: UInt8 in [0x00, 0x08, 0x00] {
                try client.subscribe(topic, 0x20 | options)
                try publisher.publish(topic, "x", qos: 1, retain: true)
                #expect(try client.everything(from: publisher).map(\.retain) == [options == 0x08])
            }
            for options: UInt8 in [0x00, 0x04, 0x00] {
                try client.subscribe(topic, 0x20 | options)
                client.send(Wire.publish(topic: topic, payload: "x", properties: []))
                #expect(try client.everything(from: client).count == (options == 0x04 ? 0 : 1))
            }
        }
    }

    @Test("[5.0 MQTT-3.8.4-4] replacing sends retained messages again and loses none")
    func replacingLosesNothing() throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try publisher.publish(topic + "/kept", "kept", qos: 1, retain: true)
        try client.subscribe(topic + "/#", 1)
        #expect(try client.receivePublish().payloadText == "kept")
        var packets: [ReceivedPacket] = []
        for round in 0..<20 {
            for number in 0..<10 {
                publisher.send(
                    Wire.publish(
                        topic: topic + "/live", payload: "\(round * 10 + number)", qos: 1, id: UInt16(number + 1),
                        properties: []))
                if number == 4 { client.send(Wire.subscribe(id: 9, [(topic + "/#", 1)], properties: [])) }
            }
            for number in 1...10 as ClosedRange<UInt16> { try publisher.expectAcknowledgement(.puback, number) }
            // Ten live ones, the retained one, and SUBACK somewhere between.
            for _ in 0..<12 {
                let packet = try client.receive()
                client.answer(packet)
                packets.append(packet)
            }
        }
        #expect(packets.filter { $0.kind == .suback }.count == 20)
        let publishes = packets.filter { $0.kind == .publish }
        #expect(publishes.filter { $0.payloadText == "kept" && $0.retain }.count == 20)
        #expect(publishes.filter { $0.payloadText != "kept" }.map(\.payloadText) == (0..<200).map(String.init))
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.8.4-5] many filters act like many SUBSCRIBEs with one joint SUBACK")
    func manyFilters() throws {
        let base = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try publisher.publish(base + "/b", "kept", retain: true)
        let filters: [(String, UInt8)] = [(base + "/a", 0), (base + "/b", 1), (base + "/c/+", 2)]
        #expect(try client.subscribe(all: filters) == [0, 1, 2])
        #expect(try client.receivePublish().payloadText == "kept")
        for topic in ["/a", "/b", "/c/d", "/other"] { try publisher.publish(base + topic, topic, qos: 2) }
        let packets = try client.everything(from: publisher)
        #expect(packets.map(\.payloadText) == ["/a", "/b", "/c/d"])
        #expect(packets.map(\.qos) == [0, 1, 2])
    }

    @Test("[5.0 MQTT-3.8.4-6] SUBACK has one reason code per filter", arguments: [1, 2, 7, 100])
    func oneCodeEach(count: Int) throws {
        let client = try RawClient.v5()
        let base = unique("t")
        let filters = (0..<count).map { ("\(base)/\($0)", UInt8($0 % 3)) }
        #expect(try client.subscribe(all: filters) == filters.map(\.1))
        // Also where the same filter comes twice; the later one counts.
        #expect(try client.subscribe(all: [(base, 0), (base, 2)]) == [0, 2])
        let publisher = try RawClient.v5()
        try publisher.publish(base, "x", qos: 2)
        #expect(try client.everything(from: publisher).map(\.qos) == [2])
    }

    @Test("[5.0 MQTT-3.8.4-7] SUBACK states the granted QoS", arguments: [0, 1, 2] as [UInt8])
    func grantedQoS(qos: UInt8) throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        try client.subscribe(topic, qos)
        let publisher = try RawClient.v5()
        try publisher.publish(topic, "x", qos: 2)
        #expect(try client.everything(from: publisher).map(\.qos) == [qos])
    }

    @Test("[5.0 MQTT-3.8.4-8] delivery has the smaller of published and granted QoS", arguments: [0, 1, 2] as [UInt8])
    func smallerQoS(granted: UInt8) throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try client.subscribe(topic, granted)
        for published: UInt8 in 0...2 { try publisher.publish(topic, "\(published)", qos: published) }
        let packets = try client.everything(from: publisher)
        #expect(packets.map(\.payloadText) == ["0", "1", "2"])
        #expect(packets.map(\.qos) == [0, min(1, granted), granted])
    }

    // MARK: SUBACK

    @Test("[5.0 MQTT-3.9.2-1] SUBACK leaves Reason String out where it does not fit")
    func reasonStringFits() throws { try expectSubackFits([]) }

    @Test("[5.0 MQTT-3.9.2-2] SUBACK leaves User Property out where it does not fit")
    func userPropertyFits() throws { try expectSubackFits([.user("a name of some length", "and a value")]) }

    private func expectSubackFits(_ properties: [Property]) throws {
        let client = try RawClient.v5(.maximumPacketSize(20))
        let base = unique("t")
        let filters = (0..<15).map { ("\(base)/\($0)", UInt8(1)) }
        client.send(Wire.subscribe(id: 3, filters, properties: properties))
        let suback = try client.expect(.suback)
        // Two bytes of header, the id, an empty property list and 15 codes: exactly what the client takes.
        #expect(suback.bytes.count == 20)
        #expect(suback.reasonCodes == [UInt8](repeating: 1, count: 15))
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.9.3-1] SUBACK codes are in the order of the filters")
    func codesInOrder() throws {
        let client = try RawClient.v5()
        let codes: [UInt8] = [2, 0, 1, 1, 0, 2, 2, 1, 0]
        #expect(try client.subscribe(all: codes.map { (unique("t"), $0) }) == codes)
    }

    @Test("[5.0 MQTT-3.9.3-2] SUBACK uses only its own reason codes")
    func subackReasons() throws {
        let own: Set<UInt8> = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
        let broker = try BrokerProcess.start()
        for filter in ["$SYS/#", "#", "$share/g/\(unique("t"))", "$share/g", unique("t"), "$other/#", "$share//x"] {
            let client = try RawClient.v5(on: broker)
            client.send(Wire.subscribe(id: 1, [(filter, 2)], properties: []))
            let answer = try client.receive()
            if answer.kind == .suback {
                #expect(answer.reasonCodes.count == 1)
                #expect(own.isSuperset(of: answer.reasonCodes))
            } else {
                #expect(answer.kind == .disconnect)
            }
        }
    }
}

/// Bytes that are no UTF-8 string in the standard's sense (§1.5.4).
enum IllFormed {
    static let strings: [[UInt8]] = [
        [0xFF], [0x61, 0x80], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
        [0xF4, 0x90, 0x80, 0x80], [0xF0, 0x80, 0x80, 0xAF], [0x61, 0x00],
    ]
}
