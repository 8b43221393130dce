import MQTTProtocol
import Testing

/// A packet as its bytes and as its value: each is made from the other.
struct GoldenPacket: Sendable, CustomTestStringConvertible {
    let name: String
    let version: ProtocolVersion
    let bytes: [UInt8]
    let packet: Packet

    init(_ name: String, _ version: ProtocolVersion, _ text: String, _ packet: Packet) {
        self.name = name
        self.version = version
        self.bytes = MQTTProtocolTests.bytes(text)
        self.packet = packet
    }

    var testDescription: String { "\(name), \(version)" }

    static let all: [GoldenPacket] = connects + connacks + publishes + acknowledgements + subscriptions + rest

    private static let properties: [UserProperty] = [
        UserProperty(name: "k", value: "v"), UserProperty(name: "k", value: ""),
    ]

    static let connects: [GoldenPacket] = [
        GoldenPacket(
            "smallest", .v31, "10 0f 0006 'MQIsdp' 03 02 001e 0001 'a'",
            .connect(Connect(version: .v31, keepAliveSeconds: 30, clientIdentifier: "a"))),
        GoldenPacket(
            "a bridge", .v31, "10 0f 0006 'MQIsdp' 83 00 001e 0001 'a'",
            .connect(
                Connect(version: .v31, isBridge: true, cleanStart: false, keepAliveSeconds: 30, clientIdentifier: "a"))),
        GoldenPacket(
            "no identifier", .v311, "10 0c 0004 'MQTT' 04 02 0000 0000",
            .connect(Connect(version: .v311, keepAliveSeconds: 0, clientIdentifier: ""))),
        GoldenPacket(
            "a bridge", .v311, "10 0d 0004 'MQTT' 84 02 003c 0001 'b'",
            .connect(Connect(version: .v311, isBridge: true, clientIdentifier: "b"))),
        GoldenPacket(
            "will, user name and password", .v311,
            "10 1c 0004 'MQTT' 04 ee ffff 0001 'c' 0001 't' 0002 ff00 0001 'u' 0003 00ff00",
            .connect(
                Connect(
                    version: .v311, keepAliveSeconds: 65_535, clientIdentifier: "c", userName: "u",
                    password: [0, 0xFF, 0],
                    will: Will(topic: "t", payload: [0xFF, 0], qos: .atLeastOnce, retain: true)))),
        GoldenPacket(
            "no properties", .v5, "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'",
            .connect(Connect(version: .v5, clientIdentifier: "c"))),
        GoldenPacket(
            "password without user name", .v5, "10 11 0004 'MQTT' 05 42 003c 00 0001 'c' 0001 'p'",
            .connect(Connect(version: .v5, clientIdentifier: "c", password: [0x70]))),
        GoldenPacket(
            "all properties", .v5,
            """
            10 5c 0004 'MQTT' 05 14 003c
            2a 11 00000e10 21 000a 27 00010000 22 0005 19 01 17 00 26 0001 'k' 0001 'v' 26 0001 'k' 0000
               15 0001 'm' 16 0002 00ff
            0001 'c' 1d 18 00000007 02 0000003c 01 01 03 0001 'j' 26 0001 'x' 0001 'y' 26 0001 'x' 0000
            0001 't' 0001 'w'
            """,
            .connect(
                Connect(
                    version: .v5, cleanStart: false, clientIdentifier: "c",
                    will: Will(
                        topic: "t", payload: [0x77], qos: .exactlyOnce, delayIntervalSeconds: 7,
                        messageExpiryIntervalSeconds: 60,
                        forwardedProperties: MQTTProtocolTests.bytes(
                            "01 01 03 0001 'j' 26 0001 'x' 0001 'y' 26 0001 'x' 0000")),
                    properties: with(Connect.Properties()) {
                        $0.sessionExpiryIntervalSeconds = 3_600
                        $0.receiveMaximum = 10
                        $0.maximumPacketSize = 65_536
                        $0.topicAliasMaximum = 5
                        $0.requestResponseInformation = true
                        $0.requestProblemInformation = false
                        $0.userProperties = properties
                        $0.authenticationMethod = "m"
                        $0.authenticationData = [0, 0xFF]
                    }))),
    ]

