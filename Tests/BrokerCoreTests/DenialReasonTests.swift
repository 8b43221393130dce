import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// What a denied client hears of why: a Reason String where it wants one and has room, about nobody but itself.
@Suite("Reason Strings of denials")
struct DenialReasonTests {
    private static func come(
        to harness: ShardHarness, wantsReasons: Bool? = nil, sizeMax: UInt32? = nil, _ version: ProtocolVersion = .v5
    ) -> TestConnection {
        var connect = Connect(version: version, clientIdentifier: "c")
        connect.properties.requestProblemInformation = wantsReasons
        connect.properties.maximumPacketSize = sizeMax
        let client = harness.connect(connect)
        _ = client.takePackets()
        return client
    }

    /// Everything denied that can be: PUBACK, PUBREC, SUBACK, UNSUBACK.
    private static func answers(_ harness: ShardHarness, _ client: TestConnection) -> [Packet] {
        harness.publish(client, "no/x", qos: .atLeastOnce, identifier: 1)
        harness.publish(client, "$SYS/x", qos: .atLeastOnce, identifier: 2)
        harness.publish(client, "no/x", qos: .exactlyOnce, identifier: 3)
        let filters = [
            Subscription(filter: "open", qos: .atMostOnce), Subscription(filter: "closed/#", qos: .atMostOnce),
        ]
        harness.send(
            .subscribe(Subscribe(packetIdentifier: 4, subscriptions: filters)),
            .unsubscribe(Unsubscribe(packetIdentifier: 5, filters: ["open", "closed/#"])), on: client)
        harness.run()
        return client.takePackets()
    }

    private static func reasons(_ packets: [Packet]) -> [MQTTString?] {
        packets.map { packet in
            switch packet {
            case .puback(let packet): packet.reasonString
            case .pubrec(let packet): packet.reasonString
            case .suback(let packet): packet.reasonString
            case .unsuback(let packet): packet.reasonString
            default: nil
            }
        }
    }

    @Test(
        "5.0 clients hear it unless they say that they do not want to [5.0 MQTT-3.1.2-29]",
        arguments: [nil, true, false])
    func wanted(_ wantsReasons: Bool?) {
        let harness = ShardHarness(policy: RightsTests.byTopic)
        let found = Self.reasons(Self.answers(harness, Self.come(to: harness, wantsReasons: wantsReasons)))
        let publish: MQTTString = "You have no right to publish to this topic."
        #expect(
            found
                == (wantsReasons == false
                    ? [nil, nil, nil, nil, nil]
                    : [
                        publish, publish, publish, "You have no right to subscribe to the filters answered with 0x87.",
                        "You have no right to unsubscribe from the filters answered with 0x87.",
                    ]))
    }

    @Test("3.1.1 has no room for it, and its acknowledgements are as ever")
    func old() {
        let harness = ShardHarness(policy: RightsTests.byTopic)
        let answers = Self.answers(harness, Self.come(to: harness, .v311))
        #expect(answers.count == 5 && Self.reasons(answers).allSatisfy { $0 == nil })
    }

    @Test("It is left out where the packet would be larger than the client takes, to the byte")
    func room() {
        let free = ShardHarness(policy: RightsTests.byTopic)
        let whole = Self.answers(free, Self.come(to: free))
        #expect(whole.count == 5)
        for (index, packet) in whole.enumerated() {
            let size = packet.bytes(.v5).count
            for limit in [size - 1, size] {
                let harness = ShardHarness(policy: RightsTests.byTopic)
                let client = Self.come(to: harness, sizeMax: UInt32(limit))
                let answers = Self.answers(harness, client)
                #expect(answers.count == 5)
                #expect((Self.reasons(answers)[index] != nil) == (limit == size), "\(packet)")
            }
        }
    }

    @Test("An answer without a denial says nothing; nor does one that waited in line lose its reason")
    func others() {
        let harness = ShardHarness(policy: RightsTests.byTopic)
        let client = Self.come(to: harness)
        harness.publish(client, "ok", qos: .atLeastOnce, identifier: 1)
        harness.send(
            .subscribe(Subscribe(packetIdentifier: 2, subscriptions: [Subscription(filter: "open", qos: .atMostOnce)])),
            on: client)
        harness.run()
        #expect(Self.reasons(client.takePackets()) == [nil, nil])

        // A message for a persistent session waits for storage; the denied one waits behind it.
        let away = harness.client("away", expiry: 1000)
        harness.subscribe(away, "kept", .atLeastOnce)
        harness.cut(away)
        harness.storage.mode = .held
        harness.publish(client, "kept", qos: .atLeastOnce, identifier: 6)
        harness.publish(client, "no/x", qos: .atLeastOnce, identifier: 7)
        harness.run()
        #expect(client.takePackets().isEmpty)
        harness.answerAll()
        harness.run()
        let found = Self.reasons(client.takePackets())
        #expect(found.count == 2 && found[0] == nil && found[1] != nil)
    }

    @Test(
        "CONNACK says what the client lacks; of a name and a password, not which is wrong",
        arguments: [
            (LoginRefusal.wrongPassword, "This user name and password do not let you in here."),
            (.busy, "Too many clients are logging in. Try again in a moment."),
            (.closed, "This user name and password do not let you in here."),
        ])
    func connack(_ refusal: LoginRefusal, _ words: String) throws {
        var listener = ListenerSettings()
        listener.checksPasswords = true
        for (wantsReasons, sizeMax, isSaid) in [(nil, nil, true), (false, nil, false), (true, 20, false)]
            as [(Bool?, UInt32?, Bool)]
        {
            let harness = ShardHarness(listeners: [listener])
            var connect = Connect(version: .v5, clientIdentifier: "c", userName: "u", password: [1])
            connect.properties.requestProblemInformation = wantsReasons
            connect.properties.maximumPacketSize = sizeMax
            let client = harness.connect(connect)
            harness.answer(login: 0, .refused(refusal))
            guard case .connack(let connack) = client.takePackets().first else {
                return #expect(Bool(false), "CONNACK")
            }
            #expect(connack.properties.reasonString == (isSaid ? MQTTString(words) : nil))
            #expect(connack.reasonCode.isError)
        }
    }

    @Test("What is lacking at the door is said: a name, a certificate, an identifier")
    func door() {
        var needsName = ListenerSettings()
        needsName.allowsAnonymous = false
        var needsIdentity = ListenerSettings()
        needsIdentity.takesUserNameFromIdentity = true
        var namesSession = ListenerSettings()
        namesSession.takesClientIdentifierFromUserName = true
        var hasPrefix = ListenerSettings()
        hasPrefix.clientIdentifierPrefix = Array("x-".utf8)
        let harness = ShardHarness(listeners: [needsName, needsIdentity, namesSession, hasPrefix])
        let expected: [MQTTString] = [
            "This listener lets in only who gives a user name and password.",
            "This listener lets in only who shows a certificate or a pre-shared key.",
            "This listener lets in only who gives a user name.", "This client identifier is not let in here.",
        ]
        for (listener, words) in expected.enumerated() {
            let client = harness.connect(Connect(version: .v5, clientIdentifier: "c"), listener: listener)
            guard case .connack(let connack) = client.takePackets().first else {
                return #expect(Bool(false), "CONNACK")
            }
            #expect(connack.properties.reasonString == words)
        }
    }
}
