import MQTTProtocol
import SeededRandom
import ShardTestKit
import Testing

@testable import BrokerCore

/// `check_retain_source`: a retained message is heard by new subscribers while its publisher may publish there.
@Suite("Sources of retained messages")
struct RetainedSourceTests {
    /// Only these users may publish; everybody may read.
    private static func publishers(_ names: Set<String?>) -> TestPolicy {
        TestPolicy { user, action, _ in action != .publish || names.contains(user) }
    }

    private static func come(_ harness: ShardHarness, _ user: String?, client: String? = nil) -> TestConnection {
        harness.connect(
            Connect(
                version: .v5, clientIdentifier: MQTTString(client ?? user ?? "anonymous"),
                userName: user.map { MQTTString($0) }))
    }

    /// What a newcomer finds under `#`.
    private static func found(_ harness: ShardHarness) -> [String] {
        let reader = harness.client("reader")
        harness.send(
            .subscribe(Subscribe(packetIdentifier: 1, subscriptions: [Subscription(filter: "#", qos: .atMostOnce)])),
            on: reader)
        harness.run()
        defer { harness.cut(reader) }
        return reader.takePublishes().map { $0.topic.description }.sorted()
    }

    @Test(
        "Who has lost the right to write is not heard of any more, and is when it has it again",
        arguments: [true, false])
    func lost(_ isChecked: Bool) {
        var settings = ShardSettings()
        settings.checksRetainSource = isChecked
        settings.logInterest.insert(.debug)
        let harness = ShardHarness(settings: settings, policy: Self.publishers(["a", "b", nil]))
        for user in ["a", "b", nil] {
            harness.publish(Self.come(harness, user), "of/\(user ?? "nobody")", [1], retain: true)
        }
        harness.shard.publish(
            topic: Array("of/server".utf8), payload: [1], qos: .atMostOnce, retain: true, at: harness.now)
        harness.run()
        let all = ["of/a", "of/b", "of/nobody", "of/server"]
        #expect(Self.found(harness) == all)
        harness.replaceAccess(policy: Self.publishers(["a"]))
        #expect(Self.found(harness) == (isChecked ? ["of/a", "of/server"] : all))
        #expect(harness.shard.status.retainedMessages == 4)
        let told = harness.log.contains { event in
            guard case .denied(.publish, let subject, _, let why, true) = event else { return false }
            return subject.userName == "b" && why.hasSuffix("its retained message is held back (check_retain_source)")
        }
        #expect(told == isChecked)
        harness.replaceAccess(policy: Self.publishers([nil, "b"]))
        #expect(Self.found(harness) == (isChecked ? ["of/b", "of/nobody", "of/server"] : all))
        harness.replaceAccess(policy: nil)
        #expect(Self.found(harness) == all)
    }

    @Test("Whoever published last counts, by user name, identifier and listener; a will is its client's")
    func whose() {
        var other = ListenerSettings()
        other.name = 7
        let harness = ShardHarness(listeners: [ListenerSettings(), other])
        harness.publish(Self.come(harness, "a"), "t", [1], retain: true)
        harness.publish(Self.come(harness, "b"), "t", [2], retain: true)
        #expect("t".source(in: harness)?.userName == "b")
        harness.publish(Self.come(harness, "b", client: "other"), "t", [2], retain: true)
        #expect("t".source(in: harness)?.clientIdentifier == "other")
        let seventh = harness.connect(Connect(version: .v5, clientIdentifier: "x"), listener: 1)
        harness.publish(seventh, "t", [2], retain: true)
        harness.run()
        #expect("t".source(in: harness) == AccessSubject(clientIdentifier: "x", userName: nil, listener: 7))
        var connect = Connect(version: .v5, clientIdentifier: "willing", userName: "w")
        connect.will = Will(topic: "t", payload: [3], retain: true)
        harness.cut(harness.connect(connect))
        harness.run()
        #expect("t".source(in: harness)?.userName == "w")
        harness.publish(seventh, "t", [], retain: true)
        harness.run()
        #expect("t".source(in: harness) == nil)
    }

