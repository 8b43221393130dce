import MQTTProtocol

/// Saying no, and why: to the log with rule, file and line, to the client in words about nobody but itself.
extension Shard {
    // MARK: To the operator

    /// Denials of one connection that the log says in words, at most: a client that insists cannot fill it.
    private static var denialsToldMax: Int { 16 }

    mutating func tellDenial(
        _ action: AccessAction, _ topic: UnsafeRawBufferPointer, _ reason: AccessReason,
        _ connection: UnsafeMutablePointer<Connection>
    ) {
        let extras = extras(of: connection)
        guard extras.denialsTold < Shard.denialsToldMax else { return }
        extras.denialsTold += 1
        logDenial(.notice, action, topic, reason, connection.pointee.session)
    }

    mutating func logDenial(
        _ interest: LogInterest, _ action: AccessAction, _ topic: UnsafeRawBufferPointer, _ reason: AccessReason,
        _ slot: UInt32
    ) {
        guard let policy, !settings.logInterest.isDisjoint(with: interest) else { return }
        effects.append(
            .log(
                .denied(
                    action, subject(of: slot), topic: [UInt8](topic), why: policy.describe(reason),
                    isDetail: interest == .debug)))
    }

    // MARK: To the client

    /// Whether a Reason String may stand in an acknowledgement to this client. [5.0 MQTT-3.1.2-29]
    private func wantsReasons(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        connection.pointee.version == .v5 && connection.pointee.requestsProblemInformation
    }

    /// PUBACK or PUBREC to a message that its client may not publish, with the reason where it wants one and it fits.
    /// [5.0 MQTT-3.4.2-2] [5.0 MQTT-3.5.2-2]
    @inline(never)
    mutating func sendDenial(
        _ type: PacketType, _ identifier: UInt16, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        guard wantsReasons(connection) else {
            return sendAcknowledgement(type, identifier, .notAuthorized, connection, slot)
        }
        scratch.removeAll()
        if type == .puback {
            let packet = Puback(
                packetIdentifier: identifier, reasonCode: .notAuthorized, reasonString: DenialWords.publish,
                userProperties: [])
            packet.encode(into: &scratch, version: .v5)
        } else {
            let packet = Pubrec(
                packetIdentifier: identifier, reasonCode: .notAuthorized, reasonString: DenialWords.publish,
                userProperties: [])
            packet.encode(into: &scratch, version: .v5)
        }
        guard scratch.count <= connection.pointee.maximumPacketSize else {
            return sendAcknowledgement(type, identifier, .notAuthorized, connection, slot)
        }
        outbox.append(scratch.bytes, connection, slot)
        counters.packetsSent &+= 1
        if let client = debugName(connection) {
            log(
                .debug,
                .sending(type, client: client, identifier: identifier, reason: ReasonCode.notAuthorized.rawValue))
        }
    }

    /// What SUBACK or UNSUBACK says beside its codes; nil where there is nothing to say, or no room for it.
    /// [5.0 MQTT-3.9.2-1] [5.0 MQTT-3.11.2-1]
    func reasonString(
        _ type: PacketType, _ codes: [ReasonCode], _ connection: UnsafeMutablePointer<Connection>
    ) -> MQTTString? {
        guard wantsReasons(connection), codes.contains(.notAuthorized) else { return nil }
        let words = type == .suback ? DenialWords.subscribe : DenialWords.unsubscribe
        let packet = Suback(packetIdentifier: 1, reasonCodes: codes, reasonString: words)
        return packet.encodedSize(version: .v5) <= connection.pointee.maximumPacketSize ? words : nil
    }
}

/// What a client hears of why: true whatever the rule is, and nothing about other users, other rules, or the server's files.
enum DenialWords {
    static let publish: MQTTString = "You have no right to publish to this topic."
    static let subscribe: MQTTString = "You have no right to subscribe to the filters answered with 0x87."
    static let unsubscribe: MQTTString = "You have no right to unsubscribe from the filters answered with 0x87."
}

extension LoginRefusal {
    /// The same at the door. Of a name and password that do not fit it does not say which is wrong.
    var words: MQTTString {
        switch self {
        case .anonymous: "This listener lets in only who gives a user name and password."
        case .wrongPassword, .closed: "This user name and password do not let you in here."
        case .noIdentity: "This listener lets in only who shows a certificate or a pre-shared key."
        case .noUserName: "This listener lets in only who gives a user name."
        case .clientIdentifierPrefix: "This client identifier is not let in here."
        case .keepAlive: "This keep alive is too long here."
        case .busy: "Too many clients are logging in. Try again in a moment."
        }
    }
}
