import DequeModule
import MQTTProtocol

/// Enhanced authentication, §4.12: steps back and forth between CONNECT and CONNACK, and again whenever the program wants.
extension ClientSession {
    /// The program's answer to ``ClientAction/authenticate(_:)``: sends AUTH 0x18 [5.0 MQTT-4.12.0-3].
    /// - Throws: `notConnected` where the connection is gone meanwhile, `invalidField` for data of more than 65,535 bytes.
    public mutating func continueAuthentication(with data: [UInt8]?, at now: Instant) throws(ClientError) {
        guard state != .disconnected else { throw .notConnected }
        send(.auth(try auth(.continueAuthentication, data)), at: now)
    }

    /// The program cannot go on with an authentication: closes.
    public mutating func failAuthentication(_ reason: String, at now: Instant) {
        guard state != .disconnected else { return }
        fail(.authenticationFailed(reason), .unspecifiedError, at: now)
    }

    /// Authenticates once more, §4.12.1; other traffic goes on meanwhile.
    /// - Parameter request: named by the completion, `.authenticated`. A server that says no closes the connection.
    /// - Throws: `notConnected`; `invalidField` without a method in CONNECT [5.0 MQTT-4.12.1-1] or while one is under way.
    public mutating func reauthenticate(
        with data: [UInt8]?, as request: RequestIdentifier, at now: Instant
    ) throws(ClientError) {
        guard state == .connected else { throw .notConnected }
        guard !isReauthenticating else { throw .invalidField("a re-authentication is under way") }
        let packet = try auth(.reauthenticate, data)
        isReauthenticating = true
        reauthentication = request
        send(.auth(packet), at: now)
    }

    private func auth(_ code: ReasonCode, _ data: [UInt8]?) throws(ClientError) -> Auth {
        guard let method = configuration.authenticationMethod else {
            throw .invalidField("no authentication method was configured, §4.12")  // [5.0 MQTT-4.12.0-7]
        }
        if let data, data.count > 65_535 { throw .invalidField("authentication data of more than 65,535 bytes") }
        return Auth(reasonCode: code, authenticationMethod: MQTTString(method), authenticationData: data)
    }

    mutating func receive(_ auth: Auth, at now: Instant) {
        guard let method = configuration.authenticationMethod else {
            // [5.0 MQTT-4.12.0-7]
            return violate("AUTH without an Authentication Method in CONNECT, §4.12", at: now)
        }
        guard auth.authenticationMethod.text == method else {
            // [5.0 MQTT-4.12.0-5]
            return violate("AUTH with another Authentication Method, §4.12", at: now)
        }
        guard mayExplain(auth.reasonString, auth.userProperties, at: now) else { return }
        if auth.reasonCode == .continueAuthentication {
            guard state == .connecting || isReauthenticating else {
                return violate("AUTH that nobody asked for, §4.12", at: now)
            }
            return actions.append(.authenticate(auth.authenticationData))
        }
        // Success ends a re-authentication; the first authentication ends with CONNACK.
        guard state == .connected, isReauthenticating else {
            return violate("AUTH with success and no re-authentication, §4.12", at: now)
        }
        complete(reauthentication, .authenticated)
        isReauthenticating = false
        reauthentication = nil
    }
}
