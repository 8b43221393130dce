package import BrokerCore
import Dispatch
import Foundation
import Synchronization

/// What survives a crash on one machine: the storage ports on one SQLite file. Requests may come from any thread; one
/// thread of the store takes all that has gathered, writes it in one transaction, syncs once, and answers. While it
/// syncs, the next group gathers. See Docs/decisions/0011-the-store.md.
package final class Store: Sendable {
    /// Told on the store's own thread: answers to requests of a shard, as many as there are.
    package typealias Answer = @Sendable (_ shard: Int, _ events: [StorageEvent]) -> Void

    private struct Inbox {
        var requests: [(shard: Int, request: StorageRequest)] = []
        var isClosed = false
    }

    /// The file.
    package let path: String
    private let durability: Durability
    private let shardCount: Int
    private let answer: Answer
    private let inbox = Mutex(Inbox())
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let engine: Mutex<Engine>
    private let published = Mutex(StoreStatistics())
    private let stop = StopFlag()

    /// Opens the store or creates it. `room` is told to shards 0 to `shardCount` − 1. `report` hears, on the store's
    /// thread, of every group that could not be written. `clock` gives milliseconds since 1970. `isLook`: nothing is written to
    /// the store or beside it, whatever is asked; it must be there.
    package init(
        path: String, isLook: Bool = false, durability: Durability = .sync, settings: StoreSettings = StoreSettings(),
        shardCount: Int = 1,
        clock: @escaping @Sendable () -> Int64 = Store.systemClock,
        report: @escaping @Sendable (StoreError) -> Void = { _ in }, answer: @escaping Answer
    ) throws(StoreError) {
        self.path = path
        self.durability = durability
        self.shardCount = shardCount
        self.answer = answer
        engine = Mutex(
            try Engine(
                path: path, isLook: isLook, durability: durability, settings: settings, stop: stop, clock: clock,
                report: report))
        publish()
        let thread = Thread { [self] in run() }
        thread.name = "martlet.store"
        thread.stackSize = 1 << 20
        thread.start()
    }

    package static let systemClock: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Asks for something to be kept or read. Returns at once; requests of one shard take effect in their order.
    package func submit(_ requests: [StorageRequest], from shard: Int) {
        guard !requests.isEmpty else { return }
        let (isFirst, isClosed) = inbox.withLock { inbox in
            guard !inbox.isClosed else { return (false, true) }
            let isFirst = inbox.requests.isEmpty
            for request in requests { inbox.requests.append((shard, request)) }
            return (isFirst, false)
        }
        if isClosed {
            answer(shard, requests.map { .failed($0.token, .unavailable) })
        } else if isFirst {
            wake.signal()
        }
    }

    /// Gives every session and every retained message of earlier runs, one at a time, before requests are made.
    /// Messages that wait are not read.
    package func restore(
        session: (RestoredSession) -> Void, retained: (LoggedMessage) -> Void
    ) throws(StoreError) {
        var key: [UInt8]? = []
        while let after = key {
            let part = engine.withLock { $0.restoredSessions(after: after) }
            let (sessions, next) = try part.get()
            for restored in sessions { session(restored) }
            key = next
        }
        var place: RetainedPlace? = RetainedPlace()
        while let from = place {
            let part = engine.withLock { $0.restoredRetained(from: from) }
            let (messages, next) = try part.get()
            for message in messages { retained(message) }
            place = next
        }
        engine.withLock { $0.endRestore() }
        publish()
        // Its thread looks whether there is room.
        wake.signal()
    }

    /// Drawn when the store was made and never changed: the secret that messages name their publishers by.
    package var homeKey: UInt64 {
        engine.withLock { engine in Array("home".utf8).withUnsafeBytes { engine.hasher.hash($0).low } }
    }

    /// Has the disk take what the operating system holds. Waits for it, and for the group under way.
    ///
    /// - Throws: what the system says, naming the log. Nothing is kept from then on until the disk has everything.
    package func sync() throws(StoreError) {
        let result: Result<Void, StoreError> = engine.withLock { engine in
            do throws(StoreError) { return .success(try engine.syncLog()) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Holds what memory knows of the store against its file, and counts every claim anew: what is wrong, in words. Takes
    /// as long as reading all queues does, and holds up requests meanwhile.
    package func check() throws(StoreError) -> [String] {
        let result: Result<[String], StoreError> = engine.withLock { engine in
            do throws(StoreError) { return .success(try engine.check()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// How the store is doing, as of the last group.
    package var statistics: StoreStatistics { published.withLock { $0 } }

    /// Answers what was asked, makes all durable and gives the file back. Requests after this fail.
    package func close() throws(StoreError) {
        let wasClosed = inbox.withLock { inbox in
            defer { inbox.isClosed = true }
            return inbox.isClosed
        }
        guard !wasClosed else { return }
        stop.request()
        wake.signal()
        ended.wait()
        let result: Result<Void, StoreError> = engine.withLock { engine in
            do throws(StoreError) { return .success(try engine.close()) } catch { return .failure(error) }
        }
        try result.get()
    }

    // MARK: The store's thread

    private func run() {
        var gathering = Gathering()
        var hasChores = true
        var syncedAt = ContinuousClock.now
        var isUnsynced = false
        while true {
            var isIdle = false
            if gathering.isEmpty {
                isIdle = wake.wait(timeout: patience(gathering, hasChores, isUnsynced)) == .timedOut
            }
            let (more, isClosed) = inbox.withLock { inbox in
                defer { inbox.requests = [] }
                return (inbox.requests, inbox.isClosed)
            }
            gathering.append(more)
            if !gathering.isEmpty || gathering.isOwing {
                if engine.withLock({ perform(&gathering, $0, isLast: isClosed) }) { isUnsynced = true }
                hasChores = true
            } else if isIdle {
                hasChores = engine.withLock { hasChores || $0.hasExpired ? $0.doChores() : false }
            }
            tellRoom()
            publish()
            if let interval = durability.interval, isUnsynced,
                syncedAt.duration(to: .now) >= .seconds(interval) || isClosed
            {
                // What fails is reported, and tried again when the time has come.
                isUnsynced = engine.withLock { engine in
                    do throws(StoreError) { try engine.syncLog() } catch { return engine.doubt != nil }
                    return false
                }
                syncedAt = .now
            }
            if isClosed, gathering.isEmpty { break }
        }
        ended.signal()
    }

    /// How long to wait for requests.
    private func patience(_ gathering: Gathering, _ hasChores: Bool, _ isUnsynced: Bool) -> DispatchTime {
        var milliseconds: Double = hasChores ? 100 : .infinity
        if let until = gathering.owedUntil {
            milliseconds = min(milliseconds, Double(ContinuousClock.now.duration(to: until).nanoseconds) / 1e6)
        }
        if isUnsynced, let interval = durability.interval { milliseconds = min(milliseconds, interval * 1000) }
        if let (interval, expiry) = engine.withLock({ engine in
            engine.millisecondsToExpiry.map { (engine.settings.expiryInterval, $0) }
        }) {
            milliseconds = min(milliseconds, max(Double(interval.nanoseconds) / 1e6, Double(expiry)))
        }
        guard milliseconds < 1e9 else { return .distantFuture }
        return .now() + .microseconds(Int(max(0, milliseconds * 1000)) + 1)
    }

    /// One group: reads that may go before it, the commit, the answers. Returns whether anything was written.
    private func perform(_ gathering: inout Gathering, _ engine: Engine, isLast: Bool) -> Bool {
        var answers = Answers()
        let next = gathering.group(
            bytesMax: engine.settings.groupBytesMax, linger: engine.settings.acknowledgementLinger, now: .now,
            isLast: isLast,
            read: { shard, request in answers.append(engine.answer(to: request), to: shard) },
            answer: { shard, request in answers.append(.stored(request.token, first: .start), to: shard) })
        deliver(answers)
        guard let (group, owed) = next else { return false }
        answers = Answers()
        if !engine.commit(group, owed: owed, &answers), !isLast {
            gathering.owe(group.writes[..<owed], until: .now + .seconds(1))
        }
        // Before the answers: whoever hears one finds its group counted.
        publish(engine)
        deliver(answers)
        engine.afterCommit()
        return true
    }

    /// Tells the shards when the store has reached its limit, or has room again: after a group, after what was read at the
    /// start, after what the chores threw away.
    private func tellRoom() {
        guard let hasRoom = engine.withLock({ $0.roomChange() }) else { return }
        for shard in 0..<shardCount { answer(shard, [.room(hasRoom)]) }
    }

    private func deliver(_ answers: Answers) {
        for (shard, events) in answers.byShard { answer(shard, events) }
    }

    private func publish() { engine.withLock { publish($0) } }

    private func publish(_ engine: Engine) {
        engine.updateStatistics()
        published.withLock { $0 = engine.statistics }
    }
}
