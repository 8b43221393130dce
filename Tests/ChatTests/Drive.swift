import MQTTClient

@testable import Chat

/// A conversation with a clock that is moved by hand, and a broker that answers at once or when told.
struct Drive {
    var conversation: Conversation
    var now = ContinuousClock.now
    /// Everything that was told, and asked for, since the last look.
    var told: [ChatEvent] = []
    var asked: [ChatAction] = []
    var remembered: [ChatName]?

    init(_ name: String = "alice", groups: [String] = [], stays: Bool = false) throws {
        conversation = Conversation(
            name: try ChatName(name), groups: try groups.map { try ChatName($0) }, stays: stays, nonce: "n")
    }

    mutating func collect() {
        for action in conversation.takeActions() {
            switch action {
            case .tell(let event): told.append(event)
            case .wake: break
            case .remember(let groups): remembered = groups
            default: asked.append(action)
            }
        }
    }

    /// Everything that is asked for is done, until nothing is.
    mutating func settle() {
        collect()
        while !asked.isEmpty {
            let action = asked.removeFirst()
            switch action {
            case .subscribe(let listening):
                let codes = listening.filters(for: conversation.name).map { ReasonCode(rawValue: $0.qos.rawValue) }
                conversation.subscribed(listening, codes: codes, failure: nil, at: now)
            case .unsubscribe(let listening): conversation.unsubscribed(listening, failure: nil, at: now)
            case .publish(let publication):
                conversation.published(publication.ticket, isHeard: true, failure: nil, at: now)
                if publication.topic == .login { receive("/chat/login", publication.text) }
            default: break
            }
            collect()
        }
    }

    mutating func receive(_ topic: String, _ payload: String, _ receipt: MessageReceipt = MessageReceipt()) {
        conversation.receive(topic: Array(topic.utf8), payload: Array(payload.utf8), receipt: receipt, at: now)
        collect()
    }

    mutating func enter(_ line: String) {
        conversation.enter(line, at: now)
        collect()
    }

    mutating func connect(sessionPresent: Bool = false) {
        conversation.connected(sessionPresent: sessionPresent, at: now)
        collect()
    }

    mutating func pass(_ duration: Duration) {
        now += duration
        conversation.timerFired(at: now)
        collect()
    }

    /// Logged in, the first list told.
    mutating func arrive() {
        connect()
        settle()
        pass(Conversation.listDelay)
        told = []
    }

    mutating func takeTold() -> [ChatEvent] {
        defer { told = [] }
        return told
    }

    mutating func takeAsked() -> [ChatAction] {
        defer { asked = [] }
        return asked
    }

    /// What was asked to be published, as topic, payload and QoS.
    mutating func takePublished() -> [String] {
        takeAsked().compactMap {
            guard case .publish(let publication) = $0 else { return nil }
            return "\(publication.topic.text) \(publication.text) \(publication.topic.qos.rawValue)"
        }
    }
}

/// A literal that is no name is a mistake of the test.
extension ChatName: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) {
        do { try self.init(value) } catch { preconditionFailure("\(error)") }
    }
}
