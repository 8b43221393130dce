import BrokerCore
import BrokerStore
import Dispatch
import MQTTProtocol
import Synchronization
import Testing

/// A store that is asked and waited for, as tests like it.
final class WaitingStore: Sendable {
    let store: Store
    private let answers: Answers

    /// Answers of the store's thread.
    private final class Answers: Sendable {
        let events = Mutex<[StorageToken: StorageEvent]>([:])
        let rooms = Mutex<[Bool]>([])
        let failures = Mutex<[StoreError]>([])
        let arrived = DispatchSemaphore(value: 0)

        func take(_ token: StorageToken) -> StorageEvent? { events.withLock { $0.removeValue(forKey: token) } }
    }

    static let clockStart: Int64 = 1_700_000_000_000

    init(
        _ path: String, durability: Durability = .sync, settings: StoreSettings = .strict,
        clock: @escaping @Sendable () -> Int64 = { clockStart }
    ) throws {
        let answers = Answers()
        self.answers = answers
        store = try Store(
            path: path, durability: durability, settings: settings, clock: clock,
            report: { error in answers.failures.withLock { $0.append(error) } }
        ) { _, events in
            for event in events {
                switch event {
                case .stored(let token, _), .failed(let token, _), .records(let token, _):
                    answers.events.withLock { $0[token] = event }
                case .room(let hasRoom): answers.rooms.withLock { $0.append(hasRoom) }
                }
            }
            answers.arrived.signal()
        }
    }

    /// What the store said about room, in order.
    var rooms: [Bool] { answers.rooms.withLock { $0 } }

    /// What the store reported, in order.
    var failures: [StoreError] { answers.failures.withLock { $0 } }

    /// Asks, and waits for the answer. Nil: none came within a minute.
    func ask(_ request: StorageRequest) -> StorageEvent? { ask([request]).first ?? nil }

    func ask(_ requests: [StorageRequest]) -> [StorageEvent?] {
        store.submit(requests, from: 0)
        return requests.map { request in
            while true {
                if let event = answers.take(request.token) { return event }
                if answers.arrived.wait(timeout: .now() + 60) == .timedOut { return nil }
            }
        }
    }

    func append(_ batch: LogBatch, token: UInt64 = 1) -> StorageEvent? { ask(.append(StorageToken(token), batch)) }

    /// Keeps a batch and returns where its first message stands.
    func keep(_ batch: LogBatch) throws -> UInt64 {
        guard case .stored(_, let first)? = append(batch) else { throw Refused() }
        return first.value
    }

    struct Refused: Error {}

    func read(_ queue: QueueID, after: UInt64 = 0, count: Int = .max, bytes: Int = .max) throws -> [QueuedRecord] {
        let answer = ask(.read(StorageToken(2), queue, after: LogPosition(after), countMax: count, bytesMax: bytes))
        guard case .records(_, let records)? = answer else { throw Refused() }
        return records
    }

    func restore() throws -> (sessions: [RestoredSession], retained: [LoggedMessage]) {
        var sessions: [RestoredSession] = []
        var retained: [LoggedMessage] = []
        try store.restore(session: { sessions.append($0) }, retained: { retained.append($0) })
        return (sessions, retained)
    }

    func close() throws { try store.close() }
}

extension StorageRequest {
    var token: StorageToken {
        switch self {
        case .append(let token, _), .read(let token, _, _, _, _), .put(let token, _), .remove(let token, _): token
        }
    }
}

extension StoreSettings {
    /// Answers mean what they say, acknowledgements too.
    static var strict: StoreSettings {
        var settings = StoreSettings()
        settings.acknowledgementLinger = .zero
        return settings
    }

    /// So small that little traffic passes through everything: rows split, pieces of queues written and dropped from
    /// memory, records forgotten, rows put together.
    static var tiny: StoreSettings {
        var settings = StoreSettings.strict
        settings.pageBytes = 1024
        settings.rowBytesMax = 300
        settings.redoBytesMax = 1500
        settings.walBytesMax = 60_000
        settings.cacheBytesMax = 900
        settings.segmentEntriesMax = 8
        settings.segmentClosesAt = 2
        settings.smallRowBytes = 20
        settings.rowsSpared = 2
        settings.compactionInterval = .zero
        settings.freeBytesKept = 4096
        return settings
    }
}

extension LogBatch {
    /// One message for some queues.
    static func message(_ text: String, to queues: [QueueID], qos: UInt8 = 1, bytes: Int = 0) -> LogBatch {
        var batch = LogBatch()
        let index = batch.append(
            LoggedMessage(
                topic: Array("t".utf8), payload: Array(text.utf8) + [UInt8](repeating: 7, count: bytes), qos: qos,
                retain: false))
        for queue in queues {
            batch.entries.append(
                QueueEntry(queue: queue, message: index, qos: qos, retain: false, subscriptionIdentifiers: []))
        }
        return batch
    }

    static func change(_ change: QueueChange) -> LogBatch {
        var batch = LogBatch()
        batch.changes.append(change)
        return batch
    }
}

extension SessionRecord {
    static func named(_ name: String, queue: UInt64) -> SessionRecord {
        SessionRecord(
            clientIdentifier: MQTTString(name), queue: QueueID(queue), expiryIntervalSeconds: .max, disconnectedAt: 1,
            subscriptions: [])
    }
}
