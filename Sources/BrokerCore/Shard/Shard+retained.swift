import MQTTDelivery
import MQTTProtocol

/// A new subscription that wants the retained messages it matches.
struct RetainedRequest {
    var filter: MQTTString
    var options: DeliveryOptions
    var identifier: UInt32
}

/// New subscriptions whose SUBACK and retained messages wait for the neighbours.
struct RetainedStart {
    var connection: ConnectionID
    /// What the SUBACK waits for.
    var reply: StorageToken
    var session: UInt32
    var generation: UInt32
    var requests: [RetainedRequest]
}

/// Retained messages on their way to one new subscription.
struct RetainedDelivery {
    var walk: RetainedTree.WalkID
    var options: DeliveryOptions
    var identifier: UInt32
}

extension Shard {
    /// Nodes looked at before others get their turn.
    static var retainedStepsMax: Int { 4096 }
    /// Messages on their way into the log for a session before more retained ones follow them.
    static var retainedArrivingMax: Int { 16 }

    /// A PUBLISH with RETAIN: the topic's message from now on, or none. [5.0 MQTT-3.3.1-5] [5.0 MQTT-3.3.1-6]
    /// - Parameter source: whose it is; nil = the server's.
    mutating func setRetained(_ dispatch: inout Dispatch, by source: AccessSubject?) {
        guard neighbours.isAlone else { return sendRetained(&dispatch, by: source) }
        guard dispatch.parts.payload.count > 0 else {
            // [5.0 MQTT-3.3.1-6] [5.0 MQTT-3.3.1-7] [3.1.1 MQTT-3.3.1-10] [3.1.1 MQTT-3.3.1-11]
            // Where it is gone already, its deletion may still be on its way to storage: this one waits behind it.
            guard retained.remove(dispatch.parts.topic) || !storage.isSettled, Shard.outlives(dispatch.parts.topic)
            else { return }
            storage.removeRetained([UInt8](dispatch.parts.topic))
            dispatch.waitsForStorage = true
            return
        }
        let message = dispatch.owned()
        message.retain()
        retained.set(message, by: source)
        guard Shard.outlives(dispatch.parts.topic) else { return }
        let index = logged(&dispatch, by: source)
        storage.batch.retained.append(index)
        dispatch.waitsForStorage = true
    }

    /// Whether the topic's retained message is kept over a restart: what the broker says of itself is not.
    private static func outlives(_ topic: UnsafeRawBufferPointer) -> Bool {
        topic.first != UInt8(ascii: "$") || !topic.starts(with: "$SYS/".utf8)
    }

    // MARK: One order for all shards

    /// To the shard that orders its topic's retained messages: every shard has a copy, and all must agree on the last.
    private mutating func sendRetained(_ dispatch: inout Dispatch, by source: AccessSubject?) {
        let home = neighbours.home(dispatch.parts.topic)
        guard home != index else {
            orderRetained(dispatch.parts, by: source, from: origin(of: &dispatch))
            if dispatch.parts.qos > 0 { dispatch.confirmation = confirmation(by: others) }
            dispatch.waitsForStorage = true
            return
        }
        let message = pack(dispatch.parts, for: home, from: origin(of: &dispatch))
        neighbours.say(.retain(message, by: source), to: home)
        if dispatch.parts.qos > 0 { confirm(by: home, &dispatch) }
    }

    /// This shard orders the topic: its own copy, storage, and everybody else's copy.
    mutating func orderRetained(_ parts: MessageParts, by source: AccessSubject?, from publisher: Origin?) {
        applyRetained(parts, by: source)
        if !Shard.outlives(parts.topic) {
            // Every shard's copy, and nothing more.
        } else if parts.payload.count > 0 {
            var dispatch = Dispatch(parts: parts)
            storage.batch.retained.append(logged(&dispatch, by: source))
        } else {
            storage.removeRetained([UInt8](parts.topic))
        }
        for shard in 0..<neighbours.count where shard != index {
            let message = pack(parts, for: shard, from: publisher)
            neighbours.say(.retained(message, by: source), to: shard)
        }
        if parts.qos > 0 { _ = confirmation(by: others) }
    }

    mutating func applyRetained(_ parts: MessageParts, by source: AccessSubject?) {
        guard parts.payload.count > 0 else { return _ = retained.remove(parts.topic) }
        retained.set(Message.make(parts), by: source)
    }

