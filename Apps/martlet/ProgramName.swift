import ArgumentParser
import Glibc

/// The name the program was called by: a link of mosquitto's name behaves as mosquitto's program.
enum ProgramName {
    static let called = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? ""

    /// Runs a command under such a name and ends. mosquitto's programs say 1 to whatever they do not understand.
    static func run(_ command: (some ParsableCommand).Type) -> Never {
        do {
            var parsed = try command.parse(Array(CommandLine.arguments.dropFirst()))
            try parsed.run()
            exit(0)
        } catch {
            end(command, error)
        }
    }

    /// The same for a command that waits.
    static func run(_ command: (some AsyncParsableCommand).Type) async -> Never {
        do {
            var parsed = try command.parse(Array(CommandLine.arguments.dropFirst()))
            try await parsed.run()
            exit(0)
        } catch {
            end(command, error)
        }
    }

    private static func end(_ command: (some ParsableCommand).Type, _ error: any Error) -> Never {
        let code = command.exitCode(for: error)
        let message = command.fullMessage(for: error)
        if !message.isEmpty { code.isSuccess ? print(message) : Terminal.complain(message) }
        exit(code == .validationFailure ? 1 : code.rawValue)
    }
}
