import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Steps and records that must survive a crash. One that is refused is asked for again after `storageRetryWait`, for as
/// long as there is somebody to whom it matters.
extension Shard {
    /// The subscriber is done with a message: nobody waits for this to be kept.
    @inline(__always)
    mutating func keepAcknowledged(_ position: LogPosition, _ slot: UInt32) {
        guard let queue = sessions.pointer(slot).pointee.details?.storage?.queue else { return }
        _ = storage.batchToken()
        storage.batch.changes.append(.acknowledged(queue, position))
    }

    // MARK: QoS 2

    /// A QoS 2 message leaves when its identifier is kept: a crash may not give that to another message.
    mutating func keepSent(_ identifier: UInt16, _ position: LogPosition, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let queue = details.storage?.queue else { return }
        details.sends.append(identifier)
        storage.keep(
            .sent(queue, position, identifier: identifier), step(.sent, identifier, slot, session.pointee.generation))
    }

    /// PUBREL leaves when its PUBREC is kept: after a crash the message would go out again, and be new to its receiver.
    mutating func keepPubrec(_ identifier: UInt16, _ position: LogPosition, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let queue = details.storage?.queue else { return }
        details.releases.append(identifier)
        storage.keep(.pubrec(queue, position), step(.pubrec, identifier, slot, session.pointee.generation))
    }

    private func step(
        _ kind: StorageDesk.Step.Kind, _ identifier: UInt16, _ slot: UInt32, _ generation: UInt32
    ) -> StorageDesk.Step {
        StorageDesk.Step(kind: kind, identifier: identifier, session: slot, generation: generation)
    }

    /// A step has been answered: its packet leaves, and those behind it that have waited for it.
    mutating func settle(_ step: StorageDesk.Step, _ failure: StorageFailure?) {
        guard isSession(step.session, step.generation) else { return }
        let slot = step.session
        guard let details = sessions.pointer(slot).pointee.details else { return }
        let state = failure == nil ? OpenSteps.State.kept : .refused
        switch step.kind {
        case .sent: details.sends.mark(step.identifier, state)
        case .pubrec: details.releases.mark(step.identifier, state)
        }
        guard failure == nil else {
            return schedule(.stepRetry, slot, step.generation, at: now + Shard.storageRetryWait)
        }
        let isOnline = sessions.pointer(slot).pointee.isOnline
        switch step.kind {
        case .sent:
            while let next = details.sends.takeKept() {
                if isOnline, !next.isResent {
                    writeKept(next.identifier, slot)
                } else {
                    details.unsent.insert(next.identifier)
                }
            }
        case .pubrec:
            while let next = details.releases.takeKept() {
                if isOnline, !next.isResent { releaseKept(next.identifier, slot) }
            }
        }
        pump(slot)
    }

    private mutating func writeKept(_ identifier: UInt16, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard session.pointee.window.state(of: identifier) == .pubrec,
            let outgoing = session.pointee.window.payload(of: identifier)
        else { return }
        let connection = session.pointee.connection
        write(
            outgoing, identifier, duplicate: false, connections.pointer(connection), connection,
            publisher: nil)
    }

    private mutating func releaseKept(_ identifier: UInt16, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard session.pointee.window.state(of: identifier) == .pubcomp else { return }
        let connection = session.pointee.connection
        // [5.0 MQTT-4.3.3-4] [3.1.1 MQTT-4.3.3-1]
        sendAcknowledgement(.pubrel, identifier, .success, connections.pointer(connection), connection)
    }

    /// Asks again for the steps of a session that storage refused.
    mutating func retrySteps(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let queue = details.storage?.queue else { return }
        let generation = session.pointee.generation
        for identifier in details.sends.takeRefused() {
            let position = session.pointee.window.payload(of: identifier)?.position ?? .start
            storage.keep(
                .sent(queue, position, identifier: identifier), step(.sent, identifier, slot, generation))
        }
        for identifier in details.releases.takeRefused() {
            let position = session.pointee.window.payload(of: identifier)?.position ?? .start
            storage.keep(.pubrec(queue, position), step(.pubrec, identifier, slot, generation))
        }
    }

    // MARK: Records

    /// Keeps the session's record as it is now; the token says when.
    @discardableResult
    mutating func keepSession(_ slot: UInt32) -> StorageToken? {
        let session = sessions.pointer(slot)
        guard session.pointee.details?.storage != nil else { return nil }
        let token = storage.newToken()
        storage.ask(token)
        storage.await(token, .record(session: slot, generation: session.pointee.generation))
        effects.append(.storage(.put(token, sessionRecord(slot).stateRecord)))
        return token
    }

    /// The record was refused: it is asked for again, as it will be then.
    mutating func keepSessionLater(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, !details.recordIsDue else { return }
        details.recordIsDue = true
        schedule(.recordRetry, slot, session.pointee.generation, at: now + Shard.storageRetryWait)
    }

    // MARK: Subscriptions that were not kept

    /// The record that says what a SUBSCRIBE or UNSUBSCRIBE changed has been answered. Refused, the change is taken back:
    /// the client hears that it failed.
    mutating func settleSubscriptions(_ slot: UInt32, _ failure: StorageFailure?) {
        guard let details = sessions.pointer(slot).pointee.details,
            let changes = details.subscriptionChanges.popFirst(), failure != nil
        else { return }
        for change in changes.changes.reversed() {
            // A later packet changed the same filter again: it goes back to what was before both, if it must.
            let later = details.subscriptionChanges.firstIndex { $0.changes.contains { $0.filter == change.filter } }
            if let later,
                let at = details.subscriptionChanges[later].changes.firstIndex(where: { $0.filter == change.filter })
            {
                details.subscriptionChanges[later].changes[at].before = change.before
            } else {
                takeBack(change, slot)
            }
        }
        keepSessionLater(slot)  // another record may have said it meanwhile
    }
}

/// What one SUBSCRIBE or UNSUBSCRIBE changed, to be taken back where it is not kept.
struct SubscriptionChanges {
    typealias State = (options: DeliveryOptions, identifier: UInt32)

    struct Change {
        var filter: MQTTString
        /// The subscription as it was, or nil where there was none.
        var before: State?
    }

    var changes: [Change] = []

    mutating func note(_ filter: MQTTString, _ before: State?) {
        changes.append(Change(filter: filter, before: before))
    }
}
