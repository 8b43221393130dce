import BrokerCore
import MQTTProtocol
import SeededRandom
import ShardTestKit

/// Requests as shards make them, from a seed: a few sessions that come and go, messages to many or none, acknowledgements
/// mostly in order, QoS 2 in both directions, retained messages that replace each other.
struct RandomTraffic {
    private var random: SeededGenerator
    /// Sessions by their number; their queues are never named twice.
    private var sessions: [Int: QueueID] = [:]
    private var waiting: [QueueID: [(position: UInt64, isSent: Bool)]] = [:]
    private var received: [QueueID: [UInt16]] = [:]
    private var nextQueue: UInt64 = 1
    private var token: UInt64 = 10
    private var number = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    var queues: [QueueID] { sessions.values.sorted { $0.value < $1.value } }

    mutating func chance(_ percent: Int) -> Bool { random.chance(percent) }
    mutating func below(_ below: Int) -> Int { random.below(below) }

    mutating func next() -> StorageRequest {
        token += 1
        if sessions.isEmpty || random.chance(4) { return changeSession() }
        if random.chance(25), let queue = pickQueue() {
            let after = random.chance(60) ? 0 : (waiting[queue]?.randomElement(using: &random)?.position ?? 0)
            return .read(
                StorageToken(token), queue, after: LogPosition(after), countMax: 1 + random.below(30),
                bytesMax: 1 + random.below(4000))
        }
        return .append(StorageToken(token), batch())
    }

    /// The answer to an append: where its messages stand.
    mutating func learn(_ batch: LogBatch, first: LogPosition) {
        for entry in batch.entries {
            waiting[entry.queue, default: []].append((first.value + UInt64(entry.message), false))
        }
        for case .dropped(let queue) in batch.changes { waiting[queue] = nil }
    }

    private mutating func pickQueue() -> QueueID? {
        let queues = queues
        return queues.isEmpty ? nil : random.pick(queues)
    }

    private mutating func changeSession() -> StorageRequest {
        let number = random.below(6)
        if let queue = sessions[number] {
            if random.chance(50) {
                return .put(StorageToken(token), SessionRecord.named("s\(number)", queue: queue.value).stateRecord)
            }
            sessions[number] = nil
            received[queue] = nil
            waiting[queue] = nil
            if random.chance(50) {
                // The crash that follows may come before the queue is dropped.
                return .remove(StorageToken(token), key: SessionRecord.key(MQTTString("s\(number)")))
            }
            var batch = LogBatch()
            batch.changes.append(.dropped(queue))
            return .append(StorageToken(token), batch)
        }
        let queue = QueueID(nextQueue &* 0x9E37_79B9)
        nextQueue += 1
        sessions[number] = queue
        return .put(StorageToken(token), SessionRecord.named("s\(number)", queue: queue.value).stateRecord)
    }

    private mutating func batch() -> LogBatch {
        var batch = LogBatch()
        for _ in 0..<random.below(6) { addMessage(&batch) }
        for _ in 0..<random.below(8) { addChange(&batch) }
        if batch.isEmpty { addMessage(&batch) }
        return batch
    }

    private mutating func addMessage(_ batch: inout LogBatch) {
        number += 1
        let retain = random.chance(25)
        let topic = Array("t/\(random.below(12))".utf8)
        if random.chance(8) {
            batch.retainedRemoved.append(RetainedRemoval(topic: topic, after: batch.messageCount))
            return
        }
        let payload = Array("\(number)".utf8) + [UInt8](repeating: 1, count: random.chance(5) ? 700 : random.below(60))
        let index = batch.append(
            LoggedMessage(topic: topic, payload: payload, qos: UInt8(1 + random.below(2)), retain: retain))
        if retain { batch.retained.append(index) }
        for queue in queues where random.chance(40) {
            let identifiers = (0..<(random.chance(20) ? random.below(4) : 0)).map { UInt32($0 * 1000 + 1) }
            batch.entries.append(
                QueueEntry(
                    queue: queue, message: index, qos: UInt8(1 + random.below(2)), retain: random.chance(20),
                    subscriptionIdentifiers: identifiers, group: random.chance(10) ? 77 : 0))
        }
    }

    private mutating func addChange(_ batch: inout LogBatch) {
        guard let queue = pickQueue() else { return }
        let identifier = UInt16(1 + random.below(20))
        let open = waiting[queue] ?? []
        // Mostly the oldest, sometimes one of many.
        let at = open.isEmpty ? 0 : random.chance(80) ? 0 : random.below(open.count)
        switch random.below(11) {
        case 10:
            batch.changes.append(.share(queue, KeptShare(identifier: identifier, part: UInt64(random.below(3)))))
        case 0 where !(received[queue] ?? []).contains(identifier):
            received[queue, default: []].append(identifier)
            batch.changes.append(.received(queue, identifier: identifier))
        case 1:
            received[queue]?.removeAll { $0 == identifier }
            batch.changes.append(.released(queue, identifier: identifier))
        case 2 where !open.isEmpty:
            waiting[queue]?[at].isSent = true
            batch.changes.append(.sent(queue, LogPosition(open[at].position), identifier: identifier))
        case 3 where !open.isEmpty && open[at].isSent:
            batch.changes.append(.pubrec(queue, LogPosition(open[at].position)))
        case 4...9 where !open.isEmpty:
            waiting[queue]?.remove(at: at)
            batch.changes.append(.acknowledged(queue, LogPosition(open[at].position)))
        default: break
        }
    }
}