    @Test("Every shard knows, wherever the publisher and the topic are at home")
    func neighbours() {
        let linked = LinkedShards(3)
        let writers = (0..<3).map { shard in
            linked[shard].connect(Connect(version: .v5, clientIdentifier: MQTTString("w\(shard)"), userName: "bad"))
        }
        for (shard, writer) in writers.enumerated() {
            for topic in 0..<4 { linked[shard].publish(writer, "t/\(shard)/\(topic)", [1], retain: true) }
            linked.run()
        }
        let good = linked[0].connect(Connect(version: .v5, clientIdentifier: "g", userName: "good"))
        linked[0].publish(good, "good", [1], retain: true)
        linked.run()
        func found(_ shard: Int) -> Int {
            let reader = linked[shard].client("r")
            linked[shard].subscribe(reader, "#")
            linked.run()
            defer { linked[shard].cut(reader) }
            return reader.takePublishes().count
        }
        for shard in 0..<3 { #expect(found(shard) == 13) }
        for shard in 0..<3 { linked[shard].replaceAccess(policy: Self.publishers(["good"])) }
        for shard in 0..<3 { #expect(found(shard) == 1) }
    }

    @Test("It is kept with the message and comes back after a restart; older stores have messages without")
    func restart() {
        let disk = ModelDisk()
        let harness = ShardHarness(policy: Self.publishers(["a", "b"]), disk: disk)
        harness.publish(Self.come(harness, "a"), "of/a", [1], qos: .atLeastOnce, retain: true)
        harness.publish(Self.come(harness, "b"), "of/b", [2], qos: .atLeastOnce, retain: true)
        harness.run()
        let (sessions, retained) = disk.engine.restart()
        #expect(retained.compactMap(\.source?.userName).map(\.description).sorted() == ["a", "b"])
        let after = ShardHarness(policy: Self.publishers(["a"]), disk: disk)
        let old = LoggedMessage(topic: Array("old".utf8), payload: [3], qos: 0, retain: true)
        after.restore(sessions, retained + [old])
        #expect(Self.found(after) == ["of/a", "old"])
    }

    @Test("An imported message, which has no key of ours, is its publisher's for No Local")
    func noLocal() {
        let harness = ShardHarness()
        let source = AccessSubject(clientIdentifier: "mine", userName: nil)
        harness.restore([], [LoggedMessage(topic: Array("t".utf8), payload: [1], qos: 0, retain: true, source: source)])
        for (name, isHeard) in [("mine", false), ("other", true)] {
            let reader = harness.client(name)
            harness.send(
                .subscribe(
                    Subscribe(
                        packetIdentifier: 1,
                        subscriptions: [Subscription(filter: "t", qos: .atMostOnce, noLocal: true)])), on: reader)
            harness.run()
            #expect(reader.takePublishes().isEmpty != isHeard)
        }
    }

    @Test(
        "The log's form gives back what was put in, and is no longer for it where nobody is named",
        arguments: [
            nil, AccessSubject(clientIdentifier: "", userName: nil),
            AccessSubject(clientIdentifier: "c", userName: "", listener: 1883),
            AccessSubject(clientIdentifier: "ü€", userName: "u", listener: .max),
        ])
    func form(_ source: AccessSubject?) {
        let plain = LoggedMessage(
            topic: [0x61], properties: [1, 1], payload: [9, 8], qos: 1, retain: true, storedAt: 5)
        let message = LoggedMessage(
            topic: [0x61], properties: [1, 1], payload: [9, 8], qos: 1, retain: true, storedAt: 5, source: source)
        #expect(message.source == source)
        #expect(message.queuedSize == plain.bytes.count)
        #expect((message == plain) == (source == nil))
        #expect(
            message.topic == [0x61] && message.properties == [1, 1] && message.payload == [9, 8] && message.retain
                && message.qos == 1 && message.storedAt == 5)
        let row = message.bytes + [0xFF, 0xFF]
        #expect(row.withUnsafeBytes { LoggedMessage.length($0) } == message.bytes.count)
        // Damage of any one byte, or an end too early, is no crash.
        for at in message.bytes.indices {
            for value in [0, 0x7F, 0xFF] as [UInt8] {
                var damaged = message.bytes
                damaged[at] = value
                let found = LoggedMessage(bytes: damaged)
                _ = (found.source, found.payload, found.queuedSize)
            }
            let short = LoggedMessage(bytes: Array(message.bytes[..<at]))
            #expect(short.source == nil && short.payload.isEmpty)
        }
    }

    @Test("Each is kept once however much it published, and forgotten with its last message; beside a model")
    func table() {
        var table = SourceTable()
        var random = SeededGenerator(seed: 5)
        var held: [(number: SourceTable.Number, subject: AccessSubject)] = []
        for _ in 0..<20_000 {
            if random.below(2) == 0 || held.isEmpty, held.count < 200 {
                let subject = AccessSubject(
                    clientIdentifier: MQTTString("c\(random.below(20))"), userName: random.below(2) == 0 ? nil : "u",
                    listener: UInt32(random.below(2)))
                held.append((table.enter(subject), subject))
            } else {
                table.leave(held.remove(at: random.below(held.count)).number)
            }
            #expect(table.count == Set(held.map(\.subject)).count)
            if let one = held.randomElement(using: &random) { #expect(table[one.number] == one.subject) }
        }
        for one in held { table.leave(one.number) }
        #expect(table.count == 0 && table[0] == nil)
    }
}

extension String {
    /// Who published the retained message of this topic.
    fileprivate func source(in harness: ShardHarness) -> AccessSubject? {
        Array(utf8).withUnsafeBytes { harness.shard.retained.source(of: $0) }
    }
}
