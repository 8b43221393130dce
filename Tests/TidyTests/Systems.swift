/// The client library and what it reaches are the same on every system: they take the C library from whoever has it.
enum Systems {
    /// What our users, on any system, may depend on.
    static let portable = ["MQTTClient", "MQTTClientPKCS11", "MQTTTools", "MutualAuthDemo"]

    /// As it stands in each file that needs the C library.
    static let block = [
        "#if canImport(Darwin)", "import Darwin", "#elseif canImport(Glibc)", "import Glibc", "#elseif canImport(Musl)",
        "import Musl", "#endif",
    ]

    /// `portable` and all that it reaches.
    static func reached(in manifest: Manifest) -> Set<String> {
        var reached: Set<String> = []
        var next = portable
        while let name = next.popLast() {
            guard reached.insert(name).inserted, let target = manifest.targets.first(where: { $0.name == name })
            else { continue }
            next += target.ours
        }
        return reached
    }

    static func check(_ file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        for (module, line) in file.imports where ["Darwin", "Glibc", "Musl", "SwiftGlibc"].contains(module) {
            let place = block.firstIndex(of: "import \(module)")
            let first = place.map { line - 1 - $0 } ?? -1
            guard first >= 0, file.code[first...].prefix(block.count).elementsEqual(block, by: { $0 == $1 }) else {
                findings.append(
                    Finding(file.path, line: line, "take the C library as \(block.joined(separator: " ⏎ "))"))
                continue
            }
        }
        for (index, line) in file.code.enumerated() where line.contains(/\b(?:Darwin|Glibc|Musl)\.\w/) {
            findings.append(
                Finding(
                    file.path, line: index + 1,
                    "only one system has that module: `systemRead`, `systemWrite` (SystemCalls.swift), or a name of its own"
                ))
        }
        return findings
    }
}
