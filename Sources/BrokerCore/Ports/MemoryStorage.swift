import DequeModule

/// The storage ports kept in memory: what a broker without a durable engine runs on. It answers at once; whoever runs it
/// decides when the answer arrives.
///
/// State that nobody could read back after the process is gone is not kept: only queues are. `ModelStorage`, of the
/// tests, keeps the rest too.
package struct MemoryStorage {
    private struct Kept {
        var message: LoggedMessage
        /// Queue entries that still point here.
        var claims: Int
    }

    private struct Entry {
        var position: LogPosition
        var qos: UInt8
        var retain: Bool
        var subscriptionIdentifiers: [UInt32]
        var group: UInt32
    }

    private var messages: [LogPosition: Kept] = [:]
    private var queues: [QueueID: Deque<Entry>] = [:]
    private var nextPosition: UInt64 = 1

    package init() {}

    /// Messages held, each once.
    package var messageCount: Int { messages.count }
    /// Their bytes.
    package private(set) var messageBytes = 0
    /// Queues that hold anything.
    package var queueCount: Int { queues.count }

    /// Does what is asked and answers.
    package mutating func perform(_ request: StorageRequest) -> StorageEvent {
        switch request {
        case .append(let token, let batch): return .stored(token, first: append(batch))
        case .put(let token, _), .remove(let token, _): return .stored(token, first: .start)
        case .read(let token, let queue, let after, let countMax, let bytesMax):
            return .records(token, read(queue, after, countMax, bytesMax))
        }
    }

    private mutating func append(_ batch: LogBatch) -> LogPosition {
        let first = LogPosition(nextPosition)
        nextPosition += UInt64(batch.messageCount)
        for entry in batch.entries {
            let position = LogPosition(first.value + UInt64(entry.message))
            claim(position) { batch.message(entry.message) }
            queues[entry.queue, default: []].append(
                Entry(
                    position: position, qos: entry.qos, retain: entry.retain,
                    subscriptionIdentifiers: entry.subscriptionIdentifiers, group: entry.group))
        }
        for change in batch.changes {
            switch change {
            case .acknowledged(let queue, let position): release(queue, position)
            case .dropped(let queue): drop(queue)
            case .received, .released, .share, .sent, .pubrec: break
            }
        }
        return first
    }

    private mutating func release(_ queue: QueueID, _ position: LogPosition) {
        guard let at = queues[queue]?.firstIndex(where: { $0.position == position }) else { return }
        queues[queue]?.remove(at: at)
        if queues[queue]?.isEmpty == true { queues.removeValue(forKey: queue) }
        unclaim(position)
    }

    private mutating func drop(_ queue: QueueID) {
        for entry in queues.removeValue(forKey: queue) ?? [] { unclaim(entry.position) }
    }

    private mutating func claim(_ position: LogPosition, _ message: () -> LoggedMessage) {
        if messages[position] == nil {
            let message = message()
            messageBytes += message.bytes.count
            messages[position] = Kept(message: message, claims: 1)
        } else {
            messages[position]?.claims += 1
        }
    }

    private mutating func unclaim(_ position: LogPosition) {
        messages[position]?.claims -= 1
        guard messages[position]?.claims == 0, let gone = messages.removeValue(forKey: position) else { return }
        messageBytes -= gone.message.bytes.count
    }

    private func read(
        _ queue: QueueID, _ after: LogPosition, _ countMax: Int, _ bytesMax: Int
    ) -> [QueuedRecord] {
        var records: [QueuedRecord] = []
        var bytes = 0
        for entry in queues[queue] ?? [] where entry.position > after {
            guard records.count < countMax, bytes < bytesMax, let kept = messages[entry.position] else { break }
            bytes += kept.message.bytes.count
            records.append(
                QueuedRecord(
                    position: entry.position, message: kept.message, qos: entry.qos, retain: entry.retain,
                    subscriptionIdentifiers: entry.subscriptionIdentifiers, group: entry.group))
        }
        return records
    }
}
