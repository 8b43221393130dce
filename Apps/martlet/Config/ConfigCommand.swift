import ArgumentParser

/// `martlet config`: looks at a mosquitto.conf without running it.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check a mosquitto.conf: what is honoured, what is ignored and why, what is risky.",
        subcommands: [ConfigCheckCommand.self])
}
