import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// What may be said, sent or forgotten only when storage has kept it, looked at from both sides of a crash.
@Suite("Durable steps")
struct DurableStepTests {
    /// The broker is lost, and another starts on what is on the disk.
    private func restart(_ harness: ShardHarness, _ settings: ShardSettings = ShardSettings()) -> ShardHarness {
        let next = ShardHarness(settings: settings, now: harness.now, disk: harness.storage.disk)
        let (sessions, retained) = harness.storage.disk.engine.restart()
        next.restore(sessions, retained)
        next.run()
        return next
    }

    private func resume(_ harness: ShardHarness, _ client: String) -> TestConnection {
        var connect = Connect(version: .v5, cleanStart: false, clientIdentifier: MQTTString(client))
        connect.properties.sessionExpiryIntervalSeconds = .max
        return harness.connect(connect)
    }

    private func isPresent(_ connection: TestConnection) -> Bool? {
        for case .connack(let connack) in connection.packets { return connack.sessionPresent }
        return nil
    }

    @Test("a member that unsubscribes and goes leaves what it had not acknowledged to the others")
    func memberLeaves() {
        let harness = ShardHarness()
        let first = harness.client("first") { $0.receiveMaximum = 1 }
        harness.subscribe(first, "$share/g/t", .atLeastOnce)
        let publisher = harness.client("publisher")
        for number in 1...3 as ClosedRange<UInt8> { harness.publish(publisher, "t", [number], qos: .atLeastOnce) }
        harness.run()
        #expect(first.takePayloads() == [1])
        let second = harness.client("second")
        harness.subscribe(second, "$share/g/t", .atLeastOnce)
        harness.send(.unsubscribe(Unsubscribe(packetIdentifier: 7, filters: ["$share/g/t"])), on: first)
        harness.run()
        #expect(second.takePayloads().isEmpty, "it may still be done with them")
        harness.cut(first)
        harness.run()
        #expect(second.takePayloads() == [1, 2, 3])
    }

    @Test("[5.0 MQTT-3.2.2-2] CONNACK of a clean start waits until the session before is gone", arguments: [0, 100])
    func cleanStart(expiry: UInt32) {
        let harness = ShardHarness()
        harness.subscribe(harness.client("c", expiry: .max), "t", .exactlyOnce)
        harness.storage.mode = .held
        harness.storage.delaysWrites = true
        var connect = Connect(version: .v5, cleanStart: true, clientIdentifier: "c")
        connect.properties.sessionExpiryIntervalSeconds = expiry
        let client = harness.connect(connect)
        harness.send(.pingreq(Pingreq()), on: client)
        harness.run()
        #expect(client.packets.isEmpty, "a crash now would bring the old session back")
        #expect(isPresent(resume(restart(harness), "c")) == true)
        harness.answerAll()
        harness.run()
        #expect(client.takePackets().map(\.type) == [.connack, .pingresp])
        #expect(isPresent(resume(restart(harness), "c")) == (expiry > 0))
    }

