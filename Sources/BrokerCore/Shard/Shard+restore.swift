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
        details.storage = SessionStorage(queue: record.queue, beyond: restored.waiting)
        for identifier in restored.received { _ = session.pointee.received.insert(identifier) }
        for inflight in restored.inflight {
            guard let outgoing = Outgoing(inflight.record) else { continue }
            session.pointee.window.restore(
                outgoing, identifier: inflight.identifier,
                state: inflight.isReleased ? .pubcomp : inflight.record.qos == 2 ? .pubrec : .puback)
            details.restored.insert(inflight.record.position)
        }
        for subscription in record.subscriptions { restore(subscription, slot) }
        details.will = record.will
        if let will = record.will {
            // Its connection went with the server: the will is due after its delay.
            details.willDueAt = record.willDueAt ?? now + Int64(will.delayIntervalSeconds) * 1000
            schedule(.will(attachment: 0), slot, session.pointee.generation, at: details.willDueAt ?? now)
        }
        if record.expiryIntervalSeconds != .max {
            schedule(
                .sessionExpiry(attachment: 0), slot, session.pointee.generation,
                at: (record.disconnectedAt ?? now) + Int64(record.expiryIntervalSeconds) * 1000)
        }
    }

    private mutating func restore(_ subscription: SessionRecord.Subscription, _ slot: UInt32) {
        subscription.filter.withUnsafeBytes { filter in
            switch TopicSyntax.sharedFilter(filter) {
            case .shared:
                guard let name = MQTTString(subscription.filter) else { return }
                joinGroup(name, subscription.identifier, subscription.options, slot)
                announcePresence(slot, isOnline: false)
            case .notShared:
                _ = addSubscription(filter, subscription.identifier, subscription.options, slot)
            case .invalid: return
            }
        }
    }

    /// Takes up a retained message of an earlier run.
    package mutating func restoreRetained(_ message: LoggedMessage, at now: Int64) {
        self.now = now
        guard message.expiresAt > now, let kept = message.withParts({ Message.make($0) }) else { return }
        retained.set(kept)
    }
}
