import BrokerCore
import MQTTProtocol

/// An ACL file, MOSQUITTO_COMPAT §4: rules for users, for the anonymous, and patterns for all.
///
/// mosquitto's order: the client's own rules, those that deny first; then the patterns, those that deny first; nothing
/// matched = no. A rule that matches and gives another right than the one asked for decides nothing.
package struct ACLFile: Sendable {
    package let path: String
    package let remarks: [AccessRemark]
    let rules: [ACLRule]
    /// Rules of each user; nil = before the first `user`, for the anonymous.
    private let sections: [MQTTString?: Order]
    private let patterns: Order
    /// Where the users that are named begin.
    package let userLines: [String: Int]

    /// Indices of rules in the order in which they are asked.
    struct Order: Sendable {
        var denying: [Int] = []
        var others: [Int] = []

        var isEmpty: Bool { denying.isEmpty && others.isEmpty }

        mutating func append(_ index: Int, _ rule: ACLRule) {
            if rule.access == .deny { denying.append(index) } else { others.append(index) }
        }
    }

    /// Reads the file whole, or says what is wrong with it.
    package static func load(_ path: String) throws(AccessFileError) -> ACLFile {
        try ACLFile(SecretFile.read(path, isSecret: false))
    }

    init(_ source: SecretFile) throws(AccessFileError) {
        var reader = ACLReader(path: source.path, remarks: source.remarks)
        try source.forEachLine { (number, line) throws(AccessFileError) in try reader.read(line, number) }
        self.init(reader)
    }

    /// What can be read of a file: for advice about it, never to decide by.
    package init(readable bytes: [UInt8], path: String) {
        let source = SecretFile(path: path, bytes: bytes, remarks: [])
        var reader = ACLReader(path: path, remarks: [])
        source.forEachLine { number, line in try? reader.read(line, number) }
        self.init(reader)
    }

    private init(_ reader: ACLReader) {
        path = reader.path
        remarks = reader.remarks
        rules = reader.rules
        sections = reader.sections
        patterns = reader.patterns
        userLines = reader.userLines
    }

    /// Lines by whose they are, in the file's order; nil = before the first `user`, for the anonymous.
    package var rulesByUser: [String?: [ACLRule]] {
        Dictionary(
            sections.map { ($0.key.map { String(decoding: $0.bytes, as: UTF8.self) }, rules(of: $0.value)) },
            uniquingKeysWith: +)
    }
    package var patternRules: [ACLRule] { rules(of: patterns) }

    private func rules(of order: Order) -> [ACLRule] { (order.denying + order.others).sorted().map { rules[$0] } }

    // MARK: Deciding

    /// What the file says: the index of the rule that decides, and yes or no.
    func decide(
        _ subject: AccessSubject, _ action: AccessAction, _ topic: UnsafeRawBufferPointer
    ) -> (isAllowed: Bool, rule: Int?, reason: AccessReason) {
        // An ACL file does not speak of subscribing: what is read is decided message by message.
        guard action == .publish || action == .receive else { return (true, nil, .unrestricted) }
        let own = sections[subject.userName]
        if own == nil, patterns.isEmpty { return (false, nil, .unknownUser) }
        if let own, let rule = first(of: own, action, topic, subject) {
            return (rules[rule].access != .deny, rule, .noRule)
        }
        guard !patterns.isEmpty else { return (false, nil, .noRule) }
        // Such a name could take in more topics than its own.
        guard !ACLFile.holdsWildcard(subject.userName?.bytes ?? []),
            !ACLFile.holdsWildcard(subject.clientIdentifier.bytes)
        else { return (false, nil, .wildcardInName) }
        if let rule = first(of: patterns, action, topic, subject) {
            return (rules[rule].access != .deny, rule, .noRule)
        }
        return (false, nil, .noRule)
    }

    private func first(
        of order: Order, _ action: AccessAction, _ topic: UnsafeRawBufferPointer, _ subject: AccessSubject
    ) -> Int? {
        for index in order.denying where rules[index].matches(topic, subject) { return index }
        for index in order.others
        where rules[index].access.contains(action) && rules[index].matches(topic, subject) {
            return index
        }
        return nil
    }

    private static func holdsWildcard(_ name: [UInt8]) -> Bool {
        name.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
    }
}

