import HeapModule
import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// What changes under those who are here: settings, and whether they may stay.
@Suite("Renewal")
struct RenewTests {
    private static let version5: Set<ProtocolVersion> = [.v5]

    /// Everybody whom `dismiss` sends away, and why, with no opinion on user names but `gone`.
    private func dismiss(_ harness: ShardHarness, _ listener: ListenerSettings, gone: [MQTTString] = []) -> [String:
        Dismissal]
    {
        harness.replaceAccess(policy: nil, listeners: [listener])
        let count = harness.shard.dismiss(at: harness.now) { _, name, _ in gone.contains(name) ? .userGone : nil }
        harness.settle()
        harness.run()
        var found: [String: Dismissal] = [:]
        for case .disconnected(_, let client?, .dismissed(let why)) in harness.log { found[client.description] = why }
        #expect(found.count == count)
        return found
    }

    @Test("Each is sent away by the rule that it breaks, hears why, and the others stay")
    func rules() {
        let harness = ShardHarness()
        let named = harness.connect(LoginTests.connect("dev-1", user: "u"))
        let old = harness.connect(LoginTests.connect("dev-2", user: "u", .v311))
        let anonymous = harness.connect(LoginTests.connect("dev-3"))
        let other = harness.connect(LoginTests.connect("x-4", user: "u"))
        let gone = harness.connect(LoginTests.connect("dev-5", user: "gone"))
        for client in [named, old, anonymous, other, gone] { _ = client.takePackets() }
        var listener = ListenerSettings()
        listener.allowsAnonymous = false
        listener.acceptedVersions = Self.version5
        listener.clientIdentifierPrefix = Array("dev-".utf8)
        #expect(
            dismiss(harness, listener, gone: ["gone"]) == [
                "dev-2": .version, "dev-3": .anonymous, "x-4": .clientIdentifierPrefix, "dev-5": .userGone,
            ])
        #expect(!named.isClosed)
        #expect(old.isClosed && old.bytes.suffix(2) != [0xE0, 0])  // 3.1.1 has no DISCONNECT from the server
        for client in [anonymous, gone] {
            guard case .disconnect(let packet)? = client.takePackets().first else {
                #expect(Bool(false), "DISCONNECT")
                continue
            }
            #expect(packet.reasonCode == .notAuthorized)
        }
    }

    @Test("What stands for the password is what it was let in by; without a check it is 0")
    func credentials() {
        let harness = ShardHarness(listeners: LoginTests.guarded())
        _ = harness.connect(LoginTests.connect("a", user: "u"))
        harness.shard.authenticated(harness.logins[0].connection, .admitted, credential: 77, at: harness.now)
        harness.settle()
        let open = ShardHarness()
        _ = open.connect(LoginTests.connect("b", user: "v"))
        for (harness, credential) in [(harness, 77 as UInt64), (open, 0)] {
            var seen: [UInt64] = []
            let count = harness.shard.dismiss(at: harness.now) { _, _, credential in
                seen.append(credential)
                return nil
            }
            #expect(seen == [credential])
            #expect(count == 0)
        }
    }

    @Test("A certificate's user is nobody's to ask for; one who waits for a verdict is measured by it")
    func notAsked() {
        let harness = ShardHarness(listeners: LoginTests.guarded { $0.takesUserNameFromIdentity = true })
        let client = harness.open()
        harness.shard.identified(client.id, as: "CN-1")
        harness.send(.connect(LoginTests.connect("a")), on: client)
        harness.run()
        #expect(dismiss(harness, harness.shard.listeners[0], gone: ["CN-1"]).isEmpty)
        let waiting = ShardHarness(listeners: LoginTests.guarded())
        _ = waiting.connect(LoginTests.connect("b", user: "gone"))
        #expect(dismiss(waiting, waiting.shard.listeners[0], gone: ["gone"]).isEmpty)
    }

    @Test("Who is sent away leaves a will, and a persistent session that goes on receiving")
    func sessionsStay() {
        let harness = ShardHarness()
        let watcher = harness.client("watcher")
        harness.subscribe(watcher, "will")
        var connect = LoginTests.connect("a", user: "gone")
        connect.properties.sessionExpiryIntervalSeconds = 100
        connect.will = Will(topic: "will", payload: [9], qos: .atMostOnce, retain: false)
        let client = harness.connect(connect)
        harness.subscribe(client, "t", .atLeastOnce)
        _ = dismiss(harness, ListenerSettings(), gone: ["gone"])
        #expect(client.isClosed)
        #expect(watcher.takePayloads() == [9])
        harness.publish(watcher, "t", [5], qos: .atLeastOnce)
        harness.run()
        connect.cleanStart = false
        connect.will = nil
        let back = harness.connect(connect)
        #expect(back.takePayloads() == [5])
    }

    // MARK: Settings

    private func replace(_ harness: ShardHarness, _ change: (inout ShardSettings) -> Void) {
        var settings = harness.shard.settings
        change(&settings)
        harness.shard.replaceSettings(settings, at: harness.now)
        harness.settle()
        harness.run()
    }

    @Test(
        "A packet as large as CONNACK allowed is taken after the limit has become smaller; the next CONNACK says the new one"
    )
    func packetSize() {
        let harness = ShardHarness()
        let client = harness.client("a")
        replace(harness) { $0.packetSizeMax = 100 }
        harness.publish(client, "t", [UInt8](repeating: 1, count: 500), qos: .atLeastOnce)
        harness.run()
        #expect(client.takePackets() == [.puback(Puback(packetIdentifier: 1, reasonCode: .noMatchingSubscribers))])
        let second = harness.client("b")
        harness.publish(second, "t", [UInt8](repeating: 1, count: 500), qos: .atLeastOnce)
        harness.run()
        #expect(second.isClosed)
    }

    @Test("Who was told that messages may be retained is not sent away for it; the message is not retained")
    func retain() {
        let harness = ShardHarness()
        let reader = harness.client("reader")
        harness.subscribe(reader, "t")
        let client = harness.client("a")
        replace(harness) { $0.retainAvailable = false }
        harness.publish(client, "t", [7], retain: true)
        harness.run()
        #expect(!client.isClosed)
        #expect(reader.takePayloads() == [7])
        #expect(harness.shard.status.retainedMessages == 0)
        let second = harness.client("b")
        harness.publish(second, "t", [7], retain: true)
        harness.run()
        #expect(second.isClosed)
    }

    @Test("queue_full_policy: who waited for room goes on when nobody has to wait any more")
    func policy() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 1
        settings.queueFullPolicy = .refusePublisher
        let harness = ShardHarness(settings: settings)
        let sleeper = harness.client("sleeper", expiry: 100)
        harness.subscribe(sleeper, "t", .atLeastOnce)
        harness.cut(sleeper)
        let publisher = harness.client("p", .v311)
        for identifier in 1...2 as ClosedRange<UInt16> {
            harness.publish(publisher, "t", [1], qos: .atLeastOnce, identifier: identifier)
        }
        harness.run()
        #expect(publisher.isPaused)
        replace(harness) { $0.queueFullPolicy = .dropNewest }
        #expect(!publisher.isPaused)
        #expect(publisher.takePackets().count == 2)
        #expect(harness.shard.status.counters.publishesDropped == 1)
    }

    @Test("Sweeps follow the new settings, and only once")
    func sweeps() {
        var settings = ShardSettings()
        settings.retainedSweepInterval = 60_000
        settings.queueSecondsMax = 10
        let harness = ShardHarness(settings: settings)
        func sweeps() -> Int {
            harness.shard.deadlines.unordered.count { (due: Deadline) in
                due.generation == harness.shard.settingsNumber
                    && (due.kind == .retainedSweep || due.kind == .queueSweep)
            }
        }
        harness.shard.start(at: harness.now)
        #expect(sweeps() == 2)
        for round in 1...3 {
            replace(harness) { $0.queueSecondsMax = 10 + round }
            #expect(sweeps() == 2)
        }
        replace(harness) {
            $0.queueSecondsMax = 0
            $0.retainedSweepInterval = nil
        }
        #expect(sweeps() == 0)
        harness.advance(by: 120_000)
        #expect(sweeps() == 0)
        replace(harness) { $0.retainedSweepInterval = 1000 }
        let publisher = harness.client("p")
        var retained = Publish(retain: true, topic: "r", payload: [1])
        retained.properties.messageExpiryIntervalSeconds = 1
        harness.send(.publish(retained), on: publisher)
        harness.run()
        #expect(harness.shard.status.retainedMessages == 1)
        harness.advance(by: 5_000)
        #expect(harness.shard.status.retainedMessages == 0)
    }

    @Test("Numbers of listeners grow; one that has come is known")
    func listeners() {
        let harness = ShardHarness()
        let client = harness.client("a")
        var second = ListenerSettings()
        second.qosMax = 0
        harness.replaceAccess(policy: nil, listeners: [harness.shard.listeners[0], second])
        #expect(!client.isClosed)
        let other = harness.connect(LoginTests.connect("b"), listener: 1)
        guard case .connack(let connack)? = other.takePackets().first else {
            return #expect(Bool(false), "CONNACK")
        }
        #expect(connack.properties.maximumQoS == .atMostOnce)
    }
}
