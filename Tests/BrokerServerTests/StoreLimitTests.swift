import MQTTTestKit
import Testing

/// `store_max_messages` and `store_max_bytes`: what the whole store may hold, said to publishers, also by a broker that starts
/// with a full one.
@Suite("The store's limit", .blocking)
struct StoreLimitTests {
    private static func conf(_ folder: String, _ limit: String) -> String {
        BrokerProcess.anonymous
            + "persistence true\npersistence_location \(folder)\n\(limit)\nqueue_full_policy refuse_publisher\n"
    }

    /// A message of this test takes 39 or 40 bytes of the log.
    @Test(
        "A publisher is refused when the store is full, again after a restart, and no longer when there is room",
        arguments: ["store_max_messages 16", "store_max_bytes 640"])
    func full(_ limit: String) throws {
        let first = try BrokerProcess.start(Self.conf("{directory}", limit))
        let sleeper = unique("sleeper")
        let reader = try RawClient.connected(
            to: first, id: sleeper, version: 5, properties: [.sessionExpiryInterval(3600)])
        try reader.subscribe("limit/#", 1)
        reader.close()

        /// Publishes until it is refused; returns how many were taken.
        func fill(_ broker: BrokerProcess, limit: Int) throws -> Int {
            let publisher = try RawClient.connected(to: broker, version: 5)
            for number in 0..<limit {
                publisher.send(Wire.publish(topic: "limit/x", payload: "\(number)", qos: 1, id: 1, properties: []))
                let puback = try publisher.expect(.puback)
                if puback.reasonCode == 0x97 { return number }
                try #require(puback.reasonCode == 0)
            }
            return limit
        }
        // The store's thread tells the shards: some more may come in between.
        let taken = try fill(first, limit: 200)
        #expect((16..<100).contains(taken))
        #expect(first.stop())

        let second = try BrokerProcess.start(Self.conf(first.directory, limit))
        #expect(try fill(second, limit: 200) < 2)
        let again = try RawClient.connected(
            to: second, id: sleeper, version: 5, cleanStart: false, properties: [.sessionExpiryInterval(3600)])
        for _ in 0..<taken {
            let packet = try again.receive()
            try #require(packet.kind == .publish)
            again.send(Wire.puback(try #require(packet.packetID)))
        }
        let publisher = try RawClient.connected(to: second, version: 5)
        let hasRoom = try Deadline(milliseconds: patienceMilliseconds).wait {
            publisher.send(Wire.publish(topic: "limit/x", payload: "room", qos: 1, id: 1, properties: []))
            return try publisher.expect(.puback).reasonCode == 0
        }
        #expect(hasRoom)
    }
}
