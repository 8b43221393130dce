import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Replies to a publisher that must not overtake each other: PUBACKs and PUBRECs leave in the order the PUBLISHes came,
/// though some wait for storage. [5.0 MQTT-4.6.0-2] [5.0 MQTT-4.6.0-3]
struct PendingReplies {
    struct Reply {
        var type: PacketType
        var identifier: UInt16
        var reason: ReasonCode
        /// What it waits for: storage, and neighbours; both nil = ready.
        var token: StorageToken?
        var other: StorageToken?
        /// The codes of a SUBACK or UNSUBACK.
        var codes: [ReasonCode] = []

        var isReady: Bool { token == nil && other == nil }
    }

    /// Replies of one connection that wait, at most: then it is not read until half of them have left.
    static let waitingMax = 1024

    var waiting: Deque<Reply> = []
    /// Its reading is paused because so many wait.
    var holdsReading = false
}

extension Shard {
    // MARK: Replies to what a client publishes

    /// The reply to a message that has been forwarded: at once, or when it is kept.
    @inline(__always)
    mutating func reply(
        _ type: PacketType, _ identifier: UInt16, to dispatch: inout Dispatch,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        let reason: ReasonCode =
            dispatch.receivers == 0 && connection.pointee.version == .v5 ? .noMatchingSubscribers : .success
        if dispatch.waitsForStorage || dispatch.confirmation != nil || connection.pointee.hasWaitingReplies {
            return queueReply(
                .init(
                    type: type, identifier: identifier, reason: reason,
                    token: dispatch.waitsForStorage ? batchToken() : nil, other: dispatch.confirmation),
                connection, slot)
        }
        sendReply(type, identifier, reason, connection, slot)
    }

    /// A reply that waits for nothing but its turn.
    mutating func reply(
        _ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        if connection.pointee.hasWaitingReplies {
            return queueReply(.init(type: type, identifier: identifier, reason: reason), connection, slot)
        }
        sendReply(type, identifier, reason, connection, slot)
    }

    mutating func queueReply(
        _ reply: PendingReplies.Reply, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        connection.pointee.hasWaitingReplies = true
        let extras = extras(of: connection)
        // Whoever releases the one before releases this one too, where both wait for the same.
        let before = extras.replies.waiting.last
        extras.replies.waiting.append(reply)
        if let token = reply.token, token != before?.token { storage.await(token, .replies(id(of: slot))) }
        if let other = reply.other, other != before?.other { storage.await(other, .replies(id(of: slot))) }
        if extras.replies.waiting.count >= PendingReplies.waitingMax, !extras.replies.holdsReading {
            extras.replies.holdsReading = true
            pause(slot)
        }
    }

    /// Sends what is ready at the front. `token` has been kept, or `failure` says why not.
    mutating func releaseReplies(_ id: ConnectionID, _ token: StorageToken, _ failure: StorageFailure?) {
        guard exists(id) else { return }
        let connection = connections.pointer(id.slot)
        guard let extras = connection.pointee.extras, connection.pointee.phase == .open else { return }
        for i in extras.replies.waiting.indices
        where extras.replies.waiting[i].token == token || extras.replies.waiting[i].other == token {
            let canSayNo = connection.pointee.version == .v5 && extras.replies.waiting[i].type != .pubcomp
            guard failure == nil || canSayNo else {
                if failure == .quota { return waitForRoom(connection, id.slot) }
                // 3.x, and PUBCOMP, have no way to say no: without an answer the client will send it again.
                return fail(id.slot, .refused(.implementationSpecificError))
            }
            if extras.replies.waiting[i].token == token { extras.replies.waiting[i].token = nil }
            if extras.replies.waiting[i].other == token { extras.replies.waiting[i].other = nil }
            if let failure { extras.replies.waiting[i].fail(failure) }
        }
        while let next = extras.replies.waiting.first, next.isReady {
            extras.replies.waiting.removeFirst()
            switch next.type {
            case .suback, .unsuback: sendCodes(next.type, next.identifier, next.codes, connection, id.slot)
            case .pingresp: sendPingresp(connection, id.slot)
            case .pubcomp where next.reason == .packetIdentifierNotFound:
                sendUnknown(next.identifier, connection, id.slot)
            default: sendReply(next.type, next.identifier, next.reason, connection, id.slot)
            }
        }
        connection.pointee.hasWaitingReplies = !extras.replies.waiting.isEmpty
        if extras.replies.holdsReading, extras.replies.waiting.count <= PendingReplies.waitingMax / 2 {
            extras.replies.holdsReading = false
            resume(id.slot)
        }
    }

