/// Who may see whom: the table of Docs/ARCHITECTURE.md as data, from the ground up.
/// A new row or entry is also a line there and a page in Docs/decisions.
enum Arrows {
    struct Row {
        let target: String
        /// Targets of ours it may see; all stand above it in the table.
        let ours: [String]
        /// Products of others it may see.
        let theirs: [String]
    }

    static let table = [
        Row(target: "MQTTProtocol", ours: [], theirs: []),
        Row(target: "MQTTDelivery", ours: ["MQTTProtocol"], theirs: []),
        Row(target: "Certificates", ours: [], theirs: ["SwiftASN1", "Crypto", "CryptoExtras"]),
        Row(
            target: "MQTTTransport", ours: ["Certificates"],
            theirs: ["NIOCore", "NIOPosix", "NIOConcurrencyHelpers", "NIOTLS", "NIOSSL", "Crypto"]),
        Row(
            target: "MQTTClient", ours: ["MQTTProtocol", "MQTTDelivery", "MQTTTransport"],
            theirs: ["DequeModule", "NIOCore", "NIOPosix"]),
        Row(target: "MQTTClientPKCS11", ours: ["Certificates", "MQTTTransport"], theirs: ["Crypto"]),
        Row(
            target: "MQTTTools",
            ours: [
                "MQTTProtocol", "MQTTDelivery", "MQTTTransport", "MQTTClient", "MQTTClientPKCS11", "Certificates",
            ],
            theirs: nio + ["Histogram"]),
        Row(target: "MutualAuthDemo", ours: ["MQTTClient"], theirs: []),
        Row(target: "Chat", ours: ["MQTTClient"], theirs: []),
        Row(target: "BrokerCore", ours: ["MQTTProtocol", "MQTTDelivery"], theirs: collections),
        Row(
            target: "BrokerAccess", ours: ["MQTTProtocol", "BrokerCore"], theirs: ["DequeModule"] + crypto),
        Row(target: "BrokerStore", ours: ["MQTTProtocol", "BrokerCore"], theirs: ["GRDB"]),
        Row(target: "BrokerConfiguration", ours: ["MQTTProtocol"], theirs: []),
        Row(target: "ConfigurationLint", ours: ["Certificates", "BrokerConfiguration", "BrokerAccess"], theirs: []),
        Row(
            target: "BrokerServer",
            ours: [
                "MQTTProtocol", "MQTTDelivery", "MQTTTransport", "BrokerCore", "BrokerConfiguration", "BrokerStore",
                "BrokerAccess", "Certificates",
            ],
            theirs: nio),
        Row(
            target: "martlet",
            ours: [
                "MQTTProtocol", "BrokerServer", "BrokerStore", "BrokerConfiguration", "BrokerAccess",
                "ConfigurationLint", "MQTTTools", "Certificates", "MQTTTransport", "MQTTClient", "MQTTClientPKCS11",
                "MutualAuthDemo", "Chat",
            ],
            theirs: ["ArgumentParser", "UnixSignals"]),
        Row(target: "martlet-tools", ours: ["MQTTTools"], theirs: []),
        Row(target: "store-benchmark", ours: ["MQTTProtocol", "BrokerCore", "BrokerStore"], theirs: []),
        Row(target: "library-benchmark", ours: ["MQTTClient"], theirs: []),
    ]

    private static let collections = [
        "Collections", "HeapModule", "DequeModule", "OrderedCollections", "BasicContainers",
    ]
    private static let crypto = ["Crypto", "CryptoExtras"]
    private static let nio = ["NIOCore", "NIOPosix", "NIOConcurrencyHelpers"]

    /// Targets that must build where there is no Foundation, and never wait for it to load.
    static let withoutFoundation: Set<String> = ["MQTTProtocol", "MQTTDelivery", "BrokerCore"]

    /// Targets that may carry the one unsafe flag of Docs/decisions/0003-exclusivity.md.
    static let mayBeUnchecked: Set<String> = ["BrokerCore", "BrokerServer"]

    /// The program that is linked to start quickly: Docs/decisions/0022-a-small-program.md. Nothing may depend on it.
    static let quick = "martlet-tools"

    /// Targets with nothing in them yet but a Placeholder.swift. May only go down, to 0.
    static let placeholdersMax = 0

