/// The lines of an ACL file as far as advice needs them: who, which access, which filter, where. What cannot be read is left out;
/// that it stops a start is for its reader to say.
struct ACLLines {
    struct Line {
        enum Access: String {
            case deny, read, write, readwrite

            /// Everything the other gives, this one gives too.
            func includes(_ other: Access) -> Bool { self == other || self == .readwrite && other != .deny }
        }

        let number: Int
        let access: Access
        let filter: String
        let levels: [Substring]
    }

    /// Lines of each user; `nil` = those above every `user`, for the anonymous.
    private(set) var sections: [String?: [Line]] = [:]
    private(set) var patterns: [Line] = []
    /// Where each user's section begins.
    private(set) var userLines: [String: Int] = [:]

    init(_ text: String) {
        var user: String?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard !line.hasPrefix("#") else { continue }
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\r" || $0 == "\t" })
            guard let keyword = words.first else { continue }
            let rest = line.drop { $0 == " " }.dropFirst(keyword.count)
            let value = String(rest.drop { $0 == " " }.reversed().drop { $0.isWhitespace }.reversed())
            switch keyword {
            case "user":
                user = value
                if userLines[value] == nil { userLines[value] = index + 1 }
            case "topic", "pattern":
                guard let line = Line(value, number: index + 1) else { continue }
                if keyword == "topic" { sections[user, default: []].append(line) } else { patterns.append(line) }
            default: continue
            }
        }
    }
}

extension ACLLines.Line {
    init?(_ value: String, number: Int) {
        var access = Access.readwrite
        var filter = value[...]
        if let space = value.firstIndex(of: " ") {
            guard let named = Access(rawValue: String(value[..<space])) else { return nil }
            access = named
            filter = value[space...].drop { $0 == " " }
        }
        guard !filter.isEmpty else { return nil }
        self.number = number
        self.access = access
        self.filter = String(filter)
        levels = self.filter.split(separator: "/", omittingEmptySubsequences: false)
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
