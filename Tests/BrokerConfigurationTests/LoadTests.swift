import BrokerConfiguration
import Foundation
import Testing

@Suite("Files and folders")
struct LoadTests {
    @Test("a file and its errors")
    func file() throws {
        try withFolder { folder in
            let path = try folder.write("mosquitto.conf", "listener 1884\nmax_qos 1\n")
            #expect(try BrokerConfiguration.load(file: path).configuration.listeners.map(\.port) == [1884])
            #expect(
                loadProblems("\(folder.path)/none.conf").map(\.description) == [
                    "\(folder.path)/none.conf: cannot be opened: No such file or directory"
                ])
            #expect(loadProblems(folder.path).map(\.description) == ["\(folder.path): cannot be read: Is a directory"])
            let large = try folder.write("large.conf", String(repeating: "#\n", count: 524_289))
            #expect(loadProblems(large).map(\.line) == [nil])
        }
    }

    @Test("include_dir reads *.conf in mosquitto's order, at its place")
    func order() throws {
        try withFolder { folder in
            // Each file opens one listener, so the order of the listeners is the order of the files.
            let names = ["00.conf", "01.conf", "A.conf", "a.conf", "B.conf", "b.conf", "b.x.conf"]
            for (index, name) in names.enumerated().reversed() {
                _ = try folder.write("conf.d/\(name)", "listener \(2000 + index)\n")
            }
            _ = try folder.write("conf.d/.conf", "bogus\n")
            _ = try folder.write("conf.d/c.conf.bak", "bogus\n")
            let main = try folder.write(
                "main.conf", "listener 1999\ninclude_dir \(folder.path)/conf.d\nlistener 2999\n")
            let ports = try BrokerConfiguration.load(file: main).configuration.listeners.map(\.port)
            #expect(ports == [1999] + (0..<names.count).map { 2000 + $0 } + [2999])
        }
    }

    @Test("an included file begins without a listener, and its end brings the old one back")
    func currentListener() throws {
        try withFolder { folder in
            _ = try folder.write("conf.d/a.conf", "listener 1885\nmax_connections 1\n")
            _ = try folder.write("conf.d/b.conf", "max_connections 2\n")
            let main = try folder.write(
                "main.conf", "listener 1884\ninclude_dir \(folder.path)/conf.d\nmax_connections 3\n")
            let (configuration, warnings) = try BrokerConfiguration.load(file: main)
            #expect(configuration.listeners.map(\.port) == [1884, 1885, 1883])
            #expect(configuration.listeners.map(\.connectionsMax) == [3, 1, 2])
            #expect(warnings.map(\.file) == ["\(folder.path)/conf.d/b.conf"])
            #expect(warnings.map(\.line) == [1])
        }
    }

    @Test("mistakes are told where they are; only the main file includes")
    func includedMistakes() throws {
        try withFolder { folder in
            let included = try folder.write("conf.d/a.conf", "\nbogus 1\ninclude_dir \(folder.path)\n")
            let main = try folder.write(
                "main.conf", "include_dir \(folder.path)/conf.d\nbogus 2\ninclude_dir \(folder.path)/none\n")
            let found = loadProblems(main)
            #expect(found.map(\.file) == [included, included, main, main])
            #expect(found.map(\.line) == [2, 3, 2, 3])
            #expect(found[1].message.contains("only possible in the main file"))
            #expect(found[3].message.contains("No such file or directory"))
        }
    }

    @Test("text set in the main file and in an included one is set twice")
    func duplicatesAcrossFiles() throws {
        try withFolder { folder in
            let included = try folder.write("conf.d/a.conf", "pid_file /b\n")
            let main = try folder.write("main.conf", "pid_file /a\ninclude_dir \(folder.path)/conf.d\n")
            let found = loadProblems(main)
            #expect(found.map(\.file) == [included])
            #expect(found.first?.message.contains("first at \(main):1") == true)
        }
    }

    @Test("too many files are refused")
    func tooManyFiles() throws {
        try withFolder { folder in
            for index in 0...1000 { _ = try folder.write("conf.d/\(index).conf", "") }
            let main = try folder.write("main.conf", "include_dir \(folder.path)/conf.d\n")
            #expect(loadProblems(main).map(\.line) == [1])
        }
    }

    @Test("text in memory does not follow include_dir")
    func memory() throws {
        #expect(try remarks("include_dir /nowhere\n").map(\.severity) == [.note])
    }
}

/// The mistakes found in a file; empty if there is none.
func loadProblems(_ path: String) -> [Diagnostic] {
    do {
        _ = try BrokerConfiguration.load(file: path)
        return []
    } catch {
        return error.problems
    }
}

/// A folder of its own for one test.
struct Folder {
    let path: String

    /// Writes a file, its folder too, and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        let url = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        return url.path
    }
}

/// Gives `body` a new folder and takes it away afterwards.
func withFolder(_ body: (Folder) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
        "martlet-configuration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(Folder(path: url.path))
}
