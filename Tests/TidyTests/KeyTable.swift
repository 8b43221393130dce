/// Which test shows what each key of the configuration does: Docs/configuration-keys.md, held against the guide's list of keys
/// and against the tests it names.
enum KeyTable {
    struct Reference: Equatable {
        /// Below Tests/.
        let file: String
        let function: String
    }

    struct Row: Equatable {
        /// The key and its aliases.
        let names: [String]
        let references: [Reference]
    }

    /// The one file that looks at every key there is, and so need not name each.
    static let everyKey = "BrokerConfigurationTests/KeyTests.swift"

    /// Keys with their aliases, from the tables of Docs/guides/configuration.md; a test of ours keeps those equal to the code.
    static func keys(inGuide markdown: String) -> [[String]] {
        guard let begin = markdown.firstRange(of: "<!-- The tables are made")?.upperBound,
            let end = markdown.firstRange(of: "<!-- End of the tables. -->")?.lowerBound, begin < end
        else { return [] }
        return rows(in: String(markdown[begin..<end])).map(\.names)
    }

    /// Rows `| `key`, `alias` | … | `FILE` (`function`), … |`.
    static func rows(in markdown: String) -> [Row] {
        markdown.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `") else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: true)
            guard let first = cells.first, let last = cells.last else { return nil }
            let names = first.matches(of: /`([^`]+)`/).map { String($0.1) }
            let references = last.matches(of: /`([^`]+)` \(`([^`]+)`\)/).map {
                Reference(file: String($0.1), function: String($0.2))
            }
            return Row(names: names, references: references)
        }
    }

    /// - Parameter text: of a file below Tests/; nil where there is none.
    static func check(keys: [[String]], rows: [Row], text: (String) -> String?) -> [Finding] {
        let page = "Docs/configuration-keys.md"
        var findings: [Finding] = []
        for names in keys where !rows.contains(where: { $0.names == names }) {
            findings.append(Finding(page, "no row for \(names.joined(separator: ", "))"))
        }
        for row in rows {
            let name = row.names.first ?? "?"
            if !keys.contains(row.names) { findings.append(Finding(page, "\(name) is no key, or has other aliases")) }
            if row.references.isEmpty { findings.append(Finding(page, "\(name): no test is named")) }
            var isSpokenOf = false
            for reference in row.references {
                guard let text = text(reference.file) else {
                    findings.append(Finding(page, "\(name): there is no Tests/\(reference.file)"))
                    continue
                }
                let isThere = ["func \(reference.function)(", "def \(reference.function)("].contains {
                    text.contains($0)
                }
                if !isThere {
                    findings.append(Finding(page, "\(name): Tests/\(reference.file) has no \(reference.function)"))
                }
                if reference.file == everyKey || row.names.contains(where: { text.contains($0) }) { isSpokenOf = true }
            }
            if !isSpokenOf, !row.references.isEmpty {
                findings.append(Finding(page, "\(name): the tests named do not speak of it"))
            }
        }
        return findings
    }
}