    @Test("where storage does not forget, a clean start is answered all the same, and asked for again")
    func cleanStartRefused() {
        let harness = ShardHarness()
        harness.cut(harness.client("c", expiry: .max))
        harness.storage.refusal = { _ in .unavailable }
        let client = harness.connect(Connect(version: .v5, cleanStart: true, clientIdentifier: "c"))
        #expect(client.takePackets().map(\.type) == [.connack])
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 1_000)
        #expect(harness.storage.engine.record(of: SessionRecord.key("c")) == nil)
    }

    @Test("a client that comes twice while its CONNACK waits: the first goes without a word")
    func takenOverWhileWaiting() {
        let harness = ShardHarness()
        harness.cut(harness.client("c", expiry: .max))
        harness.storage.mode = .held
        let connect = Connect(version: .v5, cleanStart: true, clientIdentifier: "c")
        let first = harness.connect(connect)
        let second = harness.connect(connect)
        harness.run()
        #expect(first.isClosed)
        #expect(first.packets.isEmpty, "nothing before CONNACK")
        harness.answerAll()
        harness.run()
        #expect(second.takePackets().map(\.type) == [.connack])
    }

    @Test("a QoS 0 message that waited in the log is sent when it has left it: once, or after the crash")
    func onceFromTheLog() {
        var settings = ShardSettings()
        settings.queuesQoS0 = true
        let harness = ShardHarness(settings: settings)
        let away = harness.client("c", expiry: .max)
        harness.subscribe(away, "t")
        harness.cut(away)
        harness.publish(harness.client("publisher"), "t", [1])
        harness.run()
        harness.storage.mode = .held
        harness.storage.delaysWrites = true
        let client = resume(harness, "c")
        // What comes now is behind it.
        harness.publish(harness.client("other"), "t", [2])
        harness.run()
        #expect(client.takePayloads().isEmpty)
        #expect(harness.storage.engine.messageCount == 1)
        #expect(resume(restart(harness, settings), "c").takePublishes().map(\.payload) == [[1]])

        for _ in 0..<4 {
            harness.answerAll()
            harness.run()
        }
        #expect(client.takePublishes().map(\.payload) == [[1], [2]])
        #expect(harness.storage.engine.messageCount == 0)
    }

    @Test("across a crash: identifiers received, PUBREL where PUBREC came, DUP, the group of a message, retained order")
    func crash() {
        let harness = ShardHarness()
        let subscriber = harness.client("subscriber", expiry: .max)
        harness.subscribe(subscriber, "t", .exactlyOnce)
        let publisher = harness.client("publisher", expiry: .max)
        for number in 1...2 as ClosedRange<UInt8> {
            harness.publish(publisher, "t", [number], qos: .exactlyOnce, identifier: UInt16(number))
            harness.publish(publisher, "r", [number], qos: .atLeastOnce, identifier: 9, retain: true)
        }
        harness.run()
        let sent = subscriber.takePublishes().map(\.packetIdentifier)
        #expect(sent.count == 2)
        harness.send(.pubrec(Pubrec(packetIdentifier: sent[0])), on: subscriber)
        harness.run()

        let next = restart(harness)
        let back = resume(next, "subscriber")
        #expect(back.packets.map(\.type) == [.connack, .pubrel, .publish])
        let again = back.takePublishes()
        #expect(again.map(\.packetIdentifier) == [sent[1]])
        #expect(again.map(\.duplicate) == [true])
        let sender = resume(next, "publisher")
        _ = sender.takePackets()
        next.publish(sender, "t", [2], qos: .exactlyOnce, identifier: 2, duplicate: true)
        next.run()
        #expect(back.takePublishes().isEmpty, "it came before the crash")
        next.send(
            .subscribe(Subscribe(packetIdentifier: 3, subscriptions: [Subscription(filter: "r", qos: .atMostOnce)])),
            on: back)
        next.run()
        #expect(back.takePayloads() == [2])
    }

    @Test("what a member of a group had waiting goes to another also after a crash")
    func groupAfterCrash() {
        let harness = ShardHarness()
        let member = harness.client("member", expiry: 60)
        harness.subscribe(member, "$share/g/t", .atLeastOnce)
        harness.publish(harness.client("publisher"), "t", [1], qos: .atLeastOnce)
        harness.run()
        let next = restart(harness)
        let other = next.client("other")
        next.subscribe(other, "$share/g/t", .atLeastOnce)
        next.advance(by: 61_000)
        next.run()
        #expect(other.takePayloads() == [1])
    }

    @Test("a retained message set and deleted within one batch is gone; deleted and set again, it is there")
    func retainedOrder() {
        let harness = ShardHarness()
        let publisher = harness.client("publisher")
        harness.publish(publisher, "gone", [1], retain: true)
        harness.publish(publisher, "gone", [], retain: true)
        harness.publish(publisher, "there", [], retain: true)
        harness.publish(publisher, "there", [2], retain: true)
        harness.publish(publisher, "other", [3], retain: true)
        harness.run()
        let (_, retained) = harness.storage.disk.engine.restart()
        #expect(retained.map(\.payload) == [[3], [2]])
    }

    @Test("a retained message at QoS 0 that storage refused is kept a second later, as it is then")
    func retainedAgain() {
        let harness = ShardHarness()
        let publisher = harness.client("publisher")
        harness.storage.refusal = { _ in .full }
        harness.publish(publisher, "r", [1], retain: true)
        harness.run()
        harness.storage.refusal = { _ in nil }
        harness.advance(by: 1_000)
        harness.run()
        #expect(harness.storage.disk.engine.restart().retained.map(\.payload) == [[1]])
    }

    @Test("a subscription keeps its QoS and its options over a restart")
    func subscriptionOptions() {
        let harness = ShardHarness()
        let subscriber = harness.client("subscriber", expiry: .max)
        harness.send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 1,
                    subscriptions: [
                        Subscription(filter: "t", qos: .atLeastOnce, noLocal: true, retainAsPublished: true)
                    ])), on: subscriber)
        harness.run()
        let next = restart(harness)
        let back = resume(next, "subscriber")
        _ = back.takePackets()
        next.publish(back, "t", [1], qos: .atLeastOnce)
        next.publish(next.client("publisher"), "t", [2], qos: .exactlyOnce, retain: true)
        next.run()
        let got = back.takePublishes()
        #expect(got.map(\.payload) == [[2]], "No Local")
        #expect(got.map(\.qos) == [.atLeastOnce])
        #expect(got.map(\.retain) == [true])
    }

    // MARK: What is kept with it

    @Test("a retained message at QoS 2 for a new subscription is kept on its way: its identifier outlives a crash")
    func retainedOnItsWay() {
        let harness = ShardHarness()
        harness.publish(harness.client("publisher"), "t", [7], qos: .exactlyOnce, identifier: 3, retain: true)
        let client = harness.client("a", expiry: .max)
        harness.subscribe(client, "t", .exactlyOnce)
        guard let record = harness.storage.engine.record(of: SessionRecord.key("a")) else {
            Issue.record("the session is not kept")
            return
        }
        let sent = harness.storage.engine.exchanges(of: record.queue).sent
        #expect(sent.count == 1)
        for identifier in sent { harness.send(.pubrec(Pubrec(packetIdentifier: identifier)), on: client) }
        harness.run()
        for identifier in sent { harness.send(.pubcomp(Pubcomp(packetIdentifier: identifier)), on: client) }
        harness.run()
        #expect(harness.storage.engine.exchanges(of: record.queue).sent.isEmpty)
        #expect(harness.storage.engine.queueCount == 0)
    }

    @Test(
        "a message that comes back, because the member it went to has left, is still known for its publisher's",
        arguments: 0..<6 as Range<UInt64>)
    func returnedMessage(homeKey: UInt64) {
        let shards = LinkedShards(3, homeKey: homeKey)
        let leaving = shards[1].client("leaving", expiry: .max)
        shards[1].subscribe(leaving, "$share/g/t", .exactlyOnce)
        shards.run()
        let staying = shards[2].client("staying", expiry: .max)
        shards[2].subscribe(staying, "$share/g/t", .exactlyOnce)
        let publisher = shards[0].client("publisher", expiry: .max)
        shards.run()
        _ = (leaving.takePackets(), staying.takePackets(), publisher.takePackets())
        shards.busy = [1]  // The message is in the mail to the one who leaves …
        shards[0].publish(publisher, "t", [5], qos: .exactlyOnce, identifier: 9)
        shards.run()
        shards[1].send(
            .unsubscribe(Unsubscribe(packetIdentifier: 1, filters: ["$share/g/t"])), on: leaving)
        shards.busy = []  // … and finds that it has left.
        shards.run()
        #expect(leaving.takePublishes().isEmpty)
        #expect(staying.takePayloads() == [5])
        #expect(publisher.takePackets() == [.pubrec(Pubrec(packetIdentifier: 9))])
        guard let record = shards[0].storage.engine.record(of: SessionRecord.key("publisher")) else {
            Issue.record("the publisher's session is not kept")
            return
        }
        #expect(shards[2].storage.engine.shares(of: record.queue) == [9])
    }
}