    @inline(__always)
    mutating func sendReply(
        _ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        // Our Receive Maximum counts until PUBACK, PUBCOMP or a refusing PUBREC. §4.9
        if type != .pubrec || reason.isError { release(connection) }
        if reason == .notAuthorized {
            sendDenial(type, identifier, connection, slot)
        } else {
            sendAcknowledgement(type, identifier, reason, connection, slot)
        }
        holdIfFull(connection, slot)
    }

    @inline(__always)
    private func release(_ connection: UnsafeMutablePointer<Connection>) {
        if connection.pointee.unacknowledged > 0 { connection.pointee.unacknowledged &-= 1 }
    }

    @inline(__always)
    mutating func sendAcknowledgement(
        _ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        let hasReason = reason != .success && connection.pointee.version == .v5
        let at = outbox.room(hasReason ? 5 : 4, connection, slot)
        at.storeBytes(of: type.rawValue << 4 | type.fixedFlags, as: UInt8.self)
        at.storeBytes(of: hasReason ? 3 : 2, toByteOffset: 1, as: UInt8.self)
        at.storeBytes(of: identifier.bigEndian, toByteOffset: 2, as: UInt16.self)
        if hasReason { at.storeBytes(of: reason.rawValue, toByteOffset: 4, as: UInt8.self) }
        counters.packetsSent &+= 1
        if let client = debugName(connection) {
            log(.debug, .sending(type, client: client, identifier: identifier, reason: reason.rawValue))
        }
    }

    // MARK: Acknowledgements from a client

    /// PUBACK, PUBREC, PUBREL or PUBCOMP came. §3.4 to §3.7, §4.3
    mutating func receiveAcknowledgement(
        _ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        let sessionSlot = connection.pointee.session
        let session = sessions.pointer(sessionSlot)
        if let client = debugName(connection) {
            log(.debug, .received(type, client: client, identifier: identifier, reason: reason.rawValue))
        }
        switch type {
        case .puback:
            guard session.pointee.window.state(of: identifier) == .puback else { return }
            complete(identifier, sessionSlot, session)
        case .pubrec: receivePubrec(identifier, reason, sessionSlot, session, connection, slot)
        case .pubcomp:
            guard session.pointee.window.state(of: identifier) == .pubcomp else { return }
            complete(identifier, sessionSlot, session)
        default: receivePubrel(identifier, session, connection, slot)
        }
    }

    /// A message has reached its subscriber: its place is free for the next.
    @inline(__always)
    private mutating func complete(_ identifier: UInt16, _ slot: UInt32, _ session: UnsafeMutablePointer<Session>) {
        guard let outgoing = session.pointee.window.close(identifier) else { return }
        if outgoing.position != .start { keepAcknowledged(outgoing.position, slot) }
        outgoing.message.release()
        if !session.pointee.queue.isEmpty || session.pointee.details != nil { pump(slot) }
    }

    private mutating func receivePubrec(
        _ identifier: UInt16, _ reason: ReasonCode, _ slot: UInt32, _ session: UnsafeMutablePointer<Session>,
        _ connection: UnsafeMutablePointer<Connection>, _ connectionSlot: UInt32
    ) {
        switch session.pointee.window.state(of: identifier) {
        case .pubrec where reason.isError:
            complete(identifier, slot, session)  // the receiver does not want it: no PUBREL. §4.3.3
        case .pubrec:
            session.pointee.window.advance(identifier, to: .pubcomp)
            if let position = session.pointee.window.payload(of: identifier)?.position, position != .start {
                keepPubrec(identifier, position, slot)
            } else {
                // [5.0 MQTT-4.3.3-4] [3.1.1 MQTT-4.3.3-1]
                sendAcknowledgement(.pubrel, identifier, .success, connection, connectionSlot)
            }
        case .pubcomp:
            // While its PUBREC is not kept PUBREL waits for that.
            if !reason.isError, session.pointee.details?.releases.contains(identifier) != true {
                sendAcknowledgement(.pubrel, identifier, .success, connection, connectionSlot)
            }
        default:
            if !reason.isError {
                sendAcknowledgement(.pubrel, identifier, .packetIdentifierNotFound, connection, connectionSlot)
            }
        }
        holdIfFull(connection, connectionSlot)
    }

