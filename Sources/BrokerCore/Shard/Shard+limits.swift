import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Limits on queues, and what becomes of a message that a queue has no room for. Messages in flight count against no
/// limit here and are never dropped.
extension Shard {
    // MARK: What a queue may hold

    /// The limit that so many more would break, or nil. What the window takes at once does not wait.
    func limitHit(
        _ session: UnsafeMutablePointer<Session>, messages: Int, bytes: Int, countingArriving: Bool = true
    ) -> QueueLimit? {
        var waiting = session.pointee.queue.count
        var size = session.pointee.queuedBytes
        if let details = session.pointee.details, let stored = details.storage {
            waiting += stored.beyond + (countingArriving ? details.arriving : 0)
            size += stored.beyondBytes + (countingArriving ? details.arrivingBytes : 0)
        }
        let free = freeWindow(session)
        guard waiting + messages > free else { return nil }
        if settings.queuedMessagesMax > 0, waiting + messages > settings.queuedMessagesMax + free {
            return .messages(settings.queuedMessagesMax)
        }
        if settings.queuedBytesMax > 0, size + bytes > settings.queuedBytesMax {
            return .bytes(settings.queuedBytesMax)
        }
        return nil
    }

    /// How many messages could go out at once: they do not count as queued.
    private func freeWindow(_ session: UnsafeMutablePointer<Session>) -> Int {
        guard session.pointee.isOnline else { return 0 }
        return max(0, connections.pointer(session.pointee.connection).pointee.sendLimit - session.pointee.window.count)
    }

    /// A message has waited longer than the operator lets it.
    func isAged(_ message: Message) -> Bool {
        let since = message.header.pointee.storedAt
        return settings.queueSecondsMax > 0 && since != 0 && Int(nowSeconds) - Int(since) >= settings.queueSecondsMax
    }

    // MARK: One more message

    /// Whether a message may go into the log for this session; if not, it is counted or its publisher told.
    mutating func makesRoom(
        _ slot: UInt32, _ session: UnsafeMutablePointer<Session>, _ dispatch: inout Dispatch
    ) -> Bool {
        guard storage.hasRoom else {
            if settings.queueFullPolicy == .dropOldest, let oldest = session.pointee.queue.popFirst() {
                session.pointee.queuedBytes -= oldest.message.queuedSize
                dropQueued(oldest, slot, .store)
                return true
            }
            return turnAway(slot, .store, dispatch)
        }
        // Where the oldest makes room, it goes when the new one is kept.
        guard settings.queueFullPolicy != .dropOldest,
            let limit = limitHit(session, messages: 1, bytes: dispatch.parts.queuedSize)
        else { return true }
        return turnAway(slot, limit, dispatch)
    }

    /// Puts a message behind those that wait in memory, within the limits; takes over the caller's reference.
    mutating func enqueue(_ outgoing: Outgoing, _ slot: UInt32, _ dispatch: inout Dispatch) {
        let session = sessions.pointer(slot)
        let size = outgoing.message.queuedSize
        while let limit = memoryLimitHit(session, size) {
            if settings.queueFullPolicy == .dropOldest, let oldest = session.pointee.queue.popFirst() {
                session.pointee.queuedBytes -= oldest.message.queuedSize
                dropQueued(oldest, slot, limit)
            } else if turnAway(slot, limit, dispatch) {
                break
            } else {
                return outgoing.message.release()
            }
        }
        if outgoing.message.header.pointee.storedAt == 0 { outgoing.message.header.pointee.storedAt = nowSeconds }
        session.pointee.queue.append(outgoing)
        session.pointee.queuedBytes += size
    }

    @inline(__always)
    private func memoryLimitHit(_ session: UnsafeMutablePointer<Session>, _ size: Int) -> QueueLimit? {
        if settings.queuedMessagesMax > 0, session.pointee.queue.count >= settings.queuedMessagesMax {
            return .messages(settings.queuedMessagesMax)
        }
        if settings.queuedBytesMax > 0, session.pointee.queuedBytes + size > settings.queuedBytesMax {
            return .bytes(settings.queuedBytesMax)
        }
        return nil
    }

