import BrokerCore
import Foundation
import GRDB
import Glibc
import MQTTProtocol
import SeededRandom
import ShardTestKit
import Testing

@testable import BrokerStore

/// Damaged bytes are read or refused, never trusted: records, pieces of queues and rows whose checksums were made to fit, and whole
/// files. From seeds: a failure is one number.
@Suite("Damaged bytes of a store", .blocking)
struct MutationTests {
    /// Changes some bytes; where others are known, takes over pieces of them.
    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator, from: Int) {
        for _ in 0..<(1 + random.below(4)) {
            guard bytes.count > from + 1 else { return }
            let at = from + random.below(bytes.count - from)
            switch random.below(6) {
            case 0: bytes[at] ^= 1 << UInt8(random.below(8))
            case 1: bytes[at] = random.chance(50) ? 0xFF : 0
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(UInt8(random.below(256)), at: at)
            case 4: bytes.removeLast(min(bytes.count - from, 1 + random.below(12)))
            default:
                for i in at..<min(bytes.count, at + 9) {
                    bytes[i] = random.chance(70) ? 0xFF : UInt8(random.below(256))
                }
            }
        }
    }

    private static func fitChecksum(_ bytes: inout [UInt8]) {
        guard bytes.count > 9 else { return }
        let sum = bytes.withUnsafeBytes { Checksum.of(UnsafeRawBufferPointer(rebasing: $0[9...])) }
        withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(1..<9, with: $0) }
    }

    @Test("5,000 damaged redo records whose checksums fit: each is taken or refused", arguments: UInt64(0)..<10)
    func records(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let hasher = TopicHasher(key0: 1, key1: 2)
        for _ in 0..<50 {
            var traffic = RandomTraffic(seed: UInt64(random.below(1 << 30)))
            var index = StoreIndex()
            index.segmentEntriesMax = 8
            var sound: [[UInt8]] = []
            for sequence in 0..<30 {
                guard case .append(_, let batch) = traffic.next() else { continue }
                var writer = RedoWriter()
                writer.append(batch, hasher: hasher)
                let record = [UInt8](writer.finish())
                let first = index.nextPosition
                let isWhole = record.withUnsafeBytes { index.apply($0, sequence: UInt64(sequence + 1), first: first) }
                try #require(isWhole)
                traffic.learn(batch, first: LogPosition(first))
                sound.append(record)
            }
            for _ in 0..<10 {
                var record = random.pick(sound)
                Self.mutate(&record, &random, from: 9)
                Self.fitChecksum(&record)
                record.withUnsafeBytes { bytes in
                    _ = index.missing(for: bytes)
                    _ = index.apply(bytes, sequence: index.sequence + 1, first: index.nextPosition)
                }
            }
        }
    }

    @Test("10,000 damaged pieces of queues whose checksums fit")
    func segments() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let segment = Segment(queue: Queue(id: random.chance(30) ? 0 : 1))
            var position: UInt64 = 0
            for _ in 0..<(1 + random.below(20)) {
                position += UInt64(1 + random.below(300))
                let topic = segment.queue.id == 0 ? TopicHash(low: random.next(), high: random.next()) : nil
                segment.append(
                    Entry(
                        position: position, bytes: 40, identifier: random.chance(20) ? Claim.several : 0, group: 0,
                        flags: 1),
                    identifiers: nil, topic: topic)
                if random.chance(20) { _ = segment.markSent(position, 3) }
            }
            var sink = ByteSink()
            SegmentForm.encode(segment, into: &sink)
            let sound = [UInt8](sink.bytes)
            for _ in 0..<20 {
                var bytes = sound
                Self.mutate(&bytes, &random, from: 9)
                Self.fitChecksum(&bytes)
                bytes.withUnsafeBytes { bytes in
                    guard let decoded = SegmentForm.decode(bytes, keepsEntries: true) else { return }
                    var index = StoreIndex()
                    _ = index.take(decoded, id: 1, queue: segment.queue.id)
                }
            }
        }
    }

    /// Of every table some rows, with checksums that fit where there are any; then the store is opened as the broker does, read, written
    /// and checked. What is wrong is said with the file's name, and nothing stops the process.
    @Test("stores with damaged rows: opened and read, or refused with a typed error", arguments: UInt64(0)..<12)
    func stores(_ seed: UInt64) throws {
        let scratch = try Scratch()
        let path = scratch.directory + "/martlet.db"
        var traffic = RandomTraffic(seed: seed)
        var settings = StoreSettings.tiny
        let store = try WaitingStore(path, settings: settings)
        for _ in 0..<150 {
            let request = traffic.next()
            let answer = store.ask(request)
            if case .append(_, let batch) = request, case .stored(_, let first)? = answer {
                traffic.learn(batch, first: first)
            }
        }
        try store.close()
        settings.redoBytesMax = 1 << 20
        var random = SeededGenerator(seed: seed &+ 1000)
        for round in 0..<25 {
            let copy = scratch.directory + "/copy.db"
            for end in ["", "-wal", "-shm"] { unlink(copy + end) }
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            try damage(copy, &random)
            do {
                let damaged = try WaitingStore(copy, settings: settings)
                // Nobody's crash, whatever the answers are.
                if let (sessions, _) = try? damaged.restore() {
                    for session in sessions { _ = try? damaged.read(session.record.queue) }
                }
                for _ in 0..<5 { _ = damaged.ask(traffic.next()) }
                let problems = try damaged.store.check()
                for problem in problems { #expect(!problem.isEmpty) }
                for failure in damaged.failures {
                    #expect(failure.description.contains(copy), "seed \(seed), round \(round)")
                }
                try damaged.close()
            } catch let error as StoreError {
                guard case .corrupt(copy, _) = error else {
                    Issue.record("seed \(seed), round \(round): \(error)")
                    return
                }
            }
        }
    }

    /// One damage, or two, through SQLite: what a page check would not find.
    private func damage(_ path: String, _ random: inout SeededGenerator) throws {
        let file = try StoreFile(path: path, durability: .os, settings: StoreSettings.tiny)
        var generator = random
        defer { random = generator }
        try file.write { db in
            let tables = [
                ("messages", "first", "body"), ("segments", "id", "body"), ("redo", "sequence", "record"),
                ("sessions", "key", "record"), ("received", "queue", "identifiers"), ("properties", "name", "value"),
            ]
            for _ in 0..<(1 + generator.below(2)) {
                let (table, key, column) = generator.pick(tables)
                switch generator.below(8) {
                case 0: try db.execute(sql: "DELETE FROM \(table) WHERE \(key) = (SELECT \(key) FROM \(table) LIMIT 1)")
                case 1 where table == "messages" || table == "redo":
                    let value = generator.pick([Int64.min, -1, 0, 1, Int64.max - 1, Int64.max])
                    let what = table == "redo" ? ["sequence", "first"] : ["first", "last", "count", "checksum"]
                    try db.execute(
                        sql:
                            "UPDATE OR IGNORE \(table) SET \(generator.pick(what)) = ? WHERE \(key) = (SELECT max(\(key)) FROM \(table))",
                        arguments: [value])
                case 1: try db.execute(sql: "UPDATE \(table) SET \(column) = x''")
                case 2 where table == "segments":
                    let value = generator.pick([Int64.min, -1, 0, 5, Int64.max])
                    try db.execute(sql: "UPDATE segments SET queue = ?", arguments: [value])
                case 2 where table == "segments" || table == "received":
                    try db.execute(
                        sql:
                            "UPDATE OR IGNORE \(table) SET \(key) = ? WHERE \(key) = (SELECT max(\(key)) FROM \(table))",
                        arguments: [Int64.max])
                default:
                    let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0
                    let sql =
                        "SELECT \(column) FROM \(table) ORDER BY \(key) LIMIT 1 OFFSET \(generator.below(max(1, count)))"
                    guard var bytes = try Data.fetchOne(db, sql: sql).map({ [UInt8]($0) }) else { continue }
                    let sound = Data(bytes)
                    let hasHead = table == "segments" || table == "redo"
                    Self.mutate(&bytes, &generator, from: hasHead ? 9 : 0)
                    if hasHead { Self.fitChecksum(&bytes) }
                    try db.execute(
                        sql: "UPDATE \(table) SET \(column) = ? WHERE \(column) = ?", arguments: [Data(bytes), sound])
                    if table == "messages" {
                        let sum = Int64(bitPattern: bytes.withUnsafeBytes { Checksum.of($0) })
                        try db.execute(
                            sql: "UPDATE messages SET checksum = ? WHERE body = ?", arguments: [sum, Data(bytes)])
                    }
                }
            }
        }
        try file.close()
    }
}
