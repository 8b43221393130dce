import ArgumentParser
import BrokerStore

/// `martlet store check`: reads everything, says what is wrong, repairs nothing.
struct StoreCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read a whole store and say whether it is sound.",
        discussion: """
            Checks the file as SQLite does, then reads every session, every queued message and every retained message,
            and counts them. Nothing is repaired.

            Exit status: 0 sound, 1 damaged, 2 it cannot be looked at (in use, not readable), 3 not a store.

            Example:    martlet store check /var/lib/martlet/martlet.db && echo sound
            """)

    @Argument(help: "The store, usually martlet.db.")
    var file: String

    func run() throws {
        try StoreCommand.requireStore(file)
        let check = try StoreCommand.reporting {
            try StoreCheck(path: file) { Terminal.progress("Reading", $0, $1) }
        }
        Terminal.endProgress()
        guard check.problems.isEmpty else {
            for problem in check.problems { Terminal.complain(problem) }
            let count = check.problems.count
            print("\(file): \(Terminal.red("damaged")), \(count) \(count == 1 ? "problem" : "problems")")
            throw StoreCommand.damaged
        }
        print("\(file): \(Terminal.green("sound"))")
        print(check.summary)
    }
}
