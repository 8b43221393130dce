import BrokerCore
import Foundation
import GRDB

extension Engine {
    /// Segments that stay in memory for readers, at most.
    private static var loadedMax: Int { 64 }

    /// Reads what is asked for.
    func answer(to request: StorageRequest) -> StorageEvent {
        guard case .read(let token, let queue, let after, let countMax, let bytesMax) = request else {
            preconditionFailure("only reads are answered at once")
        }
        do throws(StoreError) {
            return .records(token, try records(queue, after: after, countMax: countMax, bytesMax: bytesMax))
        } catch {
            fail(error)
            return .failed(token, Engine.failure(error))
        }
    }

    /// The next entries of a queue after a position, oldest first, with their messages.
    func records(
        _ id: QueueID, after: LogPosition, countMax: Int, bytesMax: Int
    ) throws(StoreError) -> [QueuedRecord] {
        guard let queue = index.queues[id.value], countMax > 0 else { return [] }
        return try file.read { db in
            var records: [QueuedRecord] = []
            records.reserveCapacity(min(countMax, queue.live))
            var bytes = 0
            var at = queue.firstSegment(endingAtOrAfter: after.value &+ 1)
            while at < queue.segments.count, records.count < countMax, bytes < max(1, bytesMax) {
                let segment = queue.segments[at]
                if segment.isEvicted {
                    try loadEntries(segment, db)
                    remember(segment)
                }
                try collect(segment, after.value, countMax, max(1, bytesMax), &records, &bytes, db)
                at += 1
            }
            return records
        }
    }

    private func collect(
        _ segment: Segment, _ after: UInt64, _ countMax: Int, _ bytesMax: Int, _ records: inout [QueuedRecord],
        _ bytes: inout Int, _ db: Database
    ) throws {
        var place = segment.lowerBound(after &+ 1)
        var row: RowCache.Row?
        while place < segment.count, records.count < countMax, bytes < bytesMax {
            defer { place += 1 }
            let entry = segment.entries[place]
            if entry.isGone { continue }
            if row?.range(of: entry.position) == nil { row = try self.row(of: entry.position, db) }
            records.append(try record(entry, segment, row))
            bytes += Int(entry.bytes)
        }
    }

    /// An entry with its message.
    func record(_ entry: Entry, _ segment: Segment, _ db: Database) throws -> QueuedRecord {
        try record(entry, segment, try row(of: entry.position, db))
    }

    private func record(_ entry: Entry, _ segment: Segment, _ row: RowCache.Row?) throws -> QueuedRecord {
        guard let row, let range = row.range(of: entry.position) else {
            throw StoreError.corrupt(file: path, detail: "message \(entry.position) is missing")
        }
        return QueuedRecord(
            position: LogPosition(entry.position), message: LoggedMessage(bytes: Array(row.bytes[range])),
            qos: entry.flags & Entry.qosMask, retain: entry.flags & Entry.retain != 0,
            subscriptionIdentifiers: identifiers(of: entry, segment), group: entry.group)
    }

    private func identifiers(of entry: Entry, _ segment: Segment) -> [UInt32] {
        if entry.identifier == 0 { return [] }
        return entry.identifier == Claim.several ? segment.lists[entry.position] ?? [] : [entry.identifier]
    }

    /// The row that holds a position, from memory or file.
    func row(of position: UInt64, _ db: Database) throws -> RowCache.Row? {
        guard let known = index.rows.row(of: position) else { return nil }
        if let row = cache.row(known.first) { return row }
        let row = try readRow(known, db)
        cache.insert(row)
        return row
    }

    func readRow(_ known: MessageRow, _ db: Database) throws -> RowCache.Row {
        let statement = try db.cachedStatement(sql: "SELECT checksum, positions, body FROM messages WHERE first = ?")
        let cursor = try Row.fetchCursor(statement, arguments: [Int64(known.first)])
        let row = try withExtendedLifetime(cursor) {
            try cursor.next().flatMap { row -> RowCache.Row? in
                let checksum = UInt64(bitPattern: row[0] as Int64)
                return try row.withUnsafeData(atIndex: 1) { positions in
                    try row.withUnsafeData(atIndex: 2) { body in
                        body?.withUnsafeBytes { body in
                            guard Checksum.of(body) == checksum else { return nil }
                            guard let positions else {
                                return RowCache.Row(first: known.first, count: known.count, positions: nil, body: body)
                            }
                            return positions.withUnsafeBytes {
                                RowCache.Row(first: known.first, count: known.count, positions: $0, body: body)
                            }
                        } ?? nil
                    }
                }
            }
        }
        guard let row else {
            throw StoreError.corrupt(file: path, detail: "the row of messages \(known.first) cannot be read")
        }
        return row
    }

    /// Entries that a reader needed stay a while; those that nobody changed leave memory again.
    private func remember(_ segment: Segment) {
        loaded.append(segment)
        guard loaded.count > Engine.loadedMax else { return }
        let oldest = loaded.removeFirst()
        if !oldest.isDirty, !oldest.isDead, !oldest.isEvicted, oldest.inflight == 0, oldest.id != 0 {
            index.evict(oldest)
        }
    }
}
