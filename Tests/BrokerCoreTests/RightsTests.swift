import MQTTProtocol
import SeededRandom
import ShardTestKit
import Synchronization
import Testing

@testable import BrokerCore

/// A policy that is a function, and counts how often it is asked.
final class TestPolicy: AccessPolicy {
    typealias Rule = @Sendable (_ user: String?, AccessAction, _ topic: String) -> Bool

    private let rule: Rule
    private let asked = Mutex(0)
    init(_ rule: @escaping Rule) { self.rule = rule }

    var questions: Int { asked.withLock { $0 } }

    func decide(_ subject: AccessSubject, _ action: AccessAction, _ topic: UnsafeRawBufferPointer) -> AccessDecision {
        asked.withLock { $0 += 1 }
        let isAllowed = rule(subject.userName?.description, action, String(decoding: topic, as: UTF8.self))
        return AccessDecision(isAllowed: isAllowed, .rule(7))
    }

    func describe(_ reason: AccessReason) -> String { "\(reason)" }
}

/// Who may publish and receive what, at the moment it happens.
@Suite("Rights")
struct RightsTests {
    /// `r/…` may only be read, `w/…` only written, `no/…` neither; the rest both.
    static let byTopic = TestPolicy { _, action, topic in
        switch action {
        case .publish: !topic.hasPrefix("r/") && !topic.hasPrefix("no/")
        case .receive: !topic.hasPrefix("w/") && !topic.hasPrefix("no/")
        case .subscribe, .unsubscribe: !topic.hasPrefix("closed")
        }
    }

    @Test(
        "A denied PUBLISH goes to nobody; 5.0 hears 0x87, 3.x its acknowledgement",
        arguments: [ProtocolVersion.v311, .v5], [false, true])
    func denied(_ version: ProtocolVersion, _ watchesLog: Bool) {
        var settings = ShardSettings()
        if watchesLog { settings.logInterest.insert(.debug) }
        let harness = ShardHarness(settings: settings, policy: Self.byTopic)
        let reader = harness.client("reader")
        harness.subscribe(reader, "#", .exactlyOnce)
        let writer = harness.client("writer", version)
        for round in 0..<3 {
            harness.publish(writer, "r/x", [9], retain: round == 1)
            harness.publish(writer, "r/x", [9], qos: .atLeastOnce, identifier: 1, retain: round == 1)
            harness.publish(writer, "r/x", [9], qos: .exactlyOnce, identifier: 2, retain: round == 1)
            harness.publish(writer, "ok", [1])
            harness.run()
            let answers = writer.takePackets()
            guard case .puback(let puback) = answers.first, case .pubrec(let pubrec) = answers.last else {
                return #expect(Bool(false), "PUBACK and PUBREC")
            }
            let code: ReasonCode = version == .v5 ? .notAuthorized : .success
            #expect(puback.reasonCode == code && pubrec.reasonCode == code)
            #expect(reader.takePayloads() == [1])
        }
        #expect(harness.shard.status.retainedMessages == 0)
        let said = harness.log.contains {
            if case .publish(.denied, _, _, _, _, _, _, _) = $0 { true } else { false }
        }
        #expect(said == watchesLog)
        let reasons = harness.log.filter { if case .denied(.publish, _, _, _, false) = $0 { true } else { false } }
        #expect(reasons.count == 1)  // once a topic, not once a message
    }

    @Test("What may not be read is not delivered: live, retained, of neighbours' sessions or not")
    func reading() {
        let harness = ShardHarness(policy: Self.byTopic)
        let reader = harness.client("reader")
        harness.subscribe(reader, "#")
        let writer = harness.client("writer")
        harness.publish(writer, "w/x", [1], retain: true)
        harness.publish(writer, "ok", [2], retain: true)
        harness.run()
        #expect(reader.takePayloads() == [2])
        let late = harness.client("late")
        harness.send(
            .subscribe(Subscribe(packetIdentifier: 1, subscriptions: [Subscription(filter: "#", qos: .atMostOnce)])),
            on: late)
        harness.run()
        #expect(late.takePayloads() == [2])
    }

    @Test("One question for a topic and a connection, and one for a topic and a reader")
    func remembered() {
        let policy = TestPolicy { _, _, _ in true }
        let harness = ShardHarness(policy: policy)
        let reader = harness.client("reader")
        harness.subscribe(reader, "#")
        let writer = harness.client("writer")
        harness.publish(writer, "a")
        let before = policy.questions
        for _ in 0..<100 { harness.publish(writer, "a") }
        harness.run()
        #expect(policy.questions == before)
        #expect(reader.takePayloads().count == 101)
    }

