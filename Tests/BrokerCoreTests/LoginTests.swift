import BrokerCore
import MQTTProtocol
import ShardTestKit
import Testing

/// The door: logins that are answered late, in any order, or for nobody any more.
@Suite("Logins")
struct LoginTests {
    /// A listener that has passwords checked.
    static func guarded(_ change: (inout ListenerSettings) -> Void = { _ in }) -> [ListenerSettings] {
        var listener = ListenerSettings()
        listener.checksPasswords = true
        listener.allowsAnonymous = false
        change(&listener)
        return [listener]
    }

    static func connect(
        _ client: String, user: String? = nil, _ version: ProtocolVersion = .v5, password: String? = "p"
    ) -> Connect {
        Connect(
            version: version, clientIdentifier: MQTTString(client), userName: user.map { MQTTString($0) },
            password: user == nil ? nil : password.map { Array($0.utf8) })
    }

    /// The code of the CONNACK that has come, taken; nil = none.
    static func answer(_ connection: TestConnection) -> ReasonCode? {
        for case .connack(let connack) in connection.takePackets() { return connack.reasonCode }
        return nil
    }

    @Test("A listener with nothing to check asks nobody")
    func open() {
        let harness = ShardHarness()
        let client = harness.connect(Self.connect("a", user: "u"))
        #expect(harness.logins.isEmpty)
        #expect(Self.answer(client) == .success)
    }

    @Test("Nothing is answered or read before the verdict; what was sent behind CONNECT is taken then")
    func late() {
        let harness = ShardHarness(listeners: Self.guarded())
        let client = harness.connect(Self.connect("a", user: "u"))
        #expect(client.isPaused)
        harness.send(.pingreq(Pingreq()), on: client)
        harness.advance(by: 60_000)  // longer than CONNECT may take: the waiting is ours
        #expect(client.packets.isEmpty && !client.isClosed)
        #expect(harness.logins.map(\.userName) == ["u"])
        #expect(harness.logins[0].password == Array("p".utf8))
        harness.answer(login: 0, .admitted)
        let packets = client.takePackets()
        #expect(packets.count == 2)
        guard case .connack(let connack) = packets[0], case .pingresp = packets[1] else {
            return #expect(Bool(false), "CONNACK, then PINGRESP")
        }
        #expect(connack.reasonCode == .success)
        #expect(!client.isPaused)
    }

    @Test("Answers in any order find their connections")
    func outOfOrder() {
        let harness = ShardHarness(listeners: Self.guarded())
        let clients = ["a", "b", "c"].map { harness.connect(Self.connect($0, user: $0)) }
        harness.answer(login: 2, .refused(.wrongPassword))
        harness.answer(login: 0, .admitted)
        harness.answer(login: 0, .admitted)
        #expect(clients.map { Self.answer($0) } == [.success, .success, .notAuthorized])
        #expect(clients.map(\.isClosed) == [false, false, true])
    }

    @Test("The answer for a connection that has gone is for nobody, even where its slot is used again")
    func gone() {
        let harness = ShardHarness(listeners: Self.guarded())
        let first = harness.connect(Self.connect("a", user: "u"))
        harness.cut(first)
        let second = harness.connect(Self.connect("a", user: "u"))
        #expect(second.id.slot == first.id.slot)
        harness.answer(login: 0, .admitted)
        #expect(second.packets.isEmpty)
        #expect(harness.shard.status.clientsConnected == 0)
        harness.answer(login: 0, .admitted)
        #expect(Self.answer(second) == .success)
        #expect(harness.shard.status.connections == 1)
    }

    @Test("A connection that was closed while it waited is not opened by its answer")
    func closedMeanwhile() {
        let harness = ShardHarness(listeners: Self.guarded())
        let client = harness.connect(Self.connect("a", user: "u"))
        harness.shard.shutDown(at: harness.now)
        harness.answer(login: 0, .admitted)
        #expect(Self.answer(client) == nil)
        #expect(harness.shard.status.clientsConnected == 0)
    }

    @Test("Somebody who names another's client is not it before the password is right")
    func takeover() {
        let harness = ShardHarness(listeners: Self.guarded())
        let owner = harness.connect(Self.connect("a", user: "u"))
        harness.answer(login: 0, .admitted)
        let thief = harness.connect(Self.connect("a", user: "u", password: "guess"))
        #expect(!owner.isClosed)
        harness.answer(login: 0, .refused(.wrongPassword))
        #expect(!owner.isClosed && thief.isClosed)
        let again = harness.connect(Self.connect("a", user: "u"))
        #expect(!owner.isClosed)
        harness.answer(login: 0, .admitted)
        #expect(owner.isClosed && !again.isClosed)
        #expect(harness.shard.status.clientsConnected == 1)
    }

