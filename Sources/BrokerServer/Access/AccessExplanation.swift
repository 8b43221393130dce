package import BrokerAccess
package import BrokerConfiguration
import BrokerCore
package import MQTTProtocol

/// What a configuration lets somebody do, and why. The broker's own door and policy are asked, so that the answer is what would
/// happen; nothing listens and nothing is changed.
package struct AccessExplanation: Sendable, Equatable {
    /// What somebody wants to do. Unsubscribing is everybody's right wherever subscribing is.
    package enum Deed: String, Sendable {
        case publish, receive, subscribe

        fileprivate var action: AccessAction {
            switch self {
            case .publish: .publish
            case .receive: .receive
            case .subscribe: .subscribe
            }
        }
    }

    /// Who asks for what.
    package struct Question: Sendable {
        /// nil = anonymous. Where the listener takes user names from certificates, what stands in one.
        package var userName: MQTTString?
        /// nil = the broker makes one up.
        package var clientIdentifier: MQTTString?
        package var deed: Deed
        /// As the client writes it: a topic name, or to subscribe a filter. Valid.
        package var topic: MQTTString

        package init(
            userName: MQTTString?, clientIdentifier: MQTTString?, deed: Deed, topic: MQTTString
        ) {
            self.userName = userName
            self.clientIdentifier = clientIdentifier
            self.deed = deed
            self.topic = topic
        }
    }

    package struct Answer: Sendable, Equatable {
        package let isAllowed: Bool
        /// For people: the rule with file and line, or which default.
        package let reason: String
        /// The line that decides, where one does.
        package var rule: AccessSnapshot.RulePlace?
    }

    /// The listener it is about.
    package let listener: String
    /// Whether such a client comes in, its password taken to be the right one.
    package let login: Answer
    /// Whether it may do it, once it is in.
    package let decision: Answer
    /// The topic behind the listener's mount point; the one that was asked for where there is none.
    package let topic: MQTTString

    package var isAllowed: Bool { login.isAllowed && decision.isAllowed }
}

extension AccessExplanation {
    /// - Parameter index: of one of the configuration's listeners.
    package init(
        _ question: Question, _ configuration: BrokerConfiguration, _ access: AccessSnapshot, listener index: Int
    ) {
        let listener = configuration.listeners[index]
        let settings = ListenerSettings(listener, configuration)
        let visit = Visit(question, configuration, access, settings, index)
        self.listener = listener.place
        login = Answer(
            isAllowed: visit.refusal == nil,
            reason: visit.refusal ?? Self.reason(question, listener, settings))
        let subject = AccessSubject(
            clientIdentifier: visit.client, userName: question.userName, listener: settings.name)
        topic = MQTTString(Self.mounted(question, settings.mountPoint)) ?? question.topic
        decision = Self.decide(subject, question.deed.action, topic, access)
    }

    private static func decide(
        _ subject: AccessSubject, _ action: AccessAction, _ topic: MQTTString, _ access: AccessSnapshot
    ) -> Answer {
        topic.bytes.withUnsafeBytes { topic in
            if action == .publish, AccessRules.isReserved(topic) {
                return Answer(isAllowed: false, reason: "topics that begin with $SYS or $share are the broker's own")
            }
            guard let policy = access.policy else {
                return Answer(isAllowed: true, reason: "no acl_file restricts anything")
            }
            var asked = topic
            if case .shared(_, let inner) = TopicSyntax.sharedFilter(topic) {
                asked = UnsafeRawBufferPointer(rebasing: topic[inner])
            }
            let decision = policy.decide(subject, action, asked)
            var reason = policy.describe(decision.reason)
            if action == .subscribe, decision.reason == .unrestricted {
                reason = "everybody may subscribe; what is delivered is decided topic by topic (--receive)"
            }
            return Answer(
                isAllowed: decision.isAllowed, reason: reason, rule: access.rulePlace(of: decision.reason))
        }
    }

    /// Why somebody is let in.
    private static func reason(
        _ question: Question, _ listener: ListenerConfiguration, _ settings: ListenerSettings
    ) -> String {
        if settings.takesUserNameFromIdentity { return "its certificate or pre-shared key says who it is" }
        if let file = listener.security.passwordFile, let user = question.userName {
            return "\(file) has a password for '\(user)', which decides"
        }
        return "allow_anonymous is true"
    }

    private static func mounted(_ question: Question, _ mountPoint: [UInt8]) -> [UInt8] {
        question.topic.bytes.withUnsafeBytes { topic in
            guard question.deed == .subscribe, case .shared(_, let inner) = TopicSyntax.sharedFilter(topic) else {
                return mountPoint + topic
            }
            return [UInt8](topic[..<inner.lowerBound]) + mountPoint + topic[inner]
        }
    }
}

/// One CONNECT at a shard of its own.
private struct Visit {
    /// As its session would be called.
    var client: MQTTString = ""
    /// Why it is not let in, in the log's words.
    var refusal: String?

    init(
        _ question: AccessExplanation.Question, _ configuration: BrokerConfiguration, _ access: AccessSnapshot,
        _ settings: ListenerSettings, _ index: Int
    ) {
        var shardSettings = ShardSettings(configuration)
        shardSettings.logInterest = .notice
        shardSettings.logsConnections = true
        let listeners = configuration.listeners.map { ListenerSettings($0, configuration) }
        var shard = Shard(settings: shardSettings, listeners: listeners, policy: access.policy, seed: 0)
        let connection = shard.accepted(listener: index, at: 0)
        if settings.takesUserNameFromIdentity, let identity = question.userName {
            shard.identified(connection, as: identity)
        }
        let version = [ProtocolVersion.v5, .v311, .v31].first { settings.acceptedVersions.contains($0) } ?? .v5
        // One that any broker takes: this is not about keep-alive.
        let limit = shardSettings.keepAliveSecondsMax
        let connect = Connect(
            version: version, keepAliveSeconds: limit == 0 ? 60 : min(limit, 60),
            clientIdentifier: question.clientIdentifier ?? "", userName: question.userName)
        var run = ByteRun(capacity: 256)
        connect.encode(into: &run, version: version)
        client = question.clientIdentifier ?? ""
        _ = [UInt8](run.bytes).withUnsafeBytes { shard.receive($0, on: connection, at: 0) }
        while shard.hasEffects {
            for effect in shard.takeEffects() {
                switch effect {
                case .authenticate(let request):
                    shard.authenticated(connection, Self.verdict(request, access), at: 0)
                case .log(.loginRefused(_, let client, let user, let why)):
                    self.client = client
                    refusal = LogWriter.text(why, user)
                    // Its password is right wherever there is one.
                    if why == .wrongPassword, let file = configuration.listeners[index].security.passwordFile {
                        refusal = "\(file) has no user '\(user ?? "")'"
                    }
                case .log(.connected(_, let client, _, _, _, _)):
                    self.client = client
                    refusal = nil
                case .log(.refused(_, let code, _)):
                    if refusal == nil { refusal = "Refused: \(code)." }
                default: break
                }
            }
        }
    }

    /// The password is taken to be right, where there is one to be right.
    private static func verdict(_ request: AuthenticationRequest, _ access: AccessSnapshot) -> AuthenticationVerdict {
        switch access.passwords[request.listener] {
        case .unchecked: .admitted
        case .closed: .refused(.closed)
        case .file(let file): file.hashes[request.userName] == nil ? .refused(.wrongPassword) : .admitted
        }
    }
}
