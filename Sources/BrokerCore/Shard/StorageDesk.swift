import DequeModule
import MQTTProtocol

/// What a shard has asked of storage and what waits for the answers. Answers may come in any order; they take effect
/// in the order of asking, so that queues and replies keep theirs.
struct StorageDesk {
    /// Something to be done when a request is answered.
    enum Continuation {
        case replies(ConnectionID)
        case records(session: UInt32, generation: UInt32)
        /// A QoS 2 message received under this identifier.
        case received(session: UInt32, generation: UInt32, identifier: UInt16)
        /// QoS 0 messages of a session leave the log with this batch.
        case leaving(session: UInt32, generation: UInt32)
        /// A session's record.
        case record(session: UInt32, generation: UInt32)
        /// What a SUBSCRIBE or UNSUBSCRIBE changed.
        case subscriptions(session: UInt32, generation: UInt32)
        /// The record of a session that has ended.
        case forgotten(MQTTString)
        /// The queue of a session that has ended is read for what others are to get.
        case orphans(OrphanedQueue)
        /// One share of a QoS 2 message; after all of them its identifier is kept, and then the gate opens.
        case everyoneHas(ReceivedGate)
        case open(ReceivedGate)
        /// What was noted of a message's receivers is gone.
        case forgotReceivers(ReceivedGate)
        /// A neighbour waits for this.
        case confirm(OwedAnswer)
        /// Neighbours know a new subscription; now they must send what they retained before.
        case barrier(RetainedStart)
        case startRetained(RetainedStart)
    }

    /// A message that goes to its session when it is in the log. It has no references to count: there is one of these for
    /// every message.
    struct Arrival {
        var outgoing: Outgoing
        var session: UInt32
        var generation: UInt32
        /// Its index in the batch.
        var message: UInt32
        /// A retained message for a new subscription: no publisher waits for it.
        var isRetained = false
    }

    /// A step of QoS 2 whose packet leaves when it is kept.
    struct Step {
        enum Kind: UInt8 {
            case sent, pubrec
        }

        var kind: Kind
        var identifier: UInt16
        var session: UInt32
        var generation: UInt32
    }

    /// A request and what waits for it.
    struct Request {
        let token: StorageToken
        var steps: [Step] = []
        var arrivals: [Arrival] = []
        var continuations: [Continuation] = []
        /// What an append asked for, to be asked again in part where it is refused.
        var batch: LogBatch?
        var answer: StorageEvent?
        /// Neighbours that have not answered; nil = not sent yet, or a request to storage.
        var neighboursLeft: Int?
        var failure: StorageFailure?
    }

    /// What storage refused and nobody waits for: it is asked for again.
    struct Refused {
        var changes: [QueueChange] = []
        /// Topics whose retained message, or its absence, is to be kept as it is then.
        var retained: Set<[UInt8]> = []
        var forgotten: [MQTTString] = []
        var orphans: [OrphanedQueue] = []
        var gates: [ReceivedGate] = []
        /// A deadline is set.
        var isDue = false
    }

    /// Gathers until the tick ends.
    var batch = LogBatch()
    private var batchRequest = Request(token: StorageToken(0))
    private var hasBatchRequest = false
    /// Asked of storage, in order; `numbers` says which is which, counted from the first ever.
    private var requests: Deque<Request> = []
    private var numbers: [StorageToken: Int] = [:]
    private var settled = 0
    /// Asked of neighbours.
    private var confirmations: [StorageToken: Request] = [:]
    private var confirmed: Deque<Request> = []
    private var lastToken: UInt64 = 0
    /// The length of the last batch, so that the next need not grow to it step by step.
    private var expected = (messages: 0, bytes: 0, arrivals: 0)
    var refused = Refused()
    /// The first position that this run was given; nil = none yet. What stands before it was kept by an earlier run.
    private var firstPosition: LogPosition?
    /// Clients of whose ended sessions storage may still hold something, and the request that is to remove it.
    var forgetting: [MQTTString: StorageToken] = [:]
    /// What is kept is below the operator's limit for the whole store.
    var hasRoom = true

    /// The token that the batch being gathered will be answered under.
    @inline(__always)
    mutating func batchToken() -> StorageToken {
        if !hasBatchRequest { openBatchRequest() }
        return batchRequest.token
    }

    @inline(never)
    private mutating func openBatchRequest() {
        hasBatchRequest = true
        batchRequest = Request(token: newToken())
        if expected.messages > 0 {
            batch.reserve(messages: expected.messages, bytes: expected.bytes)
            batchRequest.arrivals.reserveCapacity(expected.arrivals)
        }
    }

