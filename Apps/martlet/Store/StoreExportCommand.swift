import ArgumentParser
import BrokerStore
import Glibc

/// `martlet store export`: a store as lines of JSON.
struct StoreExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a store as lines of JSON, one object a line.",
        discussion: """
            Sessions first, then every message that waits, once, followed by an entry for each session that waits for
            it, then retained messages. Payloads that are readable text stand as text ("payload"), others in base64
            ("payloadBase64"). `martlet store import` reads it back exactly.

            Messages may be secret: the file is created readable by you alone (0600).

            Exit status: 0 fine, 1 damaged, 2 it cannot be read or written, 3 not a store.

            Examples:    martlet store export martlet.db -o backup.jsonl
                         martlet store export martlet.db | jq -r 'select(.type == "retained") | .topic'
            """)

    @Argument(help: "The store, usually martlet.db.")
    var file: String

    @Option(
        name: [.short, .long], help: "Write to this file, which must not be there yet; without it to standard output.")
    var output: String?

    func run() throws {
        try StoreCommand.requireStore(file)
        var descriptor = STDOUT_FILENO
        if let output {
            descriptor = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                Terminal.complain("Error: \(output): \(String(cString: strerror(errno)))")
                throw StoreCommand.unreachable
            }
        }
        do {
            let summary = try StoreCommand.reporting { try export(to: descriptor) }
            Terminal.endProgress()
            if let output { Terminal.complain("Exported to \(output): \(summary.description).") }
        } catch {
            // Half an export is none.
            if let output { unlink(output) }
            throw error
        }
    }

    private func export(to descriptor: Int32) throws -> ImportSummary {
        let store = try StoreDialogue(path: file, isLook: true)
        var sink = LineSink(descriptor)
        var export = try StoreExport(read: store.read) { try sink.write($0) }
        let whole = store.statistics.queued
        try export.write(store) { Terminal.progress("Exporting", $0, whole) }
        try sink.finish(isFile: output != nil)
        try store.close()
        return export.summary
    }
}

/// Lines on their way to a file or a pipe, in large pieces.
private struct LineSink {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    mutating func write(_ line: [UInt8]) throws {
        buffer += line
        if buffer.count >= 1 << 18 { try flush() }
    }

    mutating func finish(isFile: Bool) throws {
        try flush()
        if isFile, fsync(descriptor) != 0 { throw failure() }
    }

    private mutating func flush() throws {
        var written = 0
        while written < buffer.count {
            let count = buffer[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure() }
            written += count
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func failure() -> StoreImportError { .unreadable("the export", errno) }
}
