import Foundation

/// What `Package.swift` says, read as text: the tests must not start a second SwiftPM while one runs them.
/// It understands the plain style our manifest is written in, and says so where it does not.
struct Manifest {
    struct Target: Equatable {
        var name: String
        /// Where its sources lie, from the root.
        var path: String
        var isTest: Bool
        /// Names of our own targets.
        var ours: [String]
        /// Products of other packages.
        var theirs: [String]
        /// The text of the whole declaration, for rules about settings.
        var declaration: String
    }

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    let targets: [Target]
    /// Names of `let` values that hold unsafe flags, directly or through another.
    let unsafeSettings: Set<String>
    /// Every `.unsafeFlags(…)` expression in the manifest.
    let unsafeExpressions: [String]

    init(_ text: String) throws {
        let bare = Self.withoutComments(text)
        guard let start = bare.range(of: "targets: [", options: .backwards) else {
            throw Unreadable(description: "no `targets: [` in the manifest")
        }
        let list = Self.balanced(bare, from: bare.index(before: start.upperBound))
        targets = try Self.calls(in: list).map(Self.target)
        guard !targets.isEmpty else { throw Unreadable(description: "no target found in the manifest") }

        var definitions: [String: String] = [:]
        for piece in bare[..<start.lowerBound].components(separatedBy: "\nlet ").dropFirst() {
            definitions[String(piece.prefix { $0.isLetter || $0.isNumber })] = piece
        }
        definitions["package"] = nil
        var unsafe: Set<String> = []
        for _ in definitions {  // a chain of names is at most as long as there are names
            for (name, body) in definitions where !unsafe.contains(name) {
                if body.contains("unsafeFlags") || unsafe.contains(where: { Self.mentions($0, in: body) }) {
                    unsafe.insert(name)
                }
            }
        }
        unsafeSettings = unsafe
        unsafeExpressions = bare.ranges(of: ".unsafeFlags").map { range in
            range.upperBound < bare.endIndex ? Self.balanced(bare, from: range.upperBound) : ""
        }
    }

    /// Our own targets that are not tests.
    var libraries: [Target] { targets.filter { !$0.isTest } }

    func hasUnsafeFlags(_ target: Target) -> Bool {
        target.declaration.contains("unsafeFlags")
            || unsafeSettings.contains { Self.mentions($0, in: target.declaration) }
    }

    // MARK: - Reading

    private static func target(_ call: (kind: String, body: String)) throws -> Target {
        let kinds = ["target", "executableTarget", "testTarget", "systemLibrary"]
        guard kinds.contains(call.kind) else {
            throw Unreadable(description: "a target of kind .\(call.kind), which the tidy tests do not know")
        }
        guard let name = call.body.firstMatch(of: /name:\s*"([^"]+)"/)?.1 else {
            throw Unreadable(description: "a target without a plain name: \(call.body.prefix(60))")
        }
        var ours: [String] = []
        var theirs: [String] = []
        if let found = call.body.range(of: "dependencies:") {
            guard let bracket = call.body[found.upperBound...].firstIndex(where: { !$0.isWhitespace }),
                call.body[bracket] == "["
            else { throw Unreadable(description: "dependencies of \(name) are not a plain list") }
            let list = balanced(call.body, from: bracket)
            theirs = list.matches(of: /\.product\(\s*name:\s*"([^"]+)"/).map { String($0.1) }
            let plain = list.replacing(/\.product\([^)]*\)/, with: "")
            ours = plain.matches(of: /"([^"]+)"/).map { String($0.1) }
        }
        let isTest = call.kind == "testTarget"
        let path = call.body.firstMatch(of: /\bpath:\s*"([^"]+)"/).map { String($0.1) }
        return Target(
            name: String(name), path: path ?? (isTest ? "Tests/\(name)" : "Sources/\(name)"),
            isTest: isTest || path?.hasPrefix("Tests/") == true, ours: ours, theirs: theirs, declaration: call.body)
    }

    /// The `.kind(…)` calls at the top level of a list.
    private static func calls(in list: String) -> [(kind: String, body: String)] {
        var found: [(kind: String, body: String)] = []
        var rest = list.dropFirst()
        while let dot = rest.firstIndex(of: "."), let open = rest[dot...].firstIndex(of: "(") {
            let body = balanced(rest, from: open)
            found.append((String(rest[rest.index(after: dot)..<open]), body))
            rest = rest[open...].dropFirst(body.count)
        }
        return found
    }

    /// From an opening bracket to its closing one; quotes are respected.
    private static func balanced(_ text: some StringProtocol, from open: String.Index) -> String {
        var depth = 0
        var quoted = false
        for index in text[open...].indices {
            switch text[index] {
            case "\"": quoted.toggle()
            case "(", "[", "{": if !quoted { depth += 1 }
            case ")", "]", "}":
                guard !quoted else { continue }
                depth -= 1
                if depth == 0 { return String(text[open...index]) }
            default: break
            }
        }
        return String(text[open...])
    }

    private static func withoutComments(_ text: String) -> String {
        // A `//` inside a URL has a colon before it.
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.firstMatch(of: /(?:^|[^:])(\/\/.*)$/).map { String(line[..<$0.1.startIndex]) } ?? String(line)
        }.joined(separator: "\n")
    }

    private static func mentions(_ name: String, in text: String) -> Bool {
        text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == name }
    }
}
