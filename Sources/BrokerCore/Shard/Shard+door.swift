package import MQTTProtocol

/// A valid CONNECT on its way in.
struct Visitor {
    var connect: Connect
    /// The server has made up its identifier.
    var isAssigned = false
}

/// Who is let in. Order is mosquitto's: identifier, then certificate or password, then whose name the session has.
/// Before: `receiveConnect` has read CONNECT. After: `admit` gives it a session.
extension Shard {
    /// What TLS or PSK says who is at the other end. Before its CONNECT.
    package mutating func identified(_ id: ConnectionID, as identity: MQTTString) {
        guard exists(id), connections.pointer(id.slot).pointee.phase == .awaitingConnect else { return }
        extras(of: connections.pointer(id.slot)).identity = identity
    }

    /// A valid CONNECT: somebody is let in, sent away, or asked for.
    mutating func knock(
        _ connect: Connect, _ listener: ListenerSettings, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) {
        var visitor = Visitor(connect: connect)
        // Where its user name will be its identifier, it needs no other.
        if connect.clientIdentifier.isEmpty, !listener.takesClientIdentifierFromUserName {
            visitor.connect.clientIdentifier = assignIdentifier(prefix: listener.assignedIdentifierPrefix)
            visitor.isAssigned = true
        }
        guard visitor.connect.clientIdentifier.bytes.starts(with: listener.clientIdentifierPrefix) else {
            return sendAway(.clientIdentifierPrefix, visitor, connection, slot)
        }
        if listener.takesUserNameFromIdentity {
            // [BR-4]: who shows a certificate needs no password.
            guard let identity = connection.pointee.extras?.identity else {
                return sendAway(.noIdentity, visitor, connection, slot)
            }
            visitor.connect.userName = identity
            return enter(visitor, listener, connection, slot)
        }
        guard listener.checksPasswords, let userName = connect.userName else {
            guard listener.allowsAnonymous else { return sendAway(.anonymous, visitor, connection, slot) }
            return enter(visitor, listener, connection, slot)
        }
        let request = AuthenticationRequest(
            connection: id(of: slot), listener: connection.pointee.listener,
            clientIdentifier: visitor.connect.clientIdentifier, userName: userName, password: connect.password)
        visitor.connect.password = nil
        extras(of: connection).knocking = visitor
        connection.pointee.phase = .awaitingVerdict
        pause(slot)
        effects.append(.authenticate(request))
    }

    /// The answer to `Effect.authenticate`. Whoever has gone meanwhile is not asked after.
    /// - Parameter credential: stands for the password that was right, so that `dismiss` knows when it is another; 0 = none.
    package mutating func authenticated(
        _ id: ConnectionID, _ verdict: AuthenticationVerdict, credential: UInt64 = 0, at now: Int64
    ) {
        self.now = now
        guard exists(id) else { return }
        let connection = connections.pointer(id.slot)
        guard connection.pointee.phase == .awaitingVerdict, let visitor = connection.pointee.extras?.knocking else {
            return
        }
        connection.pointee.extras?.knocking = nil
        connection.pointee.extras?.credential = credential
        connection.pointee.phase = .awaitingConnect
        connection.pointee.lastReceived = now  // while it was checked, its silence was ours
        resume(id.slot)
        switch verdict {
        case .admitted: enter(visitor, listeners[connection.pointee.listener], connection, id.slot)
        case .refused(let refusal): sendAway(refusal, visitor, connection, id.slot)
        }
    }

    private mutating func enter(
        _ visitor: Visitor, _ listener: ListenerSettings, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) {
        guard listener.takesClientIdentifierFromUserName else { return admit(visitor, listener, connection, slot) }
        guard let name = visitor.connect.userName else { return sendAway(.noUserName, visitor, connection, slot) }
        var visitor = visitor
        visitor.connect.clientIdentifier = name
        admit(visitor, listener, connection, slot)
    }

    mutating func sendAway(
        _ refusal: LoginRefusal, _ visitor: Visitor, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        log(
            .notice,
            .loginRefused(
                id(of: slot), client: visitor.connect.clientIdentifier, userName: visitor.connect.userName, refusal))
        refuse(refusal.reasonCode, because: refusal.words, connection, slot)
    }

    private mutating func assignIdentifier(prefix: String) -> MQTTString {
        while true {
            let identifier = MQTTString(prefix + UUIDText.make(using: &random))
            // Unique, and kept by this shard, where the connection is. [5.0 MQTT-3.2.2-16]
            let isHere = identifier.bytes.withUnsafeBytes { neighbours.home($0) } == index
            if isHere, clients[identifier] == nil { return identifier }
        }
    }
}
