import MQTTClient
import MQTTProtocol
import Testing

/// What the standards demand of a client that receives messages.
@Suite("Client conformance: PUBLISH from the server")
struct DeliveryTests {
    private static let both = [ProtocolVersion.v311, .v5]

    private static func connected(
        _ version: ProtocolVersion = .v5, _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) throws -> Bench {
        var configuration = ClientConfiguration(clientIdentifier: "c", version: version)
        configuration.cleanStart = false
        if version == .v5 { configuration.sessionExpiryIntervalSeconds = 100 }
        change(&configuration)
        var bench = try Bench(configuration)
        bench.connect()
        _ = bench.take()
        return bench
    }

    @Test(
        "[3.1.1 MQTT-3.3.4-1] [5.0 MQTT-3.3.4-1] [3.1.1 MQTT-4.5.0-2] [5.0 MQTT-4.5.0-2] [3.1.1 MQTT-4.6.0-2] [3.1.1 MQTT-4.6.0-3] [5.0 MQTT-4.6.0-2] [5.0 MQTT-4.6.0-3] [5.0 MQTT-4.3.2-4] [5.0 MQTT-4.3.3-8] [5.0 MQTT-3.4.2-2] [5.0 MQTT-3.4.2-3] [5.0 MQTT-3.5.2-2] [5.0 MQTT-3.5.2-3] each QoS has its answer, in the order messages came, also where nobody subscribed; answers are four bytes",
        arguments: both)
    func answers(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        bench.receive(.publish(Publish(topic: "x")))
        #expect(bench.take() == [])
        for identifier in [5, 3, 9] as [UInt16] {
            bench.receive(.publish(Publish(qos: .atLeastOnce, topic: "x", packetIdentifier: identifier)))
        }
        for identifier in [15, 13, 19] as [UInt16] {
            bench.receive(.publish(Publish(qos: .exactlyOnce, topic: "x", packetIdentifier: identifier)))
        }
        #expect(
            bench.wire.suffix(6) == [
                [0x40, 2, 0, 5], [0x40, 2, 0, 3], [0x40, 2, 0, 9], [0x50, 2, 0, 15], [0x50, 2, 0, 13],
                [0x50, 2, 0, 19],
            ])
        #expect(bench.delivered.count == 7)
    }

    @Test(
        "[3.1.1 MQTT-4.6.0-2] [3.1.1 MQTT-4.6.0-3] [5.0 MQTT-4.6.0-2] [5.0 MQTT-4.6.0-3] acknowledged by the program in any order, the answers keep theirs",
        arguments: both)
    func byApplication(version: ProtocolVersion) throws {
        var bench = try Self.connected(version) { $0.acknowledgement = .byApplication }
        for identifier in [5, 3, 9] as [UInt16] {
            bench.receive(
                .publish(
                    Publish(
                        qos: identifier == 3 ? .exactlyOnce : .atLeastOnce, topic: "x", packetIdentifier: identifier)))
        }
        #expect(bench.take() == [])
        bench.acknowledge(bench.delivered[2].message)
        bench.acknowledge(bench.delivered[1].message)
        #expect(bench.take() == [])
        bench.acknowledge(bench.delivered[0].message)
        #expect(bench.take().map(\.type) == [.puback, .pubrec, .puback])
        // What was not acknowledged comes again; QoS 2 is not delivered again, and waits for the program still.
        bench.receive(.publish(Publish(qos: .exactlyOnce, topic: "x", packetIdentifier: 20)))
        bench.lose()
        bench.connect(sessionPresent: true)
        _ = bench.take()
        bench.receive(.publish(Publish(duplicate: true, qos: .exactlyOnce, topic: "x", packetIdentifier: 20)))
        #expect(bench.take() == [])
        #expect(bench.delivered.count == 4)
        bench.acknowledge(bench.delivered[3].message)
        #expect(bench.take() == [.pubrec(Pubrec(packetIdentifier: 20))])
    }

    @Test("[3.1.1 MQTT-4.3.2-2] [5.0 MQTT-4.3.2-5] QoS 1 under the same identifier is a new message", arguments: both)
    func again(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        for duplicate in [false, true] {
            bench.receive(.publish(Publish(duplicate: duplicate, qos: .atLeastOnce, topic: "x", packetIdentifier: 5)))
        }
        #expect(bench.delivered.count == 2)
        #expect(bench.take().count == 2)
    }

    @Test(
        "[3.1.1 MQTT-4.3.3-2] [5.0 MQTT-4.3.3-9] [5.0 MQTT-4.3.3-10] [5.0 MQTT-4.3.3-11] [5.0 MQTT-4.3.3-12] [5.0 MQTT-3.7.2-1] [5.0 MQTT-3.7.2-2] [5.0 MQTT-3.7.2-3] QoS 2: once until PUBREL, whatever DUP says; a new message after PUBCOMP; an unknown PUBREL is answered too",
        arguments: both)
    func exactlyOnce(version: ProtocolVersion) throws {
        var bench = try Self.connected(version)
        for duplicate in [false, true, false] {
            bench.receive(.publish(Publish(duplicate: duplicate, qos: .exactlyOnce, topic: "x", packetIdentifier: 5)))
        }
        #expect(bench.delivered.count == 1)
        #expect(bench.take().map(\.type) == [.pubrec, .pubrec, .pubrec])
        bench.receive(.pubrel(Pubrel(packetIdentifier: 5)))
        #expect(bench.wire.last == [0x70, 2, 0, 5])
        bench.receive(.publish(Publish(duplicate: true, qos: .exactlyOnce, topic: "x", packetIdentifier: 5)))
        #expect(bench.delivered.count == 2)
        bench.receive(.pubrel(Pubrel(packetIdentifier: 6)))
        #expect(bench.wire.last == (version == .v5 ? [0x70, 3, 0, 6, 0x92] : [0x70, 2, 0, 6]))
    }

    @Test("[5.0 MQTT-3.3.2-10] every alias up to our maximum is taken")
    func aliases() throws {
        var bench = try Self.connected { $0.topicAliasMaximum = 5 }
        for alias in [1, 5] as [UInt16] {
            var publish = Publish(topic: "t")
            publish.properties.topicAlias = alias
            bench.receive(.publish(publish))
            publish.topic = ""
            bench.receive(.publish(publish))
        }
        #expect(bench.delivered.map(\.message.topic) == ["t", "t", "t", "t"])
    }

    struct Violation: CustomTestStringConvertible, Sendable {
        let what: String
        let bytes: [UInt8]
        let code: ReasonCode
        var version = ProtocolVersion.v5
        var testDescription: String { what }
    }

    private static let violations: [Violation] = [
        Violation(what: "QoS 3", bytes: [0x36, 5, 0, 1, 0x61, 0, 1], code: .malformedPacket),
        Violation(what: "flags of PUBACK", bytes: [0x41, 2, 0, 1], code: .malformedPacket),
        Violation(what: "flags of PUBREL", bytes: [0x60, 2, 0, 1], code: .malformedPacket),
        Violation(what: "flags of DISCONNECT", bytes: [0xE1, 0], code: .malformedPacket),
        Violation(what: "flags of AUTH", bytes: [0xF1, 0], code: .malformedPacket),
        Violation(what: "a topic that is not UTF-8", bytes: [0x30, 4, 0, 1, 0xFF, 0], code: .malformedPacket),
        Violation(
            what: "a topic with a surrogate", bytes: [0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0], code: .malformedPacket),
        Violation(what: "a topic with a null", bytes: [0x30, 4, 0, 1, 0, 0], code: .malformedPacket),
        Violation(what: "a topic with a wildcard", bytes: [0x30, 4, 0, 1, 0x23, 0], code: .malformedPacket),
        Violation(what: "an empty topic without alias", bytes: [0x30, 3, 0, 0, 0], code: .protocolError),
        Violation(what: "alias 0", bytes: [0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 0], code: .topicAliasInvalid),
        Violation(
            what: "an alias beyond our maximum", bytes: [0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 17], code: .topicAliasInvalid),
        Violation(what: "an alias never set", bytes: [0x30, 6, 0, 0, 3, 0x23, 0, 2], code: .protocolError),
        Violation(what: "a property that is none", bytes: [0x30, 6, 0, 1, 0x61, 2, 0x7F, 0], code: .malformedPacket),
        Violation(what: "identifier 0", bytes: [0x32, 6, 0, 1, 0x61, 0, 0, 0], code: .protocolError),
        Violation(what: "a packet for servers", bytes: [0x82, 6, 0, 1, 0, 0, 1, 0x61], code: .protocolError),
        Violation(what: "packet type 0", bytes: [0x00, 0], code: .malformedPacket),
        Violation(what: "a second CONNACK", bytes: [0x20, 3, 0, 0, 0], code: .protocolError),
        Violation(what: "PUBREC with a code of another packet", bytes: [0x50, 3, 0, 1, 0x92], code: .protocolError),
        Violation(what: "SUBACK for nothing", bytes: [0x90, 4, 0, 1, 0, 0], code: .protocolError),
        Violation(what: "UNSUBACK for nothing", bytes: [0xB0, 4, 0, 1, 0, 0], code: .protocolError),
        Violation(what: "a larger packet than we take", bytes: [0x30, 0xFF, 0x07], code: .packetTooLarge),
        Violation(what: "DISCONNECT with a code of none", bytes: [0xE0, 1, 0x01], code: .protocolError),
        Violation(what: "3.1.1: flags", bytes: [0x41, 2, 0, 1], code: .success, version: .v311),
        Violation(what: "3.1.1: QoS 3", bytes: [0x36, 5, 0, 1, 0x61, 0, 1], code: .success, version: .v311),
        Violation(what: "3.1.1: AUTH", bytes: [0xF0, 0], code: .success, version: .v311),
        Violation(what: "3.1.1: DISCONNECT from the server", bytes: [0xE0, 0], code: .success, version: .v311),
        Violation(
            what: "3.1.1: a topic that is not UTF-8", bytes: [0x30, 3, 0, 1, 0xFF], code: .success, version: .v311),
        Violation(what: "3.1.1: a topic with a null", bytes: [0x30, 3, 0, 1, 0], code: .success, version: .v311),
    ]

    @Test(
        "[3.1.1 MQTT-2.2.2-2] [5.0 MQTT-2.1.3-1] [3.1.1 MQTT-3.3.1-4] [5.0 MQTT-3.3.1-4] [3.1.1 MQTT-1.5.3-1] [5.0 MQTT-1.5.4-1] [3.1.1 MQTT-1.5.3-2] [5.0 MQTT-1.5.4-2] [5.0 MQTT-3.14.1-1] [5.0 MQTT-3.14.2-1] [5.0 MQTT-3.15.1-1] [5.0 MQTT-3.6.1-1] [5.0 MQTT-3.5.2-1] [3.1.1 MQTT-4.8.0-1] [5.0 MQTT-4.13.2-1] what breaks the rules ends the connection, with the right code in 5.0",
        arguments: violations)
    func violated(violation: Violation) throws {
        var bench = try Self.connected(violation.version) { $0.maximumPacketSize = 1_000 }
        bench.receive(bytes: violation.bytes)
        #expect(bench.session.state == .disconnected)
        #expect(bench.closes.count == 1)
        #expect(bench.closes[0]?.isTransient == false)
        if violation.version == .v5 {
            #expect(bench.take().map { $0.disconnect?.reasonCode } == [violation.code])
        } else {
            #expect(bench.take() == [])
        }
    }

    @Test("more than our Receive Maximum: 0x93")
    func quota() throws {
        var bench = try Self.connected { $0.receiveMaximum = 2 }
        for identifier in 1...2 as ClosedRange<UInt16> {
            bench.receive(.publish(Publish(qos: .exactlyOnce, topic: "x", packetIdentifier: identifier)))
            bench.receive(.publish(Publish(qos: .atLeastOnce, topic: "x", packetIdentifier: identifier + 10)))
            if identifier == 2 { break }
        }
        #expect(
            bench.closes == [.protocolError(.receiveMaximumExceeded, "more than 2 unacknowledged messages, §3.3.4")])
        #expect(bench.take().last?.disconnect?.reasonCode == .receiveMaximumExceeded)
    }

    @Test("explanations that were declined: 0x82")
    func declined() throws {
        var bench = try Self.connected { $0.requestProblemInformation = false }
        try bench.publish(Message("a", "x", qos: .atLeastOnce), as: 1)
        bench.receive(.puback(Puback(packetIdentifier: 1, reasonString: "because")))
        #expect(bench.take().last?.disconnect?.reasonCode == .protocolError)
    }

    @Test("each step of a flow, and each that is none (coreMQTT's table)", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func transitions(qos: QoS) throws {
        // What the server sends after PUBLISH, and whether it is a legal step.
        let steps: [(packets: [Packet], isLegal: Bool)] = [
            ([.puback(Puback(packetIdentifier: 1))], qos == .atLeastOnce),
            ([.pubrec(Pubrec(packetIdentifier: 1))], qos == .exactlyOnce),
            ([.pubcomp(Pubcomp(packetIdentifier: 1))], false),
            ([.pubrec(Pubrec(packetIdentifier: 1)), .pubcomp(Pubcomp(packetIdentifier: 1))], qos == .exactlyOnce),
            ([.pubrec(Pubrec(packetIdentifier: 1)), .pubrec(Pubrec(packetIdentifier: 1))], qos == .exactlyOnce),
            ([.pubrec(Pubrec(packetIdentifier: 1)), .puback(Puback(packetIdentifier: 1))], false),
            ([.suback(Suback(packetIdentifier: 1, reasonCodes: [.success]))], false),
        ]
        for step in steps {
            var bench = try Self.connected()
            try bench.publish(Message("a", "x", qos: qos), as: 1)
            for packet in step.packets { bench.receive(packet) }
            #expect((bench.closes == []) == step.isLegal, "\(step.packets)")
        }
    }
}
