import Foundation

/// The checkout these tests lie in. Owns nothing: it only reads files.
/// Next: each rule's file takes a `SourceFile`, or the `Manifest`, and returns findings.
enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func manifest() throws -> Manifest { try Manifest(text(of: "Package.swift")) }

    /// Files below `folder` whose names end with `suffix`, as paths from the root, sorted.
    static func paths(in folder: String, suffix: String = ".swift") -> [String] {
        let walk = FileManager.default.enumerator(atPath: root.appending(path: folder).path)
        let names = (walk?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(suffix) && !$0.contains(".build") }
        return names.map { "\(folder)/\($0)" }.sorted()
    }

    static func sources(in folders: String...) throws -> [SourceFile] {
        try folders.flatMap { try paths(in: $0).map { SourceFile(path: $0, text: try text(of: $0)) } }
    }
}

/// A Swift file, as written and as the compiler sees it.
struct SourceFile {
    let path: String
    /// Lines as they stand in the file.
    let lines: [Substring]
    /// The same lines with comments and the insides of string literals blanked out.
    let code: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.lines = Self.split(text)
        self.code = Self.split(SwiftText.blankingCommentsAndStrings(text))
    }

    /// Modules imported, with their lines (from 1).
    var imports: [(module: String, line: Int)] {
        code.enumerated().compactMap { index, line in
            guard line.contains("import ") else { return nil }
            let pattern =
                #/
                \s*(?:@\w+(?:\([^)]*\))?\s+)*
                (?:(?:public|package|internal|fileprivate|private)\s+)?
                import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?
                (\w+)
                /#
            guard let match = line.prefixMatch(of: pattern) else { return nil }
            return (String(match.1), index + 1)
        }
    }

    private static func split(_ text: String) -> [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// One place that breaks a rule, and what to do instead.
struct Finding: CustomStringConvertible, Equatable {
    let path: String
    let line: Int?
    let message: String

    init(_ path: String, line: Int? = nil, _ message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

extension [Finding] {
    /// One finding a line, for a failing test's message.
    var report: String { "\n" + map(\.description).joined(separator: "\n") }
}
