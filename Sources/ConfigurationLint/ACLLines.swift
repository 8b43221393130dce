import BrokerAccess

/// The lines of an ACL file as advice looks at them: whose, which access, which filter, level by level. The broker's own reader
/// (`ACLFile`) takes them apart; lines that it refuses are left out here, and named where the start is judged.
struct ACLLines {
    struct Line {
        let number: Int
        let access: ACLRule.Access
        let filter: String
        let levels: [Substring]
    }

    /// Lines of each user; `nil` = those above every `user`, for the anonymous.
    let sections: [String?: [Line]]
    let patterns: [Line]
    /// Where each user's section begins.
    let userLines: [String: Int]

    init(_ bytes: [UInt8], path: String) {
        let file = ACLFile(readable: bytes, path: path)
        sections = file.rulesByUser.mapValues { $0.map(Line.init) }
        patterns = file.patternRules.map(Line.init)
        userLines = file.userLines
    }
}

extension ACLLines.Line {
    init(_ rule: ACLRule) {
        number = rule.line
        access = rule.access
        filter = String(decoding: rule.filter, as: UTF8.self)
        levels = filter.split(separator: "/", omittingEmptySubsequences: false)
    }

    /// Every topic that the other line speaks of is one that this line speaks of.
    func covers(_ other: ACLLines.Line) -> Bool {
        // Wildcards do not see topics that begin with $. [5.0 MQTT-4.7.2-1]
        guard filter.hasPrefix("$") == other.filter.hasPrefix("$") else { return false }
        for (index, level) in levels.enumerated() {
            if level == "#" { return true }
            guard index < other.levels.count else { return false }
            let theirs = other.levels[index]
            guard level == theirs || level == "+" && theirs != "#" else { return false }
        }
        return levels.count == other.levels.count
    }
}

extension ACLRule.Access {
    /// Everything the other gives, this one gives too.
    func includes(_ other: Self) -> Bool { self == other || self == .readWrite && other != .deny }
}
