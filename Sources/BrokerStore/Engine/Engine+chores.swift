import BrokerCore
import Foundation
import GRDB

extension Engine {
    /// After a group has been answered: the write-ahead log is carried into the file before it grows large.
    func afterCommit() {
        if walBytes >= settings.walBytesMax { checkpoint("PASSIVE") }
    }

    func checkpoint(_ mode: String) {
        do throws(StoreError) {
            // One row: whether it was hindered, pages in the log, pages carried over.
            try file.read { db in _ = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(\(mode))") }
            walBytes = 0
        } catch {
            fail(error)
            walBytes = settings.walBytesMax / 2  // not at every group
        }
    }

    /// What can wait until nobody asks for anything. Returns whether there is more to do.
    func doChores() -> Bool {
        if isLook { return false }
        var hasMore = false
        releaseVoided()
        if !index.rows.toDelete.isEmpty || hasExpired || nextLook.map({ $0 <= .now }) ?? false {
            var ignored = Answers()
            let failures = statistics.failures
            commit(Group(), &ignored)
            if statistics.failures != failures { return false }
            hasMore = nextLook.map { $0 <= .now + settings.compactionInterval } ?? false
        }
        if giveSpaceBack() { hasMore = true }
        if !hasMore, walBytes > settings.walBytesMax / 4 { checkpoint("TRUNCATE") }
        return hasMore
    }

    private func releaseVoided() {
        guard !index.voided.isEmpty else { return }
        let some = index.voided.prefix(64)
        do throws(StoreError) {
            try file.read { db in
                for segment in some { try giveBack(segment, db) }
            }
        } catch {
            fail(error)
        }
        index.voided.removeFirst(some.count)
    }

    /// Free pages go back to the disk, some at a time. Returns whether there are more.
    private func giveSpaceBack() -> Bool {
        do throws(StoreError) {
            return try file.read { db in
                let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
                let all = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                let kept = settings.freeBytesKept / settings.pageBytes
                guard free > kept, free * 4 > all else { return false }
                let step = min(free - kept, 4096)
                try db.execute(sql: "PRAGMA incremental_vacuum(\(step))")
                // The file gets shorter when the log is carried over: that is due when no more is to be done.
                walBytes = max(walBytes, settings.walBytesMax / 4 + 1)
                return free - step > kept
            }
        } catch {
            fail(error)
            return false
        }
    }

    /// Makes all durable and gives the file back.
    func close() throws(StoreError) {
        if isLook { return try file.close() }
        var ignored = Answers()
        if !index.rows.toDelete.isEmpty || !index.dirty.isEmpty { flushAll() }
        commit(Group(), &ignored)
        // Bounded: what a large store has left over goes with the chores of the next run.
        var steps = 0
        while steps < 64, giveSpaceBack() { steps += 1 }
        checkpoint("TRUNCATE")
        let unsynced = settleUnsynced()
        try file.close()
        if let unsynced { throw unsynced }
    }

    /// Everything that memory knows goes into rows, so that the next start replays nothing.
    private func flushAll() {
        var flushed = Flush()
        do throws(StoreFile.Failure) {
            try file.write { db in
                try deleteDeadRows(db, &flushed)
                try flush(db, &flushed, all: true)
                try trim(db, &flushed, all: true)
            }
            settle(flushed)
        } catch {
            switch error {
            case .undone(let reason), .unknown(let reason): fail(reason)
            }
        }
    }

    func updateStatistics() {
        statistics.queued = index.queued
        statistics.queuedBytes = index.queuedBytes
        statistics.retained = index.retained.count
        statistics.sessions = sessions
        statistics.messageBytes = index.rows.bytes
        statistics.rows = index.rows.liveRows
        statistics.messages = index.rows.messages
    }

    /// Sizes of the file; asks SQLite.
    func measureFile() {
        do throws(StoreError) {
            (statistics.fileBytes, statistics.freeBytes) = try file.read { db in
                let page = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
                let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
                return (page * pages, page * free)
            }
        } catch {
            fail(error)
        }
    }

    /// The limits of the whole store: what to tell the shards, if that has changed. There is room again when a sixteenth
    /// of each is free.
    func roomChange() -> Bool? {
        func isBelow(_ value: Int, _ limit: Int?) -> Bool {
            guard let limit else { return true }
            return value < (hasRoom ? limit : limit - limit / 16)
        }
        let now =
            isBelow(index.rows.bytes, settings.messageBytesMax) && isBelow(index.rows.messages, settings.messagesMax)
        guard now != hasRoom else { return nil }
        hasRoom = now
        return now
    }
}
