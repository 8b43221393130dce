import MQTTTestKit
import Testing

/// What Docs/guides/durability.md says about copies of a store: how they are made, and that they are whole.
@Suite("Backups", .blocking)
struct BackupTests {
    /// How a stopped broker's store gets to another folder, as a shell command of `$from` and `$to`.
    static let ways = [
        "copying the files": "cp -p \"$from\"/martlet.db* \"$to\"/",
        "VACUUM INTO": "python3 -c 'import sqlite3, sys; "
            + "sqlite3.connect(sys.argv[1]).execute(\"VACUUM INTO ?\", (sys.argv[2],))' "
            + "\"$from\"/martlet.db \"$to\"/martlet.db",
        "SQLite's backup": "python3 -c 'import sqlite3, sys; "
            + "sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))' \"$from\"/martlet.db \"$to\"/martlet.db",
    ]

    @Test("a broker goes on from a copy", arguments: ways.keys.sorted(), End.allCases)
    func copies(_ way: String, _ end: End) throws {
        let (store, other) = (try StoreFolder(), try StoreFolder())
        var broker = try store.start()
        let subscriber = try RawClient.patient(broker, id: "s")
        try subscriber.subscribe("t", 2)
        try subscriber.disconnect()
        let publisher = try RawClient.patient(broker, cleanStart: true)
        for number in 0..<100 { try publisher.publish("t", "\(number)", qos: 2, retain: true) }
        try end.of(broker)
        let script = "from=\(store.path); to=\(other.path); " + (Self.ways[way] ?? "false")
        #expect(run("/bin/sh", "-c", script) == 0)

        broker = try other.start()
        let again = try RawClient.patient(broker, id: "s")
        let waiting = try payloads(100, again)
        #expect(waiting == (0..<100).map(String.init))
        let reader = try RawClient.patient(broker, cleanStart: true)
        try reader.subscribe("t", 0)
        #expect(try reader.receivePublish().payloadText == "99")
    }

    @Test("while a broker runs, its store is its own: other programs are told that it is locked")
    func locked() throws {
        let store = try StoreFolder()
        let broker = try store.start()
        let look = """
            import sqlite3, sys
            try:
                sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT count(*) FROM sessions')
            except sqlite3.OperationalError as error:
                sys.exit(0 if 'locked' in str(error) else 2)
            sys.exit(3)
            """
        #expect(run("python3", "-c", look, store.file) == 0)
        try RawClient.patient(broker, cleanStart: true).publish("t", "x", qos: 1, retain: true)
    }
}
