import MQTTDelivery
import MQTTProtocol

/// What PUBREC of a message that neighbours have too waits for: everyone's share is kept, and then its identifier.
final class ReceivedGate {
    let session: UInt32
    let generation: UInt32
    let queue: QueueID
    let identifier: UInt16
    /// Answered when the gate opens.
    let token: StorageToken
    /// Answers that are missing before the identifier may be kept.
    var left: Int
    var failure: StorageFailure?

    init(
        session: UInt32, generation: UInt32, queue: QueueID, identifier: UInt16, token: StorageToken, left: Int
    ) {
        self.session = session
        self.generation = generation
        self.queue = queue
        self.identifier = identifier
        self.token = token
        self.left = left
    }
}

/// The identifier of a QoS 2 message from a persistent session is kept before PUBREC leaves, and not before everyone has
/// the message: whoever sends it again after a crash is told "received" only where it was. In one shard both stand in
/// one batch. What neighbours keep is in batches of their own, so theirs come first. A crash between can give the message
/// to their subscribers and leave the publisher without an answer: `Shard+share` sees to it that they do not get it twice.
/// The other order would lose it.
extension Shard {
    /// Has the identifier kept: with the message, or when the neighbours have confirmed theirs.
    mutating func keepReceived(
        _ identifier: UInt16, _ dispatch: inout Dispatch, _ connection: UnsafeMutablePointer<Connection>
    ) {
        let slot = connection.pointee.session
        let session = sessions.pointer(slot)
        guard let queue = session.pointee.details?.storage?.queue else { return }
        guard let confirmation = dispatch.confirmation else {
            dispatch.waitsForStorage = true
            let token = batchToken()
            storage.batch.changes.append(.received(queue, identifier: identifier))
            // Where an earlier run noted receivers and this is refused, that goes too.
            if let exchange = dispatch.exchange, neighbours.shares[exchange.key] != nil {
                let gate = gate(identifier, slot, queue, left: 0)
                storage.await(token, .open(gate))
                dispatch.confirmation = gate.token
            }
            return
        }
        let gate = gate(identifier, slot, queue, left: dispatch.waitsForStorage ? 2 : 1)
        storage.await(confirmation, .everyoneHas(gate))
        if dispatch.waitsForStorage { storage.await(batchToken(), .everyoneHas(gate)) }
        dispatch.confirmation = gate.token
    }

    private mutating func gate(
        _ identifier: UInt16, _ slot: UInt32, _ queue: QueueID, left: Int
    ) -> ReceivedGate {
        let gate = ReceivedGate(
            session: slot, generation: sessions.pointer(slot).pointee.generation, queue: queue, identifier: identifier,
            token: storage.openConfirmation(), left: left)
        storage.expect(answers: 1, of: gate.token)
        return gate
    }

    /// The neighbours have the message, or its share here is kept; or not.
    mutating func everyoneHas(_ gate: ReceivedGate, _ failure: StorageFailure?) {
        gate.left -= 1
        if let failure { gate.failure = failure }
        guard gate.left == 0 else { return }
        guard gate.failure == nil, isSession(gate.session, gate.generation),
            sessions.pointer(gate.session).pointee.received.contains(gate.identifier)
        else { return open(gate, gate.failure, isOver: true) }
        storage.batch.changes.append(.received(gate.queue, identifier: gate.identifier))
        storage.await(batchToken(), .open(gate))
    }

    /// The publisher may hear of it. Over without PUBREL, or refused where no 3.x client repeats it, what was noted of its
    /// receivers may go: a while later, when the identifier is free.
    mutating func open(_ gate: ReceivedGate, _ failure: StorageFailure?, isOver: Bool = false) {
        storage.heard(gate.token, failure)
        guard isOver || failure != nil else { return }
        if isSession(gate.session, gate.generation), sessions.pointer(gate.session).pointee.version != .v5 { return }
        askAgain { $0.gates.append(gate) }
    }

    /// What was noted of the receivers of a message that is over without PUBREL (`Shard+share`) leaves storage; where the
    /// identifier is in use again, with that.
    mutating func forgetReceivers(of gate: ReceivedGate) {
        if isSession(gate.session, gate.generation),
            sessions.pointer(gate.session).pointee.received.contains(gate.identifier)
        {
            return
        }
        storage.await(batchToken(), .forgotReceivers(gate))
        storage.batch.changes.append(.released(gate.queue, identifier: gate.identifier))
    }
}