    /// There is no room. True where the message goes on all the same: its publisher was asked before anyone got it
    /// (`full`), and two ways to one session may have filled it since.
    private mutating func turnAway(_ slot: UInt32, _ limit: QueueLimit, _ dispatch: Dispatch) -> Bool {
        if settings.queueFullPolicy == .refusePublisher, dispatch.parts.qos > 0 {
            if dispatch.connection != SlotTable<Connection>.none { return true }
            if neighbours.isRelaying {
                neighbours.hasRefused = true
                return false
            }
        }
        reportDrop(slot, limit)
        return false
    }

    /// A limit has cost a message: counted always, said once.
    mutating func reportDrop(_ slot: UInt32, _ limit: QueueLimit) {
        counters.publishesDropped &+= 1
        let details = details(of: slot)
        guard !details.hasReportedDrops else { return }
        details.hasReportedDrops = true
        log(.notice, .queueFull(client: sessions.pointer(slot).pointee.clientIdentifier, limit: limit))
    }

    // MARK: Those that wait already

    /// Drops a message that has been taken out of the queue, in the log too.
    mutating func dropQueued(_ outgoing: Outgoing, _ slot: UInt32, _ limit: QueueLimit) {
        discard(outgoing, slot)
        reportDrop(slot, limit)
    }

    /// The oldest go until the queue is within its limits, where that is the policy.
    mutating func trim(_ slot: UInt32) {
        guard settings.queueFullPolicy == .dropOldest else { return }
        let session = sessions.pointer(slot)
        while let limit = limitHit(session, messages: 0, bytes: 0, countingArriving: false) {
            // The oldest are in the log: they are read, and dropped when they come.
            guard let oldest = session.pointee.queue.popFirst() else { return readOn(slot) }
            session.pointee.queuedBytes -= oldest.message.queuedSize
            dropQueued(oldest, slot, limit)
        }
    }

    /// Drops what has waited too long, from the front.
    mutating func dropAged(_ slot: UInt32) {
        guard settings.queueSecondsMax > 0 else { return }
        let session = sessions.pointer(slot)
        var isChanged = false
        while let first = session.pointee.queue.first, isAged(first.message) || first.message.isExpired(at: now) {
            session.pointee.queue.removeFirst()
            session.pointee.queuedBytes -= first.message.queuedSize
            isChanged = true
            if first.message.isExpired(at: now) {
                discard(first, slot)
            } else {
                dropQueued(first, slot, .age(seconds: settings.queueSecondsMax))
            }
        }
        if isChanged, session.pointee.queue.isEmpty { readOn(slot) }
    }

    /// Begins to look for messages that have waited too long, if the operator wants that.
    mutating func scheduleQueueSweep() {
        guard settings.queueSecondsMax > 0 else { return }
        let wait = min(max(Int64(settings.queueSecondsMax) * 125, 1000), 60_000)
        schedule(.queueSweep, 0, settingsNumber, at: now + wait)
    }

    /// Looks at some sessions and leaves the rest for later: nobody waits for this. Of a queue that is in the log alone,
    /// one message is read to know its age.
    mutating func sweepQueues(from first: UInt32) {
        let end = min(Int(first) + 4096, sessions.highWater)
        for slot in first..<max(first, UInt32(end)) where sessions.isTaken(slot) {
            dropAged(slot)
            let session = sessions.pointer(slot)
            if !session.pointee.isOnline, session.pointee.queue.isEmpty { readOn(slot, countMax: 1) }
        }
        guard end < sessions.highWater else { return scheduleQueueSweep() }
        schedule(.queueSweep, UInt32(end), settingsNumber, at: now + 10)
    }
}
