/// The standard's rules that a server, or a client, can be held to, and whether each is named by a test or excused with a
/// reason.
struct Requirements {
    struct Rule: Hashable, Comparable, CustomStringConvertible {
        let version: String
        let id: String

        var description: String { "[\(version) \(id)]" }

        static func < (a: Self, b: Self) -> Bool {
            (a.version, a.id).0 != (b.version, b.id).0 ? a.version < b.version : a.id < b.id
        }
    }

    /// How many rules have neither test nor reason. May only go down, to 0.
    static let missingMax = 0

    /// Every rule of both versions.
    let all: Set<Rule>
    /// Those for a server.
    let servers: Set<Rule>
    /// Those for a client.
    let clients: Set<Rule>

    /// Reads `version,id,who,…` with a heading line; the first three fields are never quoted.
    init(csv: String) {
        var all: Set<Rule> = []
        var servers: Set<Rule> = []
        var clients: Set<Rule> = []
        for line in csv.split(whereSeparator: \.isNewline).dropFirst() {
            let fields = line.split(separator: ",", maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, fields[1].hasPrefix("MQTT-") else { continue }
            let rule = Rule(version: String(fields[0]), id: String(fields[1]))
            all.insert(rule)
            if fields[2] == "server" || fields[2] == "both" { servers.insert(rule) }
            if fields[2] == "client" || fields[2] == "both" { clients.insert(rule) }
        }
        self.all = all
        self.servers = servers
        self.clients = clients
    }

    /// Rules named in the titles of tests: `@Test("[5.0 MQTT-3.1.2-1] …")`, several in a title if need be.
    static func named(inTestsOf text: String) -> Set<Rule> {
        var found: Set<Rule> = []
        for title in text.matches(of: /@Test\(\s*"((?:[^"\\]|\\.)*)"/) {
            for match in title.1.matches(of: /\[(3\.1\.1|5\.0) (MQTT-[0-9.]+-[0-9]+[a-z]?)\]/) {
                found.insert(Rule(version: String(match.1), id: String(match.2)))
            }
        }
        return found
    }

    /// Rows `| 5.0 | MQTT-… | reason |` of Docs/requirements.md; a row without a reason does not count.
    static func excused(in markdown: String) -> Set<Rule> {
        var found: Set<Rule> = []
        for line in markdown.split(whereSeparator: \.isNewline) {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { cell in
                String(
                    cell.trimmingPrefix(while: \.isWhitespace).reversed().trimmingPrefix(while: \.isWhitespace)
                        .reversed())
            }
            guard cells.count >= 5, cells[2].hasPrefix("MQTT-"), !cells[3].isEmpty else { continue }
            found.insert(Rule(version: cells[1], id: cells[2]))
        }
        return found
    }

    /// The side whose rules are looked at.
    enum Side: String { case server, client }

    func rules(for side: Side) -> Set<Rule> { side == .server ? servers : clients }

    func missing(for side: Side = .server, tested: Set<Rule>, excused: Set<Rule>) -> [Rule] {
        rules(for: side).subtracting(tested).subtracting(excused).sorted()
    }

    func check(for side: Side = .server, tested: Set<Rule>, excused: Set<Rule>) -> [Finding] {
        let page = side == .server ? "Docs/requirements.md" : "Docs/requirements-client.md"
        let tests = side == .server ? "Tests/ConformanceTests" : "Tests/MQTTClientTests"
        return tested.subtracting(all).sorted().map {
            Finding(tests, "a test names \($0), which the standard does not have")
        }
            + excused.subtracting(rules(for: side)).sorted().map {
                Finding(page, "\($0) is no rule for a \(side.rawValue)")
            }
            + excused.intersection(tested).sorted().map {
                Finding(page, "\($0) has a test now: take its row away")
            }
    }
}
