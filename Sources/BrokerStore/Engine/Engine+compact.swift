import BrokerCore
import Foundation
import GRDB

/// Rows that were put together in a transaction: takes effect in memory when it is committed.
struct Compaction {
    var range: Range<Int>
    /// Nil where nobody needed any of them.
    var row: MessageRow?
    var readBytes: Int
    var duration: Duration
}

extension Engine {
    /// Rows that are read for one compaction, in bytes, at most; and rows that it looks at.
    private static var inputBytesMax: Int { 16 << 20 }
    private static var rowsMax: Int { 4096 }

    /// Puts what is needed of sparse or small rows that lie beside each other into one, so that one slow session does
    /// not keep a row alive for one message, and memory is not spent on a row a message. Now and then.
    func compact(_ db: Database) throws -> Compaction? {
        let now = ContinuousClock.now
        if let nextLook, now < nextLook { return nil }
        nextLook = now + settings.compactionInterval
        guard let range = candidate() else { return nil }
        let rows = index.rows.rows[range]
        guard let low = rows.first?.first, let high = rows.last?.last else { return nil }
        let survivors = try survivors(low...high, db)
        var readBytes = 0
        merged.removeAll()
        scratch.removeAll()
        var before: UInt64 = 0
        var at = 0
        for row in rows where !row.isDead {
            guard at < survivors.count, survivors[at] <= row.last else { continue }
            let content = try readRow(row, db)
            readBytes += row.bytes
            while at < survivors.count, survivors[at] <= row.last {
                guard let range = content.range(of: survivors[at]) else {
                    throw StoreError.corrupt(file: path, detail: "message \(survivors[at]) is missing")
                }
                content.bytes.withUnsafeBytes { merged.append(UnsafeRawBufferPointer(rebasing: $0[range])) }
                scratch.append(varint: survivors[at] - low - before)
                before = survivors[at] - low
                at += 1
            }
        }
        try db.cachedStatement(sql: "DELETE FROM messages WHERE first BETWEEN ? AND ?").execute(
            arguments: [Int64(low), Int64(high)])
        var row: MessageRow?
        if !survivors.isEmpty {
            try db.cachedStatement(
                sql: "INSERT INTO messages (first, last, count, checksum, positions, body) VALUES (?, ?, ?, ?, ?, ?)"
            ).execute(arguments: [
                Int64(low), Int64(high), survivors.count, Int64(bitPattern: Checksum.of(merged.bytes)),
                scratch.borrowed, merged.borrowed,
            ])
            var whole = MessageRow(first: low, last: high, count: survivors.count, bytes: merged.count)
            whole.claims = rows.reduce(0) { $0 + ($1.isDead ? 0 : $1.claims) }
            whole.claimsMax = whole.claims
            row = whole
        }
        return Compaction(range: range, row: row, readBytes: readBytes, duration: now.duration(to: .now))
    }

    func settle(_ compaction: Compaction) {
        for row in index.rows.rows[compaction.range] { cache.remove(row.first) }
        index.rows.replace(compaction.range, with: compaction.row)
        walBytes += (compaction.row?.bytes ?? 0) + compaction.range.count * settings.pageBytes
        // Never more than a tenth of the time.
        nextLook = ContinuousClock.now + max(settings.compactionInterval, compaction.duration * 9)
    }

    /// The first run of rows that is worth the work.
    private func candidate() -> Range<Int>? {
        let end = index.rows.rows.count - settings.rowsSpared
        var at = 0
        var start: Int?
        var input = 0
        var needed = 0
        var count = 0
        func isWorth() -> Bool { count > 0 && (input - needed >= settings.smallRowBytes * 4 || count >= 64) }
        while at < end {
            let row = index.rows.rows[at]
            if row.isDead {
                at += 1
                continue
            }
            let isSmall = row.bytes < settings.smallRowBytes
            let isFit = (row.isSparse || isSmall) && index.rows.look(at: at)
            let wouldBeTooMuch =
                input + row.bytes > Engine.inputBytesMax || needed + row.neededBytes > settings.rowBytesMax
            if start != nil, !isFit || wouldBeTooMuch || count >= Engine.rowsMax {
                if isWorth() { break }
                start = nil
            }
            if isFit {
                if start == nil {
                    start = at
                    input = 0
                    needed = 0
                    count = 0
                }
                input += row.bytes
                needed += row.neededBytes
                count += 1
            }
            at += 1
        }
        guard let start, isWorth() else { return nil }
        return start..<at
    }

    /// Positions in a range that any queue, or a topic, still needs.
    private func survivors(_ range: ClosedRange<UInt64>, _ db: Database) throws -> [UInt64] {
        var positions: [UInt64] = []
        func add(_ queue: Queue) throws {
            var at = queue.firstSegment(endingAtOrAfter: range.lowerBound)
            while at < queue.segments.count, queue.segments[at].first <= range.upperBound {
                let segment = queue.segments[at]
                if segment.isEvicted {
                    _ = try decode(segment, db, keepsEntries: false) { if range.contains($0) { positions.append($0) } }
                } else {
                    var place = segment.lowerBound(range.lowerBound)
                    while place < segment.count, segment.entries[place].position <= range.upperBound {
                        if !segment.entries[place].isGone { positions.append(segment.entries[place].position) }
                        place += 1
                    }
                }
                at += 1
            }
        }
        try index.queues.forEach(add)
        try add(index.retainedQueue)
        positions.sort()
        var unique: [UInt64] = []
        unique.reserveCapacity(positions.count)
        for position in positions where unique.last != position { unique.append(position) }
        return unique
    }
}
