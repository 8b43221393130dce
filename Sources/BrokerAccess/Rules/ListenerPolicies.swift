import BrokerCore

/// The policy of a whole broker: for each listener's clients an ACL file, nothing, or a closed door. Rules are numbered
/// through all files.
struct ListenerPolicies: AccessPolicy {
    enum Entry: Hashable, Sendable {
        case open
        /// An index into `files`.
        case file(Int)
        /// Who would decide is not there: nobody may do anything.
        case closed
    }

    private let files: [ACLFile]
    private let firstRules: [Int]
    private let entries: [UInt32: Entry]
    /// Where all listeners have the same: then it holds for those too that no longer have a listener.
    private let common: Entry?

    /// - Parameter entries: by `ListenerSettings.name`.
    init(files: [ACLFile], entries: [UInt32: Entry]) {
        self.files = files
        self.entries = entries
        var firstRules: [Int] = []
        var count = 0
        for file in files {
            firstRules.append(count)
            count += file.rules.count
        }
        self.firstRules = firstRules
        let all = Set(entries.values)
        common = all.count == 1 ? all.first : nil
    }

    /// Nothing is restricted for anybody: no policy is needed.
    var isOpen: Bool { common == .open || entries.isEmpty }

    func decide(
        _ subject: AccessSubject, _ action: AccessAction, _ topic: UnsafeRawBufferPointer
    ) -> AccessDecision {
        // Whose listener has gone from the configuration has no rights until it comes back by another.
        switch common ?? entries[subject.listener] ?? .closed {
        case .open: return AccessDecision(isAllowed: true, .unrestricted)
        case .closed: return AccessDecision(isAllowed: false, .closed)
        case .file(let index):
            let found = files[index].decide(subject, action, topic)
            let reason = found.rule.map { AccessReason.rule(UInt32(firstRules[index] + $0)) } ?? found.reason
            return AccessDecision(isAllowed: found.isAllowed, reason)
        }
    }

    /// The line that a reason speaks of.
    func place(of reason: AccessReason) -> AccessSnapshot.RulePlace? {
        guard case .rule(let number) = reason, let index = firstRules.lastIndex(where: { $0 <= Int(number) }),
            Int(number) - firstRules[index] < files[index].rules.count
        else { return nil }
        let rule = files[index].rules[Int(number) - firstRules[index]]
        return AccessSnapshot.RulePlace(file: files[index].path, line: rule.line, text: rule.text)
    }

    func describe(_ reason: AccessReason) -> String {
        let paths = files.map(\.path).joined(separator: ", ")
        switch reason {
        case .rule:
            guard let place = place(of: reason) else { return "a rule that has gone" }
            return "\(place.file):\(place.line): \(place.text)"
        case .noRule: return "no line of \(paths) allows it"
        case .unknownUser: return "\(paths) has no line for this user"
        case .wildcardInName: return "a user name or client identifier with + or # has no rights by patterns"
        case .unrestricted: return "nothing restricts it"
        case .reservedTopic: return "this topic is the broker's"
        case .closed: return "dynamic security would have to decide, and it is not running"
        }
    }
}
