import DequeModule

/// What a shard has asked of storage and what waits for the answers. Answers may come in any order; they take effect
/// in the order of asking, so that queues and replies keep theirs.
struct StorageDesk {
    /// Something to be done when a request is answered.
    enum Continuation {
        case replies(ConnectionID)
        /// A message that is in the log now, for its session.
        case arrival(session: UInt32, generation: UInt32, Outgoing, messageIndex: Int)
        /// A QoS 2 PUBLISH whose identifier is kept.
        case publish(session: UInt32, generation: UInt32, attachment: UInt32, identifier: UInt16)
        /// The PUBREL of a PUBREC that is kept.
        case pubrel(session: UInt32, generation: UInt32, attachment: UInt32, identifier: UInt16)
        case records(session: UInt32, generation: UInt32)
        /// A QoS 2 message received under this identifier.
        case received(session: UInt32, generation: UInt32, identifier: UInt16)
        /// A neighbour waits for this.
        case confirm(OwedAnswer)
        /// Neighbours know a new subscription; now they must send what they retained before.
        case barrier(RetainedStart)
        case startRetained(RetainedStart)
    }

    private struct Request {
        var token: StorageToken
        var continuations: [Continuation] = []
        var answer: StorageEvent?
        /// Neighbours that have not answered; nil = not sent yet, or a request to storage.
        var neighboursLeft: Int?
        var failure: StorageFailure?
    }

    /// Gathers until the tick ends.
    var batch = LogBatch()
    private var batchRequest: Request?
    /// Asked of storage, in order.
    private var requests: Deque<Request> = []
    /// Asked of neighbours.
    private var confirmations: [StorageToken: Request] = [:]
    private var confirmed: Deque<Request> = []
    private var lastToken: UInt64 = 0
    /// What is kept is below the operator's limit for the whole store.
    var hasRoom = true

    /// The token that the batch being gathered will be answered under.
    mutating func batchToken() -> StorageToken {
        if let batchRequest { return batchRequest.token }
        let token = newToken()
        batchRequest = Request(token: token)
        return token
    }

    mutating func newToken() -> StorageToken {
        lastToken += 1
        return StorageToken(lastToken)
    }

    mutating func newQueue(_ random: inout SplitMix64) -> QueueID { QueueID(random.next()) }

    mutating func removeRetained(_ topic: [UInt8]) {
        _ = batchToken()
        batch.retainedRemoved.append(RetainedRemoval(topic: topic, after: batch.messageCount))
    }

    /// Does `continuation` when `token` is answered.
    mutating func await(_ token: StorageToken, _ continuation: Continuation) {
        if batchRequest?.token == token {
            batchRequest?.continuations.append(continuation)
        } else if confirmations[token] != nil {
            confirmations[token]?.continuations.append(continuation)
        } else if let at = requests.lastIndex(where: { $0.token == token }) {  // asked just now: at the end
            requests[at].continuations.append(continuation)
        }
    }

    mutating func ask(_ token: StorageToken) { requests.append(Request(token: token)) }

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
    var openBatch: StorageToken? { batchRequest?.token }

    /// Takes the gathered batch, if there is anything in it.
    mutating func takeBatch() -> (StorageToken, LogBatch)? {
        guard var request = batchRequest else { return nil }
        batchRequest = nil
        request.answer = nil
        requests.append(request)
        var taken = LogBatch()
        swap(&taken, &batch)
        return (request.token, taken)
    }

    /// Notes an answer.
    mutating func answered(_ token: StorageToken, _ answer: StorageEvent) {
        // Answers come nearly in order: at the front.
        guard let at = requests.firstIndex(where: { $0.token == token }) else { return }
        requests[at].answer = answer
    }

    /// The next answered request in the order of asking, or nil where its elders are still open.
    mutating func takeAnswered() -> (StorageToken, StorageEvent, [Continuation])? {
        if let next = confirmed.popFirst(), let answer = next.answer { return (next.token, answer, next.continuations) }
        guard let first = requests.first, let answer = first.answer else { return nil }
        requests.removeFirst()
        return (first.token, answer, first.continuations)
    }

    var isIdle: Bool { requests.isEmpty && confirmations.isEmpty && batchRequest == nil }
    var isBatchEmpty: Bool { batchRequest == nil }
}
