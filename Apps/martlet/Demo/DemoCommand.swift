import ArgumentParser

/// `martlet demo`: programs to learn from.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Programs to learn from.", subcommands: [MutualAuthCommand.self])
}
