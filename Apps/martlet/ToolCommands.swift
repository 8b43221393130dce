import ArgumentParser
import MQTTTools

/// `martlet pub`, `sub` and `rr`, and mosquitto's names for them. Their words are read by their own parser, since only so can they be
/// mosquitto's; these commands are what `martlet --help` lists, and `Program` never comes as far as here with them.
struct PublishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub", abstract: "Publish messages, with mosquitto_pub's options. `martlet pub --help` tells all.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_pub has it.") var words: [String] = []

    func run() { ToolCommandLine.run(.pub) }
}

struct SubscribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe and print, with mosquitto_sub's options. `martlet sub --help` tells all.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_sub has it.") var words: [String] = []

    func run() { ToolCommandLine.run(.sub) }
}

struct RequestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rr", abstract: "Send a request and print the answer, with mosquitto_rr's options.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_rr has it.") var words: [String] = []

    func run() { ToolCommandLine.run(.rr) }
}
