import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import Synchronization
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
        // What a crash now would leave; the log first, for what is carried over meanwhile is in it too.
        for end in ["-wal", ""] {
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

    @Test("the limit by number counts each message once, however many wait for it")
    func numberLimit() throws {
        var settings = StoreSettings.strict
        settings.messagesMax = 32
        var store = try WaitingStore(path, settings: settings)
        _ = store.ask(.put(StorageToken(3), SessionRecord.named("s", queue: 1).stateRecord))
        _ = store.ask(.put(StorageToken(4), SessionRecord.named("t", queue: 2).stateRecord))
        var kept: [UInt64] = []
        for i in 0..<31 { kept.append(try store.keep(.message("\(i)", to: [QueueID(1), QueueID(2)]))) }
        // An answer is followed by what is told of room: with the next answer it was told.
        _ = try store.read(QueueID(1))
        #expect(store.rooms == [])
        #expect(store.store.statistics.messages == 31)
        kept.append(try store.keep(.message("last", to: [QueueID(1)])))
        _ = try store.read(QueueID(1))
        #expect(store.rooms == [false])
        try store.close()

        // A store that is full when it is opened says so before anybody asks for anything.
        store = try WaitingStore(path, settings: settings)
        _ = try store.restore()
        _ = try store.read(QueueID(1))
        _ = try store.read(QueueID(1))
        #expect(store.rooms == [false])
        // One of two that wait for a message leaves it where it is.
        for position in kept.prefix(4) {
            _ = try store.keep(.change(.acknowledged(QueueID(1), LogPosition(position))))
        }
        _ = try store.read(QueueID(1))
        #expect(store.rooms == [false])
        for position in kept.prefix(4) {
            _ = try store.keep(.change(.acknowledged(QueueID(2), LogPosition(position))))
        }
        _ = try store.read(QueueID(1))
        #expect(store.rooms == [false, true])
        #expect(store.store.statistics.messages == 28)
        try store.close()
    }

    /// Some thousand messages, and all of them acknowledged again.
    private func fillAndDrain(_ store: WaitingStore) throws {
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
        #expect(store.store.statistics.messages == 0)
    }

    @Test("what was drained is given back to the disk, at the end and while running", arguments: [true, false])
    func givenBack(_ isAtEnd: Bool) throws {
        var settings = StoreSettings.strict
        settings.freeBytesKept = 100_000
        // So that the file grows, and not the log alone.
        settings.walBytesMax = 200_000
        let store = try WaitingStore(path, settings: settings)
        try fillAndDrain(store)
        #expect(size(path) > 1_000_000)
        // Chores are done while nobody asks for anything.
        if !isAtEnd { try wait { size(path) < 400_000 } }
        try store.close()
        #expect(size(path) < 400_000)
        #expect(size(path + "-wal") == 0)
    }

    /// Looks again and again, for a minute at most.
    private func wait(_ isDone: () -> Bool) throws {
        for _ in 0..<6000 where !isDone() { usleep(10_000) }
        try #require(isDone())
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

    private func retain(_ topic: String, expiresAt: Int64) -> LogBatch {
        var batch = LogBatch()
        batch.retained.append(
            batch.append(
                LoggedMessage(topic: Array(topic.utf8), payload: [1], qos: 1, retain: true, expiresAt: expiresAt)))
        return batch
    }

    @Test("retained messages whose time has passed are dropped, at a start and while running")
    func expiry() throws {
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

    @Test("a retained message leaves the file when its time comes, though nothing else is written")
    func expiryAtRest() throws {
        var settings = StoreSettings.strict
        settings.expiryInterval = .milliseconds(20)
        let time = TestClock()
        let store = try WaitingStore(path, settings: settings, clock: { time.now })
        _ = try store.keep(retain("soon", expiresAt: time.now + 500))
        _ = try store.keep(retain("later", expiresAt: time.now + 5000))
        _ = try store.keep(retain("never", expiresAt: .max))
        _ = try store.keep(retain("later", expiresAt: time.now + 6000))
        #expect(store.store.statistics.retained == 3)
        time.advance(600)
        try wait { store.store.statistics.retained == 2 }
        // The first of two on a topic was replaced: its end is none.
        time.advance(4900)
        _ = try store.keep(.change(.released(QueueID(1), identifier: 1)))
        #expect(store.store.statistics.retained == 2)
        time.advance(1000)
        try wait { store.store.statistics.retained == 1 && store.store.statistics.messages == 1 }
        try store.close()
    }
}

/// A clock that stands until it is told to go on.
final class TestClock: Sendable {
    private let milliseconds = Atomic(WaitingStore.clockStart)
    var now: Int64 { milliseconds.load(ordering: .relaxed) }
    func advance(_ by: Int64) { milliseconds.add(by, ordering: .relaxed) }
}
