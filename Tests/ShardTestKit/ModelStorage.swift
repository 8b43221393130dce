package import BrokerCore
import MQTTProtocol

/// A durable engine as a value: everything that it has answered `stored` can be read back, as an engine on a disk gives
/// it to the next run. Queues and their messages are `MemoryStorage`'s; beside them stand what a broker without
/// persistence need not keep: session records, retained messages, and the steps of QoS 2.
/// Before: `TestStorage` decides when a request is done. After: `Shard+restore` takes up what is read back.
package struct ModelStorage: Sendable {
    /// A QoS 2 message on its way to a subscriber.
    private struct Flight {
        var position: LogPosition
        var identifier: UInt16
        /// PUBREC came.
        var isReleased = false
    }

    private var log = MemoryStorage()
    private var sessions: [[UInt8]: [UInt8]] = [:]
    private var retained: [[UInt8]: LoggedMessage] = [:]
    private var queues: Set<QueueID> = []
    private var received: [QueueID: [UInt16]] = [:]
    private var shares: [QueueID: [KeptShare]] = [:]
    /// In the order of sending.
    private var flights: [QueueID: [Flight]] = [:]

    package init() {}

    package var messageCount: Int { log.messageCount }
    package var queueCount: Int { log.queueCount }
    /// QoS 2 exchanges that have not ended, in either direction.
    package var exchangeCount: Int {
        received.values.reduce(0) { $0 + $1.count } + shares.values.reduce(0) { $0 + $1.count }
            + flights.values.reduce(0) { $0 + $1.count }
    }

    package mutating func perform(_ request: StorageRequest) -> StorageEvent {
        switch request {
        case .append(_, let batch): note(batch)
        case .put(_, let record): sessions[record.key] = record.value
        case .remove(_, let key): sessions[key] = nil
        case .read: break
        }
        return log.perform(request)
    }

    /// The same for one session: identifiers held, and those on their way to it.
    package func exchanges(of queue: QueueID) -> (received: [UInt16], sent: [UInt16]) {
        (received[queue] ?? [], (flights[queue] ?? []).map(\.identifier))
    }

    /// Identifiers of its QoS 2 messages that some receivers are noted to have.
    package func shares(of queue: QueueID) -> [UInt16] { (shares[queue] ?? []).map(\.identifier) }

    // MARK: Read back

    /// The record of a session, as it would be restored.
    package func record(of key: [UInt8]) -> SessionRecord? {
        sessions[key].flatMap { SessionRecord(StateRecord(key: key, value: $0)) }
    }

    /// A new run begins: what it finds, in an order that is always the same. Queues that no session names are void: the
    /// record went, and the crash came before the queue did.
    package mutating func restart() -> (sessions: [RestoredSession], retained: [LoggedMessage]) {
        let records = sessions.keys.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { record(of: $0) }
        for queue in queues.subtracting(records.map(\.queue)) { drop(queue) }
        let messages = retained.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        return (records.map { restored($0) }, messages)
    }

    private mutating func restored(_ record: SessionRecord) -> RestoredSession {
        let read = StorageRequest.read(
            StorageToken(0), record.queue, after: .start, countMax: .max, bytesMax: .max)
        guard case .records(_, let records) = log.perform(read) else { preconditionFailure("a read is answered") }
        let byPosition = Dictionary(uniqueKeysWithValues: records.map { ($0.position, $0) })
        let inflight = (flights[record.queue] ?? []).compactMap { flight -> RestoredSession.Inflight? in
            guard let queued = byPosition[flight.position], let identifier = PacketIdentifier(flight.identifier) else {
                return nil
            }
            return .init(record: queued, identifier: identifier, isReleased: flight.isReleased)
        }
        let bytes = records.reduce(0) { $0 + $1.message.bytes.count }
        var session = RestoredSession(
            record: record, received: received[record.queue] ?? [], inflight: inflight,
            waiting: records.count - inflight.count,
            waitingBytes: bytes - inflight.reduce(0) { $0 + $1.record.message.bytes.count })
        session.shares = shares[record.queue] ?? []
        return session
    }

    // MARK: Kept

    private mutating func note(_ batch: LogBatch) {
        for entry in batch.entries { queues.insert(entry.queue) }
        noteRetained(batch)
        for change in batch.changes {
            switch change {
            case .received(let queue, let identifier):
                queues.insert(queue)
                if received[queue]?.contains(identifier) != true { received[queue, default: []].append(identifier) }
            case .released(let queue, let identifier):
                received[queue]?.removeAll { $0 == identifier }
                shares[queue]?.removeAll { $0.identifier == identifier }
            case .share(let queue, let share):
                queues.insert(queue)
                if shares[queue]?.contains(share) != true { shares[queue, default: []].append(share) }
            case .sent(let queue, let position, let identifier):
                flights[queue]?.removeAll { $0.position == position }
                flights[queue, default: []].append(Flight(position: position, identifier: identifier))
            case .pubrec(let queue, let position):
                guard let at = flights[queue]?.firstIndex(where: { $0.position == position }) else { continue }
                flights[queue]?[at].isReleased = true
            case .acknowledged(let queue, let position):
                flights[queue]?.removeAll { $0.position == position }
            case .dropped(let queue): forget(queue)
            }
        }
    }

    /// Deletions stand between messages.
    private mutating func noteRetained(_ batch: LogBatch) {
        var removals = batch.retainedRemoved[...]
        for index in batch.retained.sorted() {
            while let next = removals.first, next.after <= index {
                retained[next.topic] = nil
                removals.removeFirst()
            }
            let message = batch.message(index)
            retained[message.topic] = message
        }
        for removal in removals { retained[removal.topic] = nil }
    }

    private mutating func forget(_ queue: QueueID) {
        queues.remove(queue)
        received[queue] = nil
        shares[queue] = nil
        flights[queue] = nil
    }

    private mutating func drop(_ queue: QueueID) {
        var batch = LogBatch()
        batch.changes.append(.dropped(queue))
        forget(queue)
        _ = log.perform(.append(StorageToken(0), batch))
    }
}
