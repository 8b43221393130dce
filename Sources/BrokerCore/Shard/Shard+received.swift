import MQTTDelivery
import MQTTProtocol

/// The identifier of a QoS 2 message from a persistent session is kept before PUBREC leaves, and not before everyone has
/// the message: whoever sends it again after a crash is told "received" only where it was. In one shard both stand in
/// one batch. What neighbours keep is in batches of their own, so theirs come first. A crash between can give the message
/// to their subscribers twice; the other order would lose it.
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
            _ = batchToken()
            return storage.batch.changes.append(.received(queue, identifier: identifier))
        }
        // PUBREC waits for this gate: the neighbours, and then the identifier.
        let gate = storage.openConfirmation()
        storage.expect(answers: 1, of: gate)
        storage.await(
            confirmation,
            .neighboursHave(
                session: slot, generation: session.pointee.generation, identifier: identifier, gate: gate))
        dispatch.confirmation = gate
    }

    /// The neighbours have the message, or could not keep it.
    mutating func neighboursHave(
        _ identifier: UInt16, _ slot: UInt32, _ generation: UInt32, _ gate: StorageToken, _ failure: StorageFailure?
    ) {
        guard failure == nil, isSession(slot, generation), sessions.pointer(slot).pointee.received.contains(identifier),
            let queue = sessions.pointer(slot).pointee.details?.storage?.queue
        else { return storage.heard(gate, failure) }
        storage.batch.changes.append(.received(queue, identifier: identifier))
        storage.await(batchToken(), .open(gate))
    }
}