    // MARK: Delivery to new subscriptions

    /// Retained messages for new subscriptions: sent as the reader takes them, never gathered.
    mutating func startRetained(_ requests: [RetainedRequest], _ slot: UInt32) {
        guard retained.count > 0 else { return }
        for request in requests {
            details(of: slot).retained.append(
                RetainedDelivery(
                    walk: retained.walk(request.filter), options: request.options, identifier: request.identifier))
        }
        pump(slot)
    }

    /// Goes on with the first retained delivery of a session, as far as window and socket allow.
    mutating func pumpRetained(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details else { return }
        let connectionSlot = session.pointee.connection
        let connection = connections.pointer(connectionSlot)
        while let delivery = details.retained.first {
            // A tick's worth at a time: the next flush comes back here.
            guard connection.pointee.isWritable, connection.pointee.flow == .flowing,
                connection.pointee.outputCount &+ connection.pointee.outputShared < Outbox.earlyFlushBytes
            else { return }
            // Those on their way into the log come back here too.
            if details.arriving >= Shard.retainedArrivingMax { return }
            if delivery.options.qos > 0,
                !session.pointee.window.hasRoom(limit: connection.pointee.sendLimit)
            {
                return  // an acknowledgement comes back here
            }
            let (message, isPaused) = retained.next(delivery.walk, at: now, stepsMax: Shard.retainedStepsMax)
            if let message {
                sendRetained(message, delivery, slot, connection, connectionSlot)
            } else if isPaused {
                outbox.touch(connection, connectionSlot)
                return
            } else {
                retained.cancel(delivery.walk)
                details.retained.removeFirst()
            }
        }
    }

    /// Whether a retained message goes to this session by way of the log.
    private func keepsRetained(_ message: Message, _ session: UnsafeMutablePointer<Session>) -> Bool {
        session.pointee.details?.storage != nil && storage.hasRoom
            && limitHit(session, messages: 1, bytes: message.queuedSize) == nil
    }

    /// At QoS 2 its identifier must survive a crash, and so it goes into the session's queue like any other; only a few at
    /// a time, and it counts as new there.
    private mutating func storeRetained(
        _ message: Message, _ delivery: RetainedDelivery, _ slot: UInt32, _ session: UnsafeMutablePointer<Session>
    ) {
        var parts = message.parts
        parts.storedAt = 0
        var dispatch = Dispatch(parts: parts)
        store(
            Delivery(session: slot, qos: 2, retain: true, identifier: delivery.identifier), session, &dispatch,
            isRetained: true)
        dispatch.finish()
    }

    private mutating func sendRetained(
        _ message: Message, _ delivery: RetainedDelivery, _ slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, _ connectionSlot: UInt32
    ) {
        let session = sessions.pointer(slot)
        if delivery.options.noLocal, message.header.pointee.publisher == session.pointee.clientKey { return }
        if policy != nil, !mayReceive(slot, message.topic) || !mayStillStand(message, slot) { return }
        let qos = grantedQoS(delivery.options.qos, message.header.pointee.qos)
        if qos == 2, keepsRetained(message, session) { return storeRetained(message, delivery, slot, session) }
        message.retain()
        // Sent because of a subscription: RETAIN is 1, whatever Retain As Published says. [5.0 MQTT-3.3.1-8] [3.1.1 MQTT-3.3.1-8]
        let outgoing = Outgoing(
            message: message, subscriptionIdentifier: delivery.identifier, qos: qos, retain: true, position: .start)
        sendQueued(outgoing, slot, session, connection, connectionSlot)
    }

    /// Whether whoever published a retained message may still publish there: else nobody new hears it, as in mosquitto
    /// (`check_retain_source`). It stays, and is heard again when its publisher has the right again.
    private mutating func mayStillStand(_ message: Message, _ slot: UInt32) -> Bool {
        guard let policy, settings.checksRetainSource, let source = retained.source(of: message.topic) else {
            return true
        }
        let decision = policy.decide(source, .publish, message.topic)
        if !decision.isAllowed, !settings.logInterest.isDisjoint(with: .debug) {
            let why = policy.describe(decision.reason) + "; its retained message is held back (check_retain_source)"
            effects.append(
                .log(.denied(.publish, source, topic: [UInt8](message.topic), why: why, isDetail: true)))
        }
        return decision.isAllowed
    }
}
