import Glibc
import MQTTTestKit
import Testing

/// Stores that a broker must not, or cannot, use: it says which file and why, ends with status 1, and touches nothing.
@Suite("Stores that cannot be used", .blocking)
struct FaultyStoreTests {
    /// A start that must fail; what it said.
    private func refusal(
        _ store: StoreFolder, through wrapper: [String] = [], location: SourceLocation = #_sourceLocation
    ) throws -> String {
        let port = try #require(Loopback.freePort())
        let conf = store.configuration("log_dest stderr").replacing("{port}", with: String(port))
        let program = try Program(
            ["broker", "-c", "{directory}/broker.conf"], files: ["broker.conf": conf], through: wrapper)
        let status = program.exitStatus(withinMilliseconds: patienceMilliseconds)
        #expect(status == 1, "\(program.standardError)", sourceLocation: location)
        #expect(!Loopback.answers(.first, port: port), sourceLocation: location)
        let said = program.standardError
        #expect(said.contains("\nError: ") || said.hasPrefix("Error: "), "\(said)", sourceLocation: location)
        #expect(said.contains(store.file), "the file is not named: \(said)", sourceLocation: location)
        return said
    }

    /// A store with some hundred messages, its broker ended in an orderly way.
    private func filled() throws -> StoreFolder {
        let store = try StoreFolder()
        let broker = try store.start()
        let subscriber = try RawClient.patient(broker, id: "s")
        try subscriber.subscribe("t/#", 1)
        try subscriber.disconnect()
        let publisher = try RawClient.patient(broker, cleanStart: true)
        for number in 0..<200 {
            try publisher.publish("t/\(number)", String(repeating: "x", count: 1_000), qos: 1, retain: true)
        }
        try End.terminated.of(broker)
        return store
    }

    /// Runs some lines of Python on the store's file, which they find as `path`.
    private func python(_ lines: String, _ path: String) throws {
        guard run("python3", "-c", "import sys, sqlite3\npath = sys.argv[1]\n" + lines, path) == 0 else {
            throw Trouble("python3 cannot prepare the file")
        }
    }

    @Test("two brokers on one store: the second says who has it, and the first goes on")
    func twoBrokers() throws {
        let store = try StoreFolder()
        let first = try store.start()
        let said = try refusal(store)
        #expect(said.contains("is in use by another process (process \(first.pid))"), "\(said)")
        try RawClient.patient(first, cleanStart: true).publish("t", "x", qos: 1, retain: true)
        try End.killed.of(first)
        // What a dead broker had is free.
        let second = try store.start()
        try RawClient.patient(second, cleanStart: true).publish("t", "x", qos: 1, retain: true)
    }

    @Test(
        "a file that is no SQLite file",
        arguments: ["some text that is long enough to be no header of anything\n", "short"])
    func foreignFile(_ text: String) throws {
        let store = try StoreFolder()
        try python("open(path, 'w').write(sys.argv[0] and \(quoted(text)))", store.file)
        let said = try refusal(store)
        #expect(said.contains("is not a store of Martlet: it is no SQLite file"), "\(said)")
        try python("assert open(path).read() == \(quoted(text))", store.file)
    }

    private func quoted(_ text: String) -> String { "'" + text.replacing("\n", with: "\\n") + "'" }

    @Test("another program's SQLite file is left as it is")
    func foreignDatabase() throws {
        let store = try StoreFolder()
        try python(
            """
            db = sqlite3.connect(path)
            db.execute('CREATE TABLE songs (name TEXT)')
            db.execute("INSERT INTO songs VALUES ('Blackbird')")
            db.execute('PRAGMA application_id = 4711')
            db.commit(); db.close()
            open(path + '.before', 'wb').write(open(path, 'rb').read())
            """, store.file)
        let said = try refusal(store)
        #expect(said.contains("it is an SQLite file of another program (application_id 4711)"), "\(said)")
        try python("assert open(path, 'rb').read() == open(path + '.before', 'rb').read()", store.file)
    }

    @Test("a store of a newer Martlet")
    func newer() throws {
        let store = try filled()
        try python(
            """
            db = sqlite3.connect(path)
            db.execute('PRAGMA user_version = 999')
            db.commit(); db.close()
            """, store.file)
        let said = try refusal(store)
        #expect(said.contains("has layout 999; this Martlet knows layouts up to"), "\(said)")
        #expect(said.contains("Use the newer Martlet that wrote it."))
    }

    /// What is done to the file, as Python that finds its bytes as `b`.
    static let damage = [
        "the first page": "b[100:4000] = b'\\xA5' * 3900",
        "every page but the first": "b[8192:] = b'\\xA5' * (len(b) - 8192)",
        "half of the file": "del b[len(b) // 2 // 8192 * 8192:]",
    ]

    @Test("a damaged file is said to be damaged, and kept", arguments: damage.keys.sorted())
    func corrupt(_ what: String) throws {
        let store = try filled()
        try python(
            """
            b = bytearray(open(path, 'rb').read())
            \(Self.damage[what] ?? "")
            open(path, 'wb').write(b)
            """, store.file)
        let said = try refusal(store)
        #expect(said.contains("is damaged: "), "\(said)")
        #expect(said.contains("Keep a copy of it"), "\(said)")
        #expect(access(store.file, F_OK) == 0)
    }

    @Test("a folder that is not there")
    func noFolder() throws {
        let store = try StoreFolder()
        rmdir(store.path)
        let said = try refusal(store)
        #expect(said.contains("cannot be opened: "), "\(said)")
    }

    @Test(
        "a folder, or a file, that cannot be written",
        .enabled(if: Box.isPossible, "needs mounting, which only root may"), arguments: [false, true])
    func readOnly(_ isFilled: Bool) throws {
        let store = isFilled ? try filled() : try StoreFolder()
        let mount = "mount --bind \(store.path) \(store.path) && mount -o remount,ro,bind \(store.path)"
        let said = try refusal(store, through: Box.command(mount))
        #expect(said.contains(isFilled ? "cannot be written: " : "cannot be "), "\(said)")
    }
}
