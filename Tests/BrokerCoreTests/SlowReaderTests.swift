import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// Readers that do not keep up: who waits for them, how long, and what is counted.
@Suite("Slow readers")
struct SlowReaderTests {
    private func harness(_ change: (inout ShardSettings) -> Void = { _ in }) -> ShardHarness {
        var settings = ShardSettings()
        settings.outputBytesMax = 10_000
        change(&settings)
        return ShardHarness(settings: settings)
    }

    /// Subscribed to `t`, with a small socket that it does not read.
    private func slowReader(_ harness: ShardHarness) -> TestConnection {
        let slow = harness.client("slow")
        harness.subscribe(slow, "t")
        slow.socketBytesMax = 2_000
        return slow
    }

    private func fill(
        _ harness: ShardHarness, _ publisher: TestConnection, qos: QoS = .atMostOnce, until stop: () -> Bool
    ) -> Int {
        var sent = 0
        while sent < 1_000, !stop() {
            harness.publish(
                publisher, "t", [UInt8](repeating: UInt8(sent & 0xFF), count: 500), qos: qos,
                identifier: UInt16(sent + 1))
            harness.run()
            sent += 1
        }
        return sent
    }

    @Test("a full reader pauses its publisher for slow_reader_wait, then it is stalled; drained, it counts again")
    func stallsAndRecovers() {
        let harness = harness()
        let slow = slowReader(harness)
        let publisher = harness.client("publisher")
        let sent = fill(harness, publisher) { publisher.isPaused }
        #expect(publisher.isPaused)
        #expect(harness.shard.counters.publishesDropped == 0)

        harness.advance(by: harness.shard.settings.slowReaderWait - 1)
        #expect(publisher.isPaused)
        harness.advance(by: 1)
        #expect(!publisher.isPaused, "nobody waits for a stalled reader")
        #expect(harness.log.contains(.readerStalled(client: "slow", milliseconds: 1_000)))

        for _ in 0..<10 { harness.publish(publisher, "t", [1]) }
        harness.run()
        #expect(!publisher.isPaused)
        #expect(harness.shard.counters.publishesDropped == 10)

        for _ in 0..<200 {
            harness.read(on: slow)
            harness.run()
        }
        #expect(slow.takePublishes().count == sent, "what was taken before the stall arrives")
        #expect(harness.log.contains(.readerRecovered(client: "slow", dropped: 10)))
        harness.publish(publisher, "t", [2])
        harness.run()
        harness.read(on: slow)
        #expect(slow.takePayloads() == [2])
    }

    @Test("what a full socket leaves is not counted with what the next flush is for")
    func heldApart() {
        let harness = harness()
        let slow = slowReader(harness)
        let other = harness.client("other")
        harness.subscribe(other, "u")
        let publisher = harness.client("publisher")
        _ = fill(harness, publisher) { publisher.isPaused }
        #expect(harness.shard.waitingBytes == 0, "the last flush left it")

        let second = harness.client("second")
        harness.publish(second, "u", [1, 2, 3])
        #expect(harness.shard.waitingBytes > 0 && harness.shard.waitingConnections == 1)
        #expect(harness.shard.waitingBytes == harness.shard.outputBytes(of: other.id.slot))
        harness.run()
        #expect(other.takePayloads() == [1])
        for _ in 0..<50 {
            harness.read(on: slow)
            harness.run()
        }
        #expect(harness.shard.waitingBytes == 0 && !harness.shard.hasOutput)
    }

    @Test("a reader that drains in time is never stalled, and its publisher goes on")
    func drainsInTime() {
        let harness = harness()
        let slow = slowReader(harness)
        let publisher = harness.client("publisher")
        _ = fill(harness, publisher) { publisher.isPaused }
        for _ in 0..<50 where publisher.isPaused {
            harness.read(on: slow)
            harness.run()
        }
        #expect(!publisher.isPaused)
        harness.advance(by: 5_000)
        #expect(harness.shard.counters.publishesDropped == 0)
        #expect(!harness.log.contains { if case .readerStalled = $0 { true } else { false } })
    }

    @Test("QoS 1 to a stalled reader waits in its queue and is not counted as dropped; the limit is, and said once")
    func queueLimit() {
        let harness = harness { $0.queuedMessagesMax = 50 }
        let slow = harness.client("slow")
        harness.subscribe(slow, "t", .atLeastOnce)
        slow.socketBytesMax = 2_000
        let publisher = harness.client("publisher")
        for i in 0..<120 {
            harness.publish(publisher, "t", [UInt8(i)], qos: .atLeastOnce, identifier: UInt16(i + 1))
            harness.run()
        }
        // 20 in flight, 50 queued.
        #expect(harness.shard.counters.publishesDropped == 50)
        let said = harness.log.filter { if case .queueFull = $0 { true } else { false } }
        #expect(said == [.queueFull(client: "slow", limit: .messages(50))])
        var got: [UInt8] = []
        for _ in 0..<500 {
            harness.read(on: slow)
            for publish in slow.takePublishes() {
                got.append(publish.payload[0])
                harness.puback(slow, publish.packetIdentifier)
            }
            harness.run()
        }
        #expect(got == Array(0..<70))
    }

    @Test("a reader that is blocked and takes QoS 1 counts nothing that was queued")
    func queuedIsNotDropped() {
        let harness = harness { $0.inflightMessagesMax = 65_535 }
        let slow = harness.client("slow")
        harness.subscribe(slow, "t", .atLeastOnce)
        slow.socketBytesMax = 2_000
        let publisher = harness.client("publisher") { $0.receiveMaximum = nil }
        _ = fill(harness, publisher, qos: .atLeastOnce) { publisher.isPaused }
        harness.advance(by: 2_000)
        for i in 0..<10 { harness.publish(publisher, "t", [3], qos: .atLeastOnce, identifier: UInt16(2_000 + i)) }
        harness.run()
        #expect(harness.shard.counters.publishesDropped == 0)
    }

    @Test("forty readers that have stalled with full buffers stop nobody")
    func manyStalled() {
        let harness = harness { $0.outputBytesMax = 1 << 20 }
        let slow = (0..<40).map { harness.client("slow\($0)") }
        for reader in slow {
            harness.subscribe(reader, "t")
            reader.socketBytesMax = 1
        }
        let publisher = harness.client("publisher")
        for _ in 0..<60 {
            harness.publish(publisher, "t", [UInt8](repeating: 1, count: 50_000))
            harness.advance(by: 1_100)
        }
        #expect(harness.shard.status.outputBytes > Outbox.totalBytesMax)
        let healthy = harness.client("healthy")
        harness.subscribe(healthy, "u")
        harness.publish(publisher, "u", [9])
        harness.run()
        #expect(healthy.takePayloads() == [9])
        #expect(harness.flushesInVain == 0)
    }
}
