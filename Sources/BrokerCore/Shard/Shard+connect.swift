import MQTTDelivery
import MQTTProtocol

extension Shard {
    /// CONNECT, §3.1: who it is, whether it may, which session it gets, and the answer.
    mutating func receiveConnect(
        _ body: UnsafeRawBufferPointer, flags: UInt8, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) throws(Fault) {
        let connect: Connect
        do throws(PacketError) {
            connect = try Connect.decode(body, flags: flags)
        } catch {
            return refuseUnreadable(error, body, connection, slot)
        }
        connection.pointee.version = connect.version
        if let size = connect.properties.maximumPacketSize { connection.pointee.maximumPacketSize = Int(size) }
        connection.pointee.requestsProblemInformation = connect.properties.requestProblemInformation ?? true
        let listener = listeners[connection.pointee.listener]
        guard listener.acceptedVersions.contains(connect.version) else {
            return refuse(.unsupportedProtocolVersion, connection, slot)
        }
        if let refusal = refusal(of: connect, listener) { return refuse(refusal, connection, slot) }
        knock(connect, listener, connection, slot)
    }

    /// Somebody who may come in: the rest of the answer, a place, and a session.
    mutating func admit(
        _ visitor: Visitor, _ listener: ListenerSettings, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) {
        var connect = visitor.connect
        var answer = Connack(sessionPresent: false, reasonCode: .success)
        if connect.version == .v5, listener.topicAliasMaximum > 0 {
            answer.properties.topicAliasMaximum = listener.topicAliasMaximum
        }
        // [5.0 MQTT-3.1.3-7] [5.0 MQTT-3.2.2-16]; 3.1.1 has no way to say it.
        if visitor.isAssigned, connect.version == .v5 {
            answer.properties.assignedClientIdentifier = connect.clientIdentifier
        }
        var keepAlive = connect.keepAliveSeconds
        if settings.keepAliveSecondsMax > 0, keepAlive == 0 || keepAlive > settings.keepAliveSecondsMax {
            // 3.x cannot be told another value: such a client is refused, as mosquitto does.
            guard connect.version == .v5 else { return sendAway(.keepAlive, visitor, connection, slot) }
            keepAlive = settings.keepAliveSecondsMax
            answer.properties.serverKeepAliveSeconds = keepAlive  // [5.0 MQTT-3.2.2-21]
        }
        connection.pointee.keepAlive = Int64(keepAlive) * 1500
        guard mount(&connect, listener, connection) else { return refuse(.topicNameInvalid, connection, slot) }
        if let refusal = takePlaces(connect.clientIdentifier) { return refuse(refusal, connection, slot) }
        open(connect, keepAlive, listener, answer, connection, slot)
    }

    /// Puts the listener's mount point before the will's topic, and remembers it for the rest; false where that makes the
    /// topic too long.
    private func mount(
        _ connect: inout Connect, _ listener: ListenerSettings, _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        connection.pointee.isFree = policy == nil && listener.mountPoint.isEmpty
        guard !listener.mountPoint.isEmpty else { return true }
        connection.pointee.isMounted = true
        connection.pointee.encodesEach = true
        extras(of: connection).mountPoint = listener.mountPoint
        guard let will = connect.will else { return true }
        guard let topic = MQTTString(listener.mountPoint + will.topic.bytes) else { return false }
        connect.will?.topic = topic
        return true
    }

    // MARK: Refusing

    /// A CONNECT that cannot be read gets an answer only where its version is known and has one. §3.1.4
    private mutating func refuseUnreadable(
        _ error: PacketError, _ body: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) {
        if case .unsupportedVersion(let level) = error {
            // [3.1.1 MQTT-3.1.2-2] [5.0 MQTT-3.1.2-2]: in the form that the client's level reads.
            connection.pointee.version = level > 5 ? .v5 : .v311
            return refuse(.unsupportedProtocolVersion, connection, slot)
        }
        guard Connect.version(of: body) == .v5 else {
            return close(slot, .fault(error))  // [3.1.1 MQTT-3.1.4-1]: no CONNACK
        }
        connection.pointee.version = .v5
        refuse(error.reasonCode, connection, slot)
    }

