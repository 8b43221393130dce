import MQTTProtocol
import SeededRandom
import ShardTestKit
import Testing

@testable import BrokerCore

/// Retained messages and the walks over them, while topics come and go.
@Suite("Retained")
struct RetainedTests {
    private static func message(_ topic: String, _ value: UInt8, expiresAt: Int64 = MessageParts.never) -> Message {
        Array(topic.utf8).withUnsafeBytes { topic in
            withUnsafeBytes(of: value) { payload in
                Message.make(
                    MessageParts(
                        topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload,
                        qos: 0,
                        retain: true, expiresAt: expiresAt, publisher: 0))
            }
        }
    }

    @Test(
        "a message that is there all the time is met once by every walk that matches",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func walks(seed: UInt64) {
        struct Walk {
            var id: RetainedTree.WalkID
            var filter: String
            /// Topics that were there at the start and have been since.
            var owed: Set<String>
            var met: [String] = []
        }
        var random = SeededGenerator(seed: seed)
        var tree = RetainedTree(key: seed)
        var model: Set<String> = []
        var walks: [Walk] = []
        let topics = (0..<120).map { _ in RoutingTests.topic(&random) }
        var finished = 0
        for _ in 0..<6_000 {
            switch random.below(10) {
            case 0..<3:
                let topic = random.pick(topics)
                tree.set(Self.message(topic, 1))
                model.insert(topic)
            case 3..<6:
                let topic = random.pick(topics)
                let removed = Array(topic.utf8).withUnsafeBytes { tree.remove($0) }
                #expect(removed == (model.remove(topic) != nil))
                for i in walks.indices { walks[i].owed.remove(topic) }
            case 6 where walks.count < 5:
                let filter = RoutingTests.filter(&random)
                let owed = model.filter { RoutingTests.matches(filter, $0) }
                walks.append(Walk(id: tree.walk(MQTTString(filter)), filter: filter, owed: owed))
            default:
                guard !walks.isEmpty else { break }
                let i = random.below(walks.count)
                let (message, isPaused) = tree.next(walks[i].id, at: 0, stepsMax: 1 + random.below(3))
                if let message {
                    let topic = String(decoding: message.topic, as: UTF8.self)
                    #expect(RoutingTests.matches(walks[i].filter, topic), "\(walks[i].filter) met \(topic)")
                    #expect(model.contains(topic))
                    walks[i].met.append(topic)
                } else if !isPaused {
                    let walk = walks.remove(at: i)
                    tree.cancel(walk.id)
                    finished += 1
                    for topic in walk.owed {
                        #expect(walk.met.filter { $0 == topic }.count == 1, "\(walk.filter) and \(topic)")
                    }
                }
            }
            let count = tree.count
            #expect(count == model.count)
        }
        #expect(finished > 20)
    }

    @Test("expired messages go when a walk meets them")
    func expiry() {
        var tree = RetainedTree(key: 1)
        tree.set(Self.message("a/b", 1, expiresAt: 50))
        tree.set(Self.message("a/c", 2))
        let walk = tree.walk("#")
        var met: [UInt8] = []
        while true {
            let (message, isPaused) = tree.next(walk, at: 100, stepsMax: 10)
            guard message != nil || isPaused else { break }
            if let message { met.append(message.payload[0]) }
        }
        let count = tree.count
        #expect(met == [2])
        #expect(count == 1)
        tree.cancel(walk)
    }

    @Test(
        "retain_expiry_interval: expired messages go at the next sweep; without one, when somebody meets them",
        arguments: [nil, 60_000])
    func sweep(_ interval: Int64?) {
        var settings = ShardSettings()
        settings.retainedSweepInterval = interval
        let harness = ShardHarness(settings: settings)
        harness.shard.start(at: harness.now)
        let writer = harness.client("w")
        var publish = Publish(retain: true, topic: "short", payload: [1])
        publish.properties.messageExpiryIntervalSeconds = 1
        harness.send(.publish(publish), on: writer)
        harness.publish(writer, "long", retain: true)
        harness.run()
        harness.advance(by: 59_000)
        #expect(harness.shard.status.retainedMessages == 2)
        harness.advance(by: 2_000)
        #expect(harness.shard.status.retainedMessages == (interval == nil ? 2 : 1))
    }

    @Test("a slow reader is sent retained messages at its own pace, each once, while they change")
    func pacing() {
        let harness = ShardHarness()
        let owner = harness.client("owner")
        for i in 0..<500 {
            harness.publish(owner, "r/\(i)", [UInt8](repeating: UInt8(i & 0xFF), count: 300), retain: true)
        }
        harness.run()
        let slow = harness.client("slow")
        slow.socketBytesMax = 4_000
        harness.send(
            .subscribe(Subscribe(packetIdentifier: 1, subscriptions: [Subscription(filter: "r/#", qos: .atMostOnce)])),
            on: slow)
        var peak = 0
        var topics: [String] = []
        for round in 0..<2_000 {
            harness.run()
            peak = max(peak, harness.shard.status.outputBytes)
            harness.publish(owner, "r/x\(round)", [1], retain: true)
            harness.read(4_000, on: slow)
            topics += slow.takePublishes().filter(\.retain).map { $0.topic.description }
            if topics.count >= 500 { break }
        }
        let old = topics.filter { !$0.hasPrefix("r/x") }
        #expect(old.count == 500)
        #expect(Set(old).count == 500)
        #expect(peak < 200_000, "the output held \(peak) bytes")
    }
}
