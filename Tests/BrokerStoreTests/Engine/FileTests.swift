import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import Testing

/// What a store says to files that are not what it expects.
@Suite("The store's file", .blocking)
struct FileTests {
    private let scratch: Scratch
    private let path: String

    init() throws {
        scratch = try Scratch()
        path = scratch.directory + "/martlet.db"
    }

    private func refusal() -> StoreError? {
        do throws(StoreError) {
            try Store(path: path) { _, _ in }.close()
            return nil
        } catch {
            return error
        }
    }

    @Test("the second to open it is refused, and told who has it; then it is free again")
    func twoOpens() throws {
        let first = try WaitingStore(path)
        guard case .inUse(path, let pid)? = refusal() else {
            Issue.record("it was opened twice, or refused otherwise: \(String(describing: refusal()))")
            return
        }
        #expect(pid == getpid())
        #expect(refusal()?.description.contains("process \(getpid())") == true)
        _ = try first.keep(.message("still works", to: [QueueID(1)]))
        try first.close()
        #expect(refusal() == nil)
    }

    @Test("the file and all that lies beside it are their owner's alone, whatever the umask")
    func modes() throws {
        let before = umask(0)
        defer { umask(before) }
        let store = try WaitingStore(path)
        _ = try store.keep(.message("secret", to: [QueueID(1)]))
        func modes() throws -> [String: UInt32] {
            var modes: [String: UInt32] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: scratch.directory) {
                var status = stat()
                try #require(stat("\(scratch.directory)/\(name)", &status) == 0)
                modes[name] = status.st_mode & 0o777
            }
            return modes
        }
        #expect(try modes() == ["martlet.db": 0o600, "martlet.db-wal": 0o600])
        try store.close()
        #expect(try modes().values.allSatisfy { $0 == 0o600 })
    }

    @Test("a file that is no SQLite file is left as it is")
    func noDatabase() throws {
        let bytes = [UInt8](repeating: 65, count: 5000)
        try scratch.write(bytes, "martlet.db")
        guard case .foreign(path, _)? = refusal() else {
            Issue.record("\(String(describing: refusal()))")
            return
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(bytes))
    }

    @Test("another program's SQLite file is left as it is")
    func foreign() throws {
        try sqlite("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')")
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        guard case .foreign(path, _)? = refusal() else {
            Issue.record("\(String(describing: refusal()))")
            return
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test("every error names the file, and says what to do")
    func words() {
        let file = "/var/lib/martlet/martlet.db"
        let errors: [StoreError] = [
            .inUse(file: file, pid: 7), .foreign(file: file, detail: "it is a picture"),
            .newer(file: file, version: 2, supported: 1), .older(file: file, version: 1, supported: 2),
            .corrupt(file: file, detail: "a row is missing"),
            .readOnly(file: file, detail: "no"), .full(file: file, detail: "no"), .cannotOpen(file: file, detail: "no"),
            .inputOutput(file: file, detail: "no"), .closed(file: file),
        ]
        for error in errors {
            #expect(error.description.contains(file))
            #expect(error.description.hasSuffix("."))
        }
    }

    @Test("a newer layout is refused, and said")
    func newer() throws {
        var settings = StoreSettings.strict
        settings.furtherSteps = [["CREATE TABLE later (x)"]]
        try WaitingStore(path, settings: settings).close()
        let newest = 3
        #expect(refusal() == .newer(file: path, version: newest + 1, supported: newest))
        #expect(refusal()?.description.contains("layout \(newest + 1)") == true)
    }

    @Test("an older layout is brought up to date, and keeps what it holds")
    func upgrade() throws {
        let fixture = try #require(Bundle.module.url(forResource: "Resources/store-1", withExtension: "db"))
        try scratch.write([UInt8](Data(contentsOf: fixture)), "martlet.db")
        var settings = StoreSettings.strict
        settings.furtherSteps = [["CREATE TABLE later (x)"], ["INSERT INTO later VALUES (7)"]]
        var store = try WaitingStore(path, settings: settings)
        try expectFixture(store)
        try store.close()
        store = try WaitingStore(path, settings: settings)
        try expectFixture(store)
        try store.close()
        let newest = 3
        #expect(refusal() == .newer(file: path, version: newest + 2, supported: newest))
    }

    @Test("a store of layout 1, as it was written once, can be read")
    func fixture() throws {
        let fixture = try #require(Bundle.module.url(forResource: "Resources/store-1", withExtension: "db"))
        try scratch.write([UInt8](Data(contentsOf: fixture)), "martlet.db")
        let store = try WaitingStore(path)
        try expectFixture(store)
        #expect(try store.store.check() == [])
        try store.close()
    }

    /// What `Resources/store-1.db` holds: see `Resources/README.md`.
    private func expectFixture(_ store: WaitingStore) throws {
        let (sessions, retained) = try store.restore()
        let session = try #require(sessions.first)
        #expect(session.record == .named("fixture", queue: 5))
        #expect(session.received == [9])
        #expect(session.inflight.map(\.identifier.value) == [3])
        #expect(session.waiting == 2)
        #expect(retained.map(\.topic) == [Array("kept".utf8)])
        #expect(
            try store.read(QueueID(5)).map { String(decoding: $0.message.payload, as: UTF8.self) } == ["b", "c", "d"])
    }

    @Test("damage is found when it is read, and named", arguments: ["messages", "segments", "redo", "properties"])
    func damage(_ table: String) throws {
        var settings = StoreSettings.strict
        settings.segmentClosesAt = 1
        let store = try WaitingStore(path, settings: settings)
        for i in 0..<50 { _ = try store.keep(.message("\(i)", to: [QueueID(1)], bytes: 300)) }
        try store.close()
        let column = ["messages": "body", "segments": "body", "redo": "record", "properties": "value"][table] ?? ""
        try sqlite("UPDATE \(table) SET \(column) = zeroblob(length(\(column)) - 1)")
        do {
            let damaged = try WaitingStore(path)
            #expect(throws: WaitingStore.Refused.self) { try damaged.read(QueueID(1)) }
            guard case .corrupt(path, _)? = damaged.failures.first else {
                Issue.record("\(damaged.failures)")
                return
            }
            #expect(try damaged.store.check() != [])
            try damaged.close()
        } catch let error as StoreError {
            guard case .corrupt(path, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("a page that was overwritten is damage too")
    func damagedPage() throws {
        let store = try WaitingStore(path)
        for i in 0..<50 { _ = try store.keep(.message("\(i)", to: [QueueID(1)], bytes: 3000)) }
        try store.close()
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        let noise = [UInt8](repeating: 0xA5, count: 8192)
        for page in 1..<12 { _ = pwrite(descriptor, noise, noise.count, off_t(page * 8192)) }
        close(descriptor)
        guard case .corrupt(path, _)? = refusal() else {
            Issue.record("\(String(describing: refusal()))")
            return
        }
    }

    @Test("a folder that is not there, and one that cannot hold files")
    func noFolder() throws {
        for path in [scratch.directory + "/none/martlet.db", "/proc/martlet.db"] {
            do throws(StoreError) {
                try Store(path: path) { _, _ in }.close()
                Issue.record("\(path) was opened")
            } catch {
                guard case .cannotOpen(path, _) = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }

    /// Root may write whatever the mode says: for root the folder is mounted to be read only.
    @Test(
        "a store that may only be read",
        .enabled(if: geteuid() != 0 || Scratch.mayMount, "root may write to any file, and mounting is not allowed here")
    )
    func readOnly() throws {
        try WaitingStore(path).close()
        let folder = scratch.directory
        if geteuid() == 0 {
            try #require(mount(folder, folder, nil, UInt(MS_BIND), nil) == 0)
            try #require(mount(nil, folder, nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0)
        } else {
            chmod(path, 0o400)
            chmod(folder, 0o500)
        }
        defer {
            if geteuid() == 0 { umount2(folder, Int32(MNT_DETACH)) } else { chmod(folder, 0o700) }
        }
        guard case .readOnly(path, _)? = refusal() else {
            Issue.record("\(String(describing: refusal()))")
            return
        }
    }

    private func sqlite(_ sql: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [
            "-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()", path,
            sql,
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}
