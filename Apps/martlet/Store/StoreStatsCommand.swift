import ArgumentParser
import BrokerStore
import Glibc

/// `martlet store stats`: how much is in a store, without reading messages.
struct StoreStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Say how much is in a store.",
        discussion: """
            Quick: messages are counted, not read.

            Exit status: 0 fine, 1 damaged, 2 it cannot be looked at, 3 not a store.

            Examples:    martlet store stats martlet.db
                         martlet store stats martlet.db --json
            """)

    @Argument(help: "The store, usually martlet.db.")
    var file: String

    @Flag(help: "One line of JSON, for programs.")
    var json = false

    func run() throws {
        try StoreCommand.requireStore(file)
        let statistics = try StoreCommand.reporting {
            let store = try StoreDialogue(path: file, isLook: true)
            let statistics = store.statistics
            try store.close()
            return statistics
        }
        var status = stat()
        let fileBytes = stat(file, &status) == 0 ? Int(status.st_size) : 0
        let rows: [(name: String, label: String, value: Int)] = [
            ("sessions", "sessions", statistics.sessions),
            ("queued", "queued messages", statistics.queued),
            ("queuedBytes", "their bytes", statistics.queuedBytes),
            ("retained", "retained messages", statistics.retained),
            ("messageBytes", "bytes of messages, each once", statistics.messageBytes),
            ("messageRows", "rows of messages", statistics.rows),
            ("fileBytes", "bytes of the file", fileBytes),
        ]
        if json {
            print("{" + rows.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}")
        } else {
            let width = rows.map { String($0.value).count }.max() ?? 0
            for row in rows {
                let value = String(row.value)
                print(String(repeating: " ", count: width - value.count) + value + "  " + row.label)
            }
        }
    }
}
