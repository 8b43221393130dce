import GRDB

/// The tables of a store, and how older ones become this one. See Docs/decisions/0011-the-store.md.
enum Schema {
    /// "MARL": says in the file's header whose it is.
    static let applicationID: Int32 = 0x4D41_524C

    /// Step n makes layout n + 1 of layout n; the first makes it of an empty file. Steps that were ever released stay as
    /// they are.
    static let steps: [[String]] = [
        [
            // Messages of a group, one after another. `positions` is NULL where they are dense, else where each stands.
            """
            CREATE TABLE messages (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL,
                checksum INTEGER NOT NULL, positions BLOB, body BLOB NOT NULL)
            """,
            // What each group did, to be done again after a crash.
            "CREATE TABLE redo (sequence INTEGER PRIMARY KEY, first INTEGER NOT NULL, record BLOB NOT NULL)",
            // Some thousand entries of a queue; queue 0 holds the retained messages.
            "CREATE TABLE segments (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, body BLOB NOT NULL)",
            // QoS 2 identifiers received and not released, two bytes each, oldest first.
            "CREATE TABLE received (queue INTEGER PRIMARY KEY, identifiers BLOB NOT NULL)",
            // Session records, as `SessionRecord` writes them.
            "CREATE TABLE sessions (key BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
            // `topic_key`: the secret of the topics' hashes, drawn here and never changed.
            "CREATE TABLE properties (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            "INSERT INTO properties VALUES ('topic_key', randomblob(16))",
        ],
        [
            // Shares of QoS 2 messages whose identifiers are not kept yet, as `ShareForm` writes them; NULL = none.
            "ALTER TABLE received ADD COLUMN shares BLOB"
        ],
        // Retained messages may say who published them: the same tables, and messages that older versions cannot read.
        [],
    ]

    /// Whether a file that is only looked at is a store of the newest layout.
    static func expectReadable(_ db: Database, file: String, newest: Int) throws {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard application == applicationID else {
            throw StoreError.foreign(
                file: file, detail: "it is an SQLite file of another program (application_id \(application))")
        }
        guard version <= newest else { throw StoreError.newer(file: file, version: version, supported: newest) }
        guard version == newest else { throw StoreError.older(file: file, version: version, supported: newest) }
    }

    /// Makes the file's layout the newest. `steps` is given by tests only.
    static func upgrade(_ db: Database, file: String, steps: [[String]]) throws {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        guard application == applicationID || (application == 0 && version == 0 && tables == 0) else {
            throw StoreError.foreign(
                file: file, detail: "it is an SQLite file of another program (application_id \(application))")
        }
        guard version <= steps.count else {
            throw StoreError.newer(file: file, version: version, supported: steps.count)
        }
        guard version < steps.count else { return }
        try db.inTransaction(.immediate) {
            for statement in steps[version...].joined() { try db.execute(sql: statement) }
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: "PRAGMA user_version = \(steps.count)")
            return .commit
        }
    }
}
