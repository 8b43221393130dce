import BrokerCore
import Foundation
import GRDB

extension Engine {
    /// Reads the index's rows and takes the steps of the records that came after them. Messages are not read.
    func load() throws(StoreError) {
        index = StoreIndex()
        index.segmentEntriesMax = settings.segmentEntriesMax
        index.segmentClosesAt = settings.segmentClosesAt
        index.rows.judgedLaterFrom = 0
        cache.removeAll()
        loaded = []
        walBytes = 0
        try file.read { db in
            try self.loadProperties(db)
            try self.loadRows(db)
            try self.loadSegments(db)
            try self.replay(db)
        }
        index.rows.buryUnclaimed(from: 0)
    }

    /// Positions, and numbers of records and rows, stay below this for as long as anybody lives.
    static var numberMax: Int64 { 1 << 62 }

    private func corrupt(_ detail: String) -> StoreError { .corrupt(file: path, detail: detail) }

    private func loadProperties(_ db: Database) throws {
        guard let key = try Data.fetchOne(db, sql: "SELECT value FROM properties WHERE name = 'topic_key'"),
            key.count == 16
        else { throw corrupt("its topic key is missing") }
        hasher = key.withUnsafeBytes {
            TopicHasher(
                key0: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                key1: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        sessions = try Int.fetchOne(db, sql: "SELECT count(*) FROM sessions") ?? 0
    }

    private func loadRows(_ db: Database) throws {
        let cursor = try Row.fetchCursor(
            db, sql: "SELECT first, last, count, length(body) FROM messages ORDER BY first")
        var end: Int64 = -1
        while let row = try cursor.next() {
            let (first, last, count, bytes): (Int64, Int64, Int, Int) = (row[0], row[1], row[2], row[3])
            // A message has a head of its own: there cannot be more than so many.
            let countMax = min(Int64(bytes / LoggedMessage.headerLength), last &- first &+ 1)
            guard first > end, last >= first, last < Engine.numberMax, count > 0, count <= countMax else {
                throw corrupt("the row of messages \(first) is not what it says, or overlaps another")
            }
            end = last
            index.rows.append(MessageRow(first: UInt64(first), last: UInt64(last), count: count, bytes: bytes))
        }
        index.resume(sequence: 0, nextPosition: UInt64(end + 1))
    }

    private func loadSegments(_ db: Database) throws {
        struct Described {
            var id: Int64
            var queue: UInt64
            var decoded: SegmentForm.Decoded
        }
        var all: [Described] = []
        let cursor = try Row.fetchCursor(db, sql: "SELECT id, queue, body FROM segments ORDER BY id")
        while let row = try cursor.next() {
            let id: Int64 = row[0]
            let queue = UInt64(bitPattern: row[1] as Int64)
            let decoded = try row.withUnsafeData(atIndex: 2) { data in
                data?.withUnsafeBytes { bytes in
                    let described = SegmentForm.decode(bytes, keepsEntries: false) { index.rows.claim($0) }
                    guard queue == 0 || (described?.inflight ?? 0) > 0 else { return described }
                    return SegmentForm.decode(bytes, keepsEntries: true)
                }
            }
            guard let decoded = decoded ?? nil, decoded.hasTopics == (queue == 0), id > 0, id < Engine.numberMax else {
                throw corrupt("segment \(id) of a queue cannot be read")
            }
            all.append(Described(id: id, queue: queue, decoded: decoded))
            nextSegmentID = max(nextSegmentID, id + 1)
        }
        all.sort { ($0.queue, $0.decoded.first) < ($1.queue, $1.decoded.first) }
        for described in all {
            guard index.take(described.decoded, id: described.id, queue: described.queue) else {
                throw corrupt("segment \(described.id) of a queue overlaps another")
            }
        }
        let received = try Row.fetchCursor(db, sql: "SELECT queue, identifiers, shares FROM received")
        while let row = try received.next() {
            let bytes: Data = row[1]
            let identifiers = stride(from: 0, to: bytes.count - 1, by: 2).map {
                UInt16(bytes[bytes.startIndex + $0]) | UInt16(bytes[bytes.startIndex + $0 + 1]) << 8
            }
            guard let shares = ShareForm.decode(row[2] as Data?) else {
                throw corrupt("the QoS 2 identifiers of queue \(row[0] as Int64) cannot be read")
            }
            index.takeReceived(identifiers, shares, queue: UInt64(bitPattern: row[0] as Int64))
        }
    }

    private func replay(_ db: Database) throws {
        let cursor = try Row.fetchCursor(db, sql: "SELECT sequence, first, record FROM redo ORDER BY sequence")
        trimmedTo = 0
        var before: UInt64?
        while let row = try cursor.next() {
            let sequence = UInt64(bitPattern: row[0] as Int64)
            let first = UInt64(bitPattern: row[1] as Int64)
            guard sequence < Engine.numberMax, first < Engine.numberMax else {
                throw corrupt("record \(sequence) cannot be read")
            }
            guard before == nil || sequence == before.unsafelyUnwrapped + 1 else {
                throw corrupt("record \((before ?? 0) + 1) is missing")
            }
            if before == nil { trimmedTo = sequence }
            before = sequence
            let isWhole = try row.withUnsafeData(atIndex: 2) { data in
                try data?.withUnsafeBytes { bytes in
                    for segment in index.missing(for: bytes) { try loadEntries(segment, db) }
                    return index.apply(bytes, sequence: sequence, first: first)
                } ?? false
            }
            guard isWhole else { throw corrupt("record \(sequence) cannot be read") }
        }
        trimmedBytes = 0
    }

    /// Brings a segment's entries back into memory.
    func loadEntries(_ segment: Segment, _ db: Database) throws {
        guard segment.isEvicted else { return }
        index.load(segment, try decode(segment, db))
    }

    func decode(
        _ segment: Segment, _ db: Database, keepsEntries: Bool = true, eachPosition: (UInt64) -> Void = { _ in }
    ) throws -> SegmentForm.Decoded {
        let statement = try db.cachedStatement(sql: "SELECT body FROM segments WHERE id = ?")
        let cursor = try Row.fetchCursor(statement, arguments: [segment.id])
        // A row is valid as long as its cursor lives.
        let decoded = try withExtendedLifetime(cursor) {
            try cursor.next()?.withUnsafeData(atIndex: 0) { data in
                data?.withUnsafeBytes {
                    SegmentForm.decode($0, keepsEntries: keepsEntries, eachPosition: eachPosition)
                } ?? nil
            }
        }
        guard let decoded = decoded ?? nil, decoded.count == segment.live else {
            throw corrupt("segment \(segment.id) of a queue cannot be read")
        }
        return decoded
    }
}
