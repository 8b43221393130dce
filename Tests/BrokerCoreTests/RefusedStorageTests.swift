import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// What becomes of steps, records and acknowledgements that storage refuses for a while, and of appends whose answer was
/// wrong.
@Suite("Refused storage")
struct RefusedStorageTests {
    /// A persistent subscriber to `t` at a QoS, with what has been sent to it so far.
    private func subscriber(_ harness: ShardHarness, _ qos: QoS, name: String = "subscriber") -> TestConnection {
        let subscriber = harness.client(name, expiry: .max)
        harness.subscribe(subscriber, "t", qos)
        return subscriber
    }

    private func changes(_ request: StorageRequest) -> [QueueChange] {
        if case .append(_, let batch) = request { batch.changes } else { [] }
    }

    // MARK: Steps of QoS 2

    @Test("a refused sent step is asked for again while the connection lasts, and what comes later waits behind it")
    func sentAgain() {
        let harness = ShardHarness()
        let client = subscriber(harness, .exactlyOnce)
        let publisher = harness.client("publisher")
        harness.storage.refusal = { request in
            changes(request).contains { if case .sent = $0 { true } else { false } } ? .unavailable : nil
        }
        for payload in 1...3 as ClosedRange<UInt8> {
            harness.publish(publisher, "t", [payload], qos: .exactlyOnce, identifier: UInt16(payload))
            harness.run()
            if payload == 1 { harness.storage.refusal = { _ in nil } }
        }
        harness.publish(publisher, "t", [4], qos: .atLeastOnce, identifier: 4)
        harness.run()
        #expect(client.packets.isEmpty, "the first is not kept yet, and the others are behind it")
        harness.advance(by: 1_000)
        let publishes = client.takePublishes()
        #expect(publishes.map(\.payload) == [[1], [2], [3], [4]])
        #expect(publishes.allSatisfy { !$0.duplicate })
    }

