package import BrokerCore
import Dispatch
import Foundation
import Synchronization

/// A store, asked one thing at a time: for commands and imports, which have nothing else to do meanwhile. Owns the
/// `Store`; close it.
package final class StoreDialogue: Sendable {
    /// What a file is, by its first bytes.
    package enum Kind: Equatable, Sendable {
        case store, mosquitto, lines, missing, other
    }

    private let store: Store
    private let inbox: Inbox

    private final class Inbox: Sendable {
        let events = Mutex<[StorageEvent]>([])
        let signal = DispatchSemaphore(value: 0)
    }

    /// Opens a store, or creates it; or looks at one that is there and writes nothing.
    package init(path: String, isLook: Bool = false, durability: Durability = .os) throws(StoreError) {
        let inbox = Inbox()
        self.inbox = inbox
        store = try Store(path: path, isLook: isLook, durability: durability) { _, events in
            let answers = events.filter { if case .room = $0 { false } else { true } }
            inbox.events.withLock { $0 += answers }
            for _ in answers { inbox.signal.signal() }
        }
    }

    package var statistics: StoreStatistics { store.statistics }

    /// Asks and waits for the answer.
    package func perform(_ request: StorageRequest) -> StorageEvent {
        store.submit([request], from: 0)
        inbox.signal.wait()
        return inbox.events.withLock { $0.removeFirst() }
    }

    /// Every session and every retained message.
    package func restore(session: (RestoredSession) -> Void, retained: (LoggedMessage) -> Void) throws(StoreError) {
        try store.restore(session: session, retained: retained)
    }

    /// The next records of a queue.
    package func read(_ queue: QueueID, after: LogPosition, countMax: Int, bytesMax: Int) throws -> [QueuedRecord] {
        switch perform(.read(StorageToken(1), queue, after: after, countMax: countMax, bytesMax: bytesMax)) {
        case .records(_, let records): return records
        case .failed(_, let failure): throw store.statistics.lastFailure.map { $0 as any Error } ?? failure
        case .stored, .room: preconditionFailure("a read is answered by records")
        }
    }

    package func close() throws(StoreError) { try store.close() }

    /// Looks at the first bytes of a file.
    package static func kind(of path: String) -> Kind {
        guard let file = FileHandle(forReadingAtPath: path) else { return .missing }
        defer { try? file.close() }
        let head = [UInt8]((try? file.read(upToCount: 72)) ?? Data())
        if head.starts(with: MosquittoSnapshot.magic) { return .mosquitto }
        if head.first == UInt8(ascii: "{") { return .lines }
        // SQLite's header keeps whose file it is in bytes 68 to 71.
        let id = head.count == 72 ? head.suffix(4).reduce(Int32(0)) { $0 << 8 | Int32($1) } : 0
        guard head.starts(with: "SQLite format 3\0".utf8) else { return .other }
        if id == Schema.applicationID { return .store }
        // A young store whose broker was killed says so in its log only; opening it tells.
        var status = stat()
        return id == 0 && stat(path + "-wal", &status) == 0 && status.st_size > 0 ? .store : .other
    }
}
