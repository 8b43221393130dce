import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import Testing

/// Room on the disk: when there is none, when it returns, and how it is given back.
@Suite("Room", .blocking)
struct RoomTests {
    private let scratch: Scratch
    private let path: String

    init() throws {
        scratch = try Scratch()
        path = scratch.directory + "/martlet.db"
    }

    private func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    /// Fills until it is refused; returns what was kept.
    private func fill(_ store: WaitingStore, limit: Int = 2000) throws -> [UInt64] {
        var kept: [UInt64] = []
        for i in 0..<limit {
            switch store.append(.message("\(i)", to: [QueueID(1)], bytes: 5000)) {
            case .stored(_, let first): kept.append(first.value)
            case .failed(_, let failure):
                #expect(failure == .full)
                return kept
            default: throw WaitingStore.Refused()
            }
        }
        Issue.record("it never filled up")
        return kept
    }

    @Test("a full file: refused, read on, nothing of what was refused after a restart, and on when there is room")
    func fullFile() throws {
        var settings = StoreSettings.strict
        settings.pageCountMax = 200
        var store = try WaitingStore(path, settings: settings)
        _ = store.ask(.put(StorageToken(3), SessionRecord.named("s", queue: 1).stateRecord))
        let kept = try fill(store)
        #expect(kept.count > 100)
        guard case .full(path, _)? = store.failures.last else {
            Issue.record("\(store.failures)")
            return
        }
        for _ in 0..<5 { #expect(store.append(.message("no", to: [QueueID(1)], bytes: 9000)) != nil) }
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        try store.close()
        settings.pageCountMax = nil
        store = try WaitingStore(path, settings: settings)
        #expect(try store.restore().sessions.first?.waiting == kept.count)
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        _ = try store.keep(.message("room", to: [QueueID(1)]))
        #expect(try store.store.check() == [])
        try store.close()
    }

    /// A disk of two megabytes, where this process may mount one; else the file is limited, which `fullFile` does too.
    @Test("a full disk, and then room again without a restart")
    func fullDisk() throws {
        let folder = scratch.directory + "/disk"
        mkdir(folder, 0o700)
        let isMounted = mount("tmpfs", folder, "tmpfs", 0, "size=2m") == 0
        defer {
            if isMounted { umount2(folder, Int32(MNT_DETACH)) }
            rmdir(folder)
        }
        guard isMounted else { return try fullFile() }
        let path = folder + "/martlet.db"
        let ballast = folder + "/ballast"
        try Data(count: 800_000).write(to: URL(fileURLWithPath: ballast))
        var store = try WaitingStore(path)
        _ = store.ask(.put(StorageToken(3), SessionRecord.named("s", queue: 1).stateRecord))
        var kept = try fill(store)
        #expect(kept.count > 20)
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        // What a crash now would leave.
        for end in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + end, toPath: scratch.directory + "/copy.db" + end)
        }
        let copy = try WaitingStore(scratch.directory + "/copy.db")
        #expect(try copy.read(QueueID(1)).map(\.position.value) == kept)
        try copy.close()
        unlink(ballast)
        kept.append(try store.keep(.message("room again", to: [QueueID(1)], bytes: 5000)))
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        try store.close()
        store = try WaitingStore(path)
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        #expect(try store.store.check() == [])
        try store.close()
        for end in ["", "-wal"] { unlink(path + end) }
    }

    @Test("the store's own limit is told, once each way")
    func limit() throws {
        var settings = StoreSettings.strict
        settings.messageBytesMax = 100_000
        settings.rowBytesMax = 10_000
        let store = try WaitingStore(path, settings: settings)
        var kept: [UInt64] = []
        for i in 0..<30 { kept.append(try store.keep(.message("\(i)", to: [QueueID(1)], bytes: 5000))) }
        #expect(store.rooms == [false])
        for position in kept { _ = try store.keep(.change(.acknowledged(QueueID(1), LogPosition(position)))) }
        #expect(store.rooms == [false, true])
        try store.close()
    }

    @Test("what was drained is given back to the disk")
    func givenBack() throws {
        var settings = StoreSettings.strict
        settings.freeBytesKept = 100_000
        let store = try WaitingStore(path, settings: settings)
        var positions: [UInt64] = []
        for _ in 0..<20 {
            var batch = LogBatch()
            for _ in 0..<200 {
                let index = batch.append(
                    LoggedMessage(topic: [116], payload: [UInt8](repeating: 1, count: 1000), qos: 1, retain: false))
                batch.entries.append(
                    QueueEntry(queue: QueueID(1), message: index, qos: 1, retain: false, subscriptionIdentifiers: []))
            }
            let first = try store.keep(batch)
            positions += (0..<200).map { first + $0 }
        }
        var batch = LogBatch()
        batch.changes = positions.map { .acknowledged(QueueID(1), LogPosition($0)) }
        _ = try store.keep(batch)
        #expect(store.store.statistics.messageBytes == 0)
        try store.close()
        #expect(size(path) < 400_000)
        #expect(size(path + "-wal") == 0)
    }

    @Test("one message that nobody fetches keeps neither its neighbours nor their row")
    func compaction() throws {
        var settings = StoreSettings.strict
        settings.compactionInterval = .zero
        settings.rowsSpared = 1
        let store = try WaitingStore(path, settings: settings)
        var slow: [UInt64] = []
        for _ in 0..<40 {
            var batch = LogBatch()
            for number in 0..<100 {
                let index = batch.append(
                    LoggedMessage(topic: [116], payload: [UInt8](repeating: 1, count: 1000), qos: 1, retain: false))
                for queue in number == 50 ? [1, 2] : [1] {
                    batch.entries.append(
                        QueueEntry(
                            queue: QueueID(UInt64(queue)), message: index, qos: 1, retain: false,
                            subscriptionIdentifiers: []))
                }
            }
            let first = try store.keep(batch)
            slow.append(first + 50)
            batch = LogBatch()
            batch.changes = (0..<100).map { .acknowledged(QueueID(1), LogPosition(first + $0)) }
            _ = try store.keep(batch)
        }
        // Compaction takes a tenth of the time at most: it is done after as many groups as that takes.
        for _ in 0..<5000 where store.store.statistics.messageBytes >= 800_000 {
            _ = try store.keep(.change(.released(QueueID(1), identifier: 1)))
        }
        #expect(store.store.statistics.messageBytes < 800_000)
        #expect(try store.read(QueueID(2)).map(\.position.value) == slow)
        #expect(try store.store.check() == [])
        try store.close()
    }

    @Test("retained messages whose time has passed are dropped, at a start and while running")
    func expiry() throws {
        func retain(_ topic: String, expiresAt: Int64) -> LogBatch {
            var batch = LogBatch()
            batch.retained.append(
                batch.append(
                    LoggedMessage(topic: Array(topic.utf8), payload: [1], qos: 1, retain: true, expiresAt: expiresAt)))
            return batch
        }
        let now = WaitingStore.clockStart
        var store = try WaitingStore(path)
        _ = try store.keep(retain("over", expiresAt: now))
        _ = try store.keep(retain("soon", expiresAt: now + 1000))
        _ = try store.keep(retain("never", expiresAt: .max))
        _ = try store.keep(.change(.released(QueueID(1), identifier: 1)))
        #expect(store.store.statistics.retained == 2)
        try store.close()
        store = try WaitingStore(path, clock: { now + 2000 })
        #expect(try store.restore().retained.map(\.topic) == [Array("never".utf8)])
        #expect(store.store.statistics.retained == 1)
        try store.close()
    }
}
