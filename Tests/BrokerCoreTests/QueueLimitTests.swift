import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// What a queue may hold, in memory and in the log, and what becomes of the rest.
@Suite("Queue limits")
struct QueueLimitTests {
    private func harness(_ change: (inout ShardSettings) -> Void) -> ShardHarness {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        change(&settings)
        let harness = ShardHarness(settings: settings)
        harness.shard.start(at: harness.now)
        let absent = harness.client("absent", .v311, cleanStart: false)
        harness.subscribe(absent, "t", .atLeastOnce)
        harness.cut(absent)
        return harness
    }

    private func publish(_ payloads: ClosedRange<UInt8>, _ harness: ShardHarness, size: Int = 1) {
        let publisher = harness.client("publisher")
        for payload in payloads {
            harness.publish(
                publisher, "t", [payload] + Array(repeating: 0, count: size - 1), qos: .atLeastOnce,
                identifier: UInt16(payload))
            harness.run()
        }
    }

    private func back(_ harness: ShardHarness) -> [UInt8] {
        let connection = harness.connect(Connect(version: .v311, cleanStart: false, clientIdentifier: "absent"))
        var got: [UInt8] = []
        for _ in 0..<100 {
            let publishes = connection.takePublishes()
            got += publishes.map { $0.payload[0] }
            for publish in publishes { harness.puback(connection, publish.packetIdentifier) }
            harness.run()
        }
        return got
    }

    private func drops(_ harness: ShardHarness) -> [QueueLimit] {
        harness.log.compactMap { if case .queueFull(_, let limit) = $0 { limit } else { nil } }
    }

    /// A message to `t` with ten bytes of payload, as the log counts it.
    private static let size = LoggedMessage.headerLength + 11

    @Test("max_queued_bytes holds for queues in the log; the log line names it, once")
    func bytes() {
        let harness = harness { $0.queuedBytesMax = 3 * Self.size + 5 }
        publish(1...9, harness, size: 10)
        #expect(drops(harness) == [.bytes(3 * Self.size + 5)])
        #expect(harness.shard.status.counters.publishesDropped == 6)
        #expect(back(harness) == [1, 2, 3])
    }

    @Test("drop_oldest: the newest remain, and the log keeps no more than they")
    func dropOldest() {
        let harness = harness {
            $0.queuedMessagesMax = 3
            $0.queueFullPolicy = .dropOldest
        }
        publish(1...9, harness)
        #expect(harness.storage.engine.messageCount == 3)
        #expect(harness.shard.status.counters.publishesDropped == 6)
        #expect(drops(harness) == [.messages(3)])
        #expect(back(harness) == [7, 8, 9])
    }

