import MQTTDelivery
import MQTTProtocol

/// How one receiver gets one message.
struct Delivery {
    var session: UInt32
    var qos: UInt8
    var retain: Bool
    /// The Subscription Identifier, 0 = none.
    var identifier: UInt32
    /// The shared subscription it comes by, 0 = none.
    var group: UInt32 = 0
}

extension Shard {
    /// Payloads of at least this many bytes are shared between receivers, not copied.
    static var sharedPayloadBytesMin: Int { 2048 }

    /// Sends a message to everyone in the plan. [5.0 MQTT-3.3.4-1] [3.1.1 MQTT-3.3.5-1]
    mutating func forward(_ plan: UnsafeMutablePointer<RouteCache.Plan>, _ dispatch: inout Dispatch) {
        let count = Int(plan.pointee.count)
        let subscribers = RouteCache.Plan.subscribers(plan)
        let qos = dispatch.parts.qos
        let hasOverlaps = plan.pointee.hasOverlaps
        var i = 0
        while i < count {
            let subscriber = subscribers[i]
            if subscriber.kind == .session, !hasOverlaps {
                i &+= 1
                // [5.0 MQTT-3.8.3-3]: not back to the connection it came from.
                if subscriber.options.noLocal, subscriber.slot == dispatch.session { continue }
                dispatch.receivers &+= 1
                deliver(
                    Delivery(
                        session: subscriber.slot, qos: grantedQoS(subscriber.options.qos, qos),
                        retain: dispatch.parts.retain && subscriber.options.retainAsPublished,
                        identifier: subscriber.identifier),
                    &dispatch)
            } else if subscriber.kind == .session {
                var end = i &+ 1
                while end < count, subscribers[end].kind == .session, subscribers[end].slot == subscriber.slot {
                    end &+= 1
                }
                forwardOverlapping(UnsafeBufferPointer(start: subscribers + i, count: end &- i), &dispatch)
                i = end
            } else {
                // Several filters of one neighbour match: it hears the message once and finds them itself.
                let isKnown =
                    subscriber.kind == .shard && i > 0 && subscribers[i &- 1].kind == .shard
                    && subscribers[i &- 1].slot == subscriber.slot
                i &+= 1
                if !isKnown { forwardElsewhere(subscriber, plan.pointee.number, &dispatch) }
            }
        }
        dispatch.finish()
    }

    /// Delivered QoS is the smaller of published and granted. [5.0 MQTT-3.8.4-8] [3.1.1 MQTT-3.8.4-6]
    @inline(__always)
    func grantedQoS(_ granted: UInt8, _ published: UInt8) -> UInt8 {
        settings.upgradesOutgoingQoS ? granted : min(granted, published)
    }

    /// Several subscriptions of one session match: one copy, at the highest QoS, with all identifiers.
    /// [5.0 MQTT-3.3.4-2] [5.0 MQTT-3.3.4-3] [3.1.1 MQTT-3.3.5-1]
    @inline(never)
    private mutating func forwardOverlapping(_ all: UnsafeBufferPointer<Subscriber>, _ dispatch: inout Dispatch) {
        var delivery = Delivery(session: all[0].slot, qos: 0, retain: false, identifier: 0)
        var identifiers: [UInt32] = []
        var isMeant = false
        for subscriber in all where !(subscriber.options.noLocal && subscriber.slot == dispatch.session) {
            isMeant = true
            delivery.qos = max(delivery.qos, grantedQoS(subscriber.options.qos, dispatch.parts.qos))
            delivery.retain = delivery.retain || (dispatch.parts.retain && subscriber.options.retainAsPublished)
            if subscriber.identifier != 0 { identifiers.append(subscriber.identifier) }
        }
        guard isMeant else { return }
        dispatch.receivers &+= 1
        guard identifiers.count > 1 else {
            delivery.identifier = identifiers.first ?? 0
            return deliver(delivery, &dispatch)
        }
        deliver(delivery, identifiers: identifiers, &dispatch)
    }

    private mutating func forwardElsewhere(
        _ subscriber: Subscriber, _ plan: UInt64, _ dispatch: inout Dispatch
    ) {
        switch subscriber.kind {
        case .group: forwardShared(subscriber.slot, plan: plan, &dispatch)
        case .shard: if !dispatch.isFromNeighbour { forward(to: Int(subscriber.slot), &dispatch) }
        case .session: break
        }
    }

    // MARK: To one session