    static let connacks: [GoldenPacket] = [
        GoldenPacket("accepted", .v31, "20 02 00 00", .connack(Connack(sessionPresent: false, reasonCode: .success))),
        GoldenPacket(
            "session present", .v311, "20 02 01 00", .connack(Connack(sessionPresent: true, reasonCode: .success))),
        GoldenPacket(
            "return code 1", .v311, "20 02 00 01",
            .connack(Connack(sessionPresent: false, reasonCode: .unsupportedProtocolVersion))),
        GoldenPacket(
            "return code 2", .v311, "20 02 00 02",
            .connack(Connack(sessionPresent: false, reasonCode: .clientIdentifierNotValid))),
        GoldenPacket(
            "return code 3", .v31, "20 02 00 03",
            .connack(Connack(sessionPresent: false, reasonCode: .serverUnavailable))),
        GoldenPacket(
            "return code 4", .v311, "20 02 00 04",
            .connack(Connack(sessionPresent: false, reasonCode: .badUserNameOrPassword))),
        GoldenPacket(
            "return code 5", .v31, "20 02 00 05", .connack(Connack(sessionPresent: false, reasonCode: .notAuthorized))),
        GoldenPacket(
            "as mosquitto 2.1 does", .v5, "20 0e 00 00 0b 22 000a 27 001e8480 21 0014",
            .connack(
                Connack(
                    sessionPresent: false, reasonCode: .success,
                    properties: with(Connack.Properties()) {
                        $0.topicAliasMaximum = 10
                        $0.maximumPacketSize = 2_000_000
                        $0.receiveMaximum = 20
                    }))),
        GoldenPacket(
            "refused", .v5, "20 03 00 87 00", .connack(Connack(sessionPresent: false, reasonCode: .notAuthorized))),
        GoldenPacket(
            "all properties", .v5,
            """
            20 46 01 00 43 22 0001 12 0002 'id' 13 003c 15 0001 'm' 16 0001 00 1a 0001 'r' 1f 0001 'w' 1c 0001 's'
            11 00000078 28 00 29 01 2a 00 26 0001 'k' 0001 'v' 26 0001 'k' 0000 25 00 27 00000100 21 ffff 24 01
            """,
            .connack(
                Connack(
                    sessionPresent: true, reasonCode: .success,
                    properties: with(Connack.Properties()) {
                        $0.topicAliasMaximum = 1
                        $0.assignedClientIdentifier = "id"
                        $0.serverKeepAliveSeconds = 60
                        $0.authenticationMethod = "m"
                        $0.authenticationData = [0]
                        $0.responseInformation = "r"
                        $0.reasonString = "w"
                        $0.serverReference = "s"
                        $0.sessionExpiryIntervalSeconds = 120
                        $0.wildcardSubscriptionAvailable = false
                        $0.subscriptionIdentifierAvailable = true
                        $0.sharedSubscriptionAvailable = false
                        $0.userProperties = properties
                        $0.retainAvailable = false
                        $0.maximumPacketSize = 256
                        $0.receiveMaximum = 65_535
                        $0.maximumQoS = .atLeastOnce
                    }))),
    ]

    static let publishes: [GoldenPacket] = [
        GoldenPacket("QoS 0, no payload", .v31, "30 03 0001 't'", .publish(Publish(topic: "t"))),
        GoldenPacket(
            "QoS 0 retained", .v311, "31 07 0003 'a/b' 'hi'",
            .publish(Publish(retain: true, topic: "a/b", payload: [0x68, 0x69]))),
        GoldenPacket(
            "QoS 1 again", .v311, "3a 06 0001 't' ffff 00",
            .publish(Publish(duplicate: true, qos: .atLeastOnce, topic: "t", packetIdentifier: 65_535, payload: [0]))),
        GoldenPacket("QoS 0", .v5, "30 05 0001 't' 00 'x'", .publish(Publish(topic: "t", payload: [0x78]))),
        GoldenPacket(
            "by alias", .v5, "30 06 0000 03 23 0001",
            .publish(Publish(topic: "", properties: with(Publish.Properties()) { $0.topicAlias = 1 }))),
        GoldenPacket(
            "QoS 2, all properties", .v5,
            """
            35 32 0001 't' 0001 2a 01 01 02 0000000a 23 0002 08 0001 'r' 09 0002 00ff 0b 01 0b 808001
            03 0001 'j' 26 0001 'k' 0001 'v' 26 0001 'k' 0000 '!!'
            """,
            .publish(
                Publish(
                    qos: .exactlyOnce, retain: true, topic: "t", packetIdentifier: 1,
                    properties: with(Publish.Properties()) {
                        $0.payloadFormatIndicator = 1
                        $0.messageExpiryIntervalSeconds = 10
                        $0.topicAlias = 2
                        $0.responseTopic = "r"
                        $0.correlationData = [0, 0xFF]
                        $0.subscriptionIdentifiers = [1, 16_384]
                        $0.contentType = "j"
                        $0.userProperties = properties
                    }, payload: [0x21, 0x21]))),
    ]

