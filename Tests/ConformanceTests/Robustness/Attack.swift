import Foundation
import MQTTTestKit
import SeededRandom
import Testing

/// The packets of other projects' tests and fuzzers, and mutations of them from a seed.
enum Attack {
    private static let resources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "MQTTProtocolTests/Resources")

    /// Every packet of the four corpora, in the order of their files.
    static func corpus() throws -> [[UInt8]] {
        let fromTables = try ["mochi-tpackets", "mqtt-packet-js"].flatMap { name in
            let data = try Data(contentsOf: resources.appending(path: "\(name).json"))
            let list = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
            return try list.map { try bytes(try #require($0["raw"] as? String)) }
        }
        let fromLines = try ["fume", "fsecure"].flatMap { name in
            try String(contentsOf: resources.appending(path: "\(name).hex"), encoding: .utf8)
                .split(separator: "\n").map { try bytes(String($0.prefix { $0 != "#" })) }
        }
        return fromTables + fromLines
    }

    private static func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex.utf8.filter { $0 != UInt8(ascii: " ") })
        return try stride(from: 0, to: digits.count - 1, by: 2).map { at in
            try #require(UInt8(String(decoding: digits[at...(at + 1)], as: UTF8.self), radix: 16))
        }
    }

    /// The same bytes with one to four things done to them.
    static func mutated(_ bytes: [UInt8], _ chance: inout SeededGenerator) -> [UInt8] {
        var result = bytes
        for _ in 0..<Int.random(in: 1...4, using: &chance) {
            let at = Int.random(in: 0...result.count, using: &chance)
            switch Int.random(in: 0...5, using: &chance) {
            case 0 where at < result.count: result[at] = UInt8.random(in: 0...255, using: &chance)
            case 1 where at < result.count: result[at] ^= 1 << UInt8.random(in: 0...7, using: &chance)
            case 2: result.insert(UInt8.random(in: 0...255, using: &chance), at: at)
            case 3 where at < result.count: result.removeLast(result.count - at)
            case 4: result.insert(contentsOf: result.prefix(at), at: at)
            default: result.append(contentsOf: bytes)
            }
        }
        return result
    }
}

/// A publisher and a subscriber that behave, beside whatever else happens to their broker.
struct HealthyPair {
    private let publisher: RawClient
    private let subscriber: RawClient
    private let topic = unique("healthy")
    private(set) var rounds = 0

    init(_ broker: BrokerProcess) throws {
        publisher = try RawClient.connected(to: broker)
        subscriber = try RawClient.connected(to: broker)
        try subscriber.subscribe(topic, 1)
    }

    /// One message at QoS 1, acknowledged and received, each within `RawClient`'s deadline of three seconds.
    mutating func round() throws {
        rounds += 1
        try publisher.publish(topic, "round \(rounds)", qos: 1, id: UInt16(1 + rounds % 65_535))
        // What the others publish is theirs; the test topic is ours alone.
        #expect(try subscriber.receivePublish().payloadText == "round \(rounds)")
    }
}
