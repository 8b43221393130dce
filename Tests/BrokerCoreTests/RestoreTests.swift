import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// Sessions, messages and wills of an earlier run.
@Suite("After a restart")
struct RestoreTests {
    private func record(
        _ client: MQTTString, queue: UInt64 = 7, expiry: UInt32 = .max, disconnectedAt: Int64? = 1,
        filters: [String] = [], will: Will? = nil
    ) -> SessionRecord {
        SessionRecord(
            clientIdentifier: client, queue: QueueID(queue), expiryIntervalSeconds: expiry,
            disconnectedAt: disconnectedAt,
            subscriptions: filters.map {
                .init(filter: Array($0.utf8), options: DeliveryOptions(qos: .exactlyOnce), identifier: 0)
            }, will: will, willDueAt: nil)
    }

    /// Puts messages into the log as an earlier run left them.
    private func fill(
        _ harness: ShardHarness, queue: UInt64 = 7, _ payloads: [UInt8], qos: UInt8 = 1, group: MQTTString? = nil
    ) -> [QueuedRecord] {
        var batch = LogBatch()
        for payload in payloads {
            let message = LoggedMessage(topic: Array("t".utf8), payload: [payload], qos: qos, retain: false)
            batch.entries.append(
                QueueEntry(
                    queue: QueueID(queue), message: batch.append(message), qos: qos, retain: false,
                    subscriptionIdentifiers: [], group: group.map(SharedGroup.number) ?? 0))
        }
        harness.storage.ask(.append(StorageToken(1_000_000), batch))
        harness.storage.ask(
            .read(StorageToken(1_000_001), QueueID(queue), after: .start, countMax: 1_000, bytesMax: 1 << 20))
        _ = harness.storage.takeAnswer()
        guard case .records(_, let records) = harness.storage.takeAnswer() else { return [] }
        return records
    }

    private func identifier(_ value: UInt16) -> PacketIdentifier {
        guard let identifier = PacketIdentifier(value) else { preconditionFailure("not 0") }
        return identifier
    }

    private func back(_ harness: ShardHarness, _ client: MQTTString, _ version: ProtocolVersion = .v5) -> TestConnection
    {
        var connect = Connect(version: version, cleanStart: false, clientIdentifier: client)
        connect.properties.sessionExpiryIntervalSeconds = version == .v5 ? .max : nil
        return harness.connect(connect)
    }

    @Test(
        "in flight first, under its old identifiers and in the old order, PUBREL where PUBREC was kept; then what waits"
    )
    func queues() {
        let harness = ShardHarness()
        let records = fill(harness, [1, 2, 3, 4, 5], qos: 2)
        let inflight = [
            RestoredSession.Inflight(record: records[0], identifier: identifier(65_534), isReleased: true),
            RestoredSession.Inflight(record: records[2], identifier: identifier(65_535), isReleased: false),
            RestoredSession.Inflight(record: records[1], identifier: identifier(2), isReleased: false),
        ]
        harness.shard.restore(
            RestoredSession(record: record("a"), received: [9], inflight: inflight, waiting: 2, waitingBytes: 100),
            at: harness.now)
        let client = back(harness, "a")
        var packets = client.takePackets()
        #expect(packets.count == 6)
        guard case .connack(let connack) = packets.removeFirst() else { return }
        #expect(connack.sessionPresent)
        #expect(packets.removeFirst() == .pubrel(Pubrel(packetIdentifier: 65_534)))
        let publishes = packets.compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
        #expect(publishes.map(\.payload) == [[3], [2], [4], [5]])
        #expect(publishes.map(\.packetIdentifier) == [65_535, 2, 3, 4])
        #expect(publishes.map(\.duplicate) == [true, true, false, false])
        // A QoS 2 message that was received before the restart is not new.
        harness.publish(client, "t", [9], qos: .exactlyOnce, identifier: 9, duplicate: true)
        harness.run()
        #expect(client.takePackets() == [.pubrec(Pubrec(packetIdentifier: 9))])
    }

