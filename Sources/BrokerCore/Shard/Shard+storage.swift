import MQTTDelivery
import MQTTProtocol

/// What a shard says to storage at the tick's end, and what the answers set off. Messages of persistent sessions:
/// `Shard+queue`; steps and records that must survive: `Shard+keep`; what a full queue means: `Shard+limits`.
extension Shard {
    /// Milliseconds between a request that storage refused and the next attempt.
    static var storageRetryWait: Int64 { 1000 }

    /// The tick is over: what was gathered goes to storage.
    package mutating func endTick(at now: Int64) {
        self.now = now
        sendBatch()
        takePeerBatches()
        settleAnswers()
    }

    /// Hands over what has been gathered: what is asked from here on comes after it.
    mutating func sendBatch() {
        if let (token, batch) = storage.takeBatch() { effects.append(.storage(.append(token, batch))) }
    }

    /// Whether `endTick` has anything to do.
    package var hasBatch: Bool { !storage.isBatchEmpty || (!neighbours.isAlone && neighbours.hasTick) }

    /// Storage answered.
    package mutating func handle(_ event: StorageEvent, at now: Int64) {
        self.now = now
        switch event {
        case .stored(let token, _), .failed(let token, _), .records(let token, _): storage.answered(token, event)
        case .room(let hasRoom): setRoom(hasRoom)
        }
        settleAnswers()
    }

    /// Goes on with what has been answered, in the order of asking.
    mutating func settleAnswers() {
        while let request = storage.takeAnswered() {
            guard let answer = request.answer else { continue }
            var failure: StorageFailure?
            var first = LogPosition.start
            switch answer {
            case .failed(_, let reason):
                failure = reason
                refuse(request, reason)
            case .stored(_, let position):
                first = position
                storage.noteFirst(position)
            case .records, .room: break
            }
            for step in request.steps { settle(step, failure) }
            if failure == nil {
                for arrival in request.arrivals { arrive(arrival, first) }
            } else {
                for arrival in request.arrivals { turnAway(arrival) }
            }
            for continuation in request.continuations { go(on: continuation, request.token, answer, failure) }
        }
    }

    private mutating func go(
        on continuation: StorageDesk.Continuation, _ token: StorageToken, _ answer: StorageEvent,
        _ failure: StorageFailure?
    ) {
        switch continuation {
        case .replies(let id): releaseReplies(id, token, failure)
        case .records(let slot, let generation):
            guard isSession(slot, generation) else { return }
            if case .records(_, let records) = answer { return readBack(records, slot) }
            // What is in the log stays there: it is asked for again.
            schedule(.readOn, slot, generation, at: now + Shard.storageRetryWait)
        case .received(let slot, let generation, let identifier):
            if isSession(slot, generation) { settleReceived(identifier, slot, token, failure) }
        case .leaving(let slot, let generation):
            if isSession(slot, generation) { settleLeaving(slot, token) }
        case .record(let slot, let generation):
            if isSession(slot, generation) { settleRecord(slot, failure) }
        case .subscriptions(let slot, let generation):
            if isSession(slot, generation) { settleSubscriptions(slot, failure) }
        case .forgotten(let client): settleForgotten(client, token, failure)
        case .orphans(let queue):
            if case .records(_, let records) = answer { return handOn(records, queue) }
            askAgain { $0.orphans.append(queue) }
        case .everyoneHas(let gate): everyoneHas(gate, failure)
        case .open(let gate): open(gate, failure)
        case .forgotReceivers(let gate): if failure != nil { askAgain { $0.gates.append(gate) } }
        case .confirm(let owed): settle(owed, failure)
        case .barrier(let start): whenAllHaveHeard(.startRetained(start))
        case .startRetained(let start):
            releaseReplies(start.connection, start.reply, failure)
            if isSession(start.session, start.generation) { startRetained(start.requests, start.session) }
        }
    }

    func isSession(_ slot: UInt32, _ generation: UInt32) -> Bool {
        sessions.isTaken(slot) && sessions.pointer(slot).pointee.generation == generation
    }

    mutating func batchToken() -> StorageToken { storage.batchToken() }

    // MARK: What was refused and nobody waits for

    /// Storage, or a neighbour, did not keep something. Publishers hear of it; acknowledgements and retained messages
    /// that nobody waits for are asked for again, or the log would keep what is done with.
    private mutating func refuse(_ request: StorageDesk.Request, _ failure: StorageFailure) {
        if failure != .quota {
            log(.error, .storageFailed(failure, messages: max(1, request.batch?.messageCount ?? 1)))
        }
        guard let batch = request.batch else { return }
        let topics = batch.retained.map { batch.message($0).topic } + batch.retainedRemoved.map(\.topic)
        let changes = batch.changes.filter { change in
            switch change {
            case .acknowledged, .dropped: true
            // `sent` and `pubrec` are their session's to ask for again, the others their client's.
            case .received, .released, .share, .sent, .pubrec: false
            }
        }
        guard !topics.isEmpty || !changes.isEmpty else { return }
        askAgain {
            $0.changes += changes
            $0.retained.formUnion(topics)
        }
    }

    mutating func askAgain(_ note: (inout StorageDesk.Refused) -> Void) {
        note(&storage.refused)
        guard !storage.refused.isDue else { return }
        storage.refused.isDue = true
        schedule(.storageRetry, SlotTable<Session>.none, 0, at: now + Shard.storageRetryWait)
    }

    /// Perhaps storage keeps now what it refused. Changes go alone: they make room, and are kept where messages are not.
    mutating func retryStorage() {
        var refused = StorageDesk.Refused()
        swap(&refused, &storage.refused)
        if !refused.changes.isEmpty {
            sendBatch()
            _ = batchToken()
            storage.batch.changes = refused.changes
        }
        sendBatch()
        for topic in refused.retained { keepRetained(topic) }
        sendBatch()
        for client in refused.forgotten { forgetRecord(client) }
        for queue in refused.orphans { readOrphans(queue) }
        for gate in refused.gates { forgetReceivers(of: gate) }
    }

    /// A topic's retained message, or that it has none, is kept as it stands.
    private mutating func keepRetained(_ topic: [UInt8]) {
        let message = topic.withUnsafeBytes { retained.message(of: $0) }
        guard let message, !message.isExpired(at: now) else { return storage.removeRetained(topic) }
        var dispatch = Dispatch(parts: message.parts)
        storage.batch.retained.append(logged(&dispatch, by: topic.withUnsafeBytes { retained.source(of: $0) }))
    }
}
