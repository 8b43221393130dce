import DequeModule
import MQTTDelivery
public import MQTTProtocol

/// The beginning and the end of a connection: CONNECT and CONNACK, DISCONNECT of either side, and what becomes of the
/// session when the transport is gone. Before: the transport is open. After: `ClientSession+resume`.
extension ClientSession {
    /// The transport is open and nothing has been sent: sends CONNECT [5.0 MQTT-3.1.0-1].
    /// - Parameter authenticationData: the first data of an enhanced authentication, §3.1.2.11.10.
    public mutating func transportOpened(authenticationData: [UInt8]? = nil, at now: Instant) {
        precondition(state == .disconnected, "one transport at a time")
        state = .connecting
        isWritable = true
        askedCleanStart = wantsCleanStart
        connackDue = now + configuration.connectTimeout
        arm(now + configuration.connectTimeout)
        let connect = configuration.connect(
            clientIdentifier: clientIdentifier, cleanStart: askedCleanStart, authenticationData: authenticationData)
        send(.connect(connect), at: now)
    }

    /// The configuration's for the first connection; later ones take up what the server may have kept.
    private var wantsCleanStart: Bool {
        guard configuration.cleanStart else { return false }
        return !(hasConnectedOnce && version == .v5 && (server?.sessionExpiryIntervalSeconds ?? 0) > 0)
    }

    /// The transport is gone without our asking. Nothing happens where the session has closed it itself.
    /// - Parameter reason: in words, for the error.
    public mutating func transportLost(_ reason: String = "closed by the other side") {
        guard state != .disconnected else { return }
        end()
        actions.append(.close(.connectionLost(reason)))
    }

    /// The codec found bytes that are no packet: DISCONNECT with the fitting code, and the end, §4.13.
    public mutating func receive(malformed error: PacketError, at now: Instant) {
        guard state != .disconnected else { return }
        fail(.malformedPacket(error), error.reasonCode, at: now)
    }

    /// Says goodbye and closes, §3.14. Requests that are not done stay with the session, for a later connection;
    /// `abandon` ends them.
    /// - Parameters:
    ///   - reasonCode: `disconnectWithWill` lets the server publish the will; 5.0 only.
    ///   - sessionExpiryIntervalSeconds: replaces CONNECT's; it may not rise from 0, §3.14.2.2.2.
    /// - Throws: `ClientError.invalidField` or `.notInVersion`; `.notConnected` without a connection.
    public mutating func disconnect(
        _ reasonCode: ReasonCode = .normalDisconnection, sessionExpiryIntervalSeconds: UInt32? = nil,
        reasonString: String? = nil, userProperties: [UserProperty] = [], at now: Instant
    ) throws(ClientError) {
        guard state != .disconnected else { throw .notConnected }
        if version == .v5 {
            guard reasonCode.isAllowed(in: .disconnectFromClient) else {
                throw .invalidField("reason code \(reasonCode.rawValue) in DISCONNECT")  // [5.0 MQTT-3.14.2-1]
            }
            if let seconds = sessionExpiryIntervalSeconds, seconds > 0, configuration.sessionExpiryIntervalSeconds == 0
            {
                throw .invalidField("a Session Expiry Interval in DISCONNECT after 0 in CONNECT, §3.14.2.2.2")
            }
            if let reasonString { try ClientConfiguration.checkString(reasonString, "reason string") }
            try userProperties.check()
        } else if reasonCode != .normalDisconnection || sessionExpiryIntervalSeconds != nil || reasonString != nil
            || !userProperties.isEmpty
        {
            throw .notInVersion("a DISCONNECT with content")
        }
        var packet = Disconnect(
            reasonCode: reasonCode, sessionExpiryIntervalSeconds: sessionExpiryIntervalSeconds,
            reasonString: reasonString.map { MQTTString($0) }, userProperties: userProperties.map(\.wire))
        // [5.0 MQTT-3.14.2-3] [5.0 MQTT-3.14.2-4]: reason string and user properties only as far as they fit.
        if sizeError(ControlPacket(.disconnect(packet))) != nil {
            packet.reasonString = nil
            packet.userProperties = []
        }
        send(.disconnect(packet), at: now)
        end()
        actions.append(.close(nil))
    }

