import DequeModule
import MQTTDelivery
package import MQTTProtocol

extension Shard {
    /// DISCONNECT from the client, §3.14.
    mutating func receiveDisconnect(
        _ packet: Disconnect, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) throws(Fault) {
        let session = sessions.pointer(connection.pointee.session)
        if let client = debugName(connection) {
            log(.debug, .received(.disconnect, client: client, identifier: 0, reason: packet.reasonCode.rawValue))
        }
        if let seconds = packet.sessionExpiryIntervalSeconds {
            // From "ends with the connection" there is no way back. [5.0 MQTT-3.1.2-23] §3.14.2.2.2
            guard session.pointee.expiryIntervalSeconds > 0 || seconds == 0 else { throw .refused(.protocolError) }
            session.pointee.expiryIntervalSeconds = min(seconds, settings.persistentSessionSecondsMax ?? .max)
        }
        // Only reason 0x00 withdraws the will. [5.0 MQTT-3.14.4-3] [3.1.1 MQTT-3.14.4-3]
        if packet.reasonCode == .normalDisconnection { session.pointee.details?.will = nil }
        close(slot, .disconnected)
    }

    /// The network connection has gone. After this its name means nothing.
    package mutating func closed(_ id: ConnectionID, at now: Int64) {
        self.now = now
        guard exists(id) else { return }
        let connection = connections.pointer(id.slot)
        if connection.pointee.phase != .closing { detach(id.slot, .closed, keepingSession: false) }
        releaseWaiters(of: connection)
        outbox.clear(connection)
        if let extras = connection.pointee.extras {
            for shared in extras.shared { shared.message.release() }
        }
        connections.remove(id.slot)
    }

    /// Ends a connection because of what the peer did.
    mutating func fail(_ slot: UInt32, _ fault: Fault) {
        let connection = connections.pointer(slot)
        guard connection.pointee.phase != .closing else { return }
        // Not before CONNACK. [5.0 MQTT-3.14.0-1]
        if connection.pointee.phase == .open { sendDisconnect(fault.reasonCode, connection, slot) }
        switch fault {
        case .malformed(let error): close(slot, .fault(error))
        case .refused, .noRoom: close(slot, .refused(fault.reasonCode))
        }
    }

    /// Ends a connection for the server's own reasons: clients of 5.0 are told why.
    package mutating func disconnect(_ id: ConnectionID, _ code: ReasonCode, _ cause: DisconnectCause, at now: Int64) {
        self.now = now
        guard exists(id), connections.pointer(id.slot).pointee.phase != .closing else { return }
        let connection = connections.pointer(id.slot)
        if connection.pointee.phase == .open { sendDisconnect(code, connection, id.slot) }
        close(id.slot, cause)
    }

    /// The server goes down: everyone hears it. §3.14.2.1
    package mutating func shutDown(at now: Int64) {
        self.now = now
        for slot in 0..<UInt32(connections.highWater) where connections.isTaken(slot) {
            disconnect(id(of: slot), .serverShuttingDown, .shuttingDown, at: now)
        }
    }

    // MARK: Inside

    /// Lets a connection go: its output is still written, nothing more is read. `keepingSession`: its client has come
    /// back on another connection, which takes its place.
    mutating func close(_ slot: UInt32, _ cause: DisconnectCause, keepingSession: Bool = false) {
        let connection = connections.pointer(slot)
        guard connection.pointee.phase != .closing else { return }
        detach(slot, cause, keepingSession: keepingSession)
        connection.pointee.phase = .closing
        outbox.touch(connection, slot)
        effects.append(.close(id(of: slot)))
    }

    /// Parts a connection from its session.
    private mutating func detach(_ slot: UInt32, _ cause: DisconnectCause, keepingSession: Bool) {
        let connection = connections.pointer(slot)
        let sessionSlot = connection.pointee.session
        let hasSession = sessionSlot != SlotTable<Session>.none
        if settings.logsConnections || cause != .disconnected {
            let client = hasSession ? sessions.pointer(sessionSlot).pointee.clientIdentifier : nil
            log(.notice, .disconnected(id(of: slot), client: client, cause))
        }
        releaseWaiters(of: connection)
        guard hasSession else { return }
        connection.pointee.session = SlotTable<Session>.none
        connectedClients -= 1
        if !keepingSession { census.connections.leave() }
        let session = sessions.pointer(sessionSlot)
        session.pointee.connection = SlotTable<Connection>.none
        session.pointee.details?.resends.removeAll()
        session.pointee.details?.disconnectedAt = now
        announcePresence(sessionSlot, isOnline: false)
        guard !keepingSession else { return }
        leaveWill(sessionSlot)
        if session.pointee.isPersistent {
            keepSession(sessionSlot)
            if session.pointee.expiryIntervalSeconds != .max {
                schedule(
                    .sessionExpiry(attachment: session.pointee.attachment), sessionSlot, session.pointee.generation,
                    at: now + Int64(session.pointee.expiryIntervalSeconds) * 1000)
            }
        } else {
            endSession(sessionSlot)  // [5.0 MQTT-4.1.0-2]
        }
    }