    /// Modules that come with the toolchain or the system and need no declaration.
    static let toolchain: Set<String> = [
        "Swift", "Synchronization", "Dispatch", "Glibc", "Musl", "Darwin", "Foundation", "FoundationEssentials",
        "Testing",
        "XCTest", "PackageDescription", "RegexBuilder",
    ]

    // MARK: - Rules

    static func check(_ manifest: Manifest, table: [Row] = table) -> [Finding] {
        var findings: [Finding] = []
        func complain(_ message: String) { findings.append(Finding("Package.swift", message)) }

        for (index, row) in table.enumerated() {
            let above = Set(table[..<index].map(\.target))
            for name in row.ours where !above.contains(name) {
                findings.append(
                    Finding("Tests/TidyTests/Arrows.swift", "\(row.target) → \(name) does not point down the table"))
            }
            if !manifest.libraries.contains(where: { $0.name == row.target }) {
                complain("the table of arrows names \(row.target), which is no target; take its row away")
            }
        }
        for target in manifest.libraries where !isShim(target.name) {
            guard let row = table.first(where: { $0.target == target.name }) else {
                complain(
                    "\(target.name) is not in the table of arrows; say there, and in Docs/decisions, what it may see")
                continue
            }
            for name in target.ours where !row.ours.contains(name) && !isShim(name) {
                complain("the arrow \(target.name) → \(name) is not in the table of arrows")
            }
            for name in target.theirs where !row.theirs.contains(name) {
                complain("\(target.name) may not see \(name): the table of arrows does not have it")
            }
        }
        for target in manifest.targets
        where manifest.hasUnsafeFlags(target) && !mayBeUnchecked.contains(target.name) && target.name != quick {
            complain("\(target.name) has unsafe flags; only \(mayBeUnchecked.sorted().joined(separator: " and ")) may")
        }
        for expression in manifest.unsafeExpressions
        where expression != #"(["-enforce-exclusivity=unchecked"], .when(configuration: .release))"#
            && !expression.contains(#""-Xlinker", "-no-pie""#)
        {
            complain("unsafe flags other than unchecked exclusivity in release builds: \(expression)")
        }
        return findings
    }

    /// Imports of one target's files against what the manifest declares for it. Nobody can import from `placeholders` yet.
    static func check(
        _ target: Manifest.Target, files: [SourceFile], manifest: Manifest, placeholders: Set<String> = []
    ) -> [Finding] {
        let known = Set(manifest.targets.map(\.name))
        let declared = Set(target.ours + target.theirs)
        var seen: Set<String> = []
        var findings: [Finding] = []
        for file in files {
            for (module, line) in file.imports where module != target.name {
                seen.insert(module)
                if module.hasPrefix("Foundation"), withoutFoundation.contains(target.name) {
                    findings.append(Finding(file.path, line: line, "no Foundation in \(target.name)"))
                }
                if !declared.contains(module), !toolchain.contains(module) {
                    let what = known.contains(module) ? "its sibling \(module)" : module
                    findings.append(
                        Finding(
                            file.path, line: line,
                            "\(target.name) imports \(what) and Package.swift does not declare it"))
                }
            }
        }
        guard !isPlaceholder(files) else { return findings }
        // A test may need a program to be built (the broker it starts) without importing it.
        let programs = Set(
            manifest.targets.filter {
                $0.declaration.contains(#"path: "Apps/"#) || $0.declaration.contains(#"path: "Benchmarks/"#)
            }.map(\.name))
        for name in declared.subtracting(seen).subtracting(placeholders).sorted()
        where !(target.isTest && programs.contains(name)) {
            findings.append(
                Finding("Package.swift", "\(target.name) declares \(name) and no file of it imports that; take it away")
            )
        }
        return findings
    }

    /// Targets that exist on paper only.
    static func isPlaceholder(_ files: [SourceFile]) -> Bool {
        files.allSatisfy { $0.path.hasSuffix("/Placeholder.swift") }
    }

    /// C shims: `CSomething`, short by another rule, free to be seen by whoever declares them.
    static func isShim(_ name: String) -> Bool {
        name.hasPrefix("C") && name.dropFirst().first?.isUppercase == true
    }
}