    static let acknowledgements: [GoldenPacket] = [
        GoldenPacket("PUBACK", .v31, "40 02 0001", .puback(Puback(packetIdentifier: 1))),
        GoldenPacket("PUBREC", .v311, "50 02 ffff", .pubrec(Pubrec(packetIdentifier: 65_535))),
        GoldenPacket("PUBREL", .v311, "62 02 0100", .pubrel(Pubrel(packetIdentifier: 256))),
        GoldenPacket("PUBCOMP", .v31, "70 02 0001", .pubcomp(Pubcomp(packetIdentifier: 1))),
        GoldenPacket("PUBACK, short", .v5, "40 02 0001", .puback(Puback(packetIdentifier: 1))),
        GoldenPacket(
            "PUBACK, reason", .v5, "40 03 0001 10",
            .puback(Puback(packetIdentifier: 1, reasonCode: .noMatchingSubscribers))),
        GoldenPacket(
            "PUBREC, properties", .v5, "50 0f 0001 87 0b 1f 0001 'w' 26 0001 'k' 0001 'v'",
            .pubrec(
                Pubrec(
                    packetIdentifier: 1, reasonCode: .notAuthorized, reasonString: "w",
                    userProperties: [properties[0]]))),
        GoldenPacket(
            "PUBREL, reason", .v5, "62 03 0001 92",
            .pubrel(Pubrel(packetIdentifier: 1, reasonCode: .packetIdentifierNotFound))),
        GoldenPacket(
            "PUBCOMP, properties and success", .v5, "70 08 0001 00 04 1f 0001 'w'",
            .pubcomp(Pubcomp(packetIdentifier: 1, reasonString: "w"))),
    ]

    static let subscriptions: [GoldenPacket] = [
        GoldenPacket(
            "SUBSCRIBE", .v31, "82 06 0001 0001 'a' 01",
            .subscribe(
                Subscribe(packetIdentifier: 1, subscriptions: [Subscription(filter: "a", qos: .atLeastOnce)]))),
        GoldenPacket(
            "SUBSCRIBE, two filters", .v311, "82 0c 0001 0001 '#' 02 0003 '+/b' 00",
            .subscribe(
                Subscribe(
                    packetIdentifier: 1,
                    subscriptions: [
                        Subscription(filter: "#", qos: .exactlyOnce), Subscription(filter: "+/b", qos: .atMostOnce),
                    ]))),
        GoldenPacket(
            "SUBSCRIBE, all options", .v5, "82 17 0001 0c 0b ffffff7f 26 0001 'k' 0001 'v' 0001 'a' 1d 0001 'b' 22",
            .subscribe(
                Subscribe(
                    packetIdentifier: 1, subscriptionIdentifier: 268_435_455, userProperties: [properties[0]],
                    subscriptions: [
                        Subscription(
                            filter: "a", qos: .atLeastOnce, noLocal: true, retainAsPublished: true,
                            retainHandling: .sendIfNew),
                        Subscription(filter: "b", qos: .exactlyOnce, retainHandling: .doNotSend),
                    ]))),
        GoldenPacket(
            "SUBACK", .v31, "90 04 0001 00 02",
            .suback(Suback(packetIdentifier: 1, reasonCodes: [.grantedQoS0, .grantedQoS2]))),
        GoldenPacket(
            "SUBACK", .v311, "90 04 0001 01 80",
            .suback(Suback(packetIdentifier: 1, reasonCodes: [.grantedQoS1, .unspecifiedError]))),
        GoldenPacket(
            "SUBACK", .v5, "90 09 0001 04 1f 0001 'w' 02 a2",
            .suback(
                Suback(
                    packetIdentifier: 1, reasonCodes: [.grantedQoS2, .wildcardSubscriptionsNotSupported],
                    reasonString: "w"))),
        GoldenPacket(
            "UNSUBSCRIBE", .v311, "a2 08 0001 0001 'a' 0001 'b'",
            .unsubscribe(Unsubscribe(packetIdentifier: 1, filters: ["a", "b"]))),
        GoldenPacket(
            "UNSUBSCRIBE", .v5, "a2 0d 0001 07 26 0001 'k' 0001 'v' 0001 'a'",
            .unsubscribe(Unsubscribe(packetIdentifier: 1, filters: ["a"], userProperties: [properties[0]]))),
        GoldenPacket("UNSUBACK", .v31, "b0 02 0001", .unsuback(Unsuback(packetIdentifier: 1, reasonCodes: []))),
        GoldenPacket(
            "UNSUBACK", .v5, "b0 05 0001 00 00 11",
            .unsuback(Unsuback(packetIdentifier: 1, reasonCodes: [.success, .noSubscriptionExisted]))),
    ]