/// Takes an ACL file's lines, one by one.
struct ACLReader {
    let path: String
    var remarks: [AccessRemark]
    var rules: [ACLRule] = []
    var sections: [MQTTString?: ACLFile.Order] = [:]
    var patterns = ACLFile.Order()
    private(set) var userLines: [String: Int] = [:]
    private var user: MQTTString?

    /// Remarks about lines, at most.
    private static let remarksMax = 100

    init(path: String, remarks: [AccessRemark]) {
        self.path = path
        self.remarks = remarks
    }

    mutating func read(_ line: ArraySlice<UInt8>, _ number: Int) throws(AccessFileError) {
        func fail(_ reason: String) -> AccessFileError { AccessFileError(file: path, line: number, reason: reason) }
        guard line.count <= SecretFile.lineBytesMax else { throw fail("the line is too long") }
        var rest = line
        let keyword = ACLReader.word(&rest)
        switch String(decoding: keyword, as: UTF8.self) {
        case "user":
            let name = ACLReader.trimmed(rest)
            guard !name.isEmpty else { throw fail("`user` without a name") }
            guard let name = MQTTString(Array(name)) else { throw fail("the user name is no UTF-8 text") }
            user = name
            let text = String(decoding: name.bytes, as: UTF8.self)
            if userLines[text] == nil { userLines[text] = number }
        case "topic": try readRule(rest, isPattern: false, number)
        case "pattern": try readRule(rest, isPattern: true, number)
        default:
            let word = MQTTString(Array(keyword.prefix(64)))?.description ?? "?"
            throw fail("a line begins with `user`, `topic` or `pattern`, not with `\(word)`")
        }
    }

    private mutating func readRule(_ rest: ArraySlice<UInt8>, isPattern: Bool, _ number: Int) throws(AccessFileError) {
        func fail(_ reason: String) -> AccessFileError { AccessFileError(file: path, line: number, reason: reason) }
        var rest = rest
        let first = ACLReader.word(&rest)
        guard !first.isEmpty else { throw fail("the topic is missing") }
        var access = ACLRule.Access.readWrite
        var filter = first
        // A word behind the first makes that the access.
        let second = ACLReader.trimmed(rest)
        if !second.isEmpty {
            guard let named = ACLRule.Access(word: first) else {
                let word = MQTTString(Array(first.prefix(64)))?.description ?? "?"
                throw fail("`\(word)` is no access: read, write, readwrite or deny")
            }
            access = named
            filter = second
        }
        guard filter.withUnsafeBytes({ TopicSyntax.isValidFilter($0) }) else {
            throw fail("`\(MQTTString(Array(filter.prefix(256)))?.description ?? "?")` is no topic filter")
        }
        let rule = ACLRule(filter: Array(filter), access: access, isPattern: isPattern, line: number)
        rules.append(rule)
        guard isPattern else {
            sections[user, default: ACLFile.Order()].append(rules.count - 1, rule)
            return
        }
        patterns.append(rules.count - 1, rule)
        if !rule.namesClient, !rule.namesUser {
            remark("the pattern has neither %c nor %u: it is for everybody, the anonymous too", number)
        }
    }

    private mutating func remark(_ text: String, _ number: Int) {
        guard remarks.count < ACLReader.remarksMax else { return }
        remarks.append(AccessRemark(file: path, line: number, text: text))
    }

    /// The next word, and what follows its space: only spaces part words, as in mosquitto.
    private static func word(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        while rest.first == UInt8(ascii: " ") { rest.removeFirst() }
        let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
        defer { rest = end == rest.endIndex ? [] : rest[(end + 1)...] }
        return rest[rest.startIndex..<end]
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> { SecretFile.trimmed(bytes) }
}
