import ArgumentParser
import BrokerStore

/// `martlet store`: looks into, checks, copies out and fills the file in which the broker keeps what must survive.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Look into a store (martlet.db), check it, export it, import into it.",
        discussion: """
            A broker with `persistence true` keeps sessions, their queues and retained messages in martlet.db, in its
            persistence_location. Stop the broker first: one program at a time may open a store.

            Is it whole?                  martlet store check /var/lib/martlet/martlet.db
            What is in it?                martlet store stats /var/lib/martlet/martlet.db
            Take it out as JSON lines:    martlet store export /var/lib/martlet/martlet.db -o backup.jsonl
            Put it back:                  martlet store import backup.jsonl --into /var/lib/martlet/martlet.db
            Move over from mosquitto:     martlet store import /var/lib/mosquitto/mosquitto.db --into martlet.db
            """,
        subcommands: [StoreCheckCommand.self, StoreStatsCommand.self, StoreExportCommand.self, StoreImportCommand.self])

    /// Exit statuses that all parts share.
    static let damaged = ExitCode(1)
    static let unreachable = ExitCode(2)
    static let notStore = ExitCode(3)

    /// Stops where the file is no store, before anything could change it.
    static func requireStore(_ path: String) throws {
        switch StoreDialogue.kind(of: path) {
        case .store: return
        case .missing:
            Terminal.complain("Error: \(path): no such file, or it may not be read.")
            throw unreachable
        case .mosquitto:
            Terminal.complain(
                "Error: \(path) is a snapshot of mosquitto. Make a store of it: martlet store import \(path) --into martlet.db"
            )
        case .lines:
            Terminal.complain(
                "Error: \(path) looks like an exported store. Make a store of it: martlet store import \(path) --into martlet.db"
            )
        case .other: Terminal.complain("Error: \(path) is not a store of Martlet.")
        }
        throw notStore
    }

    /// Does `body`, and turns a store's errors into a message and an exit status.
    static func reporting<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as StoreError {
            Terminal.endProgress()
            Terminal.complain("Error: \(error)")
            switch error {
            case .corrupt: throw damaged
            case .foreign, .newer, .older: throw notStore
            default: throw unreachable
            }
        } catch let error as StoreImportError {
            Terminal.endProgress()
            Terminal.complain("Error: \(error)")
            if case .unreadable = error { throw unreachable }
            throw damaged
        }
    }
}