    static let rest: [GoldenPacket] = [
        GoldenPacket("PINGREQ", .v31, "c0 00", .pingreq(Pingreq())),
        GoldenPacket("PINGREQ", .v5, "c0 00", .pingreq(Pingreq())),
        GoldenPacket("PINGRESP", .v311, "d0 00", .pingresp(Pingresp())),
        GoldenPacket("DISCONNECT", .v31, "e0 00", .disconnect(Disconnect())),
        GoldenPacket("DISCONNECT", .v311, "e0 00", .disconnect(Disconnect())),
        GoldenPacket("DISCONNECT, short", .v5, "e0 00", .disconnect(Disconnect())),
        GoldenPacket(
            "DISCONNECT, reason", .v5, "e0 01 04", .disconnect(Disconnect(reasonCode: .disconnectWithWill))),
        GoldenPacket(
            "DISCONNECT, expiry", .v5, "e0 07 00 05 11 ffffffff",
            .disconnect(Disconnect(sessionExpiryIntervalSeconds: .max))),
        GoldenPacket(
            "DISCONNECT, elsewhere", .v5, "e0 11 9d 0f 1f 0001 'w' 26 0001 'k' 0001 'v' 1c 0001 's'",
            .disconnect(
                Disconnect(
                    reasonCode: .serverMoved, reasonString: "w", userProperties: [properties[0]],
                    serverReference: "s"))),
        GoldenPacket(
            "AUTH, start again", .v5, "f0 06 19 04 15 0001 'm'",
            .auth(Auth(reasonCode: .reauthenticate, authenticationMethod: "m"))),
        GoldenPacket(
            "AUTH, all properties", .v5, "f0 14 00 12 15 0001 'm' 16 0001 00 1f 0001 'w' 26 0001 'k' 0000",
            .auth(
                Auth(
                    reasonCode: .success, authenticationMethod: "m", authenticationData: [0], reasonString: "w",
                    userProperties: [properties[1]]))),
    ]
}

/// A value with some of its fields set.
func with<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
    var value = value
    change(&value)
    return value
}

@Suite("Golden packets: bytes and value make each other")
struct GoldenPacketTests {
    @Test("encodes", arguments: GoldenPacket.all)
    func encodes(_ golden: GoldenPacket) {
        #expect(hex(golden.packet.encoded(golden.version)) == hex(golden.bytes))
        #expect(golden.packet.encodedSize(version: golden.version) == golden.bytes.count)
    }

    @Test("decodes", arguments: GoldenPacket.all)
    func decodes(_ golden: GoldenPacket) {
        let outcome = Packet.outcome(golden.bytes + [0xFF], golden.version, from: golden.packet.sender)
        #expect(outcome == .packet(golden.packet, consumed: golden.bytes.count))
    }

    @Test("[5.0 §2.1.4] cut short anywhere, it waits; told a shorter length, it refuses", arguments: GoldenPacket.all)
    func truncated(_ golden: GoldenPacket) {
        for count in 0..<golden.bytes.count {
            let head = Array(golden.bytes.prefix(count))
            #expect(Packet.outcome(head, golden.version, from: golden.packet.sender) == .wait)
        }
        // All tables stay below a length of 128. The short forms of 5.0 and a PUBLISH may end early and be whole.
        for count in 0..<(golden.bytes.count - 2) {
            let body = golden.bytes[2..<(2 + count)]
            let outcome = Packet.outcome(
                [golden.bytes[0], UInt8(count)] + body, golden.version, from: golden.packet.sender)
            if case .packet(let packet, _) = outcome { #expect(packet != golden.packet) }
            #expect(outcome != .wait)
        }
    }

    @Test("[5.0 MQTT-2.1.3-1] [3.1.1 MQTT-2.2.2-2] every other flag nibble is refused", arguments: GoldenPacket.all)
    func flags(_ golden: GoldenPacket) {
        if case .publish = golden.packet { return }
        for flags in UInt8(0)..<16 where flags != golden.packet.type.fixedFlags {
            let changed = [golden.bytes[0] & 0xF0 | flags] + golden.bytes.dropFirst()
            let outcome = Packet.outcome(changed, golden.version, from: golden.packet.sender)
            if golden.version == .v31, flags == 0b1010, golden.packet.type.fixedFlags == 0b0010 {
                #expect(outcome == .packet(golden.packet, consumed: golden.bytes.count), "3.1 allows DUP here")
            } else {
                #expect(outcome == .fault(.reservedFlags(golden.packet.type)))
            }
        }
    }

    @Test("a byte after the last field is refused", arguments: GoldenPacket.all)
    func trailing(_ golden: GoldenPacket) {
        switch golden.packet {
        case .publish, .suback, .subscribe, .unsubscribe: return  // payload, or one more of a list
        case .unsuback where golden.version == .v5: return
        default: break
        }
        let outcome = Packet.outcome(
            [golden.bytes[0], golden.bytes[1] + 1] + golden.bytes.dropFirst(2) + [0x7F], golden.version,
            from: golden.packet.sender)
        guard case .fault = outcome else {
            Issue.record("took a byte too many: \(outcome)")
            return
        }
    }
}