    @Test("a new connection does not get a QoS 2 message before its identifier is kept, nor more than it takes")
    func sentOnTheNextConnection() {
        let harness = ShardHarness()
        let client = subscriber(harness, .exactlyOnce)
        let publisher = harness.client("publisher")
        harness.storage.refusal = { request in
            changes(request).contains { if case .sent = $0 { true } else { false } } ? .unavailable : nil
        }
        for payload in 1...3 as ClosedRange<UInt8> {
            harness.publish(publisher, "t", [payload], qos: .exactlyOnce, identifier: UInt16(payload))
        }
        harness.run()
        harness.cut(client)
        let back = harness.client("subscriber", cleanStart: false, expiry: .max) { $0.receiveMaximum = 1 }
        harness.run()
        #expect(back.packets.isEmpty)
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 2_000)
        let publishes = back.takePublishes()
        #expect(publishes.map(\.payload) == [[1]])
        #expect(publishes.allSatisfy { !$0.duplicate }, "it never left before")
    }

    @Test("a refused pubrec step: PUBREL leaves when it is kept, in order, and a second PUBREC does not hurry it")
    func pubrecAgain() {
        let harness = ShardHarness()
        let client = subscriber(harness, .exactlyOnce)
        let publisher = harness.client("publisher")
        for payload in 1...2 as ClosedRange<UInt8> {
            harness.publish(publisher, "t", [payload], qos: .exactlyOnce, identifier: UInt16(payload))
        }
        harness.run()
        let identifiers = client.takePublishes().map(\.packetIdentifier)
        harness.storage.refusal = { request in
            changes(request).contains { if case .pubrec = $0 { true } else { false } } ? .unavailable : nil
        }
        harness.send(.pubrec(Pubrec(packetIdentifier: identifiers[0])), on: client)
        harness.run()
        harness.storage.refusal = { _ in nil }
        harness.send(.pubrec(Pubrec(packetIdentifier: identifiers[1])), on: client)
        harness.send(.pubrec(Pubrec(packetIdentifier: identifiers[0])), on: client)
        harness.run()
        #expect(client.packets.isEmpty)
        harness.advance(by: 1_000)
        #expect(client.takePackets() == identifiers.map { .pubrel(Pubrel(packetIdentifier: $0)) })
    }

    @Test("a refused pubrec step holds PUBREL back on the next connection too")
    func pubrecOnTheNextConnection() {
        let harness = ShardHarness()
        let client = subscriber(harness, .exactlyOnce)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [1], qos: .exactlyOnce, identifier: 1)
        harness.run()
        let identifier = client.takePublishes()[0].packetIdentifier
        harness.storage.refusal = { $0.isAppend ? .unavailable : nil }
        harness.send(.pubrec(Pubrec(packetIdentifier: identifier)), on: client)
        harness.run()
        harness.cut(client)
        let back = harness.client("subscriber", cleanStart: false, expiry: .max)
        #expect(back.packets.isEmpty)
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 1_000)
        #expect(back.takePackets() == [.pubrel(Pubrel(packetIdentifier: identifier))])
    }

    @Test("a refused release: PUBCOMP waits for it on the next connection, though the identifier is no longer held")
    func releasedAgain() {
        let harness = ShardHarness()
        let first = harness.client("p2", expiry: .max)
        harness.publish(first, "nobody", [7], qos: .exactlyOnce, identifier: 5)
        harness.run()
        harness.storage.refusal = { $0.isAppend ? .full : nil }
        harness.send(.pubrel(Pubrel(packetIdentifier: 5)), on: first)
        harness.run()
        #expect(first.isClosed, "PUBCOMP has no way to say no")
        harness.storage.refusal = { _ in nil }
        let second = harness.client("p2", cleanStart: false, expiry: .max)
        harness.storage.mode = .held
        harness.send(.pubrel(Pubrel(packetIdentifier: 5)), on: second)
        harness.tick()
        #expect(second.packets.isEmpty)
        harness.answerAll()
        harness.run()
        #expect(
            second.takePackets() == [
                .pubcomp(Pubcomp(packetIdentifier: 5, reasonCode: .packetIdentifierNotFound))
            ])
    }

    // MARK: What nobody waits for

    @Test("acknowledgements that storage refuses are asked for again: nothing stays in the log")
    func acknowledgedAgain() {
        let harness = ShardHarness()
        let client = subscriber(harness, .atLeastOnce)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [1], qos: .atLeastOnce)
        harness.run()
        harness.storage.refusal = { $0.isAppend ? .full : nil }
        harness.puback(client, client.takePublishes()[0].packetIdentifier)
        harness.run()
        #expect(harness.storage.engine.messageCount == 1)
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 1_000)
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("acknowledgements are asked for without messages: they are kept where messages are not")
    func acknowledgementsAlone() {
        let harness = ShardHarness()
        let client = subscriber(harness, .atLeastOnce)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [1], qos: .atLeastOnce)
        harness.run()
        harness.storage.refusal = { request in
            if case .append(_, let batch) = request, batch.messageCount > 0 { .full } else { nil }
        }
        harness.puback(client, client.takePublishes()[0].packetIdentifier)
        harness.publish(publisher, "t", [2], qos: .atLeastOnce, identifier: 2)
        harness.run()
        #expect(harness.storage.engine.messageCount == 1, "they went with a message")
        harness.advance(by: 1_000)
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("a retained message that was refused is asked for again as it stands")
    func retainedAgain() throws {
        let harness = ShardHarness()
        let publisher = harness.client("publisher")
        harness.storage.refusal = { $0.isAppend ? .unavailable : nil }
        harness.publish(publisher, "r/1", [1], qos: .atMostOnce, retain: true)
        harness.publish(publisher, "r/2", [1], qos: .atMostOnce, retain: true)
        harness.run()
        harness.publish(publisher, "r/1", [2], qos: .atMostOnce, retain: true)
        harness.publish(publisher, "r/2", [], qos: .atMostOnce, retain: true)
        harness.run()
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 1_000)
        var kept: [[UInt8]: [UInt8]] = [:]
        for case .append(_, let batch) in harness.storage.requests.suffix(1) {
            for index in batch.retained { kept[batch.message(index).topic] = batch.message(index).payload }
            #expect(batch.retainedRemoved.map(\.topic) == [Array("r/2".utf8)])
        }
        #expect(kept == [Array("r/1".utf8): [2]])
    }

    // MARK: Records

    @Test("SUBSCRIBE whose record is refused: 0x83, and the subscription is taken back; its old options hold again")
    func subscriptionTakenBack() {
        let harness = ShardHarness()
        let client = harness.client("subscriber", expiry: .max)
        harness.subscribe(client, "old", .exactlyOnce)
        harness.subscribe(client, "$share/g/s", .atLeastOnce)
        harness.storage.refusal = { request in if case .put = request { .full } else { nil } }
        harness.send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 9,
                    subscriptions: [
                        Subscription(filter: "new", qos: .atLeastOnce), Subscription(filter: "old", qos: .atMostOnce),
                        Subscription(filter: "$share/g/s", qos: .atMostOnce),
                        Subscription(filter: "$share/h/s", qos: .atMostOnce),
                    ])), on: client)
        harness.run()
        #expect(
            client.takePackets() == [
                .suback(
                    Suback(packetIdentifier: 9, reasonCodes: Array(repeating: .implementationSpecificError, count: 4)))
            ])
        #expect(harness.shard.status.subscriptions == 1)
        #expect(harness.shard.status.sharedSubscriptions == 1)
        harness.storage.refusal = { _ in nil }
        let publisher = harness.client("publisher")
        for topic in ["new", "old", "s"] {
            harness.publish(publisher, topic, qos: .exactlyOnce, identifier: UInt16(topic.utf8.first ?? 1))
        }
        harness.run()
        let got = client.takePublishes()
        #expect(got.map(\.topic) == ["old", "s"])
        #expect(got.map(\.qos) == [.exactlyOnce, .atLeastOnce])
        harness.advance(by: 1_000)
        #expect(record(harness)?.subscriptions.map(\.filter) == [Array("old".utf8), Array("$share/g/s".utf8)])
    }

    @Test("UNSUBSCRIBE whose record is refused: 0x83, and the subscription is still there")
    func unsubscribeTakenBack() {
        let harness = ShardHarness()
        let client = harness.client("subscriber", expiry: .max)
        harness.subscribe(client, "t", .atLeastOnce)
        harness.storage.refusal = { request in if case .put = request { .full } else { nil } }
        harness.send(.unsubscribe(Unsubscribe(packetIdentifier: 9, filters: ["t"])), on: client)
        harness.run()
        #expect(
            client.takePackets() == [
                .unsuback(Unsuback(packetIdentifier: 9, reasonCodes: [.implementationSpecificError]))
            ])
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [3])
        harness.run()
        #expect(client.takePayloads() == [3])
    }

    @Test("two SUBSCRIBEs under way: the one that was kept stands, whatever became of the one before")
    func pipelinedSubscriptions() {
        let harness = ShardHarness()
        let client = harness.client("subscriber", expiry: .max)
        var puts = 0
        harness.storage.mode = .held
        harness.storage.refusal = { request in
            guard case .put = request else { return nil }
            puts += 1
            return puts == 1 ? .full : nil
        }
        for identifier in 1...2 as ClosedRange<UInt16> {
            harness.send(
                .subscribe(
                    Subscribe(
                        packetIdentifier: identifier, subscriptions: [Subscription(filter: "t", qos: .atLeastOnce)])),
                on: client)
        }
        harness.tick()
        harness.answerAll()
        harness.run()
        #expect(
            client.takePackets() == [
                .suback(Suback(packetIdentifier: 1, reasonCodes: [.implementationSpecificError])),
                .suback(Suback(packetIdentifier: 2, reasonCodes: [.grantedQoS1])),
            ])
        #expect(harness.shard.status.subscriptions == 1)
    }

    @Test("the record of a session that has ended is forgotten at last, but not the record of its successor")
    func forgottenAgain() {
        let harness = ShardHarness()
        harness.cut(harness.client("a", expiry: 1))
        harness.cut(harness.client("b", expiry: 1))
        harness.storage.refusal = { request in if case .remove = request { .unavailable } else { nil } }
        harness.advance(by: 1_000)
        #expect(harness.shard.status.sessions == 0)
        _ = harness.client("b", expiry: 100)
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 2_000)
        var removed: [[UInt8]] = []
        for case .remove(_, let key) in harness.storage.requests.suffix(2) { removed.append(key) }
        #expect(removed == [SessionRecord.key("a")])
    }

    private func record(_ harness: ShardHarness) -> SessionRecord? {
        for case .put(_, let state) in harness.storage.requests.reversed() { return SessionRecord(state) }
        return nil
    }

    // MARK: Answers that were wrong

    /// A queue read back message by message, by a client that was away.
    private func readOut(_ harness: ShardHarness) -> [UInt8] {
        var connect = Connect(version: .v5, cleanStart: false, clientIdentifier: "absent")
        connect.properties.sessionExpiryIntervalSeconds = .max
        let back = harness.connect(connect)
        var got: [UInt8] = []
        for _ in 0..<2_000 {
            harness.run()
            let publishes = back.takePackets().filter { if case .connack = $0 { false } else { true } }
            for case .publish(let publish) in publishes {
                got.append(publish.payload[0])
                harness.puback(back, publish.packetIdentifier)
            }
            if publishes.isEmpty { harness.advance(by: 1_000) }
            if publishes.isEmpty, harness.storage.engine.messageCount == 0 { break }
        }
        return got
    }

    @Test(
        "an append that was kept though it failed: nothing behind it is lost, and the queue comes to its end",
        arguments: [0, 3, 130, 250])
    func keptThoughFailed(at wrong: Int) {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        let harness = ShardHarness(settings: settings)
        harness.cut(subscriber(harness, .atLeastOnce, name: "absent"))
        let publisher = harness.client("publisher")
        harness.storage.mode = .held
        for payload in 0..<251 {
            harness.publish(publisher, "t", [UInt8(payload)], qos: .atLeastOnce)
            harness.tick()
            let answer = harness.storage.takeAnswer()
            guard payload == wrong, case .stored(let token, _) = answer else {
                harness.shard.handle(answer, at: harness.now)
                harness.settle()
                continue
            }
            harness.shard.handle(.failed(token, .unavailable), at: harness.now)
            harness.settle()
        }
        harness.storage.mode = .answersAtOnce
        let got = readOut(harness)
        #expect(got.filter { Int($0) != wrong } == (0..<251).map { UInt8($0) }.filter { Int($0) != wrong })
        // In memory it was passed over; where the log was read, it was found.
        #expect(got.filter { Int($0) == wrong }.count <= 1)
    }

    @Test("a message that was counted and is not there is not waited for")
    func missing() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        let harness = ShardHarness(settings: settings)
        let queue = QueueID(77)
        var record = SessionRecord(
            clientIdentifier: "absent", queue: queue, expiryIntervalSeconds: .max, disconnectedAt: harness.now,
            subscriptions: [], will: nil, willDueAt: nil)
        record.subscriptions = [
            .init(filter: Array("t".utf8), options: DeliveryOptions(qos: .atLeastOnce), identifier: 0)
        ]
        harness.shard.restore(RestoredSession(record: record, waiting: 1_000, waitingBytes: 50_000), at: harness.now)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "t", [9], qos: .atLeastOnce)
        harness.run()
        #expect(readOut(harness) == [9])
        let session = harness.shard.sessions.pointer(harness.shard.clients["absent"] ?? 0)
        #expect(session.pointee.details?.storage?.beyond == 0)
        #expect(session.pointee.details?.storage?.beyondBytes == 0)
    }
}
