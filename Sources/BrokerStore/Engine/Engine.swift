import BrokerCore
import Foundation
import GRDB
import Synchronization

/// The store at work: one file, its index, and what a group needs on its way. Used by one thread at a time; `Store`
/// sees to that. Before: `Store` gathers a group. After: `Engine+commit`, `Engine+read`.
final class Engine {
    let path: String
    let settings: StoreSettings
    let durability: Durability
    /// Nothing is written: somebody looks at a store.
    let isLook: Bool
    let report: @Sendable (StoreError) -> Void
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64

    var file: StoreFile
    var index = StoreIndex()
    var cache: RowCache
    var hasher = TopicHasher(key0: 0, key1: 0)
    var statistics = StoreStatistics()

    // A group on its way.
    var redo = RedoWriter()
    var body = ByteSink(capacity: 1 << 20)
    var scratch = ByteSink()
    var merged = ByteSink()
    /// Retained messages with an end: when, and where.
    var expiring = ExpiryHeap()

    var nextSegmentID: Int64 = 1
    var sessions = 0
    /// Records before this are no longer in the file, and how many bytes there had been.
    var trimmedTo: UInt64 = 0
    var trimmedBytes = 0
    /// An estimate of what the write-ahead log holds that is not in the file.
    var walBytes = 0
    /// Segments that were read back for readers, oldest first.
    var loaded: [Segment] = []
    /// When compaction looks next.
    var nextLook: ContinuousClock.Instant?
    let stop: StopFlag
    /// Queues that the sessions given out so far name.
    var named: Set<UInt64> = []
    /// The log could not be synced, and nobody knows what of it the disk has.
    var doubt: StoreError?
    /// What the last `room` said.
    var hasRoom = true

    init(
        path: String, isLook: Bool = false, durability: Durability, settings: StoreSettings, stop: StopFlag,
        clock: @escaping @Sendable () -> Int64, report: @escaping @Sendable (StoreError) -> Void
    ) throws(StoreError) {
        self.path = path
        self.isLook = isLook
        self.settings = settings
        self.durability = durability
        self.clock = clock
        self.stop = stop
        self.report = report
        cache = RowCache(bytesMax: settings.cacheBytesMax)
        file =
            isLook
            ? try StoreFile(lookingAt: path, steps: Schema.steps.count + settings.furtherSteps.count)
            : try StoreFile(path: path, durability: durability, settings: settings)
        try load()
    }

    /// Opens the file again and reads what it says.
    func reopen() throws(StoreError) {
        try? file.close()
        file = try StoreFile(path: path, durability: durability, settings: settings, probing: false)
        try load()
    }

    func fail(_ error: StoreError) {
        statistics.failures += 1
        statistics.lastFailure = error
        report(error)
    }

    /// What the core is told.
    static func failure(_ error: StoreError) -> StorageFailure {
        if case .full = error { return .full }
        return .unavailable
    }
}

/// Says from another thread that the store is to be closed.
final class StopFlag: Sendable {
    private let flag = Atomic(false)
    var isRequested: Bool { flag.load(ordering: .acquiring) }
    func request() { flag.store(true, ordering: .releasing) }
}
