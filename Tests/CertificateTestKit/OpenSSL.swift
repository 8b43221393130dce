package import Foundation

/// Debian's `openssl`, as the witness of what is right, with a scratch folder of its own.
package final class OpenSSL: Sendable {
    package let folder: URL

    package struct Outcome: Sendable {
        package let status: Int32
        package let output: [UInt8]
        package let errors: String
        package var text: String { String(decoding: output, as: UTF8.self) }
    }

    package struct Failed: Error, CustomStringConvertible {
        package let description: String
        package init(description: String) { self.description = description }
    }

    package init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-certs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    package func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    package func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }
    package func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }
    package func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    /// Runs it in the scratch folder; names in `arguments` are relative to it.
    package func attempt(_ arguments: [String], program: String = "openssl", input: [UInt8] = []) throws -> Outcome {
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
    package func run(_ arguments: String..., input: [UInt8] = []) throws -> Outcome { try run(arguments, input: input) }

    @discardableResult
    package func run(_ arguments: [String], input: [UInt8] = []) throws -> Outcome {
        let outcome = try attempt(arguments, input: input)
        guard outcome.status == 0 else {
            throw Failed(
                description: "openssl \(arguments.joined(separator: " ")): \(outcome.status) \(outcome.errors)")
        }
        return outcome
    }
}
