import Testing

/// Every tidy rule is fed something it must not let pass, and something close to it that it must.
@Suite("Tidy rules bite")
struct RulesBite {
    // MARK: - Reading Swift

    @Test("comments and strings are not code")
    func blanking() {
        let text = """
            let a = "try! /* \\(b["try!"]) \\"try!" // try!
            /* try! /* as! */ try! */ let c = #"try! " try!"# + \"""
              try! "quoted" try!
              \"""
            try! d()
            """
        let file = SourceFile(path: "Sources/X/X.swift", text: text)
        #expect(file.lines.count == 5)
        #expect(Word.check(file).map(\.line) == [5])
    }

    @Test(
        "imports are seen in every dress",
        arguments: [
            "import NIOCore", "package import NIOCore", "@testable import NIOCore",
            "public import struct NIOCore.ByteBuffer",
            "@_exported import NIOCore", "@_spi(X) internal import NIOCore", "    import NIOCore",
        ])
    func imports(line: String) {
        #expect(
            SourceFile(path: "x", text: "// import No\n\(line)\nlet s = \"import No\"").imports.map(\.module) == [
                "NIOCore"
            ])
    }

    // MARK: - Arrows

    /// A manifest like ours, with `extra` in its list of targets.
    static func manifest(_ extra: String, settings: String = "") throws -> Manifest {
        try Manifest(
            """
            let house: [SwiftSetting] = []
            let hot: [SwiftSetting] = house + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]
            \(settings)
            let package = Package(
                products: [.executable(name: "martlet", targets: ["martlet"])],
                dependencies: [.package(url: "https://example.org/x", from: "1.0.0")],
                targets: [
                    // A comment (with a bracket.
                    .target(name: "Below", swiftSettings: house),
                    \(extra)
                ]
            )
            """)
    }

    static let table = [
        Arrows.Row(target: "Below", ours: [], theirs: []),
        Arrows.Row(target: "Above", ours: ["Below"], theirs: ["NIOCore"]),
    ]

    static let above =
        #".target(name: "Above", dependencies: ["Below", .product(name: "NIOCore", package: "swift-nio")], swiftSettings: house),"#

    @Test("a manifest that keeps the table has no findings")
    func arrowsPass() throws {
        let manifest = try Self.manifest(
            Self.above + #".testTarget(name: "AboveTests", dependencies: ["Above"], swiftSettings: house),"#)
        #expect(manifest.targets.map(\.name) == ["Below", "Above", "AboveTests"])
        #expect(manifest.targets[1].ours == ["Below"])
        #expect(manifest.targets[1].theirs == ["NIOCore"])
        #expect(manifest.targets.map(\.path) == ["Sources/Below", "Sources/Above", "Tests/AboveTests"])
        #expect(manifest.unsafeSettings == ["hot"])
        #expect(Arrows.check(manifest, table: Self.table).isEmpty)
    }

    @Test(
        "a manifest that leaves the table is found",
        arguments: [
            (above + #".target(name: "Stranger"),"#, "Stranger is not in the table"),
            (#".target(name: "Above", dependencies: ["Below", "Aside"]),"#, "Above → Aside"),
            (#".target(name: "Above", dependencies: [.product(name: "NIOSSL", package: "p")]),"#, "may not see NIOSSL"),
            (#".target(name: "Above", swiftSettings: hot),"#, "Above has unsafe flags"),
            (#".target(name: "Above", swiftSettings: hotter),"#, "Above has unsafe flags"),
            (
                #".target(name: "Above", linkerSettings: [.unsafeFlags(["-Ounchecked"])]),"#,
                "other than unchecked exclusivity"
            ),
            ("", "names Above, which is no target"),
        ])
    func arrowsFail(extra: String, complaint: String) throws {
        let manifest = try Self.manifest(extra, settings: "let hotter: [SwiftSetting] = hot + []")
        let findings = Arrows.check(manifest, table: Self.table)
        #expect(findings.contains { $0.message.contains(complaint) }, "\(findings.report)")
    }

    @Test("an arrow that points up is found in the table itself")
    func arrowsPointDown() throws {
        let upside = [Arrows.Row(target: "Below", ours: ["Above"], theirs: []), Self.table[1]]
        #expect(
            Arrows.check(try Self.manifest(Self.above), table: upside).contains {
                $0.message.contains("does not point down")
            })
    }

    @Test("a kind of target the tests cannot read is an error, not a pass")
    func unreadableManifest() {
        #expect(throws: Manifest.Unreadable.self) { try Self.manifest(#".plugin(name: "P"),"#) }
        #expect(throws: Manifest.Unreadable.self) { try Self.manifest(#".target(name: "A", dependencies: some),"#) }
        #expect(throws: Manifest.Unreadable.self) { try Manifest("let package = 1") }
    }

    @Test("undeclared, unused and forbidden imports are found")
    func importRules() throws {
        let manifest = try Self.manifest(Self.above + #".target(name: "BrokerCore"), .target(name: "Aside"),"#)
        func findings(_ target: String, _ text: String) throws -> [String] {
            let target = try #require(manifest.targets.first { $0.name == target })
            return Arrows.check(
                target, files: [SourceFile(path: "\(target.path)/F.swift", text: text)], manifest: manifest
            ).map(\.message)
        }
        #expect(try findings("Above", "import Below\nimport NIOCore\nimport Foundation").isEmpty)
        #expect(
            try findings("Above", "import Below\nimport NIOCore\nimport Aside").contains {
                $0.contains("sibling Aside")
            })
        #expect(
            try findings("Above", "import Below\nimport NIOCore\nimport Logging").contains {
                $0.contains("imports Logging")
            })
        #expect(try findings("Above", "import Below").contains { $0.contains("declares NIOCore") })
        #expect(try findings("BrokerCore", "import FoundationEssentials").contains { $0.contains("no Foundation") })
        #expect(try findings("BrokerCore", "import Glibc").isEmpty)
    }

    @Test("a target with nothing but a placeholder is seen")
    func placeholders() {
        let placeholder = SourceFile(path: "Sources/X/Placeholder.swift", text: "")
        #expect(Arrows.isPlaceholder([placeholder]))
        #expect(!Arrows.isPlaceholder([placeholder, SourceFile(path: "Sources/X/Y.swift", text: "")]))
    }

    // MARK: - Words

    @Test(
        "a banned word is found",
        arguments: [
            ("Sources/MQTTClient/F.swift", "final class F: @unchecked Sendable {}"),
            ("Tests/AnyTests/F.swift", "let a = try! f()"),
            ("Sources/BrokerServer/F.swift", "let a = b as! C"),
            ("Apps/martlet/F.swift", "fatalError(\"x\")"),
            ("Sources/BrokerServer/F.swift", "    print(\"x\")"),
            ("Sources/BrokerServer/F.swift", "Swift.print(\"x\")"),
            ("Tests/BrokerCoreTests/F.swift", "Thread.sleep(forTimeInterval: 1)"),
            ("Tests/BrokerCoreTests/F.swift", "try await Task.sleep(for: .seconds(1))"),
            ("Tests/MQTTDeliveryTests/F.swift", "usleep(10)"),
            ("Sources/BrokerCore/F.swift", "package struct SessionManager {"),
            ("Sources/BrokerCore/F.swift", "enum StringUtils {"),
            ("Tests/AnyTests/F.swift", "@Test(.disabled())"),
            ("Sources/BrokerCore/F.swift", "let d = Date()"),
            ("Sources/BrokerCore/F.swift", "clock_gettime(CLOCK_MONOTONIC, &t)"),
            ("Sources/BrokerCore/F.swift", "let now = ContinuousClock.now"),
            ("Sources/BrokerCore/F.swift", "var g = SystemRandomNumberGenerator()"),
            ("Sources/BrokerCore/F.swift", "let i = Int.random(in: 0..<3)"),
            ("Sources/MQTTDelivery/F.swift", "list.shuffle()"),
            ("Sources/BrokerCore/F.swift", "// TO" + "DO: later"),
            ("Tests/AnyTests/F.swift", "/* FIX" + "ME */"),
        ])
    func bannedWord(path: String, text: String) {
        #expect(Word.check(SourceFile(path: path, text: "let first = 1\n\(text)")).map(\.line) == [2])
    }

    @Test(
        "an innocent neighbour of a banned word is not",
        arguments: [
            ("Sources/BrokerServer/F.swift", "// try! as! @unchecked Sendable print("),
            ("Sources/BrokerServer/F.swift", "fingerprint(x); blueprint(y)"),
            ("Apps/martlet/F.swift", "print(\"the program may talk\")"),
            ("Sources/MQTTTools/F.swift", "print(\"what the command line does\")"),
            ("Tests/BrokerServerTests/F.swift", "try await Task.sleep(for: .milliseconds(1))"),
            ("Sources/BrokerCore/F.swift", "let i = Int.random(in: 0..<3, using: &random)"),
            ("Sources/BrokerCore/F.swift", "let now: ContinuousClock.Instant"),
            ("Sources/BrokerCore/F.swift", "let lastUpDate = 1, Dates = 2"),
            ("Tests/AnyTests/F.swift", "@Test(.disabled(\"mosquitto 2.0.11 answers otherwise\"))"),
            ("Sources/BrokerServer/F.swift", "let d = Date()"),
        ])
    func innocentWord(path: String, text: String) {
        let findings = Word.check(SourceFile(path: path, text: text))
        #expect(findings.isEmpty, "\(findings.report)")
    }

    // MARK: - Shape

    static func file(lines: Int, path: String = "Sources/X/Long.swift") -> SourceFile {
        SourceFile(path: path, text: String(repeating: "let a = 1\n", count: lines))
    }

    @Test("a long file is found, and a known one may only shrink")
    func longFile() {
        #expect(Shape.checkLength(Self.file(lines: 400)).isEmpty)
        #expect(Shape.checkLength(Self.file(lines: 401)).count == 1)
        let known = ["Sources/X/Long.swift": 500]
        #expect(Shape.checkLength(Self.file(lines: 500), known: known).isEmpty)
        #expect(Shape.checkLength(Self.file(lines: 501), known: known).count == 1)
        #expect(Shape.checkLength(Self.file(lines: 399), known: known).count == 1)
        #expect(Shape.checkShim(path: "Sources/CX/x.c", text: String(repeating: "\n", count: 120)).count == 1)
    }

    @Test("a wide line is found")
    func wideLine() {
        #expect(Shape.checkWidth(SourceFile(path: "x", text: String(repeating: "é", count: 140))).isEmpty)
        #expect(
            Shape.checkWidth(SourceFile(path: "x", text: "\n" + String(repeating: "é", count: 141))).map(\.line) == [2])
        let title = "[5.0 MQTT-3.1.2-1] " + String(repeating: "é", count: 141)
        #expect(Shape.checkWidth(SourceFile(path: "x", text: "@Test(\"\(title)\")\n@Test(\n    \"\(title)\")")).isEmpty)
    }

    @Test(
        "a file that does not say what it is for is found",
        arguments: [
            ("import A\n\npackage struct S {}", 3), ("// about\nfinal class C {}", 2),
            ("extension S {\n    func f() {}\n}", 1),
            ("/// About.\n\nenum E {}", 3),
        ])
    func noStory(text: String, line: Int) {
        #expect(Shape.checkStory(SourceFile(path: "x", text: text)).map(\.line) == [line])
    }

    @Test(
        "a file that says what it is for is not",
        arguments: [
            "import A\n\n/// About.\n@frozen\npackage struct S {}", "extension S {\n    /// About.\n    func f() {}\n}",
            "// Session+publish: about.\n\nextension S {\n    func f() {}\n}", "/// About.\nextension S {}", "import A",
        ])
    func story(text: String) {
        #expect(Shape.checkStory(SourceFile(path: "x", text: text)).isEmpty)
    }

    // MARK: - Requirements

    @Test("a rule without test or reason is missing; wrong names are found")
    func requirementRules() {
        let rules = Requirements(
            csv: """
                version,id,who,paraphrase
                3.1.1,MQTT-1.5.3-1,both,"a, b"
                5.0,MQTT-3.1.2-1,server,c
                5.0,MQTT-3.1.2-2,server,d
                5.0,MQTT-3.1.2-3,client,e
                """)
        #expect(rules.servers.count == 3)
        let tested = Requirements.named(
            inTestsOf: """
                // @Test is only a word here: [5.0 MQTT-3.1.2-2]
                @Test("[3.1.1 MQTT-1.5.3-1] [5.0 MQTT-9.9.9-9] text", arguments: [1])
                """)
        let excused = Requirements.excused(
            in: """
                | version | id | reason |
                |---|---|---|
                | 5.0 | MQTT-3.1.2-1 | why |
                | 5.0 | MQTT-3.1.2-2 | |
                | 5.0 | MQTT-3.1.2-3 | why |
                | 3.1.1 | MQTT-1.5.3-1 | why |
                """)
        #expect(rules.missing(tested: tested, excused: excused).map(\.description) == ["[5.0 MQTT-3.1.2-2]"])
        let findings = rules.check(tested: tested, excused: excused).map(\.message)
        #expect(findings.contains { $0.contains("MQTT-9.9.9-9") && $0.contains("does not have") })
        #expect(findings.contains { $0.contains("MQTT-3.1.2-3") && $0.contains("no rule for a server") })
        #expect(findings.contains { $0.contains("MQTT-1.5.3-1") && $0.contains("has a test now") })
        #expect(findings.count == 3)
    }

    @Test("the list of the standard's rules is whole")
    func requirementsAreWhole() throws {
        let rules = Requirements(csv: try Repository.text(of: "Docs/mqtt-requirements.csv"))
        #expect(rules.all.count == 392)
        #expect(rules.servers.count == 354)
    }
}

extension RulesBite {
    @Test("a key without a row, without a test, or with one that is not there or speaks of something else")
    func keyTable() {
        let guide = """
            | `before` | x |
            <!-- The tables are made from the code -->
            | key | value |
            |---|---|
            | `good` | a |
            | `two`, `names` | b |
            | `lost` | c |
            <!-- End of the tables. -->
            | `behind` | x |
            """
        let keys = KeyTable.keys(inGuide: guide)
        #expect(keys == [["good"], ["two", "names"], ["lost"]])
        let texts = [
            "A.swift": "func shows() { good }", "b.py": "def test_it():\n    names", KeyTable.everyKey: "func all(",
        ]
        func findings(_ page: String) -> [String] {
            KeyTable.check(keys: keys, rows: KeyTable.rows(in: page)) { texts[$0] }.map(\.message)
        }
        let good = """
            | key | what | shown by |
            |---|---|---|
            | `good` | effect | `A.swift` (`shows`) |
            | `two`, `names` | effect | `b.py` (`test_it`) |
            | `lost` | explained | `\(KeyTable.everyKey)` (`all`) |
            """
        #expect(findings(good) == [])
        #expect(findings(good.replacing("| `good`", with: "| `bad`")).count == 3)
        #expect(findings(good.replacing("(`shows`)", with: "(`hides`)")) == ["good: Tests/A.swift has no hides"])
        #expect(findings(good.replacing("`A.swift`", with: "`B.swift`")).contains("good: there is no Tests/B.swift"))
        #expect(findings(good.replacing("`A.swift` (`shows`)", with: "later")) == ["good: no test is named"])
        #expect(
            findings(good.replacing("`b.py` (`test_it`)", with: "`A.swift` (`shows`)")) == [
                "two: the tests named do not speak of it"
            ])
    }
}

extension RulesBite {
    @Test("one system's C library by name")
    func systems() {
        func findings(_ lines: [String]) -> [Int?] {
            Systems.check(SourceFile(path: "x", text: lines.joined(separator: "\n"))).map(\.line)
        }
        #expect(findings(["import NIOCore", ""] + Systems.block + ["let a = read(0, nil, 0)"]) == [])
        #expect(findings(["import Glibc"]) == [1])
        #expect(findings(["#if canImport(Darwin)", "import Darwin", "#else", "import Glibc", "#endif"]) == [2, 4])
        #expect(findings(Systems.block + ["let a = Glibc.read(0, nil, 0)", "// Glibc.read"]) == [8])
    }
}