    @inline(__always)
    mutating func deliver(_ delivery: Delivery, _ dispatch: inout Dispatch) {
        let session = sessions.pointer(delivery.session)
        guard session.pointee.isOnline else { return deliverOffline(delivery, session, &dispatch) }
        let slot = session.pointee.connection
        let connection = connections.pointer(slot)
        if delivery.qos == 0 {
            // Behind those that were kept while the client was away. [5.0 MQTT-4.6.0-6]
            if settings.queuesQoS0, hasWaiting(session) { return store(delivery, session, &dispatch) }
            guard connection.pointee.flow == .flowing || admits(connection, slot, &dispatch) else { return }
            guard delivery.identifier == 0 || connection.pointee.version != .v5, !connection.pointee.encodesEach,
                !settings.logInterest.contains(.debug)
            else { return deliverEncoded(delivery, connection, slot, &dispatch) }
            send(delivery, 0, connection, slot, &dispatch)
        } else if session.pointee.details?.storage != nil {
            store(delivery, session, &dispatch)
        } else if session.pointee.queue.isEmpty, session.pointee.window.hasRoom(limit: connection.pointee.sendLimit),
            connection.pointee.flow == .flowing,
            settings.inflightBytesMax == 0 || hasBytes(session, for: dispatch.owned())
        {
            let message = dispatch.owned()
            message.retain()
            let outgoing = Outgoing(
                message: message, subscriptionIdentifier: delivery.identifier, qos: delivery.qos,
                retain: delivery.retain, position: .start, group: delivery.group)
            guard !exceeds(connection, outgoing, dispatch.expirySeconds) else { return dropTooLarge(message) }
            let identifier = session.pointee.window.open(
                outgoing, awaiting: delivery.qos == 1 ? .puback : .pubrec)
            guard delivery.identifier == 0 || connection.pointee.version != .v5, !connection.pointee.encodesEach,
                !settings.logInterest.contains(.debug)
            else {
                return write(
                    outgoing, identifier, duplicate: false, connection, slot, publisher: origin(of: &dispatch))
            }
            send(delivery, identifier, connection, slot, &dispatch)
        } else {
            let message = dispatch.owned()
            message.retain()
            enqueue(
                Outgoing(
                    message: message, subscriptionIdentifier: delivery.identifier, qos: delivery.qos,
                    retain: delivery.retain, position: .start, group: delivery.group), delivery.session, &dispatch)
            // It waits for acknowledgements or for its reader: whoever fills it waits with it.
            if connection.pointee.flow == .blocked { hold(origin(of: &dispatch), for: connection) }
        }
    }

    /// Copies the packet of the receiver's shape into its run: no value is built.
    @inline(__always)
    private mutating func send(
        _ delivery: Delivery, _ identifier: UInt16, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32,
        _ dispatch: inout Dispatch
    ) {
        let template = template(Template.shape(connection.pointee.version, qos: delivery.qos), &dispatch)
        // [5.0 MQTT-3.1.2-24] [5.0 MQTT-3.1.2-25]: too large for this receiver, as if it had been sent.
        guard template.count <= connection.pointee.maximumPacketSize else {
            counters.publishesDropped &+= 1
            return
        }
        let payload = dispatch.parts.payload.count
        let copied = payload >= Shard.sharedPayloadBytesMin ? template.count &- payload : template.count
        let at = outbox.room(copied, connection, slot)
        at.copyMemory(from: template.base, byteCount: copied)
        // DUP is never passed on. [5.0 MQTT-3.3.1-3] [3.1.1 MQTT-3.3.1-3]
        at.storeBytes(of: 0x30 | delivery.qos << 1 | (delivery.retain ? 1 : 0), as: UInt8.self)
        if delivery.qos > 0 {
            at.storeBytes(of: identifier.bigEndian, toByteOffset: template.identifierOffset, as: UInt16.self)
        }
        if copied != template.count { appendShared(dispatch.owned(), connection) }
        counters.packetsSent &+= 1
        counters.publishesSent &+= 1
        counters.payloadBytesSent &+= UInt64(payload)
        if connection.pointee.outputCount &+ connection.pointee.outputShared >= settings.outputBytesMax {
            fill(connection, slot, from: origin(of: &dispatch))
        }
    }

    /// Lets the payload stand behind the bytes written so far without copying it.
    private mutating func appendShared(_ message: Message, _ connection: UnsafeMutablePointer<Connection>) {
        message.retain()
        let extras = extras(of: connection)
        extras.shared.append((connection.pointee.outputCount, message))
        connection.pointee.outputShared &+= message.payload.count
        outbox.count(shared: message.payload.count)
    }

    /// QoS 0 with a Subscription Identifier, an alias or a debug line.
    @inline(never)
    private mutating func deliverEncoded(
        _ delivery: Delivery, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32, _ dispatch: inout Dispatch
    ) {
        let message = dispatch.owned()
        let outgoing = Outgoing(
            message: message, subscriptionIdentifier: delivery.identifier, qos: 0, retain: delivery.retain,
            position: .start)
        guard !exceeds(connection, outgoing, dispatch.expirySeconds) else {
            counters.publishesDropped &+= 1
            return
        }
        write(outgoing, 0, duplicate: false, connection, slot, publisher: origin(of: &dispatch))
    }

    /// One copy with several Subscription Identifiers: the message is this receiver's own.
    private mutating func deliver(_ delivery: Delivery, identifiers: [UInt32], _ dispatch: inout Dispatch) {
        scratch.removeAll()
        for identifier in identifiers {
            scratch.append(UInt8(0x0B))
            scratch.append(variable: Int(identifier))
        }
        var own = Dispatch(parts: dispatch.parts)
        own.message = Message.make(dispatch.parts, identifiers: scratch.bytes)
        own.session = dispatch.session
        own.connection = dispatch.connection
        own.remote = dispatch.remote
        own.exchange = dispatch.exchange
        own.expirySeconds = dispatch.expirySeconds
        own.logged = -1
        // Where it waits, it waits with them: an absent client may come back with 5.0.
        let session = sessions.pointer(delivery.session)
        if !session.pointee.isOnline || connections.pointer(session.pointee.connection).pointee.version == .v5 {
            // Encoded for itself, so that all identifiers come along.
            var marked = delivery
            marked.identifier = Outgoing.severalIdentifiers
            deliver(marked, &own)
        } else {
            deliver(delivery, &own)
        }
        if own.waitsForStorage { dispatch.waitsForStorage = true }
        own.finish()
    }

    private mutating func dropTooLarge(_ message: Message) {
        message.release()
        counters.publishesDropped &+= 1
    }
}
