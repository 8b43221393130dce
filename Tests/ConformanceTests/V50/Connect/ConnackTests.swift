import MQTTTestKit
import Testing

/// 5.0 §3.2 and the answers of §3.1.4: what the broker says to a CONNECT.
@Suite("V50 CONNACK", .blocking) struct V50ConnackTests {
    static let closed = "listener {port} 127.0.0.1\nallow_anonymous false\n"

    @Test("[5.0 MQTT-3.1.4-5] a valid CONNECT is answered with CONNACK 00")
    func accepted() throws {
        let connack = try RawClient.sending(connectPacket(), to: .shared()).expectAccepted()
        #expect(connack.bytes[0] == 0x20)
        #expect(connack.body[0] == 0)
        #expect(connack.body[1] == 0)
    }

    @Test("[5.0 MQTT-3.1.4-5] a CONNECT in single bytes is as good as one in a piece")
    func acceptedInPieces() throws {
        let client = try RawClient(.shared(), version: 5)
        client.sendSlowly(connectPacket())
        try client.expectAccepted()
    }

    @Test(
        "[5.0 MQTT-3.1.4-2] a CONNECT that fails a check closes the connection: here, nobody may come in without a name"
    )
    func notAuthorized() throws {
        let broker = try BrokerProcess.shared(Self.closed)
        let connack = try RawClient.sending(connectPacket(), to: broker).expectRefusal(0x86, 0x87)
        #expect(connack != nil, "the standard lets it stay silent; ours says why")
    }

    @Test("[5.0 MQTT-3.1.4-6] what follows a refused CONNECT is not processed", arguments: [0, 1, 2] as [UInt8])
    func refusedWithPublish(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let rest =
            Wire.publish(topic: topic, payload: "x", qos: qos, id: 1, retain: true, properties: []) + Wire.pubrel(1)
        // Refused for a value, and refused for its form.
        try RawClient.sending(connectPacket([.receiveMaximum(0)]) + rest, to: broker).expectRefusal(0x82)
        try RawClient.sending(connectPacket(flags: 0x03) + rest, to: broker).expectRefusal(0x81)
        try watcher.expectNoMessage()
        let late = try RawClient.v5(broker)
        try late.subscribe(topic, 2)
        try late.expectNoMessage()
    }

    @Test("[5.0 facts] a client may send on without waiting for CONNACK")
    func pipelined() throws {
        let topic = unique("t")
        let client = try RawClient.sending(
            connectPacket() + Wire.subscribe(id: 1, [(topic, 0)], properties: [])
                + Wire.publish(topic: topic, payload: "x", properties: []) + Wire.pingreq,
            to: .shared())
        #expect(try client.expect(.connack).reasonCode == 0)
        // Answers come in order. The message may come before SUBACK: §3.8.4, and on several event loops it sometimes does.
        #expect(try client.receive { $0.kind != .publish }.bytes == [0x90, 4, 0, 1, 0, 0])
        let rest = [try client.receive().kind, try client.receive().kind]
        #expect(Set(rest) == [.publish, .pingresp])
    }