    /// CONNACK with a code, in 5.0 with the reason where it fits, and the end. [5.0 MQTT-3.2.2-7] [3.1.1 MQTT-3.2.2-5]
    mutating func refuse(
        _ code: ReasonCode, because words: MQTTString? = nil, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) {
        var answer = Connack(sessionPresent: false, reasonCode: code)  // [5.0 MQTT-3.2.2-6] [3.1.1 MQTT-3.2.2-4]
        let version = connection.pointee.version
        if version == .v5, connection.pointee.requestsProblemInformation { answer.properties.reasonString = words }
        // [5.0 MQTT-3.2.2-19]
        if answer.encodedSize(version: version) > connection.pointee.maximumPacketSize {
            answer.properties.reasonString = nil
        }
        send(answer, connection, slot)
        log(.debug, .refused(id(of: slot), code, version: connection.pointee.version))
        close(slot, .refused(code))
    }

    /// Why a readable CONNECT is not accepted, or nil.
    private func refusal(of connect: Connect, _ listener: ListenerSettings) -> ReasonCode? {
        if connect.properties.authenticationMethod != nil { return .badAuthenticationMethod }  // none is set up: §4.12
        if connect.clientIdentifier.isEmpty {
            // An empty identifier: never in 3.1, only with a clean session in 3.1.1. [3.1.1 MQTT-3.1.3-8]
            let isAllowed =
                connect.version == .v5 || (connect.version == .v311 && connect.cleanStart)
            if !isAllowed || !listener.allowsEmptyClientIdentifier { return .clientIdentifierNotValid }
        }
        guard let will = connect.will else { return nil }
        if will.qos.rawValue > listener.qosMax { return .qosNotSupported }  // [5.0 MQTT-3.2.2-12]
        if will.retain, !settings.retainAvailable { return .retainNotSupported }  // [5.0 MQTT-3.2.2-13]
        let isNameable = will.topic.bytes.withUnsafeBytes { TopicFault.ofName($0) == nil }
        return isNameable ? nil : .topicNameInvalid
    }

    /// Takes the places that a client needs among all of the broker, or says why there are none. From here on it is let
    /// in: whatever ends its connection or session gives them back.
    private func takePlaces(_ client: MQTTString) -> ReasonCode? {
        let session = clients[client]
        // A second connection of a client takes the place of the first.
        let isOnline = session.map { sessions.pointer($0).pointee.isOnline } ?? false
        if !isOnline, !census.connections.enter(limit: settings.connectionsMax) { return .serverBusy }
        if session == nil, !census.sessions.enter(limit: settings.sessionsMax) {
            census.connections.leave()
            return .quotaExceeded
        }
        return nil
    }

    // MARK: Accepting

    /// Gives the connection its session and answers. [5.0 MQTT-3.1.4-5] [3.1.1 MQTT-3.1.4-4]
    private mutating func open(
        _ connect: Connect, _ keepAlive: UInt16, _ listener: ListenerSettings, _ answer: Connack,
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        var answer = answer
        let expiry = expirySeconds(of: connect)
        let (sessionSlot, isPresent) = takeSession(connect, expiry)
        answer.sessionPresent = isPresent  // [5.0 MQTT-3.2.2-2] [5.0 MQTT-3.2.2-3] [3.1.1 MQTT-3.2.2-1]
        if connect.version == .v5, let asked = connect.properties.sessionExpiryIntervalSeconds, asked != expiry {
            answer.properties.sessionExpiryIntervalSeconds = expiry
        }
        let session = sessions.pointer(sessionSlot)
        session.pointee.connection = slot
        session.pointee.version = connect.version
        session.pointee.attachment &+= 1
        session.pointee.expiryIntervalSeconds = expiry
        // Its rights may be others than last time.
        let isSomebodyElse =
            session.pointee.userName != connect.userName || session.pointee.listener != listener.name
        session.pointee.userName = connect.userName
        session.pointee.listener = listener.name
        if isPresent, isSomebodyElse { rightsChanged(sessionSlot) }
        announcePresence(sessionSlot, isOnline: true)
        if connect.will != nil || session.pointee.details != nil {
            let details = details(of: sessionSlot)
            // [5.0 MQTT-3.1.2-7]; one that waited for its delay is cancelled: [5.0 MQTT-3.1.3-9]
            details.will = connect.will
            details.willDueAt = nil
            details.disconnectedAt = nil
        }

        connection.pointee.session = sessionSlot
        connection.pointee.phase = .open
        connection.pointee.qosMax = listener.qosMax
        connection.pointee.mayRetain = settings.retainAvailable
        connection.pointee.packetSizeMax = settings.packetSizeMax == 0 ? Int.max : settings.packetSizeMax
        connection.pointee.sendLimit = min(
            settings.inflightMessagesMax, Int(connect.properties.receiveMaximum ?? 65_535))
        if connect.version == .v5 {
            connection.pointee.receiveMaximum = settings.inflightMessagesMax
            setAliases(connect, listener, connection)
        }
        connectedClients += 1
        counters.clientsConnected &+= 1
        scheduleKeepAlive(slot, connection)

        announceLimits(in: &answer, connect.version, listener)
        logConnected(connect, keepAlive, id(of: slot), sessionPresent: isPresent)
        if !isPresent, isForgetting(connect.clientIdentifier) {
            answerLater(answer, connection, slot)
            keepSession(sessionSlot)
            return
        }
        send(answer, connection, slot)
        // A client that takes no packet as large as its CONNACK is gone again, and with it a session that ends there.
        guard connection.pointee.phase == .open else { return }
        keepSession(sessionSlot)
        if isPresent { resume(sessionSlot, connection, slot) }
    }

