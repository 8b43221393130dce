import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Messages of persistent sessions: into the log, from there to their session, and read back when it comes to them.
/// Before: `deliver` decides that a message is to be kept. After: `pump`.
extension Shard {
    /// Messages of a persistent session that are held in memory at most; the rest is read back from the log.
    var queueWindow: Int { max(128, 2 * min(settings.inflightMessagesMax, 1024)) }

    /// A moment as messages keep it: seconds since 1970.
    var nowSeconds: UInt32 { UInt32(clamping: now / 1000) }

    // MARK: Into the log

    /// The message's place in the batch, put there once.
    /// - Parameter source: who published it, to be kept with a retained message.
    mutating func logged(_ dispatch: inout Dispatch, by source: AccessSubject? = nil) -> Int {
        if dispatch.logged >= 0 { return dispatch.logged }
        _ = storage.batchToken()
        if dispatch.parts.storedAt == 0 { dispatch.parts.storedAt = nowSeconds }
        dispatch.logged = storage.batch.append(dispatch.parts, by: source)
        return dispatch.logged
    }

    /// A message for a persistent session goes into the log first; it is delivered, and its publisher told, when it is
    /// kept.
    mutating func store(
        _ delivery: Delivery, _ session: UnsafeMutablePointer<Session>, _ dispatch: inout Dispatch,
        isRetained: Bool = false
    ) {
        guard let details = session.pointee.details, let queue = details.storage?.queue else { return }
        if let exchange = dispatch.exchange, delivery.group == 0, isKept(exchange, session) { return }
        guard makesRoom(delivery.session, session, &dispatch) else { return }
        // A queue's positions are unique: what a session also gets as a member of a group is a message of its own.
        if delivery.group != 0 { dispatch.logged = -1 }
        let index = logged(&dispatch)
        if delivery.group != 0 { dispatch.logged = -1 }
        let message = dispatch.owned()
        message.retain()
        details.arriving += 1
        details.arrivingBytes += message.queuedSize
        storage.keep(
            QueueEntry(
                queue: queue, message: index, qos: delivery.qos, retain: delivery.retain,
                subscriptionIdentifiers: identifiers(of: delivery, message), group: delivery.group),
            StorageDesk.Arrival(
                outgoing: Outgoing(
                    message: message, subscriptionIdentifier: delivery.identifier, qos: delivery.qos,
                    retain: delivery.retain, position: .start, group: delivery.group),
                session: delivery.session, generation: session.pointee.generation, message: UInt32(index),
                isRetained: isRetained))
        dispatch.waitsForStorage = true
        if let exchange = dispatch.exchange { noteShare(exchange, session, group: delivery.group) }
    }

    private func identifiers(of delivery: Delivery, _ message: Message) -> [UInt32] {
        guard delivery.identifier == Outgoing.severalIdentifiers else {
            return delivery.identifier == 0 ? [] : [delivery.identifier]
        }
        return SubscriptionIdentifiers.decode(message.identifiers)
    }

    // MARK: From the log

    /// A message is in the log: on to its session, in memory while few wait, else left where it is.
    mutating func arrive(_ arrival: StorageDesk.Arrival, _ first: LogPosition) {
        var outgoing = arrival.outgoing
        let slot = arrival.session
        guard isSession(slot, arrival.generation) else { return outgoing.message.release() }
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, var stored = details.storage else {
            return outgoing.message.release()
        }
        outgoing.position = LogPosition(first.value + UInt64(arrival.message))
        let size = outgoing.message.queuedSize
        details.arriving -= 1
        details.arrivingBytes -= size
        // The queue was read back beyond it already.
        guard outgoing.position > stored.readUpTo else {
            outgoing.message.release()
            return sendRetainedOn(slot, details)
        }
        if stored.hasBeyond || session.pointee.queue.count >= queueWindow {
            stored.beyond += 1
            stored.beyondBytes += size
            stored.newest = max(stored.newest, outgoing.position)
            details.storage = stored
            outgoing.message.release()
            trim(slot)
            return sendRetainedOn(slot, details)
        }
        details.storage?.readUpTo = outgoing.position
        details.storage?.newest = outgoing.position
        if goesAtOnce(outgoing, session, details) {
            let connection = session.pointee.connection
            sendQueued(outgoing, slot, session, connections.pointer(connection), connection)
            return sendRetainedOn(slot, details)
        }
        session.pointee.queue.append(outgoing)
        session.pointee.queuedBytes += size
        pump(slot)
        trim(slot)
    }

    /// One less is on its way into the log: retained messages that waited for that go on.
    private mutating func sendRetainedOn(_ slot: UInt32, _ details: SessionDetails) {
        if !details.retained.isEmpty { pump(slot) }
    }

    /// A message is not in the log. Its publisher hears of it; here it only no longer counts as on its way.
    mutating func turnAway(_ arrival: StorageDesk.Arrival) {
        if isSession(arrival.session, arrival.generation),
            let details = sessions.pointer(arrival.session).pointee.details
        {
            details.arriving -= 1
            details.arrivingBytes -= arrival.outgoing.message.queuedSize
            if arrival.isRetained {
                // Nobody sends it again: it goes without being kept, as where nothing is.
                sessions.pointer(arrival.session).pointee.queue.append(arrival.outgoing)
                sessions.pointer(arrival.session).pointee.queuedBytes += arrival.outgoing.message.queuedSize
                return pump(arrival.session)
            }
        }
        arrival.outgoing.message.release()
    }

    /// Asks for the next messages that wait in the log.
    mutating func readOn(_ slot: UInt32, countMax: Int? = nil) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let stored = details.storage, stored.hasBeyond, !stored.isReading
        else { return }
        details.storage?.isReading = true
        let token = storage.newToken()
        storage.ask(token)
        storage.await(token, .records(session: slot, generation: session.pointee.generation))
        effects.append(
            .storage(
                .read(
                    token, stored.queue, after: stored.readUpTo, countMax: countMax ?? queueWindow, bytesMax: 1 << 20)))
    }

    /// Storage refused to read; perhaps now it does not.
    mutating func readAgain(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        session.pointee.details?.storage?.isReading = false
        if session.pointee.isOnline { pump(slot) } else { trim(slot) }
    }

    /// Messages have been read back. They are the truth, whatever was counted: one that nobody counted is delivered, and
    /// one that is missing is not waited for.
    mutating func readBack(_ records: [QueuedRecord], _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, var stored = details.storage else { return }
        stored.isReading = false
        let before = stored.readUpTo
        for record in records where record.position > stored.readUpTo {
            stored.readUpTo = record.position
            if details.restored.remove(record.position) != nil { continue }
            stored.beyond = max(0, stored.beyond - 1)
            stored.beyondBytes = max(0, stored.beyondBytes - record.message.queuedSize)
            guard let outgoing = Outgoing(record) else {
                keepAcknowledged(record.position, slot)  // not a message: it would stand in the way for ever
                continue
            }
            session.pointee.queue.append(outgoing)
            session.pointee.queuedBytes += outgoing.message.queuedSize
        }
        // Nothing new means that nothing is left.
        stored.newest = stored.readUpTo == before ? before : max(stored.newest, stored.readUpTo)
        if !stored.hasBeyond { (stored.beyond, stored.beyondBytes) = (0, 0) }
        details.storage = stored
        pump(slot)
        dropAged(slot)
        trim(slot)
    }
}