    @Test("[5.0 MQTT-3.2.0-1] CONNACK comes before anything the session has waiting")
    func connackFirst() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 1)
        try first.disconnect()
        let publisher = try RawClient.v5(broker)
        for number in 1...10 { try publisher.publish(topic, "\(number)", qos: 1) }
        let client = try RawClient(broker, version: 5)
        client.send(Wire.connect(id: id, version: 5, cleanStart: false))
        #expect(try client.receive().kind == .connack)
        for number in 1...10 { try client.expectMessage(topic, "\(number)", qos: 1) }
    }

    @Test("[5.0 MQTT-3.2.0-2] a connection gets one CONNACK, never a second")
    func onlyOne() throws {
        let broker = try BrokerProcess.shared()
        for second in [connectPacket(), Wire.auth(reason: 0x19, properties: [.authenticationMethod("m")])] {
            let client = try RawClient.v5(broker)
            client.send(second)
            let answers = try client.packetsUntilClosed()
            #expect(!answers.contains { $0.kind == .connack })
        }
    }

    // MARK: flags

    @Test("[5.0 MQTT-3.2.2-1] the flags of CONNACK are 0 but for Session Present")
    func flags() throws {
        let broker = try BrokerProcess.shared()
        let id = unique("c")
        let properties: [Property] = [.sessionExpiryInterval(60)]
        #expect(try RawClient.v5(broker, id: id, clean: true, properties).connack?.body[0] == 0)
        #expect(try RawClient.v5(broker, id: id, clean: false, properties).connack?.body[0] == 1)
        #expect(try RawClient.v5(broker, id: id, clean: true, properties).connack?.body[0] == 0)
    }

    @Test("[5.0 MQTT-3.2.2-2] an accepted Clean Start has Session Present 0 and reason 00, whatever there was")
    func cleanStart() throws {
        let broker = try BrokerProcess.shared()
        let id = unique("c")
        for _ in 1...2 {
            let client = try RawClient.v5(broker, id: id, clean: true, [.sessionExpiryInterval(60)])
            #expect(Array(try #require(client.connack).body.prefix(2)) == [0, 0])
            try client.disconnect()
        }
    }

    @Test("[5.0 MQTT-3.2.2-3] Session Present says whether there was a session, with reason 00 either way")
    func sessionPresent() throws {
        let broker = try BrokerProcess.shared()
        let id = unique("c")
        for present in [0, 1, 1] as [UInt8] {
            let client = try RawClient.v5(broker, id: id, clean: false, [.sessionExpiryInterval(60)])
            #expect(Array(try #require(client.connack).body.prefix(2)) == [present, 0])
            try client.disconnect()
        }
    }

    @Test("[5.0 MQTT-3.2.2-6] a refusal has Session Present 0, and the session stays as it was")
    func refusedWithSession() throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "max_qos 1\n")
        let id = unique("c")
        try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)]).disconnect()
        let will = Wire.Will(topic: unique("w"), payload: "x", qos: 2)
        let connect = Wire.connect(id: id, version: 5, cleanStart: false, will: will)
        let connack = try #require(try RawClient.sending(connect, to: broker).expectRefusal(0x9B))
        #expect(connack.body[0] == 0)
        #expect(try RawClient.v5(broker, id: id, clean: false).connack?.sessionPresent == true)
    }

    @Test("[5.0 MQTT-3.2.2-7] after a CONNACK of 80 or above the broker closes")
    func closesAfterRefusal() throws {
        let closed = try BrokerProcess.shared(Self.closed)
        let client = try RawClient.sending(connectPacket(), to: closed)
        #expect(try #require(client.expect(.connack).reasonCode) >= 0x80)
        try client.expectClosed()
    }

    @Test("[5.0 MQTT-3.2.2-8] the reasons of CONNACK come from its own table")
    func reasons() throws {
        let table: Set<UInt8> = [
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A,
            0x9B,
            0x9C, 0x9D, 0x9F,
        ]
        let requests = [
            connectPacket(), connectPacket(flags: 0x03), connectPacket([.receiveMaximum(0)]),
            connectPacket([.topicAlias(1)]),
            connectPacket([.authenticationMethod("m")]), connectPacket([.binary(0x26, [0xFF, 0xFE])]),
            connectPacket(payload: []),
            Wire.connect(id: unique("c"), version: 5, will: .init(topic: "#", payload: "")),
        ]
        for configuration in [BrokerProcess.anonymous, Self.closed] {
            for request in requests {
                let client = try RawClient.sending(request, to: .shared(configuration))
                guard let answer = try client.next() else { continue }
                #expect(answer.kind == .connack)
                #expect(table.contains(try #require(answer.reasonCode)))
            }
        }
    }

    // MARK: what the broker offers

    @Test("[5.0 facts] CONNACK has Topic Alias Maximum 10 first, then Maximum Packet Size 2000000, Receive Maximum 20")
    func defaults() throws {
        let connack = try #require(try RawClient.v5(.shared()).connack)
        let limits: [Property] = [.topicAliasMaximum(10), .maximumPacketSize(2_000_000), .receiveMaximum(20)]
        // What else there is to say, here an assigned id, comes behind the first.
        let assigned = try #require(try RawClient.v5(.shared(), id: "").connack)
        #expect(assigned.properties.first == limits[0])
        #expect(assigned.properties.contains { $0.id == 0x12 })
        for connack in [connack, assigned] {
            try withKnownDifference(.mosquitto, "2.0.11 has no limit of size; 2.1 has this one") {
                #expect(connack.properties.filter { limits.map(\.id).contains($0.id) } == limits)
            }
        }
        #expect(connack.number(0x22) == 10)
        #expect(connack.number(0x21) == 20)
        // Absent means: QoS 2, retained, wildcard, identifiers and shared are all there.
        for id: UInt8 in [0x24, 0x25, 0x28, 0x29, 0x2A] where connack.number(id) != nil {
            #expect(id != 0x24, "Maximum QoS 2 is said by saying nothing")
            #expect(connack.number(id) == 1)
        }
        #expect(Set(connack.properties.map(\.id)).count == connack.properties.count)
    }

    @Test("[5.0 facts] the limits of the configuration are announced")
    func announced() throws {
        let broker = try BrokerProcess.shared(
            BrokerProcess.anonymous + "max_topic_alias 3\nmax_packet_size 1000\nmax_inflight_messages 5\n")
        let connack = try #require(try RawClient.v5(broker).connack)
        #expect(connack.number(0x22) == 3)
        #expect(connack.number(0x27) == 1_000)
        #expect(connack.number(0x21) == 5)
    }

    @Test("[5.0 facts] a Session Expiry Interval that CONNACK repeats is the one that counts")
    func sessionExpiryAnswer() throws {
        let connack = try #require(try RawClient.v5(.shared(), [.sessionExpiryInterval(60)]).connack)
        #expect(connack.number(0x11) == nil || connack.number(0x11) == 60)
    }

    // MARK: Maximum QoS, Retain Available

    static let qosLimited: [(configuration: String, maximum: UInt8)] = [("max_qos 0\n", 0), ("max_qos 1\n", 1)]

    @Test("[5.0 MQTT-3.2.2-9] a broker limited to QoS 0 or 1 says so", arguments: qosLimited)
    func maximumQoS(configuration: String, maximum: UInt8) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + configuration)
        #expect(try RawClient.v5(broker).connack?.property(0x24) == [[maximum]])
    }

    @Test("[5.0 MQTT-3.2.2-10] a limited broker still accepts SUBSCRIBE of every QoS", arguments: qosLimited)
    func subscribeAtLimit(configuration: String, maximum: UInt8) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + configuration)
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        for qos in [0, 1, 2] as [UInt8] {
            client.send(Wire.subscribe(id: 1, [(topic, qos)], properties: []))
            #expect(try #require(client.expect(.suback).reasonCode) <= qos)
        }
        client.send(Wire.publish(topic: topic, payload: "x", properties: []))
        try client.expectMessage(topic, "x", qos: 0)
    }

    @Test(
        "[5.0 MQTT-3.2.2-12] a will above the broker's Maximum QoS is refused with 9B",
        arguments: [(0, 1), (0, 2), (1, 2)] as [(Int, UInt8)])
    func willAboveMaximum(maximum: Int, qos: UInt8) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "max_qos \(maximum)\n")
        func connect(_ qos: UInt8) -> [UInt8] {
            Wire.connect(id: unique("c"), version: 5, will: .init(topic: "w", payload: "x", qos: qos))
        }
        try RawClient.sending(connect(UInt8(maximum)), to: broker).expectAccepted()
        try RawClient.sending(connect(qos), to: broker).expectRefusal(0x9B)
    }

    @Test(
        "[5.0 facts] a PUBLISH above the broker's Maximum QoS closes with 9B",
        arguments: [(0, 1), (0, 2), (1, 2)] as [(Int, UInt8)])
    func publishAboveMaximum(maximum: Int, qos: UInt8) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "max_qos \(maximum)\n")
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        watcher.send(Wire.subscribe(id: 1, [(topic, 2)], properties: []))
        try watcher.expect(.suback)
        let client = try RawClient.v5(broker)
        try client.publish(topic, "right", qos: UInt8(maximum))
        try watcher.expectMessage(topic, "right")
        client.send(Wire.publish(topic: topic, payload: "wrong", qos: qos, id: 9, properties: []))
        try client.expectDisconnect(0x9B)
        try watcher.expectNoMessage()
    }

    static let withoutRetain = BrokerProcess.anonymous + "retain_available false\n"

    @Test("[5.0 MQTT-3.2.2-13] a retained will at a broker without retained messages is refused with 9A")
    func retainedWill() throws {
        let broker = try BrokerProcess.shared(Self.withoutRetain)
        func connect(_ retain: Bool) -> [UInt8] {
            Wire.connect(id: unique("c"), version: 5, will: .init(topic: "w", payload: "x", retain: retain))
        }
        try RawClient.sending(connect(false), to: broker).expectAccepted()
        try RawClient.sending(connect(true), to: broker).expectRefusal(0x9A)
    }

    @Test("[5.0 facts] a broker without retained messages says so, and closes with 9A on one")
    func retainedPublish() throws {
        let broker = try BrokerProcess.shared(Self.withoutRetain)
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        #expect(client.connack?.property(0x25) == [[0]])
        try client.subscribe(topic, 0)
        client.send(Wire.publish(topic: topic, payload: "x", properties: []))
        try client.expectMessage(topic, "x")
        client.send(Wire.publish(topic: topic, payload: "x", retain: true, properties: []))
        try client.expectDisconnect(0x9A)
    }

    // MARK: client ids

    @Test("[5.0 MQTT-3.1.3-6] an empty client id gets a unique one", arguments: [true, false])
    func emptyID(clean: Bool) throws {
        let broker = try BrokerProcess.shared()
        let clients = try (0..<3).map { _ in try RawClient.v5(broker, id: "", clean: clean) }
        // All of them stay: nobody took over from anybody.
        for client in clients {
            try client.expectQuiet()
            #expect(client.connack?.sessionPresent == false)
        }
        #expect(Set(clients.map { $0.connack?.text(0x12) ?? "" }).count == 3)
    }

    @Test("[5.0 MQTT-3.1.3-7] an assigned id is told to the client and works like its own", arguments: [true, false])
    func assignedID(clean: Bool) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let first = try RawClient.v5(broker, id: "", clean: clean, [.sessionExpiryInterval(60)])
        let assigned = try #require(first.connack?.text(0x12))
        #expect(!assigned.isEmpty)
        try first.subscribe(topic, 1)
        try first.disconnect()
        try RawClient.v5(broker).publish(topic, "waiting", qos: 1)
        let second = try RawClient.v5(broker, id: assigned, clean: false)
        #expect(second.connack?.sessionPresent == true)
        #expect(second.connack?.property(0x12).isEmpty == true)
        try second.expectMessage(topic, "waiting", qos: 1)
        let third = try RawClient.v5(broker, id: assigned, clean: false)
        try second.expectDisconnect(0x8E)
        try third.expectQuiet()
    }

    @Test("[5.0 MQTT-3.2.2-16] assigned ids differ from each other, also from those of sessions that are away")
    func assignedIDsDiffer() throws {
        let broker = try BrokerProcess.shared()
        var ids: Set<String> = []
        for _ in 1...20 {
            let client = try RawClient.v5(broker, id: "", [.sessionExpiryInterval(60)])
            ids.insert(try #require(client.connack?.text(0x12)))
            #expect(client.connack?.property(0x12).count == 1)
            try client.disconnect()
        }
        #expect(ids.count == 20)
    }

    @Test("[5.0 facts] assigned ids begin with auto_id_prefix")
    func assignedPrefix() throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "auto_id_prefix guest-\n")
        let id = try #require(try RawClient.v5(broker, id: "").connack?.text(0x12))
        #expect(id.hasPrefix("guest-"))
    }

    @Test("[5.0 MQTT-3.1.3-8] an id the broker does not take is refused with 85", arguments: [true, false])
    func refusedID(clean: Bool) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "allow_zero_length_clientid false\n")
        let connect = Wire.connect(id: "", version: 5, cleanStart: clean)
        try withKnownDifference(.mosquitto, "a refused id gets the reason 80") {
            try RawClient.sending(connect, to: broker).expectRefusal(0x85)
        }
        try RawClient.v5(broker).expectQuiet()
    }

    // MARK: Maximum Packet Size of the client

    @Test(
        "[5.0 MQTT-3.2.2-19] a refusal fits the client's Maximum Packet Size, Reason String left out",
        arguments: [1, 5, 20] as [UInt32])
    func smallRefusal(size: UInt32) throws {
        let broker = try BrokerProcess.shared(Self.closed)
        let client = try RawClient.sending(connectPacket([.maximumPacketSize(size)]), to: broker)
        if let connack = try client.expectRefusal(0x86, 0x87) {
            #expect(connack.bytes.count <= Int(size))
        }
    }

    @Test(
        "[5.0 MQTT-3.2.2-20] CONNACK fits the client's Maximum Packet Size, its User Property left out",
        arguments: [24, 40] as [UInt32])
    func smallConnack(size: UInt32) throws {
        let connect = connectPacket([.maximumPacketSize(size), .user("a", "b")])
        let connack = try RawClient.sending(connect, to: .shared()).expectAccepted()
        #expect(connack.bytes.count <= Int(size))
    }
}
