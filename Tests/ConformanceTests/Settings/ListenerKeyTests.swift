import Glibc
import MQTTTestKit
import Testing

/// What keys of listeners change for those who come in. `make conformance` asks mosquitto the same, where it has the key.
@Suite("Keys of listeners", .blocking) struct ListenerKeyTests {
    private static let isMartlet = !BrokerUnderTest.isMosquitto
    private static let one = "listener {port} 127.0.0.1\n"

    /// CONNACK's code for such a CONNECT.
    private func code(
        _ port: UInt16, id: String = unique("c"), version: UInt8 = 4, user: String? = nil
    ) throws -> UInt8? {
        let client = try RawClient(port: port, version: version)
        client.send(Wire.connect(id: id, version: version, user: user))
        return try client.expect(.connack).reasonCode
    }

    @Test("[port] [bind_address] the default listener answers there and nowhere else")
    func bindAddress() throws {
        let broker = try BrokerProcess.start("port {port}\nbind_address 127.0.0.1\nallow_anonymous true\n")
        #expect(Loopback.answers(.first, port: broker.port) && !Loopback.answers(.second, port: broker.port))
        #expect(try code(broker.port) == 0)
    }

    @Test("[socket_domain] ipv4: a listener on every interface leaves IPv6 out", .enabled(if: Loopback.hasIPv6))
    func socketDomain() throws {
        let both = try BrokerProcess.start("listener {port}\nallow_anonymous true\n")
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { Loopback.answers(.version6, port: both.port) })
        let four = try BrokerProcess.start("listener {port}\nsocket_domain ipv4\nallow_anonymous true\n")
        #expect(Loopback.answers(.second, port: four.port) && !Loopback.answers(.version6, port: four.port))
    }

    @Test("[allow_anonymous] [listener_allow_anonymous] who gives no name", .enabled(if: isMartlet, "since 2.1"))
    func anonymous() throws {
        let broker = try BrokerProcess.start(Self.one + "listener_allow_anonymous true\n")
        #expect(try code(broker.port) == 0)
        let closed = try BrokerProcess.start("allow_anonymous true\n\(Self.one)listener_allow_anonymous false\n")
        #expect(try code(closed.port) == 5)
    }

    @Test("[per_listener_settings] each listener has its own rules, or all have the same")
    func perListener() throws {
        for (isOn, expected) in [("true", [0, 5]), ("false", [5, 5])] as [(String, [UInt8])] {
            let other = try #require(Loopback.freePort())
            let broker = try BrokerProcess.start(
                "per_listener_settings \(isOn)\n\(Self.one)allow_anonymous true\nlistener \(other) 127.0.0.1\n"
                    + "allow_anonymous false\n")
            #expect(Deadline(milliseconds: patienceMilliseconds).wait { Loopback.answers(.first, port: other) })
            #expect(try [code(broker.port), code(other)] == expected)
        }
    }

    @Test("[listener_auto_id_prefix] identifiers that the broker makes up", .enabled(if: isMartlet, "since 2.1"))
    func identifiers() throws {
        let broker = try BrokerProcess.start(Self.one + "allow_anonymous true\nlistener_auto_id_prefix room-\n")
        #expect(try RawClient.v5(broker, id: "").connack?.text(0x12)?.hasPrefix("room-") == true)
    }

    @Test("[accept_protocol_versions] others hear that theirs is not", .enabled(if: isMartlet, "since 2.1"))
    func versions() throws {
        let broker = try BrokerProcess.start(Self.one + "allow_anonymous true\naccept_protocol_versions 4\n")
        #expect(try code(broker.port, version: 4) == 0)
        #expect(try code(broker.port, version: 5) == 0x84)
        #expect(try code(broker.port, version: 3) == 1)
    }

    @Test("[use_username_as_clientid] one session a user, and none without a name")
    func userNameAsIdentifier() throws {
        let broker = try BrokerProcess.start(Self.one + "allow_anonymous true\nuse_username_as_clientid true\n")
        let first = try RawClient.connected(to: broker, id: "a", user: "u")
        try RawClient.connected(to: broker, id: "b", user: "v").expectQuiet()
        try first.expectQuiet()
        try RawClient.connected(to: broker, id: "other", user: "u").expectQuiet()
        _ = try first.packetsUntilClosed()
        let client = try RawClient(broker)
        client.send(Wire.connect(id: "nameless"))
        let answers = try client.packetsUntilClosed()
        #expect(answers.allSatisfy { $0.reasonCode != 0 })
    }

    @Test("[mount_point] stands before every topic, and its clients never see it")
    func mountPoint() throws {
        let other = try #require(Loopback.freePort())
        let broker = try BrokerProcess.start(
            Self.one + "allow_anonymous true\nlistener \(other) 127.0.0.1\nmount_point site/\n")
        let outside = try RawClient.connected(to: broker)
        try outside.subscribe("site/#", 1)
        #expect(Deadline(milliseconds: patienceMilliseconds).wait { Loopback.answers(.first, port: other) })
        let inside = try RawClient(port: other)
        try inside.connect(id: unique("c"))
        try inside.subscribe("b/+", 1)
        try inside.publish("a/x", "up", qos: 1)
        try outside.expectMessage("site/a/x", "up", qos: 1)
        try RawClient.connected(to: broker).publish("site/b/y", "down", qos: 1, id: 7)
        try withKnownDifference(.mosquitto, "2.0.11 does not take the mount point off at QoS 1") {
            try inside.expectMessage("b/y", "down", qos: 1)
        }
    }

    @Test("[clientid_prefixes] other identifiers are not let in")
    func prefixes() throws {
        let broker = try BrokerProcess.start("clientid_prefixes dev-\n\(Self.one)allow_anonymous true\n")
        #expect(try code(broker.port, id: unique("dev-")) == 0)
        #expect(try code(broker.port, id: unique("app-")) == 5)
    }

    @Test(
        "[max_topic_alias_broker] the broker's own aliases, as far as the client takes them",
        .enabled(if: isMartlet, "since 2.1"), arguments: [0, 3] as [UInt16])
    func aliases(_ maximum: UInt16) throws {
        let broker = try BrokerProcess.start(
            Self.one + "allow_anonymous true\nmax_topic_alias_broker \(maximum)\n")
        let reader = try RawClient.v5(broker, [.topicAliasMaximum(10)])
        try reader.subscribe("#", 0)
        let writer = try RawClient.v5(broker)
        var aliases: Set<UInt32> = []
        for _ in 0..<3 {
            for number in 0..<6 { try writer.publish("topic/\(number)", "x") }
        }
        for _ in 0..<18 { if let alias = try reader.receivePublish().number(0x23) { aliases.insert(alias) } }
        #expect(aliases.count <= Int(maximum) && aliases.isEmpty == (maximum == 0))
    }
}
