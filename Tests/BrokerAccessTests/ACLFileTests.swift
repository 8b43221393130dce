import BrokerCore
import MQTTProtocol
import SeededRandom
import Testing

@testable import BrokerAccess

/// Grammar and order of evaluation, MOSQUITTO_COMPAT §4, as tables. `MosquittoComparisonTests` asks the real one.
@Suite("ACL files")
struct ACLFileTests {
    static func read(_ text: String) throws(AccessFileError) -> ACLFile {
        try ACLFile(SecretFile(path: "acl", bytes: Array(text.utf8), remarks: []))
    }

    static func decide(
        _ file: ACLFile, _ user: String?, _ action: AccessAction, _ topic: String, client: String = "c1"
    ) -> Bool {
        let subject = AccessSubject(clientIdentifier: MQTTString(client), userName: user.map { MQTTString($0) })
        return Array(topic.utf8).withUnsafeBytes { file.decide(subject, action, $0).isAllowed }
    }

    /// A file, who asks, and what for: `r` receive, `w` publish; upper case where the answer is yes.
    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        let user: String?
        let topic: String
        let answers: String
        var client = "c1"
        var testDescription: String { "\(user ?? "anonymous") \(topic) in \(text.debugDescription)" }
    }

    static let cases: [Case] = [
        // Sections.
        Case(text: "", user: nil, topic: "a", answers: "rw"),
        Case(text: "topic a", user: nil, topic: "a", answers: "RW"),
        Case(text: "topic a", user: "u", topic: "a", answers: "rw"),
        Case(text: "user u\ntopic a", user: nil, topic: "a", answers: "rw"),
        Case(text: "user u\ntopic a", user: "u", topic: "a", answers: "RW"),
        Case(text: "user u\ntopic a", user: "U", topic: "a", answers: "rw"),
        Case(
            text: "user u\ntopic read a\nuser v\ntopic b\nuser u\ntopic write a", user: "u", topic: "a", answers: "RW"),
        Case(text: "user two words\ntopic a", user: "two words", topic: "a", answers: "RW"),
        // Access.
        Case(text: "topic read a", user: nil, topic: "a", answers: "Rw"),
        Case(text: "topic write a", user: nil, topic: "a", answers: "rW"),
        Case(text: "topic readwrite a", user: nil, topic: "a", answers: "RW"),
        Case(text: "topic deny a", user: nil, topic: "a", answers: "rw"),
        Case(text: "topic read", user: nil, topic: "read", answers: "RW"),
        Case(text: "topic   read    a b ", user: nil, topic: "a b", answers: "Rw"),
        Case(text: "  topic a", user: nil, topic: "a", answers: "RW"),
        // A rule with another right decides nothing.
        Case(text: "topic read a\ntopic write a", user: nil, topic: "a", answers: "RW"),
        Case(text: "topic read a\ntopic write #", user: nil, topic: "a", answers: "RW"),
        // Deny comes first wherever it stands.
        Case(text: "topic a\ntopic deny a", user: nil, topic: "a", answers: "rw"),
        Case(text: "topic #\ntopic deny a/+", user: nil, topic: "a/b", answers: "rw"),
        Case(text: "topic #\ntopic deny a/+", user: nil, topic: "a/b/c", answers: "RW"),
        Case(text: "topic a\npattern deny #", user: nil, topic: "a", answers: "RW"),
        Case(text: "pattern #\npattern deny a", user: nil, topic: "a", answers: "rw"),
        Case(text: "topic deny a\npattern #", user: nil, topic: "a", answers: "rw"),
        // Patterns.
        Case(text: "pattern p/%u", user: "u", topic: "p/u", answers: "RW"),
        Case(text: "pattern p/%u", user: "u", topic: "p/v", answers: "rw"),
        Case(text: "pattern p/%u", user: nil, topic: "p/", answers: "rw"),
        Case(text: "pattern deny p/%u\npattern #", user: nil, topic: "p/", answers: "RW"),
        Case(text: "pattern read p/%c/+", user: nil, topic: "p/c1/x", answers: "Rw"),
        Case(text: "pattern %u/%c/%u", user: "u", topic: "u/c1/u", answers: "RW"),
        Case(text: "pattern x%cy", user: nil, topic: "xc1y", answers: "RW"),
        Case(text: "pattern p/%", user: nil, topic: "p/%", answers: "RW"),
        Case(text: "pattern p/%d", user: nil, topic: "p/%d", answers: "RW"),
        Case(text: "topic p/%c", user: nil, topic: "p/%c", answers: "RW"),
        Case(text: "topic p/%c", user: nil, topic: "p/c1", answers: "rw"),
        Case(text: "user u\ntopic a\npattern b", user: "stranger", topic: "b", answers: "RW"),
        Case(text: "pattern p/%c/#", user: nil, topic: "p/a/b/x", answers: "RW", client: "a/b"),
        // Names that could pass for wildcards.
        Case(text: "pattern p/%c", user: nil, topic: "p/c1", answers: "rw", client: "+"),
        Case(text: "pattern p/%c", user: nil, topic: "p/x", answers: "rw", client: "#"),
        Case(text: "pattern #", user: "a+", topic: "p", answers: "rw"),
        Case(text: "topic #", user: nil, topic: "p", answers: "RW", client: "a#b"),
        Case(text: "topic a\npattern b", user: nil, topic: "a", answers: "RW", client: "+"),
        // `$` topics.
        Case(text: "topic #", user: nil, topic: "$SYS/x", answers: "rw"),
        Case(text: "topic $SYS/#", user: nil, topic: "$SYS/x", answers: "RW"),
        Case(text: "topic $SYS/#", user: nil, topic: "SYS/x", answers: "rw"),
        Case(text: "pattern +/x", user: nil, topic: "$SYS/x", answers: "rw"),
        Case(text: "pattern $%c/x", user: nil, topic: "$c1/x", answers: "RW"),
        // Wildcards.
        Case(text: "topic a/#", user: nil, topic: "a", answers: "RW"),
        Case(text: "topic a/+/#", user: nil, topic: "a", answers: "rw"),
        Case(text: "topic a/+/#", user: nil, topic: "a/b", answers: "RW"),
        Case(text: "topic +", user: nil, topic: "", answers: "rw"),
        Case(text: "topic +/+", user: nil, topic: "/", answers: "RW"),
        Case(text: "topic /+", user: nil, topic: "/a", answers: "RW"),
        Case(text: "topic +", user: nil, topic: "/a", answers: "rw"),
        Case(text: "topic é/+", user: nil, topic: "é/ü", answers: "RW"),
    ]

    @Test("BR-5 What the file says", arguments: cases)
    func table(_ one: Case) throws {
        let file = try Self.read(one.text)
        let receive = Self.decide(file, one.user, .receive, one.topic, client: one.client)
        let publish = Self.decide(file, one.user, .publish, one.topic, client: one.client)
        #expect((receive ? "R" : "r") + (publish ? "W" : "w") == one.answers)
        #expect(Self.decide(file, one.user, .subscribe, one.topic.isEmpty ? "#" : one.topic, client: one.client))
    }

    @Test(
        "What is wrong says where",
        arguments: [
            ("topic", 1), ("topic read  \ntopic a/#/b", 2), ("# c\n\nuser", 3), ("user   ", 1), ("topics a", 1),
            ("topic rw a", 1), ("topic read a+", 1), ("pattern deny #/a", 1), ("topic\tread a", 1), (" # c", 1),
            ("Topic a", 1), ("topic read \u{0}a", 1),
        ])
    func errors(_ text: String, _ line: Int) {
        let error = #expect(throws: AccessFileError.self) { try Self.read(text) }
        #expect(error?.line == line)
    }

    @Test("CH-12 A pattern without %c and %u is remarked, a comment and an empty line are not")
    func remarks() throws {
        let file = try Self.read("# c\n\npattern a\npattern %c/a\npattern b/%u\ntopic a\n")
        #expect(file.remarks.map(\.line) == [3])
    }

    @Test("Reasons name file, line and rule")
    func reasons() throws {
        let folder = try Folder()
        let one = try folder.write("topic a\n\ntopic deny b\n", to: "one")
        let two = try folder.write("user u\ntopic read c\n", to: "two")
        let snapshot = try AccessSnapshot.load([
            ListenerAccess(name: 1, aclFile: one), ListenerAccess(name: 2, aclFile: two), ListenerAccess(name: 3),
            ListenerAccess(name: 4, isClosed: true),
        ])
        let policy = try #require(snapshot.policy)
        func ask(_ listener: UInt32, _ user: String?, _ action: AccessAction, _ topic: String) -> (Bool, String) {
            let subject = AccessSubject(
                clientIdentifier: "c", userName: user.map { MQTTString($0) }, listener: listener)
            let decision = Array(topic.utf8).withUnsafeBytes { policy.decide(subject, action, $0) }
            return (decision.isAllowed, policy.describe(decision.reason))
        }
        #expect(ask(1, nil, .publish, "b") == (false, "\(one):3: topic deny b"))
        #expect(ask(1, nil, .publish, "a") == (true, "\(one):1: topic readwrite a"))
        #expect(ask(2, "u", .receive, "c") == (true, "\(two):2: topic read c"))
        #expect(ask(2, "u", .publish, "c").0 == false)
        #expect(ask(2, nil, .receive, "c").0 == false)
        #expect(ask(3, nil, .receive, "anything").0 == true)
        #expect(ask(4, "u", .subscribe, "x").0 == false)
        #expect(ask(99, "u", .receive, "c").0 == false)
    }

    @Test("E45 Where dynamic security is named, nothing is open; without any file nobody is asked")
    func closed() throws {
        let closed = try AccessSnapshot.load([ListenerAccess(name: 1, isClosed: true)])
        let policy = try #require(closed.policy)
        let subject = AccessSubject(clientIdentifier: "c", userName: "u", listener: 77)
        for action in AccessAction.allCases {
            #expect(!Array("t".utf8).withUnsafeBytes { policy.decide(subject, action, $0).isAllowed })
        }
        guard case .closed = closed.passwords[0] else { return #expect(Bool(false), "no password opens") }
        #expect(try AccessSnapshot.load([ListenerAccess(name: 1), ListenerAccess(name: 2)]).policy == nil)
    }

    @Test("Any bytes end in a file or an error, and every question in an answer")
    func noise() {
        var random = SeededGenerator(seed: 3)
        let pieces = [
            "topic", "pattern", "user", " ", " ", "\n", "\n", "read", "write", "deny", "%c", "%u", "%", "#", "+", "/",
            "a",
            "$SYS", "é", "\0", "\r", "\u{FF}",
        ]
        var good = 0
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<random.below(14) { bytes += Array(random.pick(pieces).utf8) }
            if random.below(4) == 0, !bytes.isEmpty {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let file = try? ACLFile(SecretFile(path: "acl", bytes: bytes, remarks: [])) else { continue }
            good += 1
            for topic in ["a", "$SYS/a", "a/é", "%c", "/"] {
                _ = Self.decide(file, random.below(2) == 0 ? "a" : nil, .publish, topic, client: "a/%u%c")
            }
        }
        #expect(good > 1_000)
    }

    @Test("A name as long as names may be is matched or not, in no more room than its topic needs")
    func longNames() throws {
        let name = String(repeating: "n", count: 65_535)
        let file = try Self.read("pattern %u%u%u%u/%c\npattern %c\n")
        #expect(!Self.decide(file, name, .publish, "a", client: name))
        #expect(Self.decide(file, name, .publish, name, client: name))
    }

    @Test("Filters match as in the standard, beside a model", arguments: 1...3 as ClosedRange<UInt64>)
    func matching(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let levels = ["a", "b", "", "$x", "aa"]
        for _ in 0..<20_000 {
            let topic = (0...random.below(4)).map { _ in random.pick(levels) }.joined(separator: "/")
            var parts = (0...random.below(4)).map { _ in random.below(3) == 0 ? "+" : random.pick(levels) }
            if random.below(3) == 0 { parts.append("#") }
            let filter = parts.joined(separator: "/")
            guard !topic.isEmpty, !filter.isEmpty else { continue }
            let matches = Array(filter.utf8).withUnsafeBytes { filter in
                Array(topic.utf8).withUnsafeBytes { TopicMatch.matches(filter, $0) }
            }
            #expect(matches == Self.model(filter, topic), "\(filter) \(topic)")
        }
    }

    static func model(_ filter: String, _ topic: String) -> Bool {
        guard filter.hasPrefix("$") == topic.hasPrefix("$") else { return false }
        let filter = filter.split(separator: "/", omittingEmptySubsequences: false)
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        for (i, level) in filter.enumerated() {
            if level == "#" { return true }
            guard i < levels.count, level == "+" || level == levels[i] else { return false }
        }
        return filter.count == levels.count
    }
}
