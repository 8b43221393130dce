import Testing

/// The house rules, held against this checkout. Each rule lives in its own file and has a self-test in
/// `RulesBite.swift`, so that none can pass by looking at nothing.
@Suite("Tidy")
struct TidyTests {
    @Test("targets, arrows and unsafe flags of Package.swift are those of the table")
    func manifestKeepsTheTable() throws {
        let findings = try Arrows.check(Repository.manifest())
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("imports are declared, declarations are imported, no Foundation in the core")
    func importsAreDeclared() throws {
        let manifest = try Repository.manifest()
        var findings: [Finding] = []
        let placeholders = Set(
            try manifest.targets.filter { Arrows.isPlaceholder(try Repository.sources(in: $0.path)) }.map(\.name))
        for target in manifest.targets {
            let files = try Repository.sources(in: target.path)
            findings += Arrows.check(target, files: files, manifest: manifest, placeholders: placeholders)
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("every target has something to hold")
    func noEmptyTargets() throws {
        let empty = try Repository.manifest().libraries.filter { target in
            let files = try Repository.sources(in: target.path)
            return Arrows.isPlaceholder(files) && !Arrows.isShim(target.name)
        }
        #expect(empty.count <= Arrows.placeholdersMax, "only a placeholder in: \(empty.map(\.name))")
    }

    @Test("Docs/ARCHITECTURE.md has a row for every target")
    func architectureNamesEveryTarget() throws {
        let page = try Repository.text(of: "Docs/ARCHITECTURE.md")
        for target in try Repository.manifest().libraries where !Arrows.isShim(target.name) {
            #expect(
                page.contains("| `\(target.name)`"), "no row for \(target.name) in the table of Docs/ARCHITECTURE.md")
        }
    }

    @Test("no banned word")
    func words() throws {
        let files = try Repository.sources(in: "Sources", "Apps", "Tests")
        let manifest = SourceFile(path: "Package.swift", text: try Repository.text(of: "Package.swift"))
        let banned = Word.banned
        let findings = (files + [manifest]).flatMap { Word.check($0, among: banned) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("what the client library reaches takes the C library from whichever system there is")
    func systems() throws {
        let manifest = try Repository.manifest()
        let reached = Systems.reached(in: manifest)
        #expect(reached.isSuperset(of: ["MQTTProtocol", "MQTTDelivery", "MQTTTransport", "Certificates"]))
        let findings = try manifest.targets.filter { reached.contains($0.name) }
            .flatMap { try Repository.sources(in: $0.path) }.flatMap(Systems.check)
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("no file too long, no line too wide")
    func lengths() throws {
        let findings =
            try Repository.sources(in: "Sources", "Apps").flatMap { Shape.checkLength($0) }
            + Repository.sources(in: "Sources", "Apps", "Tests").flatMap(Shape.checkWidth)
            + Repository.manifest().libraries.filter { Arrows.isShim($0.name) }.flatMap { shim in
                try [".c", ".h"].flatMap { Repository.paths(in: shim.path, suffix: $0) }
                    .flatMap { try Shape.checkShim(path: $0, text: Repository.text(of: $0)) }
            }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("every file in Sources says what it is for")
    func stories() throws {
        let findings = try Repository.sources(in: "Sources").flatMap(Shape.checkStory)
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test("every rule for a server, or a client, is named by a test or excused with a reason")
    func requirements() throws {
        let rules = Requirements(csv: try Repository.text(of: "Docs/mqtt-requirements.csv"))
        let sides: [(Requirements.Side, tests: [String], page: String)] = [
            (.server, ["Tests/ConformanceTests"], "Docs/requirements.md"),
            (
                .client, ["Tests/MQTTClientTests", "Tests/MQTTDeliveryTests", "Tests/MQTTTransportTests"],
                "Docs/requirements-client.md"
            ),
        ]
        for (side, tests, page) in sides {
            let tested = try tests.flatMap { Repository.paths(in: $0) }
                .reduce(into: Set<Requirements.Rule>()) {
                    $0.formUnion(Requirements.named(inTestsOf: try Repository.text(of: $1)))
                }
            let excused = Requirements.excused(in: try Repository.text(of: page))
            let findings = rules.check(for: side, tested: tested, excused: excused)
            #expect(findings.isEmpty, "\(findings.report)")
            let missing = rules.missing(for: side, tested: tested, excused: excused)
            let list = missing.map(\.description).joined(separator: "\n")
            #expect(
                missing.count <= Requirements.missingMax,
                "\(missing.count) rules for a \(side.rawValue) without test or reason:\n\(list)")
        }
    }

    @Test("every key of the configuration has a test that shows its effect or its explanation")
    func configurationKeys() throws {
        let keys = KeyTable.keys(inGuide: try Repository.text(of: "Docs/guides/configuration.md"))
        #expect(keys.count > 100)
        let rows = KeyTable.rows(in: try Repository.text(of: "Docs/configuration-keys.md"))
        let findings = KeyTable.check(keys: keys, rows: rows) { try? Repository.text(of: "Tests/\($0)") }
        #expect(findings.isEmpty, "\(findings.report)")
    }
}
