import BrokerCore
import Foundation
import GRDB

/// What the write-ahead log holds and the disk may not have.
extension Engine {
    /// Has the disk take the log. Where that fails, everything is carried into the file and synced there.
    func syncLog() throws(StoreError) {
        do throws(StoreError) {
            try LogSync.sync(path + "-wal")
        } catch {
            fail(error)
            doubt = error
            _ = settleUnsynced()
            throw error
        }
    }

    /// After a sync that failed, a second one that succeeds says nothing: the system counts as written what it lost. What it
    /// still has in memory is written anew, into the file, and synced there. Until that has succeeded nothing is kept.
    ///
    /// - Returns: what still stands in the way; nil = the disk has everything.
    func settleUnsynced() -> StoreError? {
        guard let doubt else { return nil }
        do throws(StoreError) {
            try carryOver()
            self.doubt = nil
            return nil
        } catch {
            fail(error)
            return doubt
        }
    }

    /// Empties the log into the file and syncs that, or throws.
    func carryOver() throws(StoreError) {
        let isWhole = try file.read { db in
            // One row: whether it was hindered, pages in the log, pages carried over.
            try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)").map { $0[0] as Int == 0 } ?? false
        }
        guard isWhole else { throw .inputOutput(file: path, detail: "its log cannot be carried over") }
        walBytes = 0
    }
}
