import BrokerCore
import Foundation
import GRDB
import MQTTProtocol

/// How far the retained messages have been given out.
struct RetainedPlace {
    var segment = 0
    var entry = 0
}

/// What a start needs, some at a time: sessions, then retained messages in the order of their positions. Messages that
/// wait are not read. Requests must not come in between.
extension Engine {
    /// Sessions whose keys come after one, and the key to go on from; nil = that was all.
    func restoredSessions(after key: [UInt8]) -> Result<([RestoredSession], next: [UInt8]?), StoreError> {
        do throws(StoreError) {
            return .success(
                try file.read { db in
                    var sessions: [RestoredSession] = []
                    var last: [UInt8]?
                    let cursor = try Row.fetchCursor(
                        db, sql: "SELECT key, record FROM sessions WHERE key > ? ORDER BY key LIMIT 1000",
                        arguments: [Data(key)])
                    while let row = try cursor.next() {
                        let (key, value): (Data, Data) = (row[0], row[1])
                        last = [UInt8](key)
                        guard let record = SessionRecord(StateRecord(key: [UInt8](key), value: [UInt8](value))) else {
                            let name = String(decoding: key.dropFirst(8), as: UTF8.self)
                            throw StoreError.corrupt(file: path, detail: "the record of session \(name) cannot be read")
                        }
                        named.insert(record.queue.value)
                        sessions.append(try restored(record, db))
                    }
                    return (sessions, last)
                })
        } catch {
            return .failure(error)
        }
    }

    /// Retained messages from a place on. Those whose time has passed are left out.
    func restoredRetained(from place: RetainedPlace) -> Result<([LoggedMessage], next: RetainedPlace?), StoreError> {
        do throws(StoreError) {
            return .success(
                try file.read { db in
                    var messages: [LoggedMessage] = []
                    var place = place
                    let now = clock()
                    let segments = index.retainedQueue.segments
                    while place.segment < segments.count, messages.count < 1000 {
                        let segment = segments[place.segment]
                        guard place.entry < segment.count else {
                            place = RetainedPlace(segment: place.segment + 1)
                            continue
                        }
                        let entry = segment.entries[place.entry]
                        place.entry += 1
                        if entry.isGone { continue }
                        let message = try record(entry, segment, db).message
                        let end = message.expiresAt
                        if end != .max { expiring.insert(.init(at: end, position: entry.position)) }
                        if end > now { messages.append(message) }
                    }
                    return (messages, place.segment < segments.count ? place : nil)
                })
        } catch {
            return .failure(error)
        }
    }

    /// All was given out: queues that no session's record names are void from now on, and retained messages whose time
    /// has passed are gone.
    func endRestore() {
        var batch = LogBatch()
        index.queues.forEach { queue in
            if !named.contains(queue.id) { batch.changes.append(.dropped(QueueID(queue.id))) }
        }
        named = []
        guard !batch.isEmpty || hasExpired else { return }
        var group = Group()
        if isLook { return take(batch) }
        group.append(.append(StorageToken(0), batch), from: 0)
        var ignored = Answers()
        commit(group, &ignored)
    }

    /// Lets changes take effect in memory alone: for whoever only looks.
    private func take(_ batch: LogBatch) {
        redo.removeAll()
        redo.append(batch, hasher: hasher)
        let isWhole = index.apply(redo.finish(), sequence: index.sequence + 1, first: index.nextPosition)
        precondition(isWhole, "a record that was just made can be read")
    }

    private func restored(_ record: SessionRecord, _ db: Database) throws -> RestoredSession {
        var restored = RestoredSession(record: record)
        guard let queue = index.queues[record.queue.value] else { return restored }
        restored.received = queue.received
        restored.shares = queue.keptShares
        restored.waiting = queue.live
        restored.waitingBytes = queue.liveBytes
        for segment in queue.segments where segment.inflight > 0 {
            for at in segment.entries.indices where segment.entries[at].flags & Entry.isSent != 0 {
                let entry = segment.entries[at]
                guard !entry.isGone, let identifier = PacketIdentifier(entry.packet) else { continue }
                let record = try self.record(entry, segment, db)
                restored.inflight.append(
                    .init(record: record, identifier: identifier, isReleased: entry.flags & Entry.isPubrec != 0))
                restored.waiting -= 1
                restored.waitingBytes -= Int(entry.bytes)
            }
        }
        return restored
    }
}
