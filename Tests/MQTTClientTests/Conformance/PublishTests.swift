import MQTTClient
import MQTTProtocol
import Testing

/// What the standards demand of a client that publishes.
@Suite("Client conformance: PUBLISH to the server")
struct PublishTests {
    private static let both = [ProtocolVersion.v311, .v5]

    private static func configuration(_ version: ProtocolVersion) -> ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: "c", version: version)
        configuration.cleanStart = false
        configuration.inflightMax = 1_000
        if version == .v5 { configuration.sessionExpiryIntervalSeconds = 100 }
        return configuration
    }

    private static func connected(
        _ version: ProtocolVersion, _ change: (inout Connack.Properties) -> Void = { _ in }
    ) throws -> Bench {
        var bench = try Bench(configuration(version))
        bench.connect(change)
        _ = bench.take()
        return bench
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-5] [5.0 MQTT-2.2.1-2] [3.1.1 MQTT-3.3.1-2] [5.0 MQTT-3.3.1-2] [3.1.1 MQTT-4.3.1-1] [5.0 MQTT-4.3.1-1] [3.1.1 MQTT-3.3.2-1] [5.0 MQTT-3.3.2-1] [3.1.1 MQTT-2.2.2-1] [5.0 MQTT-2.2.2-1] [5.0 MQTT-3.3.4-6] QoS 0: no identifier, DUP 0, the topic first, an empty property block in 5.0",
        arguments: both)
    func atMostOnce(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        try bench.publish(Message("ab", [9], retain: true), as: 1)
        #expect(
            bench.wire.last == (version == .v5 ? [0x31, 6, 0, 2, 0x61, 0x62, 0, 9] : [0x31, 5, 0, 2, 0x61, 0x62, 9]))
        #expect(bench.completed[1] == .published(PublishResult(.success)))
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-1] [3.1.1 MQTT-2.3.1-2] [3.1.1 MQTT-2.3.1-3] [5.0 MQTT-2.2.1-3] [3.1.1 MQTT-4.3.2-1] [5.0 MQTT-4.3.2-1] [5.0 MQTT-4.3.2-2] [5.0 MQTT-4.3.3-1] [5.0 MQTT-4.3.3-2] identifiers: never 0, never one in use, also after going round",
        arguments: both)
    func identifiers(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        var open: Set<UInt16> = []
        // One message is never acknowledged; the others come and go until the numbers have gone round.
        try bench.publish(Message("a", "slow", qos: .exactlyOnce), as: 1)
        let slow = try #require(bench.take().last?.publish).packetIdentifier
        open.insert(slow)
        for request in 2..<200 as Range<UInt64> {
            let qos: QoS = request % 2 == 0 ? .atLeastOnce : .exactlyOnce
            try bench.publish(Message("a", "x", qos: qos), as: request)
            let publish = try #require(bench.take().last?.publish)
            #expect(publish.packetIdentifier != 0)
            #expect(!publish.duplicate)
            #expect(open.insert(publish.packetIdentifier).inserted)
        }
        #expect(bench.session.packetIdentifiersInUse == open.count)
    }

    @Test("65,535 identifiers later the numbers begin anew at 1")
    func roundTheClock() throws {
        var bench = try Self.connected(.v5)
        for request in 1...65_540 as ClosedRange<UInt64> {
            try bench.publish(Message("a", "x", qos: .atLeastOnce), as: request)
            let identifier = try #require(bench.take().last?.publish).packetIdentifier
            #expect(identifier == UInt16((request - 1) % 65_535 + 1))
            bench.receive(.puback(Puback(packetIdentifier: identifier)))
        }
    }

    @Test(
        "[3.1.1 MQTT-2.3.1-6] [5.0 MQTT-2.2.1-5] [3.1.1 MQTT-3.6.1-1] [5.0 MQTT-3.6.1-1] [5.0 MQTT-3.6.2-1] [5.0 MQTT-3.6.2-2] [5.0 MQTT-3.6.2-3] [5.0 MQTT-4.3.3-4] [3.1.1 MQTT-4.6.0-4] [5.0 MQTT-4.6.0-4] PUBREL: flags 0010, the identifier of its PUBREC, in the order PUBRECs came, nothing that does not fit",
        arguments: both)
    func pubrel(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        for request in 1...3 as ClosedRange<UInt64> {
            try bench.publish(Message("a", "x", qos: .exactlyOnce), as: request)
        }
        _ = bench.take()
        for identifier in [3, 1, 2] as [UInt16] { bench.receive(.pubrec(Pubrec(packetIdentifier: identifier))) }
        #expect(bench.wire.suffix(3) == [[0x62, 2, 0, 3], [0x62, 2, 0, 1], [0x62, 2, 0, 2]])
        // Again, on the next connection, in that order.
        bench.lose()
        _ = bench.take()
        bench.connect(sessionPresent: true)
        #expect(bench.wire.suffix(3) == [[0x62, 2, 0, 3], [0x62, 2, 0, 1], [0x62, 2, 0, 2]])
        bench.receive(.pubrec(Pubrec(packetIdentifier: 77)))
        #expect(bench.wire.last == (version == .v5 ? [0x62, 3, 0, 77, 0x92] : [0x62, 2, 0, 77]))
    }

    @Test(
        "[3.1.1 MQTT-3.3.1-1] [5.0 MQTT-3.3.1-1] [5.0 MQTT-3.3.1-3] [3.1.1 MQTT-4.4.0-1] [5.0 MQTT-4.4.0-1] [3.1.1 MQTT-4.6.0-1] [5.0 MQTT-4.6.0-1] [5.0 MQTT-4.3.2-3] [5.0 MQTT-4.3.3-3] [5.0 MQTT-4.3.3-5] [5.0 MQTT-4.3.3-6] [3.1.1 MQTT-4.3.3-1] [3.1.1 MQTT-4.1.0-2] [5.0 MQTT-4.1.0-1] what is open goes out again with the session, in order, DUP 1, and at no other time",
        arguments: both)
    func resumed(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        for request in 1...5 as ClosedRange<UInt64> {
            try bench.publish(
                Message("a", bytes(Int(request)), qos: request % 2 == 0 ? .exactlyOnce : .atLeastOnce), as: request)
        }
        bench.receive(.pubrec(Pubrec(packetIdentifier: 2)))
        _ = bench.take()
        bench.wait(.seconds(30))
        #expect(bench.take() == [])
        bench.lose()
        bench.connect(sessionPresent: true)
        let again = bench.take()
        #expect(again.first == .pubrel(Pubrel(packetIdentifier: 2)))
        #expect(again.dropFirst().compactMap { $0.publish?.packetIdentifier } == [1, 3, 4, 5])
        #expect(again.dropFirst().allSatisfy { $0.publish?.duplicate == true })
    }

    @Test(
        "[5.0 MQTT-3.2.2-5] the server has lost the session: no old identifiers, no DUP; callers still get their answer",
        arguments: both)
    func lostSession(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        try bench.publish(Message("a", "1", qos: .atLeastOnce), as: 1)
        try bench.publish(Message("a", "2", qos: .exactlyOnce), as: 2)
        try bench.publish(Message("a", "3", qos: .exactlyOnce), as: 3)
        bench.receive(.pubrec(Pubrec(packetIdentifier: 2)))
        bench.lose()
        bench.connect()
        let again = bench.take().compactMap(\.publish)
        #expect(again.map(\.payload) == [Array("1".utf8), Array("3".utf8)])
        #expect(again.allSatisfy { !$0.duplicate })
        // The server had taken the second over with PUBREC.
        #expect(bench.completed[2] == .published(PublishResult(.success)))
        for publish in again {
            if publish.qos == .atLeastOnce {
                bench.receive(.puback(Puback(packetIdentifier: publish.packetIdentifier)))
            } else {
                bench.receive(.pubrec(Pubrec(packetIdentifier: publish.packetIdentifier)))
                bench.receive(.pubcomp(Pubcomp(packetIdentifier: publish.packetIdentifier)))
            }
        }
        #expect(bench.completed.count == 3)
        #expect(bench.session.packetIdentifiersInUse == 0)
    }

    @Test(
        "[5.0 MQTT-4.4.0-2] [5.0 MQTT-3.4.2-1] [5.0 MQTT-3.5.2-1] a refusal ends the flow with its code, and is not sent again"
    )
    func refused() throws {
        var bench = try Self.connected(.v5)
        try bench.publish(Message("a", "1", qos: .atLeastOnce), as: 1)
        try bench.publish(Message("a", "2", qos: .exactlyOnce), as: 2)
        _ = bench.take()
        bench.receive(.puback(Puback(packetIdentifier: 1, reasonCode: .notAuthorized, reasonString: "no")))
        bench.receive(.pubrec(Pubrec(packetIdentifier: 2, reasonCode: .quotaExceeded)))
        #expect(bench.take() == [])
        #expect(bench.completed[1] == .failed(.refused(.notAuthorized, reasonString: "no")))
        #expect(bench.completed[2] == .failed(.refused(.quotaExceeded, reasonString: nil)))
        bench.lose()
        bench.connect(sessionPresent: true)
        #expect(bench.take() == [])
        bench.receive(bytes: [0x40, 3, 0, 1, 0x92])
        #expect(bench.closes.last == .malformedPacket(.reasonCodeNotAllowed(.puback, .packetIdentifierNotFound)))
    }

    @Test(
        "[5.0 MQTT-3.3.4-7] [5.0 MQTT-3.3.4-8] [5.0 MQTT-4.9.0-1] [5.0 MQTT-4.9.0-2] [5.0 MQTT-4.9.0-3] the server's Receive Maximum: no more in flight, everything else goes on"
    )
    func receiveMaximum() throws {
        var bench = try Self.connected(.v5) { $0.receiveMaximum = 2 }
        for request in 1...5 as ClosedRange<UInt64> {
            try bench.publish(Message("a", "x", qos: .exactlyOnce), as: request)
        }
        #expect(bench.take().count == 2)
        try bench.publish(Message("a", "0"), as: 9)
        try bench.subscribe([SubscriptionFilter("b")], as: 10)
        #expect(bench.take().map(\.type) == [.publish, .subscribe])
        bench.receive(.publish(Publish(qos: .atLeastOnce, topic: "b", packetIdentifier: 1)))
        #expect(bench.take() == [.puback(Puback(packetIdentifier: 1))])
        bench.receive(.pubrec(Pubrec(packetIdentifier: 1)))
        #expect(bench.take() == [.pubrel(Pubrel(packetIdentifier: 1))])
        bench.receive(.pubcomp(Pubcomp(packetIdentifier: 1)))
        #expect(bench.take().count == 1)
        bench.receive(.pubrec(Pubrec(packetIdentifier: 2, reasonCode: .unspecifiedError)))
        #expect(bench.take().count == 1)
        // A new connection has a new quota, and repetitions count.
        bench.lose()
        bench.connect(sessionPresent: true) { $0.receiveMaximum = 1 }
        let again = bench.take().compactMap(\.publish)
        #expect(again.map(\.duplicate) == [true])
    }

    @Test(
        "[5.0 MQTT-3.2.2-11] [5.0 MQTT-3.2.2-14] [5.0 MQTT-3.2.2-15] the server's limits are errors before anything is sent"
    )
    func limits() throws {
        var bench = try Self.connected(.v5) {
            $0.maximumQoS = .atMostOnce
            $0.retainAvailable = false
            $0.maximumPacketSize = 50
        }
        #expect(throws: ClientError.qosNotSupported(maximum: .atMostOnce)) {
            try bench.publish(Message("a", "x", qos: .atLeastOnce), as: 1)
        }
        #expect(throws: ClientError.retainNotSupported) { try bench.publish(Message("a", "x", retain: true), as: 2) }
        let fits = Message("a", [UInt8](repeating: 0, count: 44))
        try bench.publish(fits, as: 3)
        #expect(bench.wire.last?.count == 50)
        #expect(throws: ClientError.packetTooLarge(bytes: 51, limitBytes: 50)) {
            try bench.publish(Message("a", [UInt8](repeating: 0, count: 45)), as: 4)
        }
        #expect(throws: ClientError.self) {
            try bench.subscribe(
                [SubscriptionFilter("a/filter/that/is/longer/than/the/packet/may/be/at/this/server")], as: 5)
        }
        #expect(bench.take().count == 1)
        // What waited for a connection learns of the limits when there is one.
        bench.lose()
        try bench.publish(Message("a", "x", qos: .exactlyOnce), as: 6)
        bench.connect { $0.maximumQoS = .atLeastOnce }
        #expect(bench.completed[6] == .failed(.qosNotSupported(maximum: .atLeastOnce)))
    }

    @Test(
        "[5.0 MQTT-3.2.2-17] [5.0 MQTT-3.2.2-18] [5.0 MQTT-3.3.2-7] [5.0 MQTT-3.3.2-8] [5.0 MQTT-3.3.2-9] aliases within the server's maximum, none where it allows none, none of an earlier connection"
    )
    func aliases() throws {
        var bench = try Self.connected(.v5) {
            $0.topicAliasMaximum = 2
            $0.maximumPacketSize = 1_000
        }
        for topic in ["aaaa", "bbbb", "cccc", "aaaa", "bbbb"] {
            try bench.publish(Message("\(topic)", "x", qos: .atLeastOnce), as: nil)
        }
        let publishes = bench.take().compactMap(\.publish)
        #expect(publishes.map(\.properties.topicAlias) == [1, 2, nil, 1, 2])
        #expect(publishes.map(\.topic) == ["aaaa", "bbbb", "cccc", "", ""])
        bench.lose()
        bench.connect(sessionPresent: true)
        try bench.publish(Message("aaaa", "x"), as: nil)
        let later = bench.take().compactMap(\.publish)
        #expect(later.allSatisfy { $0.properties.topicAlias == nil && !$0.topic.isEmpty })
    }

    @Test(
        "[3.1.1 MQTT-3.3.2-2] [5.0 MQTT-3.3.2-2] [3.1.1 MQTT-4.7.1-1] [5.0 MQTT-4.7.0-1] [3.1.1 MQTT-4.7.3-1] [3.1.1 MQTT-4.7.3-2] [3.1.1 MQTT-4.7.3-3] [5.0 MQTT-4.7.3-1] [5.0 MQTT-4.7.3-2] [5.0 MQTT-4.7.3-3] [5.0 MQTT-3.3.2-13] [5.0 MQTT-3.3.2-14] [5.0 MQTT-3.3.2-19] [5.0 MQTT-1.5.7-1] [3.1.1 MQTT-1.5.3-2] [5.0 MQTT-1.5.4-2] topics and texts that may not be sent are refused at home"
    )
    func texts() throws {
        for text in ["", "a/+", "#", "a\0", String(repeating: "x", count: 65_536)] {
            #expect(throws: ClientError.invalidTopic(text)) { try Topic(text) }
        }
        _ = try Topic(String(repeating: "x", count: 65_535))
        var bench = try Self.connected(.v5)
        var properties = Message.Properties()
        properties.contentType = "\0"
        #expect(throws: ClientError.self) { try bench.publish(Message("a", "x", properties: properties), as: 1) }
        properties.contentType = nil
        properties.userProperties = [ClientUserProperty("n", "\0")]
        #expect(throws: ClientError.self) { try bench.publish(Message("a", "x", properties: properties), as: 1) }
    }

    @Test(
        "[3.1.1 MQTT-1.5.3-3] [5.0 MQTT-1.5.4-3] [3.1.1 MQTT-1.5.3-1] [5.0 MQTT-1.5.4-1] U+FEFF stays; topics are compared by bytes"
    )
    func byteOrderMark() throws {
        let marked: Topic = "\u{FEFF}a"
        #expect(marked.utf8 == [0xEF, 0xBB, 0xBF, 0x61])
        #expect(marked != "a")
        let (composed, single): (Topic, Topic) = ("e\u{301}", "\u{E9}")
        #expect(composed != single)
        var bench = try Self.connected(.v5)
        try bench.publish(Message(marked, "x"), as: 1)
        #expect(bench.take().last?.publish?.topic.bytes == marked.utf8)
    }

    @Test(
        "[5.0 MQTT-1.5.5-1] lengths take the fewest bytes",
        arguments: [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
    func lengths(remaining: Int) throws {
        var bench = try Self.connected(.v311)
        guard remaining > 3 else { return }
        try bench.publish(Message("a", [UInt8](repeating: 0, count: remaining - 3)), as: 1)
        let size = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4
        #expect(bench.wire.last?.count == 1 + size + remaining)
    }

    @Test("[5.0 MQTT-4.3.3-7] [5.0 MQTT-4.3.3-13] expiry counts while a message waits, and no more once it was sent")
    func expiry() throws {
        var bench = try Bench(Self.configuration(.v5))
        var properties = Message.Properties()
        properties.messageExpiryIntervalSeconds = 10
        let message = Message("a", "x", qos: .exactlyOnce, properties: properties)
        try bench.publish(message, as: 1)
        bench.wait(.seconds(4))
        bench.connect()
        #expect(bench.take().compactMap(\.publish).first?.properties.messageExpiryIntervalSeconds == 6)
        bench.wait(.seconds(20))
        bench.receive(.pubrec(Pubrec(packetIdentifier: 1)))
        #expect(bench.take().last == .pubrel(Pubrel(packetIdentifier: 1)))
        bench.receive(.pubcomp(Pubcomp(packetIdentifier: 1)))
        #expect(bench.completed[1] == .published(PublishResult(.success)))
        bench.lose()
        try bench.publish(message, as: 2)
        bench.wait(.seconds(10))
        bench.connect(sessionPresent: true)
        #expect(bench.completed[2] == .failed(.expired))
    }

    @Test("the queue has a limit of messages and of bytes, with an error beyond")
    func queueLimits() throws {
        var configuration = Self.configuration(.v5)
        configuration.queuedMessagesMax = 3
        configuration.queuedBytesMax = 100
        var bench = try Bench(configuration)
        for request in 1...3 as ClosedRange<UInt64> {
            try bench.publish(Message("a", "x", qos: .atLeastOnce), as: request)
        }
        #expect(throws: ClientError.queueFull(limitMessages: 3)) { try bench.publish(Message("a", "x"), as: 4) }
        bench.cancel(2)
        #expect(bench.completed[2] == .failed(.cancelled))
        #expect(throws: ClientError.queueFullOfBytes(limitBytes: 100)) {
            try bench.publish(Message("a", [UInt8](repeating: 0, count: 96)), as: 5)
        }
        bench.connect()
        #expect(bench.take().compactMap(\.publish).count == 2)
        #expect(bench.session.queuedMessages == 0)
    }

    @Test("while the transport takes nothing, nothing is sent, and order is kept afterwards", arguments: both)
    func unwritable(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        bench.setWritable(false)
        for request in 1...6 as ClosedRange<UInt64> {
            try bench.publish(
                Message("a", bytes(Int(request)), qos: QoS(rawValue: UInt8(request % 3)) ?? .atMostOnce), as: request)
        }
        #expect(bench.take() == [])
        bench.setWritable(true)
        #expect(bench.take().compactMap(\.publish).map { number($0.payload) } == [1, 2, 3, 4, 5, 6])
    }
}