    private mutating func receivePubrel(
        _ identifier: UInt16, _ session: UnsafeMutablePointer<Session>,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        let wasHeld = session.pointee.received.remove(identifier)
        let reason: ReasonCode = wasHeld ? .success : .packetIdentifierNotFound
        // Also one that is not held: its release may be on its way into the log, or may have been refused.
        if let queue = session.pointee.details?.storage?.queue {
            storage.batch.changes.append(.released(queue, identifier: identifier))
            if !neighbours.shares.isEmpty { forgetShares(Exchange.Key(queue: queue, identifier: identifier)) }
            return queueReply(
                .init(type: .pubcomp, identifier: identifier, reason: reason, token: batchToken()), connection, slot)
        }
        // PUBCOMP always, also for an identifier we do not know. [5.0 MQTT-4.3.3-11] [3.1.1 MQTT-4.3.3-2]
        if wasHeld {
            reply(.pubcomp, identifier, reason, connection, slot)
        } else if connection.pointee.hasWaitingReplies {
            queueReply(.init(type: .pubcomp, identifier: identifier, reason: reason), connection, slot)
        } else {
            sendUnknown(identifier, connection, slot)
        }
    }

    /// PUBCOMP for an identifier that we do not know: nothing that counted against our Receive Maximum ends with it.
    private mutating func sendUnknown(
        _ identifier: UInt16, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        sendAcknowledgement(.pubcomp, identifier, .packetIdentifierNotFound, connection, slot)
        holdIfFull(connection, slot)
    }

    /// Remembers a QoS 2 identifier until PUBREL.
    func holdReceived(_ identifier: UInt16, _ connection: UnsafeMutablePointer<Connection>) {
        let isNew = sessions.pointer(connection.pointee.session).pointee.received.insert(identifier)
        precondition(isNew, "a repetition does not come here")
    }

    /// The message of a QoS 2 identifier is on its way to be kept: before that no PUBREC may be sent, on this connection
    /// or the next; where keeping fails, the identifier is free, and its message would be new. §4.3.3
    mutating func awaitReceived(
        _ identifier: UInt16, _ dispatch: inout Dispatch, _ connection: UnsafeMutablePointer<Connection>
    ) {
        guard dispatch.waitsForStorage || dispatch.confirmation != nil else { return }
        let slot = connection.pointee.session
        let reply = PendingReplies.Reply(
            type: .pubrec, identifier: identifier, reason: .success,
            token: dispatch.waitsForStorage ? batchToken() : nil, other: dispatch.confirmation)
        details(of: slot).unkept[identifier] = reply
        let generation = sessions.pointer(slot).pointee.generation
        for token in [reply.token, reply.other].compactMap(\.self) {
            storage.await(token, .received(session: slot, generation: generation, identifier: identifier))
        }
    }

    /// What a QoS 2 message waited for has been answered.
    mutating func settleReceived(
        _ identifier: UInt16, _ slot: UInt32, _ token: StorageToken, _ failure: StorageFailure?
    ) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, var reply = details.unkept[identifier],
            reply.token == token || reply.other == token
        else { return }
        if reply.token == token { reply.token = nil }
        if reply.other == token { reply.other = nil }
        details.unkept[identifier] = failure != nil || reply.isReady ? nil : reply
        if failure != nil { _ = session.pointee.received.remove(identifier) }
    }

    /// A QoS 2 message came again, whatever DUP says: PUBREC again, no second delivery. [5.0 MQTT-4.3.3-10]
    mutating func receiveRepetition(
        _ identifier: UInt16, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        guard let unkept = sessions.pointer(connection.pointee.session).pointee.details?.unkept[identifier] else {
            return reply(.pubrec, identifier, .success, connection, slot)
        }
        queueReply(unkept, connection, slot)
    }
}

extension PendingReplies.Reply {
    /// Storage did not keep it: the reply says so.
    mutating func fail(_ failure: StorageFailure) {
        reason = failure == .quota ? .quotaExceeded : .implementationSpecificError
        codes = codes.map { $0.isError ? $0 : .implementationSpecificError }
    }
}