    mutating func newToken() -> StorageToken {
        lastToken += 1
        return StorageToken(lastToken)
    }

    mutating func newQueue(_ random: inout SplitMix64) -> QueueID { QueueID(random.next()) }

    /// Nothing is gathered, asked and not answered, or to be asked again.
    var isSettled: Bool { requests.isEmpty && !hasBatchRequest && refused.retained.isEmpty }

    mutating func noteFirst(_ position: LogPosition) {
        if firstPosition == nil, position != .start { firstPosition = position }
    }

    /// Whether a message in the log was put there before this run: it may have been sent then.
    func isOfEarlierRun(_ position: LogPosition) -> Bool {
        guard position != .start else { return false }
        guard let firstPosition else { return true }
        return position < firstPosition
    }

    mutating func removeRetained(_ topic: [UInt8]) {
        _ = batchToken()
        batch.retainedRemoved.append(RetainedRemoval(topic: topic, after: batch.messageCount))
    }

    /// Adds a step, and who goes on when it is kept.
    mutating func keep(_ change: QueueChange, _ step: Step) {
        _ = batchToken()
        batch.changes.append(change)
        batchRequest.steps.append(step)
    }

    /// Adds a queue entry for a message of the batch, and who gets it when it is kept.
    @inline(__always)
    mutating func keep(_ entry: QueueEntry, _ arrival: Arrival) {
        _ = batchToken()
        batch.entries.append(entry)
        batchRequest.arrivals.append(arrival)
    }

    /// Does `continuation` when `token` is answered.
    mutating func await(_ token: StorageToken, _ continuation: Continuation) {
        if hasBatchRequest, batchRequest.token == token {
            batchRequest.continuations.append(continuation)
        } else if let number = numbers[token] {
            requests[number - settled].continuations.append(continuation)
        } else {
            confirmations[token]?.continuations.append(continuation)
        }
    }

    mutating func ask(_ token: StorageToken) { ask(Request(token: token)) }

    private mutating func ask(_ request: Request) {
        numbers[request.token] = settled + requests.count
        requests.append(request)
    }

    // MARK: What neighbours answer

    /// A token that neighbours will answer. These take effect as they are answered, in no order: waiting for an elder
    /// here could be waiting for oneself.
    mutating func openConfirmation() -> StorageToken {
        let token = newToken()
        confirmations[token] = Request(token: token)
        return token
    }

    /// So many neighbours were asked under this token.
    mutating func expect(answers: Int, of token: StorageToken) {
        precondition(answers > 0, "a confirmation is asked of somebody")
        confirmations[token]?.neighboursLeft = answers
    }

    /// One of them answered.
    mutating func heard(_ token: StorageToken, _ failure: StorageFailure?) {
        guard var request = confirmations.removeValue(forKey: token), let left = request.neighboursLeft else { return }
        request.neighboursLeft = left - 1
        if let failure { request.failure = failure }
        if left > 1 {
            confirmations[token] = request
        } else {
            request.answer = request.failure.map { .failed(token, $0) } ?? .stored(token, first: .start)
            confirmed.append(request)
        }
    }

    /// The token of the batch being gathered, if there is one.
    var openBatch: StorageToken? { hasBatchRequest ? batchRequest.token : nil }

    /// Takes the gathered batch, if there is anything in it.
    mutating func takeBatch() -> (StorageToken, LogBatch)? {
        guard hasBatchRequest else { return nil }
        hasBatchRequest = false
        var taken = LogBatch()
        swap(&taken, &batch)
        expected = (taken.messageCount, min(taken.bytes.count, 1 << 20), batchRequest.arrivals.count)
        batchRequest.batch = taken
        ask(batchRequest)
        let token = batchRequest.token
        batchRequest = Request(token: StorageToken(0))
        return (token, taken)
    }

    /// Notes an answer.
    mutating func answered(_ token: StorageToken, _ answer: StorageEvent) {
        guard let number = numbers[token] else { return }
        requests[number - settled].answer = answer
    }

    /// The next answered request in the order of asking, or nil where its elders are still open.
    mutating func takeAnswered() -> Request? {
        if let next = confirmed.popFirst() { return next }
        guard !requests.isEmpty, requests[0].answer != nil else { return nil }
        settled += 1
        let next = requests.removeFirst()
        numbers.removeValue(forKey: next.token)
        return next
    }

    var isBatchEmpty: Bool { !hasBatchRequest }
}
