import Foundation
import Testing

@Suite("Packaging")
struct PackagingTests {
    /// Packages of `scripts/setup run` whose name ends with -dev: what the program is linked with.
    private static func linked() throws -> [String] {
        let setup = try Repository.text(of: "scripts/setup")
        let run = setup.prefix(upTo: try #require(setup.range(of: "if [[ $purpose == test ]]")).lowerBound)
        return run.split(separator: "\n").filter { $0.hasPrefix("need_header ") }
            .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) }
    }

    @Test("the Dockerfile installs what scripts/setup does, and what the program then needs to run")
    func dockerfile() throws {
        let stages = try Repository.text(of: "Dockerfile").components(separatedBy: "\nFROM ")
        try #require(stages.count == 3)
        // NIO's C headers come with Swift's own image.
        let libraries = try Self.linked().filter { $0 != "libc6-dev" }
        try #require(libraries.count >= 2)
        for library in libraries {
            #expect(stages[1].contains(library), "\(library) is missing where it builds")
            let name = library.dropLast("-dev".count)
            #expect(stages[2].contains(name), "\(name)… is missing where it runs")
        }
        for (_, path) in stages[2].matches(of: #/\nCOPY (\S+) /#).map(\.output) where !path.hasPrefix("--") {
            #expect(
                FileManager.default.fileExists(atPath: Repository.root.appending(path: String(path)).path), "\(path)")
        }
    }
}
