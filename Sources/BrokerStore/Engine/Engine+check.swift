import BrokerCore
import Foundation
import GRDB

extension Engine {
    /// What SQLite finds wrong with the file, rows of messages that cannot be read, and claims that were counted wrong.
    func check() throws(StoreError) -> [String] {
        var faults = try countClaims()
        try file.read { db in
            let found = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)")
            if found != ["ok"] { faults += found }
            for row in index.rows.rows where !row.isDead {
                do { _ = try readRow(row, db) } catch let error as StoreError { faults.append(error.description) }
            }
        }
        return faults
    }

    /// Counts every claim anew and compares. Reads all pieces of all queues.
    private func countClaims() throws(StoreError) -> [String] {
        var claims: [UInt64: Int] = [:]
        var faults: [String] = []
        try file.read { db in
            func add(_ queue: Queue) throws {
                var live = 0
                for segment in queue.segments {
                    live += segment.live
                    let visit = { (position: UInt64) in
                        guard let row = self.index.rows.row(of: position) else {
                            faults.append("message \(position) of queue \(queue.id) is in no row")
                            return
                        }
                        claims[row.first, default: 0] += 1
                    }
                    if segment.isEvicted {
                        _ = try decode(segment, db, keepsEntries: false, eachPosition: visit)
                    } else {
                        segment.forEachLive { visit($0.position) }
                    }
                }
                if live != queue.live { faults.append("queue \(queue.id) counts \(queue.live), holds \(live)") }
            }
            try index.queues.forEach(add)
            try add(index.retainedQueue)
            for segment in index.voided where segment.holdsClaims {
                _ = try decode(segment, db, keepsEntries: false) {
                    if let row = index.rows.row(of: $0) { claims[row.first, default: 0] += 1 }
                }
            }
        }
        for row in index.rows.rows where !row.isDead && row.claims != claims[row.first, default: 0] {
            faults.append("row \(row.first) has \(row.claims) claims and should have \(claims[row.first, default: 0])")
        }
        return faults
    }
}
