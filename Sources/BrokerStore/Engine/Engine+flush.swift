import BrokerCore
import Foundation
import GRDB

/// What a transaction wrote of the index: takes effect in memory when it is committed.
struct Flush {
    var deletedRows = 0
    /// Parts from the front of the list, and the rows they got.
    var parts = 0
    var rows: [(segment: Segment, id: Int64)] = []
    /// Queues whose received identifiers were written, or deleted where there are none.
    var received: [Queue] = []
    var bytes = 0
    var trimmedTo: UInt64?
    var trimmedBytes = 0
}

extension Engine {
    /// Parts written in one group at most, where the tail is not much too long.
    private static var partsMax: Int { 256 }

    /// Deletes rows whose messages nobody needs any more.
    func deleteDeadRows(_ db: Database, _ flushed: inout Flush) throws {
        for first in index.rows.toDelete {
            try db.cachedStatement(sql: "DELETE FROM messages WHERE first = ?").execute(arguments: [Int64(first)])
            flushed.deletedRows += 1
        }
    }

    /// Writes the oldest parts of the index that no row says yet, when the records since they changed have grown to more
    /// than a restart shall replay. `all` = whatever there is.
    func flush(_ db: Database, _ flushed: inout Flush, all: Bool = false) throws {
        guard let front = index.dirty.front() else { return }
        let tail = index.redoBytes - front.redoBytes
        guard all || tail > settings.redoBytesMax else { return }
        let until = all ? Int.max : index.redoBytes - settings.redoBytesMax * 3 / 4
        var budget = all || tail > settings.redoBytesMax * 4 ? Int.max : Engine.partsMax
        let items = index.dirty.prefix { item in
            budget -= 1
            return budget >= 0 && item.redoBytes < until
        }
        for item in items {
            guard let item else { continue }
            flushed.parts += 1
            switch item.part {
            case .segment(let segment): try write(segment, db, &flushed)
            case .received(let queue):
                try write(queue, db)
                flushed.received.append(queue)
            }
        }
    }

    private func write(_ segment: Segment, _ db: Database, _ flushed: inout Flush) throws {
        if segment.isDead || segment.live == 0 {
            guard segment.id != 0 else { return }
            try giveBack(segment, db)
            try db.cachedStatement(sql: "DELETE FROM segments WHERE id = ?").execute(arguments: [segment.id])
            flushed.rows.append((segment, 0))
            return
        }
        SegmentForm.encode(segment, into: &scratch)
        flushed.bytes += scratch.count + settings.pageBytes
        if segment.id == 0 {
            let id = nextSegmentID + Int64(flushed.rows.count)
            try db.cachedStatement(sql: "INSERT INTO segments (id, queue, body) VALUES (?, ?, ?)").execute(
                arguments: [id, Int64(bitPattern: segment.queue.id), scratch.borrowed])
            flushed.rows.append((segment, id))
        } else {
            try db.cachedStatement(sql: "UPDATE segments SET body = ? WHERE id = ?").execute(
                arguments: [scratch.borrowed, segment.id])
            flushed.rows.append((segment, segment.id))
        }
    }

    private func write(_ queue: Queue, _ db: Database) throws {
        guard !queue.hasNoIdentifiers else {
            return try db.cachedStatement(sql: "DELETE FROM received WHERE queue = ?").execute(
                arguments: [Int64(bitPattern: queue.id)])
        }
        var bytes = Data(capacity: queue.received.count * 2)
        for identifier in queue.received {
            bytes.append(UInt8(truncatingIfNeeded: identifier))
            bytes.append(UInt8(truncatingIfNeeded: identifier >> 8))
        }
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO received (queue, identifiers, shares) VALUES (?, ?, ?)")
            .execute(arguments: [Int64(bitPattern: queue.id), bytes, ShareForm.encode(queue.keptShares)])
    }

    /// The claims of a segment whose queue is void; its row is the only place that knows them.
    func giveBack(_ segment: Segment, _ db: Database) throws {
        guard segment.holdsClaims else { return }
        segment.holdsClaims = false
        _ = try decode(segment, db, keepsEntries: false) { index.rows.release($0) }
    }

    /// Forgets records that no restart needs. The newest stays: it says where the log ends.
    func trim(_ db: Database, _ flushed: inout Flush, all: Bool = false) throws {
        let remaining = index.dirty.item(after: flushed.parts)
        let keepFrom = min(remaining?.sequence ?? .max, index.sequence)
        let keepBytes = remaining?.redoBytes ?? index.redoBytes
        guard keepFrom > trimmedTo, all || keepBytes - trimmedBytes > settings.redoBytesMax / 8 else { return }
        try db.cachedStatement(sql: "DELETE FROM redo WHERE sequence < ?").execute(arguments: [Int64(keepFrom)])
        flushed.trimmedTo = keepFrom
        flushed.trimmedBytes = keepBytes
    }

    /// The transaction is durable.
    func settle(_ flushed: Flush) {
        if flushed.deletedRows > 0 {
            for first in index.rows.toDelete.prefix(flushed.deletedRows) { cache.remove(first) }
            index.rows.deleted(flushed.deletedRows)
        }
        index.dirty.removeFirst(flushed.parts)
        for (segment, id) in flushed.rows {
            if id >= nextSegmentID { nextSegmentID = id + 1 }
            segment.id = id
            if segment.isDead || id == 0 { continue }
            if segment.count >= index.segmentClosesAt { segment.isClosed = true }
        }
        for queue in flushed.received { queue.hasReceivedRow = !queue.hasNoIdentifiers }
        walBytes += flushed.bytes + flushed.parts * settings.pageBytes
        if let sequence = flushed.trimmedTo {
            trimmedTo = sequence
            trimmedBytes = flushed.trimmedBytes
        }
    }

    /// What was written and has not changed since may leave memory. After the group took effect, which needs what was
    /// loaded for it.
    func evictWritten(_ flushed: Flush) {
        for (segment, _) in flushed.rows where !segment.isDead && !segment.isEvicted && !segment.isDirty {
            if segment.isClosed, segment.inflight == 0, segment.queue !== index.retainedQueue {
                index.evict(segment)
            } else {
                segment.compact()
            }
        }
    }
}
