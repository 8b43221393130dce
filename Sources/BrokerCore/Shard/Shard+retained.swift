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
    mutating func setRetained(_ dispatch: inout Dispatch) {
        guard neighbours.isAlone else { return sendRetained(&dispatch) }
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
        retained.set(message)
        guard Shard.outlives(dispatch.parts.topic) else { return }
        let index = logged(&dispatch)
        storage.batch.retained.append(index)
        dispatch.waitsForStorage = true
    }

    /// Whether the topic's retained message is kept over a restart: what the broker says of itself is not.
    private static func outlives(_ topic: UnsafeRawBufferPointer) -> Bool {
        topic.first != UInt8(ascii: "$") || !topic.starts(with: "$SYS/".utf8)
    }

    // MARK: One order for all shards

    /// To the shard that orders its topic's retained messages: every shard has a copy, and all must agree on the last.
    private mutating func sendRetained(_ dispatch: inout Dispatch) {
        let home = neighbours.home(dispatch.parts.topic)
        guard home != index else {
            orderRetained(dispatch.parts, from: origin(of: &dispatch))
            if dispatch.parts.qos > 0 { dispatch.confirmation = confirmation(by: others) }
            dispatch.waitsForStorage = true
            return
        }
        let message = pack(dispatch.parts, for: home, from: origin(of: &dispatch))
        neighbours.say(.retain(message), to: home)
        if dispatch.parts.qos > 0 { confirm(by: home, &dispatch) }
    }

    /// This shard orders the topic: its own copy, storage, and everybody else's copy.
    mutating func orderRetained(_ parts: MessageParts, from publisher: Origin?) {
        applyRetained(parts)
        if !Shard.outlives(parts.topic) {
            // Every shard's copy, and nothing more.
        } else if parts.payload.count > 0 {
            var dispatch = Dispatch(parts: parts)
            storage.batch.retained.append(logged(&dispatch))
        } else {
            storage.removeRetained([UInt8](parts.topic))
        }
        for shard in 0..<neighbours.count where shard != index {
            let message = pack(parts, for: shard, from: publisher)
            neighbours.say(.retained(message), to: shard)
        }
        if parts.qos > 0 { _ = confirmation(by: others) }
    }

    mutating func applyRetained(_ parts: MessageParts) {
        if parts.payload.count > 0 { retained.set(Message.make(parts)) } else { retained.remove(parts.topic) }
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
        if policy != nil, !mayReceive(slot, message.topic) { return }
        let qos = grantedQoS(delivery.options.qos, message.header.pointee.qos)
        if qos == 2, keepsRetained(message, session) { return storeRetained(message, delivery, slot, session) }
        message.retain()
        // Sent because of a subscription: RETAIN is 1, whatever Retain As Published says. [5.0 MQTT-3.3.1-8] [3.1.1 MQTT-3.3.1-8]
        let outgoing = Outgoing(
            message: message, subscriptionIdentifier: delivery.identifier, qos: qos, retain: true, position: .start)
        sendQueued(outgoing, slot, session, connection, connectionSlot)
    }
}