    @Test("A policy that is replaced holds at once, for publishing and receiving, and is gone at once")
    func replaced() {
        let harness = ShardHarness()
        let reader = harness.client("reader")
        harness.subscribe(reader, "#")
        let writer = harness.client("writer")
        func delivered(_ topic: String) -> Bool {
            harness.publish(writer, topic)
            harness.run()
            return !reader.takePayloads().isEmpty
        }
        #expect(delivered("r/x") && delivered("w/x"))
        harness.replaceAccess(policy: Self.byTopic)
        #expect(!delivered("r/x") && !delivered("w/x") && delivered("ok"))
        harness.replaceAccess(policy: TestPolicy { _, _, topic in !topic.hasPrefix("ok") })
        #expect(delivered("r/x") && delivered("w/x") && !delivered("ok"))
        harness.replaceAccess(policy: nil)
        #expect(delivered("r/x") && delivered("w/x") && delivered("ok"))
    }

    @Test("SUBSCRIBE and UNSUBSCRIBE that the policy refuses", arguments: [ProtocolVersion.v311, .v5])
    func subscribing(_ version: ProtocolVersion) {
        let harness = ShardHarness(policy: Self.byTopic)
        let client = harness.client("c", version)
        let filters: [MQTTString] = ["open/#", "closed/#", "$share/g/closed/+"]
        harness.send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 1, subscriptions: filters.map { Subscription(filter: $0, qos: .atLeastOnce) })),
            on: client)
        harness.run()
        guard case .suback(let suback) = client.takePackets().first else { return #expect(Bool(false), "SUBACK") }
        let no: ReasonCode = version == .v5 ? .notAuthorized : .unspecifiedError
        #expect(suback.reasonCodes == [.grantedQoS1, no, no])
        #expect(harness.shard.status.subscriptions == 1)
        guard version == .v5 else { return }
        harness.send(.unsubscribe(Unsubscribe(packetIdentifier: 2, filters: ["closed/#", "open/#"])), on: client)
        harness.run()
        guard case .unsuback(let unsuback) = client.takePackets().first else { return #expect(Bool(false), "UNSUBACK") }
        #expect(unsuback.reasonCodes == [.notAuthorized, .success])
    }

    @Test("What waited for a client goes out only as far as its rights still reach")
    func queued() {
        let harness = ShardHarness(policy: TestPolicy { _, _, _ in true })
        let away = harness.client("away", expiry: 1000)
        harness.subscribe(away, "#", .atLeastOnce)
        harness.cut(away)
        let writer = harness.client("writer")
        for (i, topic) in ["w/1", "ok", "w/2", "fine"].enumerated() {
            harness.publish(writer, topic, [UInt8(i)], qos: .atLeastOnce, identifier: UInt16(i + 1))
        }
        harness.run()
        harness.replaceAccess(policy: Self.byTopic)
        let back = harness.connect(
            Connect(
                version: .v5, cleanStart: false, clientIdentifier: "away",
                properties: {
                    var properties = Connect.Properties()
                    properties.sessionExpiryIntervalSeconds = 1000
                    return properties
                }()))
        harness.run()
        #expect(back.takePayloads() == [1, 3])
        harness.publish(writer, "ok", [4], qos: .atLeastOnce, identifier: 9)
        harness.run()
        #expect(back.takePayloads() == [4])
    }

    @Test("A session that another user takes up has that user's rights")
    func otherUser() {
        let policy = TestPolicy { user, action, _ in action != .receive || user == "good" }
        let harness = ShardHarness(policy: policy)
        func come(_ user: String) -> TestConnection {
            var connect = Connect(version: .v5, cleanStart: false, clientIdentifier: "c", userName: MQTTString(user))
            connect.properties.sessionExpiryIntervalSeconds = 1000
            return harness.connect(connect)
        }
        let good = come("good")
        harness.subscribe(good, "a/+")
        harness.subscribe(good, "$share/g/b")
        let writer = harness.client("writer")
        func delivered(to reader: TestConnection) -> Int {
            harness.publish(writer, "a/b")
            harness.publish(writer, "b")
            harness.run()
            return reader.takePayloads().count
        }
        #expect(delivered(to: good) == 2)
        let bad = come("bad")
        #expect(delivered(to: bad) == 0)
        #expect(delivered(to: come("good")) == 2)
    }

    @Test("A shared subscription passes over members who may not read the topic, wherever they are")
    func shared() {
        let policy = TestPolicy { user, action, topic in action != .receive || user != "low" || !topic.hasPrefix("high")
        }
        let linked = LinkedShards(3)
        for shard in 0..<3 { linked[shard].replaceAccess(policy: policy) }
        let low = linked[0].connect(Connect(version: .v5, clientIdentifier: "low", userName: "low"))
        let high = linked[1].connect(Connect(version: .v5, clientIdentifier: "high", userName: "high"))
        let writer = linked[2].connect(Connect(version: .v5, clientIdentifier: "w", userName: "w"))
        linked.run()
        linked[0].subscribe(low, "$share/g/#")
        linked[1].subscribe(high, "$share/g/#")
        linked.run()
        for _ in 0..<4 {
            for topic in ["high/a", "any"] { linked[2].publish(writer, topic) }
            linked.run()
        }
        #expect(low.takePublishes().allSatisfy { $0.topic == "any" })
        let taken = high.takePublishes().map(\.topic)
        #expect(taken.count { $0 == "high/a" } == 4)
    }

    @Test("A will goes where its client may publish when it is due", arguments: ["r/will", "$SYS/will", "ok"])
    func will(_ topic: String) {
        let harness = ShardHarness(policy: Self.byTopic)
        let reader = harness.client("reader")
        harness.subscribe(reader, "#")
        harness.subscribe(reader, "$SYS/#")
        let client = harness.client("c", will: Will(topic: MQTTString(topic), payload: [1]))
        harness.cut(client)
        harness.run()
        #expect(reader.takePayloads() == (topic == "ok" ? [1] : []))
    }

    @Test(
        "The broker's own rules: $SYS and $share are not for clients, but for what bridges say",
        arguments: [
            ("$SYS/x", false), ("$SYSTEM", false), ("$share/g/x", false), ("$other/x", true), ("a/$SYS", true),
            ("$SYS/broker/connection/b/state", true), ("$SYS/broker/connection/b/c/state", false),
            ("$SYS/broker/connection/state", false), ("$SYS/broker/connection//state", true),
        ])
    func reserved(_ topic: String, _ isAllowed: Bool) {
        let harness = ShardHarness()
        let client = harness.client("c")
        harness.publish(client, topic, qos: .atLeastOnce)
        harness.run()
        guard case .puback(let puback) = client.takePackets().first else { return #expect(Bool(false), "PUBACK") }
        #expect(puback.reasonCode == (isAllowed ? .noMatchingSubscribers : .notAuthorized))
    }

    @Test("mount_point stands before every topic of its listener's clients, and they never see it")
    func mountPoint() {
        var mounted = ListenerSettings()
        mounted.mountPoint = Array("site/".utf8)
        let harness = ShardHarness(listeners: [ListenerSettings(), mounted])
        let whole = harness.client("whole")
        harness.subscribe(whole, "#", .exactlyOnce)
        var connect = Connect(version: .v5, clientIdentifier: "inside")
        connect.will = Will(topic: "gone", payload: [9])
        let inside = harness.connect(connect, listener: 1)
        harness.subscribe(inside, "a/+", .atLeastOnce)
        harness.subscribe(inside, "$share/g/s")
        harness.publish(inside, "a/1", [1], qos: .atLeastOnce)
        harness.publish(whole, "a/2", [2])
        harness.publish(whole, "site/a/3", [3])
        harness.publish(whole, "site/s", [4])
        harness.run()
        let heard = inside.takePublishes()
        #expect(heard.map(\.topic) == ["a/1", "a/3", "s"])
        #expect(whole.takePublishes().map(\.topic) == ["site/a/1", "a/2", "site/a/3", "site/s"])
        harness.send(.unsubscribe(Unsubscribe(packetIdentifier: 5, filters: ["a/+"])), on: inside)
        harness.publish(whole, "site/a/3")
        harness.cut(inside)
        harness.run()
        #expect(inside.takePublishes().isEmpty)
        #expect(whole.takePublishes().last?.topic == "site/gone")
    }

    @Test(
        "Both roads agree, with any route_cache_entries: whatever is remembered, everyone gets what the policy says",
        arguments: 1...4 as ClosedRange<UInt64>)
    func model(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var settings = ShardSettings()
        settings.routeCacheEntries = seed % 2 == 0 ? 8 : 4096
        if seed > 2 { settings.logInterest.insert(.debug) }
        let topics = (0..<300).map { "t/\($0)" }
        @Sendable func says(_ salt: Int, _ user: String?, _ action: AccessAction, _ topic: String) -> Bool {
            var hash = salt
            for byte in "\(user ?? "")|\(action.rawValue)|\(topic)".utf8 { hash = (hash &* 31 &+ Int(byte)) % 65_521 }
            return action.rawValue > 1 || hash % 3 != 0
        }
        var salt = 1
        func policy() -> TestPolicy { TestPolicy { [salt] in says(salt, $0, $1, $2) } }
        let harness = ShardHarness(settings: settings, policy: policy(), seed: seed, keepsHistory: false)
        let names = ["a", "b", "c"]
        let clients = names.map { name in
            harness.connect(Connect(version: .v5, clientIdentifier: MQTTString(name), userName: MQTTString(name)))
        }
        for client in clients { harness.subscribe(client, "t/+") }
        for step in 0..<3_000 {
            if random.below(100) == 0 {
                salt = step
                harness.replaceAccess(policy: policy())
            }
            let sender = random.below(3)
            let topic = random.pick(topics)
            harness.publish(clients[sender], topic, retain: random.chance(10))
            harness.run()
            let mayPublish = says(salt, names[sender], .publish, topic)
            for (reader, name) in zip(clients, names) {
                let expected = mayPublish && says(salt, name, .receive, topic) ? 1 : 0
                #expect(reader.takePublishes().count == expected)
            }
        }
    }
}
