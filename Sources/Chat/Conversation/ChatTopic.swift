package import MQTTClient

/// What a topic of the exercise means, and the other way round: SEED_SYSTEMS §4.1.
package enum ChatTopic: Sendable, Hashable {
    case login, logout, active
    case status(of: ChatName)
    case toPerson(ChatName, from: ChatName)
    case toGroup(ChatName, from: ChatName)

    /// As it goes over the wire.
    package var text: String {
        switch self {
        case .login: "/chat/login"
        case .logout: "/chat/logout"
        case .active: "/chat/active"
        case .status(let name): "/chat/user/\(name)/status"
        case .toPerson(let receiver, let sender): "/chat/user/\(receiver)/message/\(sender)"
        case .toGroup(let group, let sender): "/chat/group/\(group)/message/\(sender)"
        }
    }

    /// §4.1: "immediately exactly once" and "exactly once" are 2, "at least once" is 1, "best effort" is 0.
    package var qos: QoS {
        switch self {
        case .login, .logout, .toPerson: .exactlyOnce
        case .active, .toGroup: .atLeastOnce
        case .status: .atMostOnce
        }
    }

    /// Nil = none of the chat's topics, or a name in it that is none.
    package init?(utf8 bytes: [UInt8]) {
        let levels = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        // `/chat/…` begins with an empty level.
        guard levels.count >= 3, levels[0].isEmpty, levels[1].elementsEqual("chat".utf8) else { return nil }
        func level(_ at: Int, is text: String) -> Bool { levels[at].elementsEqual(text.utf8) }
        func name(_ at: Int) -> ChatName? { try? ChatName(utf8: Array(levels[at])) }
        switch levels.count {
        case 3 where level(2, is: "login"): self = .login
        case 3 where level(2, is: "logout"): self = .logout
        case 3 where level(2, is: "active"): self = .active
        case 5 where level(2, is: "user") && level(4, is: "status"):
            guard let person = name(3) else { return nil }
            self = .status(of: person)
        case 6 where level(4, is: "message"):
            guard let first = name(3), let sender = name(5) else { return nil }
            if level(2, is: "user") {
                self = .toPerson(first, from: sender)
            } else if level(2, is: "group") {
                self = .toGroup(first, from: sender)
            } else {
                return nil
            }
        default: return nil
        }
    }
}

/// What a conversation listens to, each a SUBSCRIBE of its own.
package enum Listening: Sendable, Hashable {
    /// Who comes and goes, and how they are.
    case presence
    /// Messages to us.
    case inbox
    case group(ChatName)

    /// The filters, each with the level of its topic: what arrives has the lower of the two, so both must be asked for.
    package func filters(for name: ChatName) -> [(filter: String, qos: QoS)] {
        switch self {
        case .presence:
            [
                ("/chat/login", .exactlyOnce), ("/chat/logout", .exactlyOnce), ("/chat/active", .atLeastOnce),
                ("/chat/user/+/status", .atMostOnce),
            ]
        case .inbox: [("/chat/user/\(name)/message/+", .exactlyOnce)]
        case .group(let group): [("/chat/group/\(group)/message/+", .atLeastOnce)]
        }
    }
}