    @Test("drop_oldest beyond memory's window: what is only in the log is read and dropped")
    func dropOldestInLog() {
        let harness = harness {
            $0.queuedMessagesMax = 200
            $0.queueFullPolicy = .dropOldest
        }
        for _ in 0..<4 { publish(1...150, harness) }
        #expect(harness.storage.engine.messageCount == 200)
        #expect(back(harness) == Array(101...150) + Array(1...150))
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("messages in flight are never dropped")
    func inFlight() {
        let harness = harness {
            $0.queuedMessagesMax = 2
            $0.queueFullPolicy = .dropOldest
            $0.inflightMessagesMax = 3
        }
        let connection = harness.connect(Connect(version: .v311, cleanStart: false, clientIdentifier: "absent"))
        publish(1...9, harness)
        let publishes = connection.takePublishes()
        #expect(publishes.map(\.payload) == [[1], [2], [3]])
        for publish in publishes { harness.puback(connection, publish.packetIdentifier) }
        harness.run()
        #expect(connection.takePayloads() == [8, 9])
    }

    @Test("refuse_publisher: 5.0 is told 0x97 and nobody gets the message", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func refuse(qos: QoS) {
        let harness = harness {
            $0.queuedMessagesMax = 1
            $0.queueFullPolicy = .refusePublisher
        }
        let other = harness.client("other")
        harness.subscribe(other, "t", .atLeastOnce)
        publish(1...1, harness)
        let publisher = harness.client("p5")
        harness.publish(publisher, "t", [2], qos: qos, identifier: 2)
        harness.run()
        #expect(
            publisher.takePackets() == [
                qos == .atLeastOnce
                    ? .puback(Puback(packetIdentifier: 2, reasonCode: .quotaExceeded))
                    : .pubrec(Pubrec(packetIdentifier: 2, reasonCode: .quotaExceeded))
            ])
        #expect(other.takePayloads() == [1])
        #expect(harness.shard.status.counters.publishesDropped == 0)
        #expect(back(harness) == [1])
        harness.publish(publisher, "t", [3], qos: qos, identifier: 2)
        harness.run()
        #expect(other.takePayloads() == [3])
    }

    @Test("refuse_publisher: 3.1.1 is not read until there is room, then its message goes on")
    func hold() {
        let harness = harness {
            $0.queuedMessagesMax = 2
            $0.queueFullPolicy = .refusePublisher
        }
        publish(1...2, harness)
        let publisher = harness.client("p3", .v311)
        harness.publish(publisher, "t", [3], qos: .atLeastOnce, identifier: 3)
        harness.send(.pingreq(Pingreq()), on: publisher)
        harness.run()
        #expect(publisher.packets.isEmpty)
        #expect(publisher.isPaused)
        harness.advance(by: 29_000)
        #expect(back(harness) == [1, 2, 3])
        #expect(publisher.takePackets() == [.puback(Puback(packetIdentifier: 3)), .pingresp(Pingresp())])
        harness.advance(by: 60_000)
        #expect(!publisher.isClosed)
        #expect(harness.shard.status.counters.publishesReceived == 3)
    }

    @Test("refuse_publisher: without room within queue_full_wait the connection ends")
    func holdEnds() {
        let harness = harness {
            $0.queuedMessagesMax = 1
            $0.queueFullPolicy = .refusePublisher
            $0.queueFullWait = 5_000
        }
        publish(1...1, harness)
        let publisher = harness.client("p3", .v311)
        harness.publish(publisher, "t", [2], qos: .atLeastOnce, identifier: 3)
        harness.advance(by: 4_900)
        #expect(!publisher.isClosed)
        harness.advance(by: 200)
        #expect(publisher.isClosed)
        #expect(publisher.packets.isEmpty)
    }

    @Test("refuse_publisher across shards: the neighbour's no is the publisher's")
    func refuseAcross() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 1
        settings.queueFullPolicy = .refusePublisher
        let worlds = (0..<2).map { ShardHarness(index: $0, count: 2, homeKey: 9, settings: settings) }
        var mail: [(to: Int, from: Int, PeerBatch)] = []
        for world in worlds {
            world.tell = { [from = world.shard.index] shard, batch in mail.append((shard, from, batch)) }
        }
        func settle() {
            for _ in 0..<50 {
                for world in worlds { world.run() }
                let sent = mail
                mail = []
                for (to, from, batch) in sent { worlds[to].hear(batch, from: from) }
            }
        }
        func name(at shard: Int) -> String {
            (0..<100).map { "c\($0)" }.first { Shard.home(of: MQTTString($0), count: 2, key: 9) == shard } ?? ""
        }
        let absent = worlds[1].client(name(at: 1), expiry: .max)
        worlds[1].subscribe(absent, "t", .atLeastOnce)
        settle()
        worlds[1].cut(absent)
        let publisher = worlds[0].client(name(at: 0))
        for identifier in 1...2 as ClosedRange<UInt16> {
            worlds[0].publish(publisher, "t", qos: .atLeastOnce, identifier: identifier)
            settle()
        }
        #expect(
            publisher.takePackets() == [
                .puback(Puback(packetIdentifier: 1)),
                .puback(Puback(packetIdentifier: 2, reasonCode: .quotaExceeded)),
            ])
    }

    @Test("queue_max_age: what has waited too long goes, in memory and in the log, though nobody comes")
    func age() {
        let harness = harness { $0.queueSecondsMax = 100 }
        for _ in 0..<2 { publish(1...150, harness) }
        harness.advance(by: 50_000)
        publish(200...203, harness)
        harness.advance(by: 65_000)
        #expect(drops(harness) == [.age(seconds: 100)])
        #expect(harness.storage.engine.messageCount == 4)
        #expect(back(harness) == [200, 201, 202, 203])
        #expect(harness.shard.status.counters.publishesDropped == 300)
    }

    @Test("the store's limit: the newest are dropped and counted; acknowledgements and subscriptions go on")
    func store() {
        let harness = harness { _ in }
        publish(1...2, harness)
        harness.shard.handle(.room(false), at: harness.now)
        publish(3...4, harness)
        #expect(drops(harness) == [.store])
        #expect(back(harness) == [1, 2])
        harness.shard.handle(.room(true), at: harness.now)
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("the store's limit under drop_oldest and refuse_publisher")
    func storePolicies() {
        let oldest = harness { $0.queueFullPolicy = .dropOldest }
        publish(1...2, oldest)
        oldest.shard.handle(.room(false), at: oldest.now)
        publish(3...4, oldest)
        #expect(back(oldest) == [3, 4])

        let refusing = harness { $0.queueFullPolicy = .refusePublisher }
        refusing.shard.handle(.room(false), at: refusing.now)
        let told = refusing.client("p5")
        let held = refusing.client("p3", .v311)
        refusing.publish(told, "t", [1], qos: .atLeastOnce)
        refusing.publish(held, "t", [2], qos: .atLeastOnce)
        refusing.run()
        #expect(told.takePackets() == [.puback(Puback(packetIdentifier: 1, reasonCode: .quotaExceeded))])
        #expect(held.packets.isEmpty)
        refusing.shard.handle(.room(true), at: refusing.now)
        refusing.settle()
        refusing.run()
        #expect(held.takePackets() == [.puback(Puback(packetIdentifier: 1))])
        #expect(back(refusing) == [2])
    }
}
