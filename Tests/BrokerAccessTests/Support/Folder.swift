import Foundation

/// A folder for one test's files; it goes with the test.
final class Folder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-access-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file that only its owner can read, and says where it is.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        return file
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")), as: UTF8.self)
    }

    /// Runs a program to its end, with this text on its standard input. What it says goes through files: a pipe would end only
    /// when every process that was started meanwhile, by any test, has ended too.
    func run(
        _ program: String, _ arguments: [String], input: String = ""
    ) throws -> (status: Int32, output: String, errors: String) {
        let said = "said-\(UUID().uuidString)"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.standardInput = FileHandle(forReadingAtPath: try write(input, to: "\(said).in"))
        process.standardOutput = FileHandle(forWritingAtPath: try write("", to: "\(said).out"))
        process.standardError = FileHandle(forWritingAtPath: try write("", to: "\(said).err"))
        try process.run()
        process.waitUntilExit()
        defer {
            for kind in ["in", "out", "err"] { try? FileManager.default.removeItem(atPath: "\(path)/\(said).\(kind)") }
        }
        return (process.terminationStatus, try read("\(said).out"), try read("\(said).err"))
    }
}
