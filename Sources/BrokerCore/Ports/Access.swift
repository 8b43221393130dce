package import MQTTProtocol

// Who may come in, and who may do what. The core keeps the broker's own rules (`AccessRules`) and asks for the rest:
// logins by an effect that is answered later, rights of a policy that is a value. Docs/decisions/0015-access.md.

/// A client at the door whose password is to be checked. The shard goes on meanwhile and does not read from this
/// connection; `Shard.authenticated` is the answer. A connection asks once in its life, so its name is the request's.
package struct AuthenticationRequest: Equatable, Sendable {
    package let connection: ConnectionID
    /// Index of the listener it came by.
    package let listener: Int
    /// As CONNECT has it; may be empty.
    package let clientIdentifier: MQTTString
    package let userName: MQTTString
    package let password: [UInt8]?
}

package enum AuthenticationVerdict: Equatable, Sendable {
    case admitted
    case refused(LoginRefusal)
}

/// Why somebody is not let in: for the log. The client hears a code that tells it less.
package enum LoginRefusal: Equatable, Sendable {
    /// No user name, and the listener wants one.
    case anonymous
    /// There is nobody of this name, or the password is not theirs.
    case wrongPassword
    /// The listener takes the user name from a certificate or PSK, and there is none.
    case noIdentity
    /// `use_username_as_clientid`, and no user name.
    case noUserName
    /// `clientid_prefixes`
    case clientIdentifierPrefix
    /// `max_keepalive` is less than its keep-alive, and a 3.x client cannot be told so.
    case keepAlive
    /// Too many logins wait.
    case busy
    /// What would have to decide is not there: nobody is let in.
    case closed

    /// What the client hears: 0x87, or 5 in 3.x, whatever was wrong with its login; 0x89, or 3, where it may try again.
    var reasonCode: ReasonCode {
        switch self {
        case .busy: .serverBusy
        case .noIdentity: .badUserNameOrPassword
        case .keepAlive: .clientIdentifierNotValid  // 2, as mosquitto
        default: .notAuthorized
        }
    }
}

/// Whom a decision is about.
package struct AccessSubject: Hashable, Sendable {
    package var clientIdentifier: MQTTString
    /// From CONNECT or from a certificate; nil = anonymous.
    package var userName: MQTTString?
    /// `ListenerSettings.name` of the listener it last came by.
    package var listener: UInt32

    package init(clientIdentifier: MQTTString, userName: MQTTString?, listener: UInt32 = 0) {
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.listener = listener
    }
}

package enum AccessAction: UInt8, CaseIterable, Sendable {
    /// Client to broker.
    case publish
    /// Broker to client.
    case receive
    case subscribe
    case unsubscribe
}

/// Yes or no, and why: small enough to be made for every question, and what `AccessPolicy.describe` can tell a person.
package struct AccessDecision: Equatable, Sendable {
    package var isAllowed: Bool
    package var reason: AccessReason

    package init(isAllowed: Bool, _ reason: AccessReason) {
        self.isAllowed = isAllowed
        self.reason = reason
    }
}

package enum AccessReason: Equatable, Sendable {
    /// A rule of the policy, by its number there.
    case rule(UInt32)
    /// Rules exist, and none of them speaks of this.
    case noRule
    /// The policy does not know this user.
    case unknownUser
    /// A user name or client identifier with `+` or `#`, which could pass for a pattern's wildcard.
    case wildcardInName
    /// Nothing restricts this.
    case unrestricted
    /// The broker's own rule: these topics are not for clients to publish.
    case reservedTopic
    /// What would have to decide is not there.
    case closed
}

/// Who may do what: a value that is never changed, only replaced as a whole. Asked from every loop at once.
/// The same question always has the same answer, so answers may be remembered until the policy is replaced.
package protocol AccessPolicy: Sendable {
    /// - Parameter topic: a topic name, or for `subscribe` and `unsubscribe` a filter without its `$share/GROUP/`. Valid.
    func decide(
        _ subject: AccessSubject, _ action: AccessAction, _ topic: UnsafeRawBufferPointer
    ) -> AccessDecision

    /// A reason in words: the rule, its file and line.
    func describe(_ reason: AccessReason) -> String
}

/// The broker's own rules, before any policy: mosquitto's.
package enum AccessRules {
    /// Topics that clients may not publish to: `$SYS…`, but for what bridges say of themselves, and `$share…`.
    package static func isReserved(_ topic: UnsafeRawBufferPointer) -> Bool {
        guard topic.first == UInt8(ascii: "$") else { return false }
        if topic.starts(with: "$share".utf8) { return true }
        return topic.starts(with: "$SYS".utf8) && !isBridgeState(topic)
    }

    /// `$SYS/broker/connection/+/state`
    private static func isBridgeState(_ topic: UnsafeRawBufferPointer) -> Bool {
        let before = "$SYS/broker/connection/".utf8
        let after = "/state".utf8
        guard topic.count >= before.count + after.count, topic.starts(with: before),
            topic.suffix(after.count).elementsEqual(after)
        else { return false }
        return !topic[before.count..<(topic.count - after.count)].contains(UInt8(ascii: "/"))
    }
}
