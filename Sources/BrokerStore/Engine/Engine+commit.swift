import BrokerCore
import Foundation
import GRDB

/// What is made durable together: requests of all shards that write, in the order in which they came.
struct Group {
    var writes: [(shard: Int, request: StorageRequest)] = []
    /// Of messages, for the group's limit.
    var bytes = 0
    var changes = 0

    mutating func append(_ request: StorageRequest, from shard: Int) {
        if case .append(_, let batch) = request {
            bytes += batch.bytes.count
            changes += batch.changes.count
        }
        writes.append((shard, request))
    }
}

/// The answers to a group, by shard.
struct Answers {
    private(set) var byShard: [(shard: Int, events: [StorageEvent])] = []

    mutating func append(_ event: StorageEvent, to shard: Int) {
        if let last = byShard.indices.last, byShard[last].shard == shard {
            byShard[last].events.append(event)
        } else if let at = byShard.firstIndex(where: { $0.shard == shard }) {
            byShard[at].events.append(event)
        } else {
            byShard.append((shard, [event]))
        }
    }
}

extension Engine {
    /// A row of messages that is about to be written: a part of `body`.
    private struct NewRow {
        var first: UInt64
        var count: Int
        var range: Range<Int>
    }

    /// Writes a group in one transaction, syncs it, and then lets it take effect. Either all of it or nothing; false =
    /// nothing. The first `owed` requests have been answered.
    @discardableResult
    func commit(_ group: Group, owed: Int = 0, _ answers: inout Answers) -> Bool {
        redo.removeAll()
        body.removeAll()
        var rows: [NewRow] = []
        var firsts: [LogPosition] = []
        firsts.reserveCapacity(group.writes.count)
        let first = index.nextPosition
        var ending: [ExpiryHeap.Item] = []
        for write in group.writes {
            guard case .append(_, let batch) = write.request else {
                firsts.append(.start)
                continue
            }
            let start = first + UInt64(redo.messageCount)
            firsts.append(LogPosition(start))
            gather(batch, at: start, &rows)
            findEnds(batch, at: start, &ending)
            redo.append(batch, hasher: hasher)
        }
        let expired = takeExpired()
        for retained in expired { redo.appendExpired(position: retained.position) }

        let started = ContinuousClock.now
        switch refusal().map(Result.failure) ?? write(group, rows, first) {
        case .success: break
        case .failure(let error):
            for item in expired { expiring.insert(item) }
            fail(error)
            for write in group.writes[owed...] {
                answers.append(.failed(write.request.token, Engine.failure(error)), to: write.shard)
            }
            return false
        }
        noteEnds(ending)
        statistics.commits += 1
        statistics.messagesWritten += UInt64(redo.messageCount)
        statistics.commitNanoseconds = UInt64(max(0, started.duration(to: .now).nanoseconds))
        for at in group.writes.indices.dropFirst(owed) {
            let write = group.writes[at]
            answers.append(.stored(write.request.token, first: firsts[at]), to: write.shard)
        }
        return true
    }

    /// Why nothing may be written now.
    private func refusal() -> StoreError? {
        isLook ? .readOnly(file: path, detail: "it was opened to be looked at") : settleUnsynced()
    }

    /// Copies a batch's messages behind the others and decides where rows begin.
    private func gather(_ batch: LogBatch, at start: UInt64, _ rows: inout [NewRow]) {
        guard batch.messageCount > 0 else { return }
        let base = body.count
        batch.bytes.withUnsafeBytes { body.append($0) }
        batch.offsets.withUnsafeBufferPointer { offsets in
            var at = 0
            while at < offsets.count {
                // As many as fit behind what the last row has; a message larger than a row is a row.
                let isFirst = rows.isEmpty
                let room = isFirst ? 0 : settings.rowBytesMax - rows[rows.count - 1].range.count
                var next = at
                if !isFirst { next = offsets.firstPlace(from: at, beyond: offsets[at] + room, end: batch.bytes.count) }
                if next == at {
                    rows.append(
                        NewRow(first: start + UInt64(at), count: 0, range: base + offsets[at]..<base + offsets[at]))
                    next = offsets.firstPlace(
                        from: at, beyond: offsets[at] + settings.rowBytesMax, end: batch.bytes.count)
                    if next == at { next = at + 1 }
                }
                let end = next < offsets.count ? offsets[next] : batch.bytes.count
                rows[rows.count - 1].count += next - at
                rows[rows.count - 1].range = rows[rows.count - 1].range.lowerBound..<base + end
                at = next
            }
        }
    }

