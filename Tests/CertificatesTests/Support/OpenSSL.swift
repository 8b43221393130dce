import Foundation
import Testing

/// Debian's `openssl`, as the witness of what is right, with a scratch folder of its own.
final class OpenSSL: Sendable {
    let folder: URL

    struct Outcome: Sendable {
        let status: Int32
        let output: [UInt8]
        let errors: String
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-certs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }
    func write(_ bytes: [UInt8], to name: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path(name))) }
    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    /// Runs it in the scratch folder; names in `arguments` are relative to it.
    func attempt(_ arguments: [String], program: String = "openssl", input: [UInt8] = []) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = folder
        let tag = UUID().uuidString
        let (out, err, inn) = (path("\(tag).out"), path("\(tag).err"), path("\(tag).in"))
        for file in [out, err] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        try write(input, to: "\(tag).in")
        process.standardOutput = FileHandle(forWritingAtPath: out)
        process.standardError = FileHandle(forWritingAtPath: err)
        process.standardInput = FileHandle(forReadingAtPath: inn)
        try process.run()
        process.waitUntilExit()
        defer { for file in [out, err, inn] { try? FileManager.default.removeItem(atPath: file) } }
        return Outcome(
            status: process.terminationStatus, output: Array(try Data(contentsOf: URL(fileURLWithPath: out))),
            errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: err)), as: UTF8.self))
    }

    @discardableResult
    func run(_ arguments: String..., input: [UInt8] = []) throws -> Outcome { try run(arguments, input: input) }

    @discardableResult
    func run(_ arguments: [String], input: [UInt8] = []) throws -> Outcome {
        let outcome = try attempt(arguments, input: input)
        guard outcome.status == 0 else {
            throw Failed(
                description: "openssl \(arguments.joined(separator: " ")): \(outcome.status) \(outcome.errors)")
        }
        return outcome
    }
}
