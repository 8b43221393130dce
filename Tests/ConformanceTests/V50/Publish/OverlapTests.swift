import MQTTTestKit
import Testing

/// 5.0 §3.3.4: several subscriptions of one client that match one message.
@Suite("V50 overlapping subscriptions", .blocking) struct V50OverlapTests {
    typealias Subscription = (filter: String, options: UInt8, id: Int?)

    /// What a client with these subscriptions, below a topic of its own, gets of one message to `b`.
    static func copies(_ subscriptions: [Subscription], publishedAt qos: UInt8 = 2) throws -> [ReceivedPacket] {
        let broker = try BrokerProcess.shared()
        let root = unique("t")
        let client = try RawClient.v5(broker)
        for (filter, options, id) in subscriptions {
            try client.subscribe(
                "\(root)/\(filter)", options, properties: id.map { [.subscriptionIdentifier($0)] } ?? [])
        }
        try RawClient.v5(broker).publish(root + "/b", "x", qos: qos)
        pause(milliseconds: 30)
        let copies = try client.barrier()
        for copy in copies {
            #expect(copy.kind == .publish)
            #expect(copy.topicText == root + "/b")
            #expect(copy.payloadText == "x")
        }
        return copies
    }

    static func identifiers(_ copies: [ReceivedPacket]) -> [Int] { copies.flatMap { $0.variableByteIntegers(0x0B) } }

    @Test(
        "[5.0 MQTT-3.3.4-2] overlapping subscriptions deliver at the highest QoS granted",
        arguments: [[0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [2, 0]] as [[UInt8]])
    func highestQoS(granted: [UInt8]) throws {
        let copies = try Self.copies([("#", granted[0], nil), ("b", granted[1], nil)])
        #expect(copies.map(\.qos).max() == granted.max())
        // One copy, or one for each subscription at its own QoS.
        #expect(copies.count == 1 || copies.map(\.qos).sorted() == granted.sorted())
    }

    @Test("[5.0 facts] a message of lower QoS is not raised by an overlap")
    func notRaised() throws {
        let copies = try Self.copies([("#", 2, nil), ("b", 1, nil)], publishedAt: 1)
        #expect(!copies.isEmpty)
        #expect(copies.allSatisfy { $0.qos == 1 })
    }

    @Test(
        "[5.0 MQTT-3.3.4-3] the identifier of a subscription goes with the messages it causes",
        arguments: [1, 127, 128, 16_384, 268_435_455])
    func identifier(id: Int) throws {
        let copies = try Self.copies([("b", 1, id)])
        #expect(copies.map(\.properties) == [[.subscriptionIdentifier(id)]])
        // A subscription that does not match adds nothing.
        #expect(try Self.identifiers(Self.copies([("b", 1, id), ("c", 1, 9)])) == [id])
    }

    @Test("[5.0 MQTT-3.8.3-3] No Local holds for each of several subscriptions that match")
    func noLocal() throws {
        let broker = try BrokerProcess.shared()
        let root = unique("t")
        let client = try RawClient.v5(broker)
        try client.subscribe("\(root)/#", 0x04)
        try client.subscribe("\(root)/b", 0x05)
        try client.publish("\(root)/b", "own", qos: 1)
        try client.expectNoMessage()
        // One that does without it gets the message, and the others add nothing to it.
        try client.subscribe("\(root)/+", 0, properties: [.subscriptionIdentifier(9)])
        client.send(Wire.publish(topic: "\(root)/b", payload: "own", qos: 1, id: 1, properties: []))
        let message = try client.receive { $0.kind == .publish }
        #expect(message.qos == 0)
        #expect(message.variableByteIntegers(0x0B) == [9])
        try client.expectAcknowledgement(.puback, 1)
        try client.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.3.4-3] the identifiers of overlapping subscriptions are all sent")
    func overlapping() throws {
        #expect(try Self.identifiers(Self.copies([("b", 1, 11), ("+", 1, 12)])).sorted() == [11, 12])
    }

    @Test("[5.0 MQTT-3.3.4-4] a single copy carries the identifiers of all subscriptions that match and have one")
    func allIdentifiers() throws {
        let copies = try Self.copies([("#", 1, 11), ("b", 1, 300), ("+", 1, nil), ("b/#", 1, 70_000), ("c", 1, 5)])
        // A broker that sends several copies shows each identifier once as well.
        #expect(Self.identifiers(copies).sorted() == [11, 300, 70_000])
        #expect(copies.count == 1 || copies.count == 4)
    }

    @Test("[5.0 MQTT-3.3.4-5] where a copy is sent for each subscription, each carries its own identifier and QoS")
    func copyEach() throws {
        let copies = try Self.copies([("#", 0, 1), ("b", 1, 2), ("+", 2, 3)])
        if copies.count > 1 {
            #expect(copies.count == 3)
            for copy in copies { #expect(copy.variableByteIntegers(0x0B) == [Int(copy.qos) + 1]) }
        } else {
            let only = try #require(copies.first)
            #expect(only.qos == 2)
            #expect(only.variableByteIntegers(0x0B).sorted() == [1, 2, 3])
        }
    }

    @Test("[5.0 facts] two subscriptions with the same identifier both show it")
    func sameIdentifier() throws {
        #expect(try Self.identifiers(Self.copies([("#", 1, 7), ("b", 1, 7)])) == [7, 7])
    }

    @Test(
        "[5.0 facts] a new SUBSCRIBE to the same filter replaces its identifier and QoS, or takes the identifier away")
    func replaced() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker)
        for (id, options) in [(4, 1), (5, 0), (nil, 1), (6, 2)] as [(Int?, UInt8)] {
            try client.subscribe(topic, options, properties: id.map { [.subscriptionIdentifier($0)] } ?? [])
            try RawClient.v5(broker).publish(topic, "x", qos: 2)
            let message = try client.expectMessage(topic, "x", qos: options)
            #expect(message.variableByteIntegers(0x0B) == (id.map { [$0] } ?? []))
            try client.expectNoMessage()
        }
    }

    @Test("[5.0 facts] one SUBSCRIBE gives its identifier to all its filters, and another client has its own")
    func oneForAll() throws {
        let broker = try BrokerProcess.shared()
        let (one, two) = (unique("t"), unique("t"))
        let client = try RawClient.v5(broker)
        client.send(Wire.subscribe(id: 1, [(one, 0), (two, 0)], properties: [.subscriptionIdentifier(42)]))
        #expect(try client.expect(.suback).reasonCodes == [0, 0])
        let other = try RawClient.v5(broker)
        try other.subscribe(one, 0, properties: [.subscriptionIdentifier(43)])
        let publisher = try RawClient.v5(broker)
        for topic in [one, two] {
            try publisher.publish(topic, "x")
            #expect(try client.expectMessage(topic, "x").variableByteIntegers(0x0B) == [42])
        }
        #expect(try other.expectMessage(one, "x").variableByteIntegers(0x0B) == [43])
    }

    @Test("[5.0 facts] identifiers live with the session")
    func keptWithSession() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 1, properties: [.subscriptionIdentifier(77)])
        try first.disconnect()
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "waiting", qos: 1)
        let back = try RawClient.v5(broker, id: id, clean: false)
        #expect(try back.expectMessage(topic, "waiting").variableByteIntegers(0x0B) == [77])
        try publisher.publish(topic, "live", qos: 1)
        #expect(try back.expectMessage(topic, "live").variableByteIntegers(0x0B) == [77])
    }
}
