import MQTTDelivery
package import MQTTProtocol

/// A persistent session as storage found it after a restart.
package struct RestoredSession: Sendable {
    /// A message that was on its way to the client.
    package struct Inflight: Sendable {
        package var record: QueuedRecord
        package var identifier: PacketIdentifier
        /// The client has said PUBREC: only PUBREL is left to say.
        package var isReleased: Bool

        package init(record: QueuedRecord, identifier: PacketIdentifier, isReleased: Bool) {
            self.record = record
            self.identifier = identifier
            self.isReleased = isReleased
        }
    }

    package var record: SessionRecord
    /// QoS 2 identifiers received and not released, oldest first.
    package var received: [UInt16]
    /// Shares of QoS 2 messages from it that receivers have, oldest first.
    package var shares: [KeptShare] = []
    /// Those with a `sent` step and not acknowledged, oldest first.
    package var inflight: [Inflight]
    /// Messages in its queue that are not in flight.
    package var waiting: Int
    /// Their bytes: the sum of `LoggedMessage.bytes.count`.
    package var waitingBytes: Int

    package init(
        record: SessionRecord, received: [UInt16] = [], inflight: [Inflight] = [], waiting: Int = 0,
        waitingBytes: Int = 0
    ) {
        self.waitingBytes = waitingBytes
        self.record = record
        self.received = received
        self.inflight = inflight
        self.waiting = waiting
    }
}

extension Shard {
    /// Takes up a session of an earlier run, before anyone connects. What its connection left is as if that had just
    /// been lost; its clock has run on.
    package mutating func restore(_ restored: RestoredSession, at now: Int64) {
        self.now = now
        let record = restored.record
        guard clients[record.clientIdentifier] == nil else { return }
        _ = census.sessions.enter(limit: nil)  // it is there, whatever the limit says now
        let slot = sessions.insert(
            Session(
                clientIdentifier: record.clientIdentifier, clientKey: clientKey(record.clientIdentifier),
                generation: nextGeneration(), expiryIntervalSeconds: record.expiryIntervalSeconds))
        clients[record.clientIdentifier] = slot
        let session = sessions.pointer(slot)
        let details = details(of: slot)
        var stored = SessionStorage(queue: record.queue)
        if restored.waiting > 0 {
            // Where its last message stands is not known until it has been read.
            (stored.beyond, stored.beyondBytes, stored.newest) = (
                restored.waiting, restored.waitingBytes, LogPosition(.max)
            )
        }
        details.storage = stored
        session.pointee.userName = record.userName
        session.pointee.listener = record.listener
        for identifier in restored.received { _ = session.pointee.received.insert(identifier) }
        for inflight in Shard.inOrderOfSending(restored.inflight) {
            guard session.pointee.window.state(of: inflight.identifier.value) == nil,
                let outgoing = Outgoing(inflight.record)
            else { continue }
            session.pointee.window.restore(
                outgoing, identifier: inflight.identifier,
                state: inflight.isReleased ? .pubcomp : inflight.record.qos == 2 ? .pubrec : .puback)
            details.restored.insert(inflight.record.position)
        }
        for subscription in record.subscriptions { restore(subscription, slot) }
        recheck(slot)
        announcePresence(slot, isOnline: false)
        // Its connection went with the server, if not before: from now on its time runs, and its will is on its way.
        let disconnectedAt = record.disconnectedAt ?? now
        details.disconnectedAt = disconnectedAt
        details.will = record.will
        if let will = record.will {
            details.willDueAt = record.willDueAt ?? now + Int64(will.delayIntervalSeconds) * 1000
            schedule(.will(attachment: 0), slot, session.pointee.generation, at: details.willDueAt ?? now)
        }
        if record.expiryIntervalSeconds != .max {
            schedule(
                .sessionExpiry(attachment: 0), slot, session.pointee.generation,
                at: disconnectedAt + Int64(record.expiryIntervalSeconds) * 1000)
            if record.disconnectedAt == nil { keepSession(slot) }  // or the next restart would begin anew
        }
    }

    /// Identifiers were handed out in the order of sending, around the end of their range perhaps: the largest gap between
    /// two neighbours is where they begin. The log's order may differ, where a step was refused and kept later.
    private static func inOrderOfSending(_ inflight: [RestoredSession.Inflight]) -> [RestoredSession.Inflight] {
        let sorted = inflight.sorted { $0.identifier.value < $1.identifier.value }
        guard let first = sorted.first, let last = sorted.last else { return [] }
        var start = 0
        var gap = Int(first.identifier.value) + 65_535 - Int(last.identifier.value)
        for i in 1..<max(1, sorted.count) {
            let distance = Int(sorted[i].identifier.value) - Int(sorted[i - 1].identifier.value)
            if distance > gap { (start, gap) = (i, distance) }
        }
        return Array(sorted[start...] + sorted[..<start])
    }

    private mutating func restore(_ subscription: SessionRecord.Subscription, _ slot: UInt32) {
        subscription.filter.withUnsafeBytes { filter in
            switch TopicSyntax.sharedFilter(filter) {
            case .shared:
                guard let name = MQTTString(subscription.filter) else { return }
                joinGroup(name, subscription.identifier, subscription.options, slot)
            case .notShared:
                _ = addSubscription(filter, subscription.identifier, subscription.options, slot)
            case .invalid: return
            }
        }
    }

    /// Takes up a retained message of an earlier run.
    package mutating func restoreRetained(_ message: LoggedMessage, at now: Int64) {
        self.now = now
        guard message.expiresAt > now else {
            // Its topic's shard alone speaks of it.
            let isOurs = message.topic.withUnsafeBytes { neighbours.home($0) == index }
            return isOurs ? storage.removeRetained(message.topic) : ()
        }
        let source = message.source
        let kept = message.withParts { parts in
            var parts = parts
            // What was imported names its publisher and has no key of ours.
            if parts.publisher == 0, let source { parts.publisher = clientKey(source.clientIdentifier) }
            return Message.make(parts)
        }
        if let kept { retained.set(kept, by: source) }
    }
}
