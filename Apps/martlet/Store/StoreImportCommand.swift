import ArgumentParser
import BrokerStore

/// `martlet store import`: makes a store of an export, or of what mosquitto kept.
struct StoreImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a store of an exported one, or of mosquitto's mosquitto.db.",
        discussion: """
            What the file is, is seen by its first bytes: lines of `martlet store export`, or a snapshot of mosquitto
            (versions 4 to 6: mosquitto 1.5.6 to 2.x). It is only read. The store appears when all of it is on the disk;
            an import that fails leaves nothing, and a store that was there as it was.

            From mosquitto come sessions, subscriptions, queued messages with every step of QoS 2, and retained
            messages. Stop mosquitto first, so that its file is up to date.

            Exit status: 0 fine, 1 the file is damaged, 2 it cannot be read or the store cannot be written, 3 neither an
            export nor a snapshot, or a store is there already.

            Examples:    martlet store import /var/lib/mosquitto/mosquitto.db --into /var/lib/martlet/martlet.db
                         martlet store import backup.jsonl --into martlet.db --replace
            """)

    @Argument(help: "The file to import.")
    var file: String

    @Option(help: "The store to make.")
    var into: String

    @Flag(help: "Replace the store that is there, and all that is in it.")
    var replace = false

    func run() throws {
        switch StoreDialogue.kind(of: file) {
        case .lines, .mosquitto: break
        case .missing:
            Terminal.complain("Error: \(file): no such file, or it may not be read.")
            throw StoreCommand.unreachable
        case .store:
            Terminal.complain(
                "Error: \(file) is a store already. Copy it, or export it first: martlet store export \(file)")
            throw StoreCommand.notStore
        case .other:
            Terminal.complain("Error: \(file) is neither an exported store nor a snapshot of mosquitto.")
            throw StoreCommand.notStore
        }
        let kind = StoreDialogue.kind(of: into)
        guard kind == .missing || (replace && kind == .store) else {
            Terminal.complain(
                kind == .store
                    ? "Error: \(into) is there already. With --replace what is in it is given up for what comes."
                    : "Error: \(into) is there already and is not a store of Martlet.")
            throw StoreCommand.notStore
        }
        let summary = try StoreCommand.reporting {
            try StoreImport.file(file, into: into) { Terminal.progress("Importing", $0, $1) }
        }
        Terminal.endProgress()
        print("Imported into \(into): \(summary.description).")
    }
}
