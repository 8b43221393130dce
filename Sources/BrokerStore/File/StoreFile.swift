import Foundation
import GRDB
import Glibc

/// The SQLite file: opened for this process alone, in write-ahead mode. Turns SQLite's errors into ours. Knows tables
/// by name only; what stands in them is the engine's.
struct StoreFile {
    let path: String
    private let queue: DatabaseQueue
    /// Held where the file is only looked at.
    private let look: ReadLock?

    /// `probing`: finds out now whether the file can be written, rather than with the first message. Not where it is opened again
    /// after a write that failed: a full disk must not keep it from being read.
    init(
        path: String, durability: Durability, settings: StoreSettings, probing: Bool = true
    ) throws(StoreError) {
        self.path = path
        look = nil
        let steps = Schema.steps + settings.furtherSteps
        let isNew = StoreFile.prepare(path)
        var configuration = Configuration()
        configuration.label = "martlet.store"
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { db in
            // Before the first access: then the file is locked for good, and the write-ahead log needs no shared memory.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try db.execute(sql: "PRAGMA page_size = \(settings.pageBytes)")
            // Says so in the file, and so writes: not to one that says it already, or a full disk could not be read.
            if isNew { try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL") }
        }
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inDatabase { db in
                let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
                let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
                if application != Schema.applicationID, tables > 0 {
                    // Not ours: nothing about it is to change, its journal mode included.
                    throw StoreError.foreign(
                        file: path, detail: "it is an SQLite file of another program (application_id \(application))")
                }
                let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
                guard mode == "wal" else {
                    throw StoreError.readOnly(file: path, detail: "no write-ahead log can be made beside it")
                }
                try Schema.upgrade(db, file: path, steps: steps)
                try db.execute(sql: "PRAGMA synchronous = \(durability == .sync ? "FULL" : "NORMAL")")
                try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
                try db.execute(sql: "PRAGMA journal_size_limit = \(settings.walBytesMax * 2)")
                try db.execute(sql: "PRAGMA cache_size = -\(16 << 10)")
                try db.execute(sql: "PRAGMA secure_delete = OFF")
                try db.execute(sql: "PRAGMA temp_store = MEMORY")
                if let pages = settings.pageCountMax { try db.execute(sql: "PRAGMA max_page_count = \(pages)") }
                // A file that cannot be written is found now, not with the first message.
                guard probing else { return }
                try db.inTransaction(.immediate) {
                    try db.execute(sql: "PRAGMA user_version = \(steps.count)")
                    return .commit
                }
            }
        } catch {
            throw StoreFile.error(error, path)
        }
    }

    /// Opens the file to look at it: nothing is written to it, to its log, or beside it, and nobody can open it meanwhile to write.
    ///
    /// - Throws: `inUse` where somebody has it, and what else `init` throws; `older` where it would have to be upgraded.
    init(lookingAt path: String, steps: Int = Schema.steps.count) throws(StoreError) {
        self.path = path
        let look = try ReadLock(path)
        self.look = look
        var configuration = Configuration()
        configuration.label = "martlet.store"
        configuration.readonly = true
        configuration.prepareDatabase { db in
            // The index of the log in memory, not in a file beside it; and a log that was left behind stays as it is.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
        }
        do {
            queue = try DatabaseQueue(path: StoreFile.lookAddress(path), configuration: configuration)
            try queue.inDatabase { db in
                try Schema.expectReadable(db, file: path, newest: steps)
                try db.execute(sql: "PRAGMA cache_size = -\(16 << 10)")
                try db.execute(sql: "PRAGMA temp_store = MEMORY")
            }
        } catch {
            throw StoreFile.error(error, path)
        }
    }

    /// How SQLite is to open a file without writing. Where no log was left, as something that never changes: then no log is made
    /// beside it. Else without locks of SQLite's own, which for a log want to write: `ReadLock` stands in for them.
    private static func lookAddress(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let escaped =
            whole.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.subtracting(["?", "#", "%"])) ?? whole
        var status = stat()
        let hasLog = stat(path + "-wal", &status) == 0 && status.st_size > 0
        return "file:\(escaped)?mode=ro&" + (hasLog ? "vfs=unix-none" : "immutable=1")
    }

    /// Creates the file where there is none, for its owner alone (0600): messages may be secret. SQLite gives what lies beside it
    /// (-wal, -shm) the same mode. Returns whether the file is new. What goes wrong, SQLite will meet again and say.
    private static func prepare(_ path: String) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
        var status = stat()
        return stat(path, &status) != 0 || status.st_size == 0
    }

    /// Gives the file back. What the write-ahead log holds is carried over as far as that is possible.
    func close() throws(StoreError) {
        defer { look?.giveUp() }
        do { try queue.close() } catch { throw StoreFile.error(error, path) }
    }

    /// Reads, outside of any transaction.
    func read<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        do { return try queue.inDatabase(body) } catch { throw StoreFile.error(error, path) }
    }

    /// How a transaction ended that did not succeed.
    enum Failure: Error {
        /// Nothing of it was kept.
        case undone(StoreError)
        /// It failed while it was committed: only reading the file again can tell.
        case unknown(StoreError)
    }

    /// Writes in one transaction.
    func write(_ body: (Database) throws -> Void) throws(Failure) {
        let path = path
        let result: Result<Void, Failure> = queue.inDatabase { db in
            var isCommitting = false
            do {
                try db.beginTransaction(.immediate)
                try body(db)
                isCommitting = true
                try db.commit()
                return .success(())
            } catch {
                let reason = StoreFile.error(error, path)
                // SQLite may have rolled back by itself.
                if db.isInsideTransaction { try? db.rollback() }
                return .failure(isCommitting ? .unknown(reason) : .undone(reason))
            }
        }
        try result.get()
    }
}
