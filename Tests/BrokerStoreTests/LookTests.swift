import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import MQTTTestKit
import Testing

/// `martlet store check`, `stats` and `export` look at a store: not a byte of it, or beside it, changes.
@Suite("Looking at a store", .blocking)
struct LookTests {
    private let scratch: Scratch
    private let path: String

    init() throws {
        scratch = try Scratch()
        path = scratch.directory + "/martlet.db"
    }

    private func run(_ arguments: String...) throws -> (status: Int32?, output: String, errors: String) {
        let program = try Program(["store"] + arguments)
        let status = program.exitStatus(withinMilliseconds: 60_000)
        return (status, program.standardOutput, program.standardError)
    }

    /// Every file of the folder: its bytes, its mode, and when it was changed.
    private func folder() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: scratch.directory) {
            let path = scratch.directory + "/" + name
            var status = stat()
            try #require(stat(path, &status) == 0)
            let head = Array("\(status.st_mode) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec) ".utf8)
            files[name] = head + [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        return files
    }

    private func fill(_ store: WaitingStore) throws {
        _ = store.ask(.put(StorageToken(3), SessionRecord.named("s", queue: 1).stateRecord))
        for i in 0..<20 { _ = try store.keep(.message("\(i)", to: [QueueID(1)], bytes: 500)) }
        // A queue that no session has: the broker would drop it.
        _ = try store.keep(.message("nobody's", to: [QueueID(2)]))
    }

    private func look() throws {
        let before = try folder()
        for _ in 0..<2 {
            let check = try run("check", path)
            #expect(
                check.status == 0 && check.output.contains("1 session, 0 subscriptions, 20 queued messages"), "\(check)"
            )
            #expect(try run("stats", path, "--json").output.contains("\"sessions\":1,"))
            let export = try run("export", path)
            #expect(export.status == 0 && export.output.split(separator: "\n").count { $0.contains("\"entry\"") } == 20)
        }
        #expect(try folder() == before)
    }

    @Test("after an orderly end: no log, and none is made")
    func stopped() throws {
        let store = try WaitingStore(path)
        try fill(store)
        try store.close()
        unlink(path + "-wal")
        try look()
        #expect(try folder().keys.sorted() == ["martlet.db"])
    }

    @Test("after a crash: what the log holds is seen, and stays there")
    func crashed() throws {
        let other = try Scratch()
        let store = try WaitingStore(other.directory + "/martlet.db")
        try fill(store)
        for end in ["-wal", ""] {
            try FileManager.default.copyItem(atPath: other.directory + "/martlet.db" + end, toPath: path + end)
        }
        try store.close()
        try look()
        #expect(try folder().keys.sorted() == ["martlet.db", "martlet.db-wal"])
        // The broker finds all of it afterwards.
        let found = try WaitingStore(path)
        #expect(try found.read(QueueID(1)).count == 20)
        try found.close()
    }

    @Test("a store in use is not looked at; while it is looked at, no broker opens it; then one does")
    func inUse() throws {
        let broker = try WaitingStore(path)
        try fill(broker)
        #expect(throws: StoreError.inUse(file: path, pid: getpid())) { try StoreDialogue(path: path, isLook: true) }
        let refused = try run("check", path)
        #expect(
            refused.status == 2 && refused.errors.contains("in use by another process (process \(getpid()))"),
            "\(refused)")
        try broker.close()

        let first = try StoreDialogue(path: path, isLook: true)
        let second = try StoreDialogue(path: path, isLook: true)
        #expect(throws: StoreError.inUse(file: path, pid: nil)) { try WaitingStore(path).close() }
        try first.close()
        try second.close()
        try WaitingStore(path).close()
    }

    @Test("whoever looks can write nothing, and a store that is not there is not made")
    func refuses() throws {
        let store = try WaitingStore(path)
        try fill(store)
        try store.close()
        let before = try folder()
        let look = try StoreDialogue(path: path, isLook: true)
        #expect(
            look.perform(.append(StorageToken(1), .message("no", to: [QueueID(1)])))
                == .failed(StorageToken(1), .unavailable))
        try look.close()
        #expect(try folder() == before)
        let none = scratch.directory + "/none.db"
        #expect(throws: StoreError.self) { try StoreDialogue(path: none, isLook: true) }
        #expect(access(none, F_OK) != 0)
    }

    @Test("a store of a later layout, and one of an earlier, are told apart")
    func layouts() throws {
        try WaitingStore(path).close()
        var settings = StoreSettings.strict
        settings.furtherSteps = [["CREATE TABLE later (x)"]]
        #expect(throws: StoreError.older(file: path, version: 3, supported: 4)) {
            try Store(path: path, isLook: true, settings: settings) { _, _ in }
        }
        try WaitingStore(path, settings: settings).close()
        #expect(throws: StoreError.newer(file: path, version: 4, supported: 3)) {
            try StoreDialogue(path: path, isLook: true)
        }
        let check = try run("check", path)
        #expect(check.status == 3 && check.errors.contains("layout 4"), "\(check)")
    }
}