    /// Seconds the session outlives this connection, within the operator's limit. [5.0 MQTT-3.1.2-23]
    private func expirySeconds(of connect: Connect) -> UInt32 {
        let asked: UInt32 =
            connect.version == .v5
            ? connect.properties.sessionExpiryIntervalSeconds ?? 0 : (connect.cleanStart ? 0 : UInt32.max)
        return min(asked, settings.persistentSessionSecondsMax ?? UInt32.max)
    }

    /// The client's session: the stored one, or a new one in its place. §3.1.2.4
    private mutating func takeSession(_ connect: Connect, _ expiry: UInt32) -> (slot: UInt32, isPresent: Bool) {
        if let stored = clients[connect.clientIdentifier] {
            let resumes = !connect.cleanStart && sessions.pointer(stored).pointee.isPersistent
            if sessions.pointer(stored).pointee.isOnline { takeOver(stored, resumes: resumes) }
            if resumes { return (stored, true) }  // [5.0 MQTT-3.1.2-5] [3.1.1 MQTT-3.1.2-4]
            endSession(stored, keepingPlace: true)  // [5.0 MQTT-3.1.2-4] [3.1.1 MQTT-3.1.2-6]
        }
        let slot = sessions.insert(
            Session(
                clientIdentifier: connect.clientIdentifier, clientKey: clientKey(connect.clientIdentifier),
                generation: nextGeneration(), expiryIntervalSeconds: expiry))
        clients[connect.clientIdentifier] = slot
        if expiry > 0 { details(of: slot).storage = SessionStorage(queue: storage.newQueue(&random)) }
        return (slot, false)
    }

    /// The same client on a new connection: the old one goes. [5.0 MQTT-3.1.4-3] [3.1.1 MQTT-3.1.4-2]
    private mutating func takeOver(_ slot: UInt32, resumes: Bool) {
        let session = sessions.pointer(slot)
        log(.error, .takenOver(client: session.pointee.clientIdentifier))
        let old = session.pointee.connection
        // Not before CONNACK. [5.0 MQTT-3.14.0-1]
        if connections.pointer(old).pointee.phase == .open {
            sendDisconnect(.sessionTakenOver, connections.pointer(old), old)
        }
        close(old, .takenOver, keepingSession: true)
        // A will without delay is due at the connection's end; a delayed one is cancelled by whoever resumes.
        if let will = session.pointee.details?.will, will.delayIntervalSeconds == 0 || !resumes {
            session.pointee.details?.will = nil
            publishWill(will, of: slot)
        }
    }

    private func setAliases(
        _ connect: Connect, _ listener: ListenerSettings, _ connection: UnsafeMutablePointer<Connection>
    ) {
        let sent = min(connect.properties.topicAliasMaximum ?? 0, listener.topicAliasMaximumSent)
        connection.pointee.receivedAliasMaximum = listener.topicAliasMaximum
        if sent > 0 {
            extras(of: connection).sent = SentTopicAliases(maximum: sent)
            connection.pointee.encodesEach = true
        }
    }

