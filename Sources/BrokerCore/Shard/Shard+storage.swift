import MQTTDelivery
import MQTTProtocol

extension Shard {
    /// Messages of a persistent session that are held in memory at most; the rest is read back from the log.
    var queueWindow: Int { max(128, 2 * min(settings.inflightMessagesMax, 1024)) }

    /// Milliseconds between a read that storage refused and the next attempt.
    static var readRetryWait: Int64 { 1000 }

    /// The tick is over: what was gathered goes to storage.
    package mutating func endTick(at now: Int64) {
        self.now = now
        if let (token, batch) = storage.takeBatch() { effects.append(.storage(.append(token, batch))) }
        takePeerBatches()
        settleAnswers()
    }

    /// Whether `endTick` has anything to do.
    package var hasBatch: Bool { !storage.isBatchEmpty || (!neighbours.isAlone && neighbours.hasTick) }

    /// Storage answered.
    package mutating func handle(_ event: StorageEvent, at now: Int64) {
        self.now = now
        switch event {
        case .stored(let token, _), .failed(let token, _), .records(let token, _): storage.answered(token, event)
        case .room(let hasRoom): storage.hasRoom = hasRoom
        }
        settleAnswers()
    }

    /// Goes on with what has been answered, in the order of asking.
    mutating func settleAnswers() {
        while let (token, answer, continuations) = storage.takeAnswered() {
            if case .failed(_, let failure) = answer {
                log(.error, .storageFailed(failure, messages: continuations.count))
            }
            for continuation in continuations { go(on: continuation, token, answer) }
        }
    }

