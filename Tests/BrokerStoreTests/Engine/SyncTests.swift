import BrokerCore
import BrokerStore
import Foundation
import Glibc
import MQTTProtocol
import Testing

@testable import BrokerStore

/// What becomes of acknowledgements when the log cannot be synced.
@Suite("A sync that fails", .blocking)
struct SyncTests {
    private let scratch: Scratch
    private let path: String

    init() throws {
        scratch = try Scratch()
        path = scratch.directory + "/martlet.db"
    }

    private func syncError(_ path: String) -> StoreError? {
        do throws(StoreError) {
            try LogSync.sync(path)
            return nil
        } catch {
            return error
        }
    }

    @Test("a log that cannot be opened, or not be synced, is an error that names it")
    func errors() throws {
        #expect(syncError(try scratch.write([1], "log")) == nil)
        let none = scratch.directory + "/none"
        #expect(syncError(none) == .cannotOpen(file: none, detail: "No such file or directory"))
        // A pipe is opened and cannot be synced.
        let pipe = scratch.directory + "/pipe"
        try #require(mkfifo(pipe, 0o600) == 0)
        #expect(syncError(pipe) == .inputOutput(file: pipe, detail: "it cannot be synced: Invalid argument"))
    }

    /// Puts something in the log's place that opens and cannot be synced; SQLite goes on writing to the log that it has open.
    private func breakSync(_ path: String) throws {
        unlink(path + "-wal")
        try #require(mkfifo(path + "-wal", 0o600) == 0)
    }

    private func wait(_ isDone: () -> Bool) throws {
        for _ in 0..<6000 where !isDone() { usleep(10_000) }
        try #require(isDone())
    }

    @Test("it is reported, and everything is carried into the file and synced there instead", arguments: [true, false])
    func carriedOver(_ isAsked: Bool) throws {
        let store = try WaitingStore(path, durability: isAsked ? .os : .interval(seconds: 0.02))
        var kept: [UInt64] = []
        for i in 0..<10 { kept.append(try store.keep(.message("\(i)", to: [QueueID(1)]))) }
        try breakSync(path)
        kept.append(try store.keep(.message("after", to: [QueueID(1)])))
        if isAsked {
            #expect(throws: StoreError.self) { try store.store.sync() }
        } else {
            try wait { !store.failures.isEmpty }
        }
        guard case .inputOutput(path + "-wal", _)? = store.failures.first else {
            Issue.record("\(store.failures)")
            return
        }
        // Carrying over follows at once. The report comes before it, so the first copy may be too early.
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        var found: [UInt64] = []
        for attempt in 0..<100 where found != kept {
            usleep(attempt == 0 ? 0 : 50_000)
            let copy = scratch.directory + "/copy\(attempt).db"
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            guard let copied = try? WaitingStore(copy) else { continue }
            found = try copied.read(QueueID(1)).map(\.position.value)
            try copied.close()
        }
        #expect(found == kept, "the file alone has everything")
        kept.append(try store.keep(.message("goes on", to: [QueueID(1)])))
        try? store.close()
    }

    @Test(
        "nothing is acknowledged until the disk has everything",
        .enabled(if: Scratch.mayMount, "needs a small disk, and mounting is not allowed here"))
    func refused() throws {
        let folder = scratch.directory + "/disk"
        mkdir(folder, 0o700)
        try #require(mount("tmpfs", folder, "tmpfs", 0, "size=2m") == 0)
        defer {
            umount2(folder, Int32(MNT_DETACH))
            rmdir(folder)
        }
        let path = folder + "/martlet.db"
        let store = try WaitingStore(path, durability: .os)
        var kept: [UInt64] = []
        for i in 0..<20 { kept.append(try store.keep(.message("\(i)", to: [QueueID(1)], bytes: 5000))) }
        // The log cannot be synced, and there is no room to carry it over.
        try breakSync(path)
        let ballast = open(folder + "/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<1000 where write(ballast, zeros, zeros.count) == zeros.count {}
        close(ballast)
        #expect(throws: StoreError.self) { try store.store.sync() }
        for i in 0..<3 {
            guard case .failed(_, .unavailable)? = store.append(.message("no", to: [QueueID(1)]), token: UInt64(50 + i))
            else {
                Issue.record("it was acknowledged")
                return
            }
        }
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        unlink(folder + "/ballast")
        kept.append(try store.keep(.message("room again", to: [QueueID(1)])))
        #expect(try store.read(QueueID(1)).map(\.position.value) == kept)
        try? store.close()
    }
}