    @Test("a long queue is read in order, and new messages come behind it")
    func longQueue() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        settings.queuesQoS0 = true
        let harness = ShardHarness(settings: settings)
        _ = fill(harness, Array(0..<200), qos: 0)
        _ = fill(harness, Array(200..<250), qos: 1)
        harness.shard.restore(
            RestoredSession(record: record("a", filters: ["t"]), waiting: 250, waitingBytes: 250 * 33), at: harness.now)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [251], qos: .atLeastOnce)
        harness.run()
        let client = back(harness, "a")
        var got: [UInt8] = []
        for _ in 0..<100 {
            for publish in client.takePublishes() {
                got.append(publish.payload[0])
                if publish.qos == .atLeastOnce { harness.puback(client, publish.packetIdentifier) }
            }
            harness.run()
        }
        #expect(got == Array(0..<250) + [251])
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("a session that was online counts its expiry from the restart, once; one that was not, from its end")
    func expiry() {
        let harness = ShardHarness()
        harness.shard.restore(
            RestoredSession(record: record("online", queue: 1, expiry: 10, disconnectedAt: nil)), at: harness.now)
        harness.shard.restore(
            RestoredSession(record: record("offline", queue: 2, expiry: 10, disconnectedAt: harness.now - 5_000)),
            at: harness.now)
        harness.settle()
        guard case .put(_, let state)? = harness.storage.requests.first else {
            Issue.record("its end is not kept")
            return
        }
        #expect(SessionRecord(state)?.disconnectedAt == harness.now)
        harness.advance(by: 4_999)
        #expect(harness.shard.status.sessions == 2)
        harness.advance(by: 1)
        let offline = harness.shard.clients["offline"]
        #expect(offline == nil)
        harness.advance(by: 4_999)
        #expect(harness.shard.status.sessions == 1)
        harness.advance(by: 1)
        #expect(harness.shard.status.sessions == 0)
    }

    @Test("wills: at once without a delay, after it with one, and not again after the next restart")
    func wills() {
        let harness = ShardHarness()
        let watcher = harness.client("watcher")
        harness.subscribe(watcher, "will/#", .atLeastOnce)
        let now = Will(topic: "will/now", payload: [1], qos: .atLeastOnce)
        let later = Will(topic: "will/later", payload: [2], qos: .atLeastOnce, delayIntervalSeconds: 10)
        harness.shard.restore(
            RestoredSession(record: record("now", queue: 1, disconnectedAt: nil, will: now)), at: harness.now)
        harness.shard.restore(
            RestoredSession(record: record("later", queue: 2, disconnectedAt: nil, will: later)), at: harness.now)
        harness.advance(by: 1)
        #expect(watcher.takePayloads() == [1])
        harness.advance(by: 10_000)
        #expect(watcher.takePayloads() == [2])
        var records: [SessionRecord] = []
        for case .put(_, let state) in harness.storage.requests { SessionRecord(state).map { records.append($0) } }
        #expect(records.suffix(2).allSatisfy { $0.will == nil && $0.willDueAt == nil })
    }

    @Test("shared groups: restored members are absent; what waits in the log for one goes to another when it ends")
    func sharedGroups() {
        let group: MQTTString = "$share/g/t"
        let harness = ShardHarness()
        _ = fill(harness, [1, 2, 3], group: group)
        _ = fill(harness, [4])
        harness.shard.restore(
            RestoredSession(
                record: record("gone", expiry: 5, disconnectedAt: harness.now, filters: ["$share/g/t"]), waiting: 4,
                waitingBytes: 4 * 33), at: harness.now)
        let other = harness.client("other", expiry: .max)
        harness.subscribe(other, "$share/g/t", .atLeastOnce)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [9], qos: .atLeastOnce)
        harness.run()
        #expect(other.takePayloads() == [9], "the member that is there has its turn")
        harness.advance(by: 5_000)
        #expect(other.takePayloads() == [1, 2, 3])
        #expect(harness.storage.engine.messageCount == 4, "those, and the one before; the queue of the session is gone")
        let removed = harness.storage.requests.compactMap { if case .remove(_, let key) = $0 { key } else { nil } }
        #expect(removed == [SessionRecord.key("gone")])
    }

    @Test("messages of a group that are beyond memory's window go to another member too, each once and in order")
    func longSharedQueue() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        settings.inflightMessagesMax = 1_000
        let harness = ShardHarness(settings: settings)
        let first = harness.client("first", expiry: 5)
        harness.subscribe(first, "$share/g/t", .exactlyOnce)
        harness.cut(first)
        let publisher = harness.client("publisher")
        for payload in 0..<2_500 {
            harness.publish(
                publisher, "t", [UInt8(payload / 250), UInt8(payload % 250)], qos: .exactlyOnce, identifier: 1)
            harness.run()
            harness.send(.pubrel(Pubrel(packetIdentifier: 1)), on: publisher)
        }
        harness.run()
        let second = harness.client("second", expiry: .max) { $0.receiveMaximum = 1_000 }
        harness.subscribe(second, "$share/g/t", .exactlyOnce)
        harness.advance(by: 5_000)
        var got: [Int] = []
        for _ in 0..<20 {
            for publish in second.takePublishes() {
                got.append(Int(publish.payload[0]) * 250 + Int(publish.payload[1]))
                harness.send(.pubrec(Pubrec(packetIdentifier: publish.packetIdentifier)), on: second)
                harness.send(.pubcomp(Pubcomp(packetIdentifier: publish.packetIdentifier)), on: second)
            }
            harness.run()
        }
        #expect(got == Array(0..<2_500))
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("retained messages: those that have expired are not taken up, and leave the store")
    func retained() {
        let harness = ShardHarness()
        for (topic, expiresAt) in [("r/1", Int64.max), ("r/2", harness.now - 1)] {
            harness.shard.restoreRetained(
                LoggedMessage(topic: Array(topic.utf8), payload: [1], qos: 1, retain: true, expiresAt: expiresAt),
                at: harness.now)
        }
        harness.run()
        #expect(harness.shard.status.retainedMessages == 1)
        guard case .append(_, let batch)? = harness.storage.requests.last else {
            Issue.record("nothing leaves the store")
            return
        }
        #expect(batch.retainedRemoved.map(\.topic) == [Array("r/2".utf8)])
    }

    @Test("ten thousand sessions of a few subscriptions each are taken up within the time of a step")
    func many() {
        let harness = ShardHarness(keepsHistory: false)
        for index in 0..<10_000 {
            harness.shard.restore(
                RestoredSession(
                    record: record(
                        MQTTString("client-\(index)"), queue: UInt64(index), disconnectedAt: harness.now,
                        filters: ["device/\(index)/#", "all/+", "$share/g\(index % 7)/work/#"]), waiting: 3,
                    waitingBytes: 100), at: harness.now)
        }
        #expect(harness.shard.status.sessions == 10_000)
        #expect(harness.shard.status.sharedSubscriptions == 10_000)
        let hasEffects = harness.shard.hasEffects
        #expect(!hasEffects)
    }
}