    /// The transaction, and what follows it in memory.
    private func write(_ group: Group, _ rows: [NewRow], _ first: UInt64) -> Result<Void, StoreError> {
        // Even one that says nothing: its number tells whether a commit of unknown outcome took place.
        let hasRecord = !redo.isEmpty || !group.writes.isEmpty
        let sequence = index.sequence + 1
        var flushed = Flush()
        var sessionsAdded = 0
        var compaction: Compaction?
        do throws(StoreError) {
            let record = redo.finish()
            if hasRecord { try loadMissing(for: record) }
            do throws(StoreFile.Failure) {
                try file.write { db in
                    try deleteDeadRows(db, &flushed)
                    compaction = try compact(db)
                    try flush(db, &flushed)
                    for row in rows { try insert(row, db) }
                    if hasRecord { try insert(record, sequence, first, db) }
                    for write in group.writes { try keep(write.request, db, &sessionsAdded) }
                    try trim(db, &flushed)
                }
            } catch {
                switch error {
                case .undone(let reason): throw reason
                case .unknown(let reason):
                    fail(reason)
                    try settleDoubt(sequence, reason)
                    // It was kept after all, and all was read anew.
                    return .success(())
                }
            }
            // First: it knows rows by their places, which move when deleted ones are forgotten.
            if let compaction { settle(compaction) }
            settle(flushed)
            sessions += sessionsAdded
            walBytes += body.count + record.count + 6 * settings.pageBytes
            for row in rows {
                index.rows.append(
                    MessageRow(
                        first: row.first, last: row.first + UInt64(row.count - 1), count: row.count,
                        bytes: row.range.count))
            }
            if hasRecord {
                index.rows.judgedLaterFrom = first
                let isWhole = index.apply(record, sequence: sequence, first: first)
                precondition(isWhole, "a record that was just made can be read")
                index.rows.buryUnclaimed(from: first)
            }
            evictWritten(flushed)
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// A commit failed half-way: what the file says now is what counts. Does not return before that is known.
    private func settleDoubt(_ sequence: UInt64, _ reason: StoreError) throws(StoreError) {
        var wait = 0.01
        while true {
            do throws(StoreError) {
                try reopen()
                // It is in the log; whether it is on the disk nobody knows, if it was the sync that failed.
                if index.sequence >= sequence { try carryOver() }
                break
            } catch {
                fail(error)
                // Whoever closes the store gets no answer to what nobody can know; it says so.
                if stop.isRequested { throw reason }
                Thread.sleep(forTimeInterval: wait)
                wait = min(wait * 2, 1)
            }
        }
        guard index.sequence >= sequence else { throw reason }
    }

    // MARK: Statements

    private func insert(_ row: NewRow, _ db: Database) throws {
        try body.withSlice(row.range) { data, bytes in
            try db.cachedStatement(
                sql: "INSERT INTO messages (first, last, count, checksum, body) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [
                Int64(row.first), Int64(row.first) + Int64(row.count) - 1, row.count,
                Int64(bitPattern: Checksum.of(bytes)), data,
            ])
        }
    }

    private func insert(_ record: UnsafeRawBufferPointer, _ sequence: UInt64, _ first: UInt64, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT INTO redo (sequence, first, record) VALUES (?, ?, ?)").execute(
            arguments: [Int64(sequence), Int64(first), record.borrowedData])
    }

    private func keep(_ request: StorageRequest, _ db: Database, _ added: inout Int) throws {
        switch request {
        case .append, .read: break
        case .put(_, let record):
            try db.cachedStatement(sql: "UPDATE sessions SET record = ?2 WHERE key = ?1").execute(
                arguments: [Data(record.key), Data(record.value)])
            if db.changesCount == 0 {
                try db.cachedStatement(sql: "INSERT INTO sessions (key, record) VALUES (?1, ?2)").execute(
                    arguments: [Data(record.key), Data(record.value)])
                added += 1
            }
        case .remove(_, let key):
            try db.cachedStatement(sql: "DELETE FROM sessions WHERE key = ?").execute(arguments: [Data(key)])
            added -= db.changesCount
        }
    }

    private func loadMissing(for record: UnsafeRawBufferPointer) throws(StoreError) {
        let missing = index.missing(for: record)
        guard !missing.isEmpty else { return }
        try file.read { db in
            for segment in missing { try loadEntries(segment, db) }
        }
    }
}

extension StorageRequest {
    var token: StorageToken {
        switch self {
        case .append(let token, _), .read(let token, _, _, _, _), .put(let token, _), .remove(let token, _): token
        }
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

extension UnsafeRawBufferPointer {
    /// Lent to SQLite without a copy.
    var borrowedData: Data {
        guard let start = baseAddress else { return Data() }
        return Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: count, deallocator: .none)
    }
}

extension ByteSink {
    borrowing func withSlice(_ range: Range<Int>, _ body: (Data, UnsafeRawBufferPointer) throws -> Void) rethrows {
        let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
        try body(slice.borrowedData, slice)
    }
}

extension UnsafeBufferPointer<Int> {
    /// The first message from one on that would end beyond a place.
    fileprivate func firstPlace(from start: Int, beyond place: Int, end: Int) -> Int {
        var low = start
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let messageEnd = middle + 1 < count ? self[middle + 1] : end
            if messageEnd <= place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
