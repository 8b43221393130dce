import BrokerCore
import BrokerStore
import Glibc
import MQTTTestKit
import SeededRandom
import Testing

/// Files that Debian's mosquitto wrote itself: clients in every state a session can be in, then a snapshot, then we read.
@Suite(
    "Files of mosquitto 2.0.11", .blocking,
    .enabled(if: BrokerProcess.mosquitto != nil, "apt install mosquitto; `make setup` does"))
struct MosquittoFileTests {
    static let configuration = """
        listener {port} 127.0.0.1
        allow_anonymous true
        persistence true
        persistence_location {directory}/
        max_queued_messages 0

        """

    /// Leaves sessions, queues and retained messages in a mosquitto and stops it; its file is `mosquitto.db`.
    static func filled() throws -> BrokerProcess {
        let broker = try BrokerProcess.start(configuration, program: BrokerProcess.mosquitto)
        // Offline, 3.1.1: its messages are queued.
        let old = try RawClient.connected(to: broker, id: "old", version: 4, cleanStart: false)
        try old.subscribe("q/#", 2)
        try old.disconnect()
        // Online, 5.0: one message in each state of its way out.
        let new = try RawClient.connected(
            to: broker, id: "new", version: 5, cleanStart: false, properties: [.sessionExpiryInterval(3_600)])
        try new.subscribe("way/+", 2 | 4 | 8, properties: [.subscriptionIdentifier(300)])
        try new.subscribe("$share/group/way/#", 1, id: 2)

        let publisher = try RawClient.connected(
            to: broker, id: "publisher", version: 5, cleanStart: false, properties: [.sessionExpiryInterval(.max)])
        func publish(
            _ topic: String, _ payload: [UInt8], qos: UInt8, id: UInt16, retain: Bool = false, _ more: [Property] = []
        )
            throws
        {
            publisher.send(
                Wire.publish(
                    topic: Array(topic.utf8), payload: payload, qos: qos, id: id, retain: retain, properties: more))
            guard qos > 0 else { return }
            let answer = try publisher.receive { $0.packetID == id }
            guard answer.kind == .pubrec else { return }
            publisher.send(Wire.pubrel(id))
            _ = try publisher.receive { $0.kind == .pubcomp }
        }
        try publish("q/1", Array("one".utf8), qos: 1, id: 1)
        try publish("q/2", [0, 0xFF, 0x80], qos: 2, id: 2, [.user("name", "värde"), .messageExpiryInterval(10_000)])
        try publish(
            "r/1", Array("kept".utf8), qos: 1, id: 3, retain: true,
            [.contentType("text/plain"), .correlationData([0, 1])])
        try publish("r/2", Array("short".utf8), qos: 0, id: 0, retain: true)
        try publish("way/2", Array("wait for PUBREC".utf8), qos: 2, id: 4)
        try publish("way/3", Array("wait for PUBCOMP".utf8), qos: 2, id: 5)
        let second = try new.receive { $0.topicText == "way/3" }
        new.send(Wire.pubrec(try #require(second.packetID)))
        _ = try new.receive { $0.kind == .pubrel }
        new.close()
        // Acknowledged by PUBREC, never released.
        publisher.send(
            Wire.publish(topic: "q/3", payload: "on its way in", qos: 2, id: 900, properties: []))
        _ = try publisher.receive { $0.kind == .pubrec }
        publisher.close()
        _ = try RawClient.connected(to: broker)  // both ends have been seen
        #expect(broker.stop())
        return broker
    }

    @Test("Every state of a session comes out of its file, and into a store of ours")
    func states() throws {
        let broker = try Self.filled()
        let path = "\(broker.directory)/mosquitto.db"
        #expect(MosquittoSnapshotReader.recognizes(path: path))
        #expect(try MosquittoSnapshotReader(path: path).version == 6)

        let store = ModelStore()
        var random = SeededGenerator(seed: 7)
        let before = try #require(bytes(path))
        let summary = try StoreImport.mosquitto(from: path, now: now(), using: &random) { store.perform($0) }
        #expect(bytes(path) == before)
        // A shared subscription is the one thing that mosquitto 2.0.11 does not write.
        #expect(
            summary.description == "3 sessions, 2 subscriptions, 2 retained messages, 7 queued messages")

        #expect(store.queue("old").map { String(decoding: $0.message.topic, as: UTF8.self) } == ["q/1", "q/2", "q/3"])
        #expect(store.queue("old").map(\.qos) == [1, 2, 2])
        let two = store.queue("old")[1].message
        #expect(two.payload == [0, 0xFF, 0x80])
        #expect(two.properties == [0x26] + Wire.string("name") + Wire.string("värde"))
        #expect((9_000_000...10_000_000).contains(two.expiresAt - now()))
        #expect(store.received("publisher") == [900])

        let way = store.queue("new").filter { $0.qos == 2 }
        #expect(
            way.map { String(decoding: $0.message.payload, as: UTF8.self) } == ["wait for PUBREC", "wait for PUBCOMP"])
        #expect(way.allSatisfy { $0.identifiers == [300] && $0.sentAs != nil })
        #expect(way.map(\.isReleased) == [false, true])
        let session = try #require(store.session("new"))
        #expect(session.expiryIntervalSeconds == 3_600)
        #expect((0...600_000).contains(now() - (session.disconnectedAt ?? 0)))
        let subscription = try #require(session.subscriptions.first)
        #expect(session.subscriptions.count == 1 && subscription.identifier == 300)
        #expect(subscription.options.qos == 2 && subscription.options.noLocal && subscription.options.retainAsPublished)
        #expect(store.session("publisher")?.expiryIntervalSeconds == .max)
        #expect(store.session("old")?.expiryIntervalSeconds == .max)

        let kept = try #require(store.all.retained[Array("r/1".utf8)])
        #expect(kept.payload == Array("kept".utf8))
        #expect(
            kept.properties == [0x03] + Wire.string("text/plain") + [0x09] + Wire.field([0, 1])
                || kept.properties == [0x09] + Wire.field([0, 1]) + [0x03] + Wire.string("text/plain"))
        #expect(store.all.retained[Array("r/2".utf8)]?.qos == 0)
    }

    private func now() -> Int64 { Int64(time(nil)) * 1_000 }

    private func bytes(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&buffer, 1, 1 << 20, file)
        return Array(buffer.prefix(count))
    }
}
