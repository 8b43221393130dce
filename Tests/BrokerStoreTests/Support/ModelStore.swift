import BrokerCore
import BrokerStore
import MQTTProtocol
import Synchronization

/// A store in a few lines, for imports: what was asked for, in memory. It answers at once, and gives positions as an
/// engine does.
final class ModelStore: Sendable {
    struct Entry: Equatable {
        var position: UInt64
        var message: LoggedMessage
        var qos: UInt8
        var retain: Bool
        var identifiers: [UInt32]
        /// The packet identifier it is in flight under.
        var sentAs: UInt16?
        var isReleased = false
        var group: UInt32 = 0

        var record: QueuedRecord {
            QueuedRecord(
                position: LogPosition(position), message: message, qos: qos, retain: retain,
                subscriptionIdentifiers: identifiers, group: group)
        }
    }

    struct Content {
        var sessions: [SessionRecord] = []
        var queues: [QueueID: [Entry]] = [:]
        var received: [QueueID: [UInt16]] = [:]
        var retained: [[UInt8]: LoggedMessage] = [:]
        /// Messages that were appended, copies too.
        var messageCount = 0
        var next: UInt64 = 1
    }

    private let content = Mutex(Content())

    var all: Content { content.withLock { $0 } }

    func session(_ name: String) -> SessionRecord? {
        all.sessions.first { $0.clientIdentifier.bytes == Array(name.utf8) }
    }

    func queue(_ name: String) -> [Entry] { session(name).flatMap { all.queues[$0.queue] } ?? [] }
    func received(_ name: String) -> [UInt16] { session(name).flatMap { all.received[$0.queue] } ?? [] }

    /// Topics and payloads, as text.
    func payloads(_ name: String) -> [String] {
        queue(name).map { String(decoding: $0.message.payload, as: UTF8.self) }
    }

    /// What a restart would find, sessions in the order they came.
    func restored() -> [RestoredSession] {
        all.sessions.map { record in
            let entries = all.queues[record.queue] ?? []
            let inflight = entries.compactMap { entry in
                entry.sentAs.flatMap { PacketIdentifier($0) }.map {
                    RestoredSession.Inflight(record: entry.record, identifier: $0, isReleased: entry.isReleased)
                }
            }
            return RestoredSession(
                record: record, received: all.received[record.queue] ?? [], inflight: inflight,
                waiting: entries.count - inflight.count)
        }
    }

    /// Exported, as one text.
    func exported() throws -> String {
        var text: [UInt8] = []
        var export = try StoreExport(
            read: { queue, after, countMax, _ in
                let entries = (self.all.queues[queue] ?? []).filter { $0.position > after.value }
                // Fewer than asked for is allowed, and is what an engine does at the end of a piece.
                return entries.prefix(min(countMax, 3)).map(\.record)
            },
            write: { text += $0 })
        for session in restored() { try export.add(session) }
        try export.writeQueues()
        for message in all.retained.values.sorted(by: { $0.topic.lexicographicallyPrecedes($1.topic) }) {
            try export.addRetained(message)
        }
        return String(decoding: text, as: UTF8.self)
    }

    func perform(_ request: StorageRequest) -> StorageEvent { content.withLock { $0.perform(request) } }
}

extension ModelStore.Content {
    mutating func perform(_ request: StorageRequest) -> StorageEvent {
        switch request {
        case .put(let token, let record):
            if let session = SessionRecord(record) { sessions.append(session) }
            return .stored(token, first: .start)
        case .append(let token, let batch):
            let first = next
            next += UInt64(batch.messageCount)
            messageCount += batch.messageCount
            for entry in batch.entries {
                queues[entry.queue, default: []].append(
                    .init(
                        position: first + UInt64(entry.message), message: batch.message(entry.message), qos: entry.qos,
                        retain: entry.retain, identifiers: entry.subscriptionIdentifiers, group: entry.group))
            }
            for index in batch.retained { retained[batch.message(index).topic] = batch.message(index) }
            for removal in batch.retainedRemoved { retained[removal.topic] = nil }
            for change in batch.changes { apply(change) }
            return .stored(token, first: LogPosition(first))
        case .read(let token, _, _, _, _): return .failed(token, .unavailable)
        case .remove(let token, _): return .failed(token, .unavailable)
        }
    }

    private mutating func apply(_ change: QueueChange) {
        switch change {
        case .received(let queue, let identifier): received[queue, default: []].append(identifier)
        case .sent(let queue, let position, let identifier):
            guard let at = queues[queue]?.firstIndex(where: { $0.position == position.value }) else { return }
            queues[queue]?[at].sentAs = identifier
        case .pubrec(let queue, let position):
            guard let at = queues[queue]?.firstIndex(where: { $0.position == position.value }) else { return }
            queues[queue]?[at].isReleased = true
        case .released, .share, .acknowledged, .dropped: break
        }
    }
}