    private func announceLimits(in answer: inout Connack, _ version: ProtocolVersion, _ listener: ListenerSettings) {
        guard version == .v5 else { return }
        if !settings.retainAvailable { answer.properties.retainAvailable = false }
        if settings.packetSizeMax > 0 { answer.properties.maximumPacketSize = UInt32(settings.packetSizeMax) }
        if settings.inflightMessagesMax < 65_535 {
            answer.properties.receiveMaximum = UInt16(settings.inflightMessagesMax)
        }
        if listener.qosMax < 2 { answer.properties.maximumQoS = QoS(rawValue: listener.qosMax) }  // [5.0 MQTT-3.2.2-9]
    }

    private mutating func logConnected(
        _ connect: Connect, _ keepAlive: UInt16, _ id: ConnectionID, sessionPresent: Bool
    ) {
        if settings.logsConnections {
            log(
                .notice,
                .connected(
                    id, client: connect.clientIdentifier, version: connect.version, cleanStart: connect.cleanStart,
                    keepAlive: keepAlive, userName: connect.userName))
        }
        if let will = connect.will {
            log(
                .debug,
                .willSpecified(bytes: will.payload.count, retain: will.retain, qos: will.qos, topic: will.topic))
        } else {
            log(.debug, .noWillSpecified)
        }
        log(.debug, .sendingConnack(client: connect.clientIdentifier, sessionPresent: sessionPresent, code: 0))
    }

    // MARK: Resuming

    /// What was in flight goes out again under its old identifiers, oldest first, before anything new.
    /// [5.0 MQTT-4.4.0-1] [3.1.1 MQTT-4.4.0-1] [5.0 MQTT-4.6.0-1]
    private mutating func resume(
        _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>, _ connectionSlot: UInt32
    ) {
        let session = sessions.pointer(slot)
        if !session.pointee.window.isEmpty {
            let details = details(of: slot)
            details.resends.removeAll()
            var identifiers: [UInt16] = []
            session.pointee.window.forEach { identifiers.append($0.identifier) }
            details.resends.append(contentsOf: identifiers)
            details.unsent.formIntersection(identifiers)
            details.sends.resend()
            details.releases.resend()
        }
        pump(slot)
    }

    /// Resends what an earlier connection left, as far as the new quota allows.
    mutating func pumpResends(
        _ session: UnsafeMutablePointer<Session>, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        guard let details = session.pointee.details else { return }
        while let identifier = details.resends.first {
            let state = session.pointee.window.state(of: identifier)
            guard let state, let outgoing = session.pointee.window.payload(of: identifier) else {
                details.resends.removeFirst()
                continue
            }
            // While its step is not kept it may not go; the answer comes back here.
            guard !details.sends.contains(identifier), !details.releases.contains(identifier) else { return }
            if state == .pubcomp {
                details.resends.removeFirst()
                sendAcknowledgement(.pubrel, identifier, .success, connection, slot)
                continue
            }
            guard session.pointee.window.count - details.resends.count < connection.pointee.sendLimit,
                connection.pointee.flow == .flowing
            else { return }
            details.resends.removeFirst()
            let mayGo = !session.pointee.rechecks || mayReceive(connection.pointee.session, outgoing.message.topic)
            guard mayGo, !exceeds(connection, outgoing, remainingSeconds(outgoing.message)) else {
                // Smaller packets than last time, or fewer rights: as if it had been delivered. [5.0 MQTT-3.1.2-25]
                counters.publishesDropped &+= 1
                if let gone = session.pointee.window.close(identifier) { discard(gone, connection.pointee.session) }
                continue
            }
            // [5.0 MQTT-3.3.1-1] [3.1.1 MQTT-3.3.1-1]
            let hasLeft = details.unsent.remove(identifier) == nil
            write(outgoing, identifier, duplicate: hasLeft, connection, slot, publisher: nil)
        }
    }
}

/// Random identifiers in the form that people know, upper case: 8-4-4-4-12.
enum UUIDText {
    static func make(using random: inout SplitMix64) -> String {
        var high = random.next()
        var low = random.next()
        high = high & ~0xF000 | 0x4000  // version 4
        low = low & ~(0xC0 << 56) | 0x80 << 56  // variant 1
        let digits = hex(high) + hex(low)
        var text = ""
        for (i, digit) in digits.enumerated() {
            if i == 8 || i == 12 || i == 16 || i == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private static func hex(_ word: UInt64) -> String {
        let text = String(word, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
