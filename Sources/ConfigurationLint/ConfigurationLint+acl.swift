import BrokerAccess
import BrokerConfiguration

/// Findings about ACL files: lines that can never decide anything.
extension ConfigurationLint {
    /// Sections with more lines are not compared line by line.
    private static let comparedLinesMax = 1000

    /// Each file once, however many listeners go by it.
    static func accessFiles(_ configuration: BrokerConfiguration, _ around: ConfigurationSurroundings) -> [Finding] {
        var findings: [Finding] = []
        var seen: Set<String> = []
        for listener in configuration.listeners {
            guard let path = listener.security.aclFile, seen.insert(path).inserted else { continue }
            guard case .success(let bytes) = around.read(path) else {
                findings.append(
                    Finding(.fileUnreadable, .warning, .init(file: path, line: nil), "the ACL file cannot be read"))
                continue
            }
            let lines = ACLLines(bytes, path: path)
            for section in lines.sections.values { findings += dead(section, path, arePatterns: false) }
            findings += dead(lines.patterns, path, arePatterns: true)
            if listener.certificateIdentity == .none, let passwords = listener.security.passwordFile {
                findings += strangers(lines, path, passwords, around)
            }
        }
        return findings.sorted { ($0.remark.file, $0.remark.line ?? 0) < ($1.remark.file, $1.remark.line ?? 0) }
    }

    private static func dead(_ lines: [ACLLines.Line], _ path: String, arePatterns: Bool) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in lines.enumerated() {
            func find(_ rule: Finding.Rule, _ severity: Diagnostic.Severity, _ message: String) {
                findings.append(
                    Finding(
                        rule, severity, .init(file: path, line: line.number),
                        "'\(line.access.word) \(line.filter)' \(message)"))
            }
            if line.filter.hasPrefix("$share/") {
                find(
                    .aclLineDead, .warning, "never matches: topics do not begin with $share, write the filter behind it"
                )
            } else if line.access == .write, line.filter.hasPrefix("$SYS") {
                find(.aclLineDead, .warning, "gives nothing: nobody may publish below $SYS")
            } else if !arePatterns, line.filter.contains("%c") || line.filter.contains("%u") {
                find(
                    .aclLineDead, .warning,
                    "means the text itself: only 'pattern' lines put names in the place of %c and %u")
            }
            guard lines.count <= comparedLinesMax else { continue }
            if line.access != .deny, let deny = lines.first(where: { $0.access == .deny && $0.covers(line) }) {
                // Lines that deny are asked first, wherever they stand.
                find(.aclLineDead, .warning, "never decides: line \(deny.number) denies all of it")
            } else if let wider = lines[..<index].first(where: { $0.access.includes(line.access) && $0.covers(line) }) {
                find(.aclLineRedundant, .note, "adds nothing to line \(wider.number)")
            }
        }
        return findings
    }

    /// Users with rights and without a password.
    private static func strangers(
        _ lines: ACLLines, _ path: String, _ passwords: String, _ around: ConfigurationSurroundings
    ) -> [Finding] {
        guard case .success(let bytes) = around.read(passwords) else { return [] }
        let known = Set(
            String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
                .compactMap { $0.split(separator: ":").first.map { String($0.filter { !$0.isWhitespace }) } })
        return lines.userLines.filter { !known.contains($0.key.filter { !$0.isWhitespace }) }.map { user, line in
            Finding(
                .aclUserUnknown, .note, .init(file: path, line: line),
                "'user \(user)' has rights here and no password in \(passwords)")
        }
    }
}
