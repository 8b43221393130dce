import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// Storage that answers late, in another order, or says no.
@Suite("Storage")
struct StorageTests {
    private func appends(_ request: StorageRequest) -> StorageFailure? { request.isAppend ? .full : nil }

    /// A publisher, and a persistent subscriber at QoS 2; storage answers when told.
    private func pair(_ version: ProtocolVersion = .v5) -> (ShardHarness, TestConnection, TestConnection) {
        let harness = ShardHarness()
        let subscriber = harness.client("subscriber", expiry: .max)
        harness.subscribe(subscriber, "t", .exactlyOnce)
        let publisher = harness.client("publisher", version, cleanStart: version == .v5, expiry: nil)
        harness.storage.mode = .held
        return (harness, publisher, subscriber)
    }

    @Test("[5.0 MQTT-4.6.0-2] acknowledgements keep their order, whatever the order of the answers")
    func orderOfAcknowledgements() {
        let (harness, publisher, subscriber) = pair()
        for identifier in 1...3 as ClosedRange<UInt16> {
            harness.publish(publisher, "t", [UInt8(identifier)], qos: .atLeastOnce, identifier: identifier)
            harness.tick()
        }
        harness.publish(publisher, "nobody", qos: .atLeastOnce, identifier: 4)
        #expect(harness.storage.answers.count == 3)
        harness.answer(at: 2)
        harness.answer(at: 1)
        harness.run()
        #expect(publisher.packets.isEmpty, "the first is still open")
        harness.answer()
        harness.run()
        let identifiers = publisher.takePackets().compactMap {
            if case .puback(let puback) = $0 { puback.packetIdentifier } else { nil }
        }
        #expect(identifiers == [1, 2, 3, 4])
        #expect(subscriber.takePayloads() == [1, 2, 3])
    }

    @Test("what storage refuses is not acknowledged: 0x83 in 5.0, the end of the connection in 3.1.1")
    func refusal() {
        let (harness, publisher, subscriber) = pair()
        harness.storage.refusal = appends
        harness.publish(publisher, "t", qos: .atLeastOnce)
        harness.run()
        harness.answerAll()
        harness.run()
        #expect(
            publisher.takePackets() == [.puback(Puback(packetIdentifier: 1, reasonCode: .implementationSpecificError))])
        #expect(subscriber.packets.isEmpty)

        let (other, old, _) = pair(.v311)
        other.storage.refusal = appends
        other.publish(old, "t", qos: .atLeastOnce)
        other.run()
        other.answerAll()
        other.run()
        #expect(old.packets.isEmpty)
        #expect(old.isClosed)
    }

    @Test("a QoS 2 message that was refused is new when it comes again", arguments: [ProtocolVersion.v311, .v5])
    func refusedExactlyOnce(version: ProtocolVersion) {
        let (harness, _, subscriber) = pair()
        harness.storage.mode = .answersAtOnce
        let first = harness.client("p2", version, cleanStart: false, expiry: version == .v5 ? .max : nil)
        harness.storage.refusal = appends
        harness.publish(first, "t", [7], qos: .exactlyOnce, identifier: 5)
        harness.run()
        harness.cut(first)
        harness.storage.refusal = { _ in nil }
        let second = harness.client("p2", version, cleanStart: false, expiry: version == .v5 ? .max : nil)
        harness.publish(second, "t", [7], qos: .exactlyOnce, identifier: 5, duplicate: true)
        harness.run()
        #expect(second.takePackets() == [.pubrec(Pubrec(packetIdentifier: 5))])
        #expect(subscriber.takePayloads() == [7])
    }

    @Test("PUBREC does not leave before its message is kept, on the next connection either")
    func repetitionBeforeKept() {
        let (harness, _, _) = pair()
        harness.storage.mode = .answersAtOnce
        let first = harness.client("p2", expiry: .max)
        harness.storage.mode = .held
        harness.publish(first, "t", [7], qos: .exactlyOnce, identifier: 5)
        harness.tick()
        harness.cut(first)
        let second = harness.client("p2", cleanStart: false, expiry: .max)
        harness.publish(second, "t", [7], qos: .exactlyOnce, identifier: 5, duplicate: true)
        harness.run()
        #expect(second.packets.isEmpty)
        harness.answerAll()
        harness.run()
        #expect(second.takePackets() == [.pubrec(Pubrec(packetIdentifier: 5))])
    }

    @Test("refused messages do not count as waiting: the queue's limit is not used up")
    func refusedDoNotCount() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 5
        let harness = ShardHarness(settings: settings)
        harness.cut(absent(harness))
        let publisher = harness.client("publisher")
        harness.storage.refusal = appends
        for _ in 0..<20 {
            harness.publish(publisher, "t", qos: .atLeastOnce)
            harness.run()
        }
        harness.storage.refusal = { _ in nil }
        _ = publisher.takePackets()
        harness.publish(publisher, "t", [9], qos: .atLeastOnce)
        harness.run()
        let back = harness.connect(Connect(version: .v311, cleanStart: false, clientIdentifier: "absent"))
        #expect(back.takePayloads() == [9])
    }

    private func absent(_ harness: ShardHarness) -> TestConnection {
        let client = harness.client("absent", .v311, cleanStart: false)
        harness.subscribe(client, "t", .atLeastOnce)
        return client
    }

    @Test("a queue longer than memory's window comes back from the log in order, though reads fail at times")
    func longQueue() {
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        let harness = ShardHarness(settings: settings)
        harness.cut(absent(harness))
        let publisher = harness.client("publisher")
        for i in 0..<1_000 {
            harness.publish(publisher, "t", [UInt8(i >> 8), UInt8(i & 0xFF)], qos: .atLeastOnce)
            harness.run()
        }
        var reads = 0
        harness.storage.refusal = { request in
            guard request.isRead else { return nil }
            reads += 1
            return reads % 2 == 1 ? .unavailable : nil
        }
        let back = harness.connect(Connect(version: .v311, cleanStart: false, clientIdentifier: "absent"))
        var got: [Int] = []
        for _ in 0..<5_000 where got.count < 1_000 {
            let publishes = back.takePublishes()
            for publish in publishes {
                got.append(Int(publish.payload[0]) << 8 | Int(publish.payload[1]))
                harness.puback(back, publish.packetIdentifier)
            }
            harness.run()
            if publishes.isEmpty { harness.advance(by: 1_000) }
        }
        #expect(got == Array(0..<1_000))
        #expect(reads > 2)
        #expect(harness.storage.engine.messageCount == 0)
    }
}
