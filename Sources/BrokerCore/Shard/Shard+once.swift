import DequeModule
import MQTTProtocol

/// QoS 0 messages that waited in the log and are leaving it: each is sent when the log has let go of it. The other order
/// would send it again after a crash between; a message at QoS 0 comes once or not at all, §4.3.1.
struct LeavingMessages {
    private struct Leaving {
        var outgoing: Outgoing
        /// The batch in which it leaves the log.
        var token: StorageToken
    }

    private var messages: Deque<Leaving> = []
    /// What they will take in the connection's output, about: they count as if they stood there.
    private(set) var bytes = 0

    var isEmpty: Bool { messages.isEmpty }
    /// The batch of the last.
    var lastToken: StorageToken? { messages.last?.token }

    mutating func append(_ outgoing: Outgoing, _ token: StorageToken) {
        bytes += outgoing.message.queuedSize
        messages.append(Leaving(outgoing: outgoing, token: token))
    }

    /// The next that left with this batch, or before it.
    mutating func take(_ token: StorageToken) -> Outgoing? {
        guard let first = messages.first, first.token <= token else { return nil }
        bytes -= first.outgoing.message.queuedSize
        return messages.removeFirst().outgoing
    }

    mutating func removeAll() {
        for leaving in messages { leaving.outgoing.message.release() }
        messages.removeAll()
        bytes = 0
    }
}

extension Shard {
    /// Takes a QoS 0 message out of the log, to be sent when that is kept.
    mutating func sendOnce(_ outgoing: Outgoing, _ slot: UInt32) {
        let details = details(of: slot)
        keepAcknowledged(outgoing.position, slot)
        let token = batchToken()
        if details.leaving.lastToken != token {
            storage.await(token, .leaving(session: slot, generation: sessions.pointer(slot).pointee.generation))
        }
        details.leaving.append(outgoing, token)
    }

    /// They have left the log. Where storage refused, they are sent all the same, and leave it later.
    mutating func settleLeaving(_ slot: UInt32, _ token: StorageToken) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details else { return }
        while let outgoing = details.leaving.take(token) {
            let connection = session.pointee.connection
            if session.pointee.isOnline, connections.pointer(connection).pointee.phase == .open {
                write(
                    outgoing, 0, duplicate: false, connections.pointer(connection), connection, publisher: nil)
            }
            outgoing.message.release()
        }
        pump(slot)
    }
}