    private mutating func go(on continuation: StorageDesk.Continuation, _ token: StorageToken, _ answer: StorageEvent) {
        var failure: StorageFailure?
        if case .failed(_, let reason) = answer { failure = reason }
        switch continuation {
        case .replies(let id): releaseReplies(id, token, failure)
        case .arrival(let slot, let generation, var outgoing, let index):
            guard isSession(slot, generation) else { return outgoing.message.release() }
            guard case .stored(_, let first) = answer else {
                // Its publisher hears of it; here it only no longer counts as on its way.
                sessions.pointer(slot).pointee.details?.arriving -= 1
                return outgoing.message.release()
            }
            outgoing.position = LogPosition(first.value + UInt64(index))
            arrive(outgoing, slot)
        case .publish(let slot, let generation, let attachment, let identifier):
            guard isAttached(slot, generation, attachment) else { return }
            let session = sessions.pointer(slot)
            session.pointee.details?.sending -= 1
            defer { pump(slot) }
            guard failure == nil, let outgoing = session.pointee.window.payload(of: identifier) else { return }
            let connection = connections.pointer(session.pointee.connection)
            write(
                outgoing, identifier, duplicate: false, connection, session.pointee.connection,
                publisher: nil)
        case .pubrel(let slot, let generation, let attachment, let identifier):
            guard failure == nil, isAttached(slot, generation, attachment) else { return }
            let connection = sessions.pointer(slot).pointee.connection
            sendAcknowledgement(.pubrel, identifier, .success, connections.pointer(connection), connection)
        case .records(let slot, let generation):
            guard isSession(slot, generation) else { return }
            if case .records(_, let records) = answer { return readBack(records, slot) }
            // What is in the log stays there: it is asked for again.
            schedule(.readOn, slot, generation, at: now + Shard.readRetryWait)
        case .received(let slot, let generation, let identifier):
            if isSession(slot, generation) { settleReceived(identifier, slot, token, failure) }
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

    private func isAttached(_ slot: UInt32, _ generation: UInt32, _ attachment: UInt32) -> Bool {
        isSession(slot, generation) && sessions.pointer(slot).pointee.attachment == attachment
            && sessions.pointer(slot).pointee.isOnline
    }

    mutating func batchToken() -> StorageToken { storage.batchToken() }

    // MARK: Messages for persistent sessions

    /// The message's place in the batch, put there once.
    mutating func logged(_ dispatch: inout Dispatch) -> Int {
        if dispatch.logged >= 0 { return dispatch.logged }
        _ = storage.batchToken()
        dispatch.logged = storage.batch.append(dispatch.parts)
        return dispatch.logged
    }

    /// A message for a persistent session goes into the log first; it is delivered, and its publisher told, when it is
    /// kept.
    mutating func store(_ delivery: Delivery, _ session: UnsafeMutablePointer<Session>, _ dispatch: inout Dispatch) {
        guard let details = session.pointee.details, let queue = details.storage?.queue else { return }
        let waiting = session.pointee.queue.count + (details.storage?.beyond ?? 0) + details.arriving
        if settings.queuedMessagesMax > 0, waiting >= settings.queuedMessagesMax + freeWindow(session) {
            return reportDrop(delivery.session)
        }
        // A queue's positions are unique: what a session also gets as a member of a group is a message of its own.
        if delivery.group != 0 { dispatch.logged = -1 }
        let index = logged(&dispatch)
        if delivery.group != 0 { dispatch.logged = -1 }
        let message = dispatch.owned()
        message.retain()
        details.arriving += 1
        storage.batch.entries.append(
            QueueEntry(
                queue: queue, message: index, qos: delivery.qos, retain: delivery.retain,
                subscriptionIdentifiers: identifiers(of: delivery, message), group: delivery.group))
        storage.await(
            batchToken(),
            .arrival(
                session: delivery.session, generation: session.pointee.generation,
                Outgoing(
                    message: message, subscriptionIdentifier: delivery.identifier, qos: delivery.qos,
                    retain: delivery.retain, position: .start, group: delivery.group),
                messageIndex: index))
        dispatch.waitsForStorage = true
    }

    /// How many messages could go out at once: they do not count as queued.
    private func freeWindow(_ session: UnsafeMutablePointer<Session>) -> Int {
        guard session.pointee.isOnline else { return 0 }
        return max(0, connections.pointer(session.pointee.connection).pointee.sendLimit - session.pointee.window.count)
    }

    private func identifiers(of delivery: Delivery, _ message: Message) -> [UInt32] {
        guard delivery.identifier == Outgoing.severalIdentifiers else {
            return delivery.identifier == 0 ? [] : [delivery.identifier]
        }
        return SubscriptionIdentifiers.decode(message.identifiers)
    }

    /// A message is in the log: on to its session, in memory while few wait, else left where it is.
    private mutating func arrive(_ outgoing: Outgoing, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details else { return outgoing.message.release() }
        details.arriving -= 1
        if (details.storage?.beyond ?? 0) > 0 || session.pointee.queue.count >= queueWindow {
            details.storage?.beyond += 1
            return outgoing.message.release()
        }
        details.storage?.readUpTo = outgoing.position
        session.pointee.queue.append(outgoing)
        session.pointee.queuedBytes += outgoing.message.size
        pump(slot)
    }

    /// Asks for the next messages that wait in the log.
    mutating func readOn(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let stored = details.storage, stored.beyond > 0,
            !stored.isReading
        else { return }
        details.storage?.isReading = true
        let token = storage.newToken()
        storage.ask(token)
        storage.await(token, .records(session: slot, generation: session.pointee.generation))
        effects.append(
            .storage(
                .read(
                    token, stored.queue, after: stored.readUpTo, countMax: min(stored.beyond, queueWindow),
                    bytesMax: 1 << 20)))
    }

    /// Storage refused to read; perhaps now it does not.
    mutating func readAgain(_ slot: UInt32) {
        sessions.pointer(slot).pointee.details?.storage?.isReading = false
        pump(slot)
    }

    private mutating func readBack(_ records: [QueuedRecord], _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details else { return }
        details.storage?.isReading = false
        if records.isEmpty { details.storage?.beyond = 0 }  // trimmed by storage's own limits
        for record in records {
            details.storage?.readUpTo = record.position
            if details.restored.remove(record.position) != nil { continue }
            details.storage?.beyond -= 1
            guard let outgoing = Outgoing(record) else { continue }
            session.pointee.queue.append(outgoing)
            session.pointee.queuedBytes += outgoing.message.size
        }
        pump(slot)
    }

    // MARK: Steps that must survive

    /// The subscriber is done with a message: nobody waits for this to be kept.
    mutating func keepAcknowledged(_ position: LogPosition, _ slot: UInt32) {
        guard let queue = sessions.pointer(slot).pointee.details?.storage?.queue else { return }
        _ = batchToken()
        storage.batch.changes.append(.acknowledged(queue, position))
    }

    mutating func keepSent(_ outgoing: Outgoing, _ identifier: UInt16, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let queue = session.pointee.details?.storage?.queue else { return }
        session.pointee.details?.sending += 1
        storage.batch.changes.append(.sent(queue, outgoing.position, identifier: identifier))
        storage.await(
            batchToken(),
            .publish(
                session: slot, generation: session.pointee.generation, attachment: session.pointee.attachment,
                identifier: identifier))
    }

    mutating func keepPubrec(
        _ identifier: UInt16, _ position: LogPosition, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        let session = sessions.pointer(slot)
        guard let queue = session.pointee.details?.storage?.queue else { return }
        storage.batch.changes.append(.pubrec(queue, position))
        storage.await(
            batchToken(),
            .pubrel(
                session: slot, generation: session.pointee.generation, attachment: session.pointee.attachment,
                identifier: identifier))
    }

    /// Keeps the session's record as it is now; the token says when.
    @discardableResult
    mutating func keepSession(_ slot: UInt32) -> StorageToken? {
        guard sessions.pointer(slot).pointee.details?.storage != nil else { return nil }
        let token = storage.newToken()
        storage.ask(token)
        effects.append(.storage(.put(token, sessionRecord(slot).stateRecord)))
        return token
    }

    mutating func forgetSession(_ slot: UInt32, _ queue: QueueID) {
        _ = batchToken()
        storage.batch.changes.append(.dropped(queue))
        let token = storage.newToken()
        storage.ask(token)
        let key = SessionRecord.key(sessions.pointer(slot).pointee.clientIdentifier)
        effects.append(.storage(.remove(token, key: key)))
    }
}
