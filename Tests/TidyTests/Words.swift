import RegexBuilder

/// Words that may not stand in our code, each with what to write instead.
struct Word {
    /// Word boundaries in it are the simple ones: Unicode's see none in `Task.sleep`.
    let pattern: Regex<Substring>
    /// A piece of text that every match contains, so that most lines are passed over quickly.
    let hint: String
    let instead: String
    /// Folders it holds in; a file is meant if its path starts with one.
    let folders: [String]
    /// Folders inside those that it does not hold in.
    var except: [String] = []
    /// Whether comments and strings count too.
    var everywhere = false

    private static let ours = ["Sources/", "Apps/", "Tests/", "Package.swift"]
    private static let core = ["Sources/BrokerCore/", "Sources/MQTTDelivery/", "Sources/MQTTProtocol/"]
    private static let coreTests = [
        "Tests/BrokerCoreTests/", "Tests/MQTTDeliveryTests/", "Tests/MQTTProtocolTests/", "Tests/Simulation",
    ]
    private static let time = "time is an argument here: take an instant from the caller"
    private static let chance = "chance is an argument here: take `using random: inout some RandomNumberGenerator`"

    // A marker for work left open, put together so that this file does not contain it.
    private static let toDo = "TO" + "DO"
    private static let fixMe = "FIX" + "ME"

    static var banned: [Word] {
        [
            Word(
                pattern: /@unchecked\s+Sendable/, hint: "@unchecked", instead: "use NIOLoopBound, Mutex, or an actor",
                folders: ours),
            Word(
                pattern: /\btry!/, hint: "try!", instead: "throw on, or `do … catch` and say what happens then",
                folders: ours),
            Word(
                pattern: /\bas!/, hint: "as!", instead: "`as?` and a guard, or a type that makes the cast needless",
                folders: ours),
            Word(
                pattern: /\bfatalError\(/, hint: "fatalError",
                instead: "`preconditionFailure(\"why\")`, or throw a typed error",
                folders: ["Sources/", "Apps/"]),
            Word(
                pattern: /(?:^|[^\w.]|Swift\.)print\(/, hint: "print(",
                instead: "a library does not talk: use the log it was given",
                folders: ["Sources/"],
                // What programs say is their work.
                except: ["Sources/MQTTTools/", "Sources/MutualAuthDemo/"]),
            Word(
                pattern: /\b(?:Thread\.sleep|u?sleep|nanosleep)\b/, hint: "sleep",
                instead: "move the clock by hand: the core takes time as an argument",
                folders: core + coreTests),
            Word(
                pattern:
                    /\b(?:class|struct|enum|protocol|actor|typealias)\s+\w*(?:Manager|Helpers?|Utils?|Utilit(?:y|ies))\b/,
                hint: "", instead: "a name from the standard that says what it owns", folders: ["Sources/", "Apps/"]),
            Word(
                pattern: /\.disabled\(\s*\)/, hint: ".disabled", instead: "`.disabled(\"why, and what would end it\")`",
                folders: ["Tests/"]),
            Word(
                pattern: marker(toDo), hint: toDo,
                instead: "do it, or open an issue: unfinished work is not found in comments", folders: ours,
                everywhere: true),
            Word(
                pattern: marker(fixMe), hint: fixMe, instead: "fix it, or open an issue", folders: ours,
                everywhere: true),
            Word(pattern: /\bDate\b/, hint: "Date", instead: time, folders: core),
            Word(
                pattern: /\b(?:clock_gettime|gettimeofday|time\(nil\)|DispatchTime|DispatchWallTime)/, hint: "",
                instead: time, folders: core),
            Word(
                pattern: /\b(?:Continuous|Suspending|UTC)Clock(?:\(\)|\.now)/, hint: "Clock", instead: time,
                folders: core),
            Word(
                pattern: /\b(?:SystemRandomNumberGenerator|arc4random\w*|getrandom|getentropy|UUID\()/, hint: "",
                instead: chance, folders: core),
            Word(
                pattern: /\.(?:random|randomElement|shuffled|shuffle)\((?![^)]*using:)/, hint: "", instead: chance,
                folders: core),
        ]
    }

    private static func marker(_ word: String) -> Regex<Substring> {
        Regex {
            Anchor.wordBoundary; word; Anchor.wordBoundary
        }
    }

    static func check(_ file: SourceFile, among banned: [Word] = banned) -> [Finding] {
        let words = banned.filter { word in
            word.folders.contains { file.path.hasPrefix($0) } && !word.except.contains { file.path.hasPrefix($0) }
        }
        var findings: [Finding] = []
        for index in file.lines.indices {
            for word in words {
                let line = word.everywhere ? file.lines[index] : file.code[index]
                guard !line.isEmpty, word.hint.isEmpty || line.contains(word.hint) else { continue }
                if let match = line.firstMatch(of: word.pattern.wordBoundaryKind(.simple)) {
                    let found = match.output.trimmingPrefix { !$0.isLetter && $0 != "@" && $0 != "." }
                    findings.append(Finding(file.path, line: index + 1, "`\(found)`: \(word.instead)"))
                }
            }
        }
        return findings
    }
}
