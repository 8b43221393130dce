import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A message of a group whose member could not finish it.
struct Orphan {
    var group: MQTTString
    var message: Message
    var position: LogPosition
}

/// The queue of a session that has ended while the log held messages of its groups: they are read, a window at a time, and
/// go to other members before the queue is dropped.
final class OrphanedQueue {
    let queue: QueueID
    let client: MQTTString
    /// The session's groups, by their numbers.
    let groups: [UInt32: MQTTString]
    /// Positions that were in flight, and others in memory: not to be handed on again.
    let passed: Set<LogPosition>
    var readUpTo: LogPosition

    init(
        queue: QueueID, client: MQTTString, groups: [UInt32: MQTTString], passed: Set<LogPosition>,
        readUpTo: LogPosition
    ) {
        self.queue = queue
        self.client = client
        self.groups = groups
        self.passed = passed
        self.readUpTo = readUpTo
    }
}

/// Messages of shared subscriptions when a member's session ends.
extension Shard {
    /// Messages of shared subscriptions that the ending session had not acknowledged and that another may have: what
    /// was queued, and QoS 1 in flight. QoS 2 that has begun ends with its session. [5.0 MQTT-4.8.2-4] [5.0 MQTT-4.8.2-5]
    mutating func takeOrphans(_ slot: UInt32) -> [Orphan] {
        let session = sessions.pointer(slot)
        let names = groupNames(of: session)
        guard !names.isEmpty else { return [] }
        var orphans: [Orphan] = []
        session.pointee.window.forEach { entry in
            guard let group = names[entry.payload.group], entry.state == .puback else { return }
            entry.payload.message.retain()
            orphans.append(Orphan(group: group, message: entry.payload.message, position: entry.payload.position))
        }
        for outgoing in session.pointee.queue {
            guard let group = names[outgoing.group] else { continue }
            outgoing.message.retain()
            orphans.append(Orphan(group: group, message: outgoing.message, position: outgoing.position))
        }
        return orphans
    }

    private func groupNames(of session: UnsafeMutablePointer<Session>) -> [UInt32: MQTTString] {
        var names = session.pointee.details?.groupsLeft ?? [:]
        for membership in session.pointee.shared { names[membership.number] = membership.group }
        return names
    }

    /// Gives messages of a member that left to the others. Where its queue is dropped only later, they leave it with the
    /// same batch.
    mutating func redeliver(_ orphans: [Orphan], from queue: QueueID?) {
        for orphan in orphans {
            if let queue, orphan.position != .start { release(orphan.position, from: queue) }
            if !orphan.message.isExpired(at: now) { giveBack(orphan.message.parts, orphan.group) }
            orphan.message.release()
        }
    }

    private mutating func release(_ position: LogPosition, from queue: QueueID) {
        _ = batchToken()
        storage.batch.changes.append(.acknowledged(queue, position))
    }

    /// Groups that a session has left and is remembered as a member of, at most.
    static var groupsLeftMax: Int { 64 }

    /// A member has left its group. What was given to it stays with it; if its session ends before it is done with that, as
    /// of a worker that unsubscribes and goes, the others get it.
    mutating func rememberLeft(_ membership: SharedMembership, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard !session.pointee.window.isEmpty || !session.pointee.queue.isEmpty || hasWaiting(session) else {
            session.pointee.details?.groupsLeft.removeAll()
            return
        }
        let details = details(of: slot)
        guard details.groupsLeft.count < Shard.groupsLeftMax else { return }
        details.groupsLeft[membership.number] = membership.group
    }

    // MARK: Those in the log

    /// What the log holds, or will, for the groups of an ending session; nil where nothing.
    func orphansInLog(_ slot: UInt32) -> OrphanedQueue? {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let stored = details.storage,
            stored.hasBeyond || details.arriving > 0
        else { return nil }
        let groups = groupNames(of: session)
        guard !groups.isEmpty else { return nil }
        return OrphanedQueue(
            queue: stored.queue, client: session.pointee.clientIdentifier, groups: groups,
            passed: details.restored, readUpTo: stored.readUpTo)
    }

    /// Reads the next of them, after everything that is on its way into the log.
    mutating func readOrphans(_ queue: OrphanedQueue) {
        sendBatch()
        let token = storage.newToken()
        storage.ask(token)
        storage.await(token, .orphans(queue))
        effects.append(
            .storage(.read(token, queue.queue, after: queue.readUpTo, countMax: queueWindow, bytesMax: 1 << 20)))
    }

    /// They have been read: each goes to another member, and leaves this queue with the same batch.
    mutating func handOn(_ records: [QueuedRecord], _ queue: OrphanedQueue) {
        let before = queue.readUpTo
        for record in records where record.position > queue.readUpTo {
            queue.readUpTo = record.position
            guard let group = queue.groups[record.group], !queue.passed.contains(record.position) else { continue }
            release(record.position, from: queue.queue)
            record.message.withParts { parts in
                if parts.expiresAt > now { giveBack(parts, group) }
            }
        }
        guard queue.readUpTo == before else { return readOrphans(queue) }
        _ = batchToken()
        storage.batch.changes.append(.dropped(queue.queue))
        forgetRecord(queue.client)
    }
}