    /// The session is over: subscriptions, queue and state go. §4.1 `keepingPlace`: another begins in its place.
    mutating func endSession(_ slot: UInt32, keepingPlace: Bool = false) {
        let session = sessions.pointer(slot)
        precondition(!session.pointee.isOnline, "a session ends after its connection")
        if let will = session.pointee.details?.will {
            // The session ends before the delay is over. [5.0 MQTT-3.1.3-9] [5.0 MQTT-3.1.2-10]
            session.pointee.details?.will = nil
            publishWill(will, of: slot)
        }
        let orphans = takeOrphans(slot)
        let queue = session.pointee.details?.storage?.queue
        let inLog = orphansInLog(slot)
        unsubscribeAll(slot)
        session.pointee.window.removeAll { $0.message.release() }
        for outgoing in session.pointee.queue { outgoing.message.release() }
        session.pointee.queue.removeAll()
        session.pointee.details?.leaving.removeAll()
        for delivery in session.pointee.details?.retained ?? [] { retained.cancel(delivery.walk) }
        if let details = session.pointee.details { resumePublishers(&details.publishersWaiting) }
        let client = session.pointee.clientIdentifier
        clients.removeValue(forKey: client)
        sessions.remove(slot)
        if !keepingPlace { census.sessions.leave() }
        redeliver(orphans, from: inLog == nil ? nil : queue)
        if let inLog {
            storage.forgetting[client] = StorageToken(0)  // its removal is asked for when nothing is left in its queue
            readOrphans(inLog)
        } else if let queue {
            forgetSession(client, queue)
        }
    }

    // MARK: The will

    /// The connection went without a normal DISCONNECT: the will is published now, or after its delay.
    /// [5.0 MQTT-3.1.2-8] [3.1.1 MQTT-3.1.2-8]
    private mutating func leaveWill(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details, let will = details.will else { return }
        let delay = min(will.delayIntervalSeconds, session.pointee.expiryIntervalSeconds)
        guard delay > 0 else {
            details.will = nil  // once only: [5.0 MQTT-3.1.2-10] [3.1.1 MQTT-3.1.2-10]
            publishWill(will, of: slot)
            return sendBatch()  // before the record that says it is gone: a crash between may repeat it, not lose it
        }
        let dueAt = now + Int64(delay) * 1000
        details.willDueAt = dueAt
        schedule(.will(attachment: session.pointee.attachment), slot, session.pointee.generation, at: dueAt)
    }

    /// The delay is over.
    mutating func willIsDue(_ slot: UInt32, attachment: UInt32) {
        let session = sessions.pointer(slot)
        guard session.pointee.attachment == attachment, !session.pointee.isOnline,
            let details = session.pointee.details, let will = details.will, details.willDueAt != nil
        else { return }
        details.will = nil
        details.willDueAt = nil
        publishWill(will, of: slot)
        sendBatch()  // before the record, as in `leaveWill`
        keepSession(slot)  // a restart may not publish it again
    }

    /// A will may do what its client may at this moment; nobody else could be asked for it later.
    mutating func publishWill(_ will: Will, of slot: UInt32) {
        let publisher = sessions.pointer(slot).pointee.clientKey
        let denial = will.topic.bytes.withUnsafeBytes { topic -> AccessReason? in
            if AccessRules.isReserved(topic) { return .reservedTopic }
            let decision = policy?.decide(subject(of: slot), .publish, topic)
            return decision.flatMap { $0.isAllowed ? nil : $0.reason }
        }
        if let denial {
            log(
                .debug,
                .publish(
                    .denied, client: sessions.pointer(slot).pointee.clientIdentifier, duplicate: false,
                    qos: will.qos.rawValue, retain: will.retain, identifier: 0, topic: will.topic.bytes,
                    bytes: will.payload.count))
            return will.topic.bytes.withUnsafeBytes { logDenial(.notice, .publish, $0, denial, slot) }
        }
        publish(
            topic: will.topic.bytes, properties: will.forwardedProperties, payload: will.payload, qos: will.qos,
            retain: will.retain, expirySeconds: will.messageExpiryIntervalSeconds, publisher: publisher,
            source: subject(of: slot))
    }

    /// Publishes in the server's own name: `$SYS`, wills, administration.
    package mutating func publish(
        topic: [UInt8], properties: [UInt8] = [], payload: [UInt8], qos: QoS, retain: Bool,
        expirySeconds: UInt32? = nil, publisher: UInt64 = 0, source: AccessSubject? = nil, at now: Int64? = nil
    ) {
        if let now { self.now = now }
        topic.withUnsafeBytes { topic in
            properties.withUnsafeBytes { properties in
                payload.withUnsafeBytes { payload in
                    guard let plan = try? plan(for: topic) else { return }  // names are checked where they come in
                    var parts = MessageParts(
                        topic: topic, properties: properties, payload: payload, qos: qos.rawValue,
                        retain: retain && settings.retainAvailable, expiresAt: MessageParts.never,
                        publisher: publisher)
                    if let seconds = expirySeconds { parts.expiresAt = self.now + Int64(seconds) * 1000 }
                    var dispatch = Dispatch(parts: parts)
                    dispatch.expirySeconds = expirySeconds
                    if parts.retain { setRetained(&dispatch, by: source) }
                    forward(plan, &dispatch)
                }
            }
        }
    }
}