    /// Ends all requests, waiting and in flight, and forgets the session: nothing will be sent again.
    public mutating func abandon(_ error: ClientError = .closed) {
        for waiting in queue { complete(waiting.request, .failed(error)) }
        queue = []
        (queuedBytes, queuedAtMostOnce) = (0, 0)
        for publish in unacknowledged() { complete(publish.request, .failed(error)) }
        window.removeAll { _ in }
        flows.removeAll()
        resends = []
        publishesInFlight = 0
        for call in requests { complete(call.request, .failed(error)) }
        requests = []
        subscriptions = DesiredSubscriptions()
        received.removeAll()
        owed = []
        held = [:]
        complete(reauthentication, .failed(error))
        reauthentication = nil
    }

    // MARK: Faults

    /// The server broke a rule: tell it, and close.
    mutating func fail(_ error: ClientError, _ code: ReasonCode, at now: Instant) {
        if version == .v5 {
            let code = code.isAllowed(in: .disconnectFromClient) ? code : .protocolError
            send(.disconnect(Disconnect(reasonCode: code)), at: now)
        }
        end()
        actions.append(.close(error))
    }

    /// A Protocol Error in words, §4.13.
    mutating func violate(_ what: String, _ code: ReasonCode = .protocolError, at now: Instant) {
        fail(.protocolError(code, what), code, at: now)
    }

    /// The connection is over; the session is not.
    mutating func end() {
        if state == .connecting { isSessionInDoubt = true }
        state = .disconnected
        keepAlive.stop()
        connackDue = nil
        armed = nil
        complete(reauthentication, .failed(.notConnected))
        isReauthenticating = false
        reauthentication = nil
        suspendDeliveries()
    }

    // MARK: CONNACK and DISCONNECT

    mutating func receive(_ connack: Connack, at now: Instant) {
        guard state == .connecting else { return violate("a second CONNACK", at: now) }
        let properties = connack.properties
        guard connack.reasonCode == .success else {
            end()
            isSessionInDoubt = false
            actions.append(
                .close(
                    .connectionRefused(
                        connack.reasonCode, reasonString: properties.reasonString?.text,
                        serverReference: properties.serverReference?.text)))
            return
        }
        // [5.0 MQTT-3.2.2-4] [3.1.1 MQTT-3.2.2-1]: who asks for a clean start has no session.
        guard !(connack.sessionPresent && askedCleanStart) else {
            return fail(.sessionPresentUnexpected, .protocolError, at: now)
        }
        // [5.0 MQTT-4.12.0-5]: the method of CONNECT, and only that.
        guard properties.authenticationMethod?.text == configuration.authenticationMethod else {
            return violate("CONNACK with another Authentication Method, §4.12", at: now)
        }
        let server = ServerInformation(connack, requested: configuration)
        self.server = server
        if clientIdentifier.isEmpty, let assigned = server.assignedClientIdentifier { clientIdentifier = assigned }
        state = .connected
        hasConnectedOnce = true
        connackDue = nil
        sentAliases = SentTopicAliases(maximum: min(server.topicAliasMaximum, configuration.sentTopicAliasesMax))
        receivedAliases = ReceivedTopicAliases(maximum: version == .v5 ? configuration.topicAliasMaximum : 0)
        let interval = server.keepAliveSeconds  // [5.0 MQTT-3.1.2-21] [5.0 MQTT-3.2.2-21]
        let limits = KeepAlive.Limits(
            sendIdle: interval == 0 ? nil : .seconds(Int(interval)), receiveIdle: configuration.receiveIdle,
            pingresp: configuration.pingrespTimeout)
        if let due = keepAlive.start(limits, at: now) { arm(due) }
        actions.append(.connected(server))
        resume(sessionPresent: connack.sessionPresent, at: now)
    }

    mutating func receive(_ disconnect: Disconnect) {
        end()
        actions.append(
            .close(
                .disconnectedByServer(
                    disconnect.reasonCode, reasonString: disconnect.reasonString?.text,
                    serverReference: disconnect.serverReference?.text)))
    }
}
