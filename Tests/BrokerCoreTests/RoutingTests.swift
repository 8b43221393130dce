import MQTTProtocol
import SeededRandom
import ShardTestKit
import Testing

@testable import BrokerCore

/// Trees, cache and versions against matching by the letter of §4.7.
@Suite("Routing")
struct RoutingTests {
    static let levels = [
        "a", "b", "", "$SYS", "$x", "long-level-of-more-than-sixteen-bytes", "sixteen-bytes-abc", "é", "1234567",
        "12345678",
    ]

    static func topic(_ random: inout SeededGenerator) -> String {
        let text = (0...random.below(4)).map { _ in random.pick(levels) }.joined(separator: "/")
        return text.isEmpty ? "a" : text
    }

    static func filter(_ random: inout SeededGenerator) -> String {
        var parts = (0...random.below(4)).map { _ in random.chance(30) ? "+" : random.pick(levels) }
        if random.chance(30) { parts.append("#") }
        let text = parts.joined(separator: "/")
        return text.isEmpty ? "#" : text
    }

    static func matches(_ filter: String, _ topic: String) -> Bool {
        let filter = filter.split(separator: "/", omittingEmptySubsequences: false)
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        if topic.hasPrefix("$"), filter[0] == "+" || filter[0] == "#" { return false }
        for (i, level) in filter.enumerated() {
            if level == "#" { return true }
            guard i < levels.count, level == "+" || level.utf8.elementsEqual(levels[i].utf8) else { return false }
        }
        return filter.count == levels.count
    }

    @Test(
        "the plan of a topic, remembered or new, is what a fresh match gives",
        arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func plansAgree(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var settings = ShardSettings()
        settings.routeCacheEntries = seed % 2 == 0 ? 8 : 4096
        let harness = ShardHarness(settings: settings, seed: seed, keepsHistory: false)
        let clients = (0..<6).map { harness.client("c\($0)") }
        let slots = (0..<6).map { harness.shard.clients[MQTTString("c\($0)")] }
        var model: [[String: UInt8]] = Array(repeating: [:], count: 6)
        let topics = (0..<60).map { _ in Self.topic(&random) }
        let filters = (0..<80).map { _ in Self.filter(&random) }

        for _ in 0..<2_000 {
            let index = random.below(6)
            if random.chance(40) {
                let filter = random.pick(filters)
                let qos = random.pick(QoS.allCases)
                harness.subscribe(clients[index], filter, qos)
                model[index][filter] = qos.rawValue
            } else if random.chance(40), let filter = model[index].keys.sorted().randomElement(using: &random) {
                harness.send(
                    .unsubscribe(Unsubscribe(packetIdentifier: 9, filters: [MQTTString(filter)])), on: clients[index])
                harness.run()
                model[index][filter] = nil
            }
            let topic = random.pick(topics)
            var expected: [[UInt32]] = []
            for (i, filters) in model.enumerated() {
                for (filter, qos) in filters where Self.matches(filter, topic) {
                    expected.append([slots[i] ?? 99, UInt32(qos)])
                }
            }
            let found = Array(topic.utf8).withUnsafeBytes { bytes -> [[UInt32]]? in
                guard let plan = try? harness.shard.plan(for: bytes) else { return nil }
                let subscribers = RouteCache.Plan.subscribers(plan)
                return (0..<Int(plan.pointee.count)).map {
                    [subscribers[$0].slot, UInt32(subscribers[$0].options.qos)]
                }
            }
            #expect(
                found?.sorted { $0.lexicographicallyPrecedes($1) }
                    == expected.sorted { $0.lexicographicallyPrecedes($1) }, "\(topic)")
        }
        for client in clients { harness.cut(client) }
        let left = harness.shard.routes.levels.count
        #expect(left == 0, "the tree is empty when everybody has gone")
    }

    @Test("levels are found, made once and go when nothing needs them", arguments: [1, 2, 3] as [UInt64])
    func levelTree(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var tree = LevelTree(key: seed)
        var model: [String: LevelTree.Index] = [:]
        let topics = (0..<300).map { _ in Self.topic(&random) }
        func descend(_ topic: String, _ tree: borrowing LevelTree) -> LevelTree.Index? {
            var node = LevelTree.root
            for level in topic.split(separator: "/", omittingEmptySubsequences: false) {
                let bytes = Array(level.utf8) + [0]
                node = bytes.withUnsafeBufferPointer {
                    tree.child(of: node, $0.baseAddress.unsafelyUnwrapped, bytes.count - 1)
                }
                if node == 0 { return nil }
            }
            return node
        }
        for _ in 0..<4_000 {
            let topic = random.pick(topics)
            if random.chance(50) {
                var node = LevelTree.root
                for level in topic.split(separator: "/", omittingEmptySubsequences: false) {
                    let bytes = Array(level.utf8) + [0]
                    node = bytes.withUnsafeBufferPointer {
                        tree.insertChild(of: node, $0.baseAddress.unsafelyUnwrapped, bytes.count - 1)
                    }
                }
                tree.setPayload(1, at: node)
                if let known = model[topic] { #expect(known == node) }
                model[topic] = node
                var path: [UInt8] = []
                tree.path(to: node, into: &path)
                #expect(path == Array(topic.utf8))
            } else if let node = model.removeValue(forKey: topic) {
                tree.setPayload(0, at: node)
                tree.prune(node)
            }
            let probe = random.pick(topics)
            if let node = model[probe] {
                let found = descend(probe, tree)
                #expect(found == node)
            }
        }
        for (_, node) in model {
            tree.setPayload(0, at: node)
            tree.prune(node)
        }
        let count = tree.count
        #expect(count == 0)
    }
}