    @Test(
        "[BR-4] What the refused hear",
        arguments: [
            (LoginRefusal.wrongPassword, ReasonCode.notAuthorized, 5 as UInt8), (.closed, .notAuthorized, 5),
            (.busy, .serverBusy, 3),
        ])
    func codes(_ refusal: LoginRefusal, _ code: ReasonCode, _ old: UInt8) {
        for version in [ProtocolVersion.v31, .v311, .v5] {
            let harness = ShardHarness(listeners: Self.guarded())
            let client = harness.connect(Self.connect("a", user: "u", version))
            harness.answer(login: 0, .refused(refusal))
            #expect(client.isClosed)
            // 5.0 hears a reason too: `DenialReasonTests`.
            #expect(client.bytes.count == (version == .v5 ? 2 + Int(client.bytes[1]) : 4))
            #expect(client.bytes[0] == 0x20 && client.bytes[2...3] == [0, version == .v5 ? code.rawValue : old])
            #expect(harness.log.contains { if case .loginRefused(_, _, _, refusal) = $0 { true } else { false } })
        }
    }

    @Test("[BR-3] No user name is allow_anonymous's to decide, passwords or not", arguments: [true, false])
    func anonymous(_ isAllowed: Bool) {
        for checks in [true, false] {
            let listeners = Self.guarded {
                $0.allowsAnonymous = isAllowed
                $0.checksPasswords = checks
            }
            let harness = ShardHarness(listeners: listeners)
            let client = harness.connect(Self.connect("a"))
            #expect(harness.logins.isEmpty)
            #expect(Self.answer(client) == (isAllowed ? .success : .notAuthorized))
        }
    }

    @Test("[BR-4] A certificate is the user name and needs no password; without one nobody comes in")
    func identity() {
        let harness = ShardHarness(listeners: Self.guarded { $0.takesUserNameFromIdentity = true })
        let known = harness.open()
        harness.shard.identified(known.id, as: "CN-1")
        harness.send(.connect(Self.connect("a", user: "root")), on: known)
        harness.run()
        #expect(Self.answer(known) == .success)
        let names = harness.log.compactMap { if case .connected(_, _, _, _, _, let name) = $0 { name } else { nil } }
        #expect(names == ["CN-1"])
        let unknown = harness.connect(Self.connect("b", user: "root"))
        #expect(Self.answer(unknown) == .badUserNameOrPassword)
        #expect(harness.logins.isEmpty)
    }

    @Test("use_username_as_clientid: the session is the user's, whatever identifier was given")
    func userNameAsIdentifier() {
        let harness = ShardHarness(listeners: Self.guarded { $0.takesClientIdentifierFromUserName = true })
        let client = harness.connect(Self.connect("whatever", user: "u"))
        harness.answer(login: 0, .admitted)
        let empty = harness.connect(Self.connect("", user: "v"))
        harness.answer(login: 0, .admitted)
        #expect(Self.answer(client) == .success && Self.answer(empty) == .success)
        let names = harness.log.compactMap { if case .connected(_, let name, _, _, _, _) = $0 { name } else { nil } }
        #expect(names == ["u", "v"])
        let nameless = ShardHarness(
            listeners: Self.guarded {
                $0.takesClientIdentifierFromUserName = true
                $0.allowsAnonymous = true
            })
        #expect(Self.answer(nameless.connect(Self.connect("x"))) == .notAuthorized)
    }

    @Test("clientid_prefixes, accept_protocol_versions")
    func prefixAndVersions() {
        let listeners = Self.guarded {
            $0.checksPasswords = false
            $0.allowsAnonymous = true
            $0.clientIdentifierPrefix = Array("dev-".utf8)
            $0.acceptedVersions = [.v5]
        }
        let harness = ShardHarness(listeners: listeners)
        #expect(Self.answer(harness.connect(Self.connect("dev-1"))) == .success)
        #expect(Self.answer(harness.connect(Self.connect("x"))) == .notAuthorized)
        let old = harness.connect(Self.connect("dev-2", .v311))
        #expect(old.bytes == [0x20, 2, 0, 1])
    }

    @Test("A connection on another loop's shard is found by the name its session will have")
    func home() {
        var listener = ListenerSettings()
        listener.takesClientIdentifierFromUserName = true
        let bytes = Packet.connect(Self.connect("a", user: "someone else")).bytes(.v5)
        for (identity, settings, name) in [
            (nil, ListenerSettings(), "a"), (nil, listener, "someone else"),
            (
                "CN",
                {
                    listener.takesUserNameFromIdentity = true
                    return listener
                }(), "CN"
            ),
        ] as [(MQTTString?, ListenerSettings, String)] {
            let home = bytes.withUnsafeBytes {
                Shard.home(
                    ofConnection: $0, count: 97, key: 5, packetSizeMax: 0, listener: settings, identity: identity)
            }
            #expect(home == .shard(Shard.home(of: MQTTString(name), count: 97, key: 5)))
        }
    }
}
