import BrokerCore

/// Puts sessions and messages into a store through the requests that a shard makes too, so that an import needs no
/// second way to write. Owns the batch that is being gathered; knows no file.
struct StoreFiller {
    /// Asks the store for one thing and waits for its answer.
    typealias Perform = (StorageRequest) throws -> StorageEvent

    /// A session's claim on the message that is being added.
    struct Claim {
        var queue: QueueID
        var qos: UInt8
        var retain: Bool
        var subscriptionIdentifiers: [UInt32] = []
        var group: UInt32 = 0
        /// A QoS 2 message on its way, under this packet identifier.
        var sentAs: UInt16?
        /// Its PUBREC came.
        var isReleased = false
    }

    private static let batchMessagesMax = 2_000
    private static let batchBytesMax = 1 << 22

    private let perform: Perform
    private var batch = LogBatch()
    /// Claims of the batch that are in flight: their positions are known when it is kept.
    private var inflight: [(message: Int, claim: Claim)] = []
    private var lastToken: UInt64 = 0

    init(_ perform: @escaping Perform) { self.perform = perform }

    mutating func put(_ record: SessionRecord) throws {
        _ = try ask { .put($0, record.stateRecord) }
    }

    /// Adds a message with all that wait for it. With no claim, and not retained, it would be nobody's.
    mutating func add(_ message: LoggedMessage, claims: [Claim], isRetained: Bool) throws {
        precondition(isRetained || !claims.isEmpty, "somebody waits for the message")
        let index = batch.append(message)
        if isRetained { batch.retained.append(index) }
        for claim in claims {
            batch.entries.append(
                QueueEntry(
                    queue: claim.queue, message: index, qos: claim.qos, retain: claim.retain,
                    subscriptionIdentifiers: claim.subscriptionIdentifiers, group: claim.group))
            if claim.sentAs != nil { inflight.append((index, claim)) }
        }
        if batch.messageCount >= Self.batchMessagesMax || batch.bytes.count >= Self.batchBytesMax { try flush() }
    }

    /// A QoS 2 message was received under this identifier and not released.
    mutating func addReceived(_ identifier: UInt16, _ queue: QueueID) {
        batch.changes.append(.received(queue, identifier: identifier))
    }

    mutating func add(_ share: KeptShare, _ queue: QueueID) { batch.changes.append(.share(queue, share)) }

    mutating func removeRetained(_ topic: [UInt8]) {
        batch.retainedRemoved.append(RetainedRemoval(topic: topic, after: batch.messageCount))
    }

    /// Everything is kept when this returns.
    mutating func finish() throws {
        // What was in flight is said in a batch of its own, behind the messages.
        while !batch.isEmpty { try flush() }
    }

    private mutating func flush() throws {
        var taken = LogBatch()
        swap(&taken, &batch)
        let first = try ask { .append($0, taken) }
        for (message, claim) in inflight {
            guard let identifier = claim.sentAs else { continue }
            let position = LogPosition(first.value + UInt64(message))
            batch.changes.append(.sent(claim.queue, position, identifier: identifier))
            if claim.isReleased { batch.changes.append(.pubrec(claim.queue, position)) }
        }
        inflight.removeAll(keepingCapacity: true)
    }

    private mutating func ask(_ request: (StorageToken) -> StorageRequest) throws -> LogPosition {
        lastToken += 1
        switch try perform(request(StorageToken(lastToken))) {
        case .stored(_, let first): return first
        case .failed(_, let failure): throw StoreImportError.refused(failure)
        case .records, .room: preconditionFailure("nothing was read")
        }
    }
}
