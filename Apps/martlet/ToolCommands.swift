import ArgumentParser
import BrokerServer
import Glibc
import MQTTTools

/// `martlet pub`, `sub` and `rr`, and mosquitto's names for them. Their words are read by their own parser, since only so can they be
/// mosquitto's; these commands are what `martlet --help` lists.
struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub", abstract: "Publish messages, with mosquitto_pub's options. `martlet pub --help` tells all.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_pub has it.") var words: [String] = []

    func run() async { await ToolCommands.run(.pub) }
}

struct SubscribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe and print, with mosquitto_sub's options. `martlet sub --help` tells all.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_sub has it.") var words: [String] = []

    func run() async { await ToolCommands.run(.sub) }
}

struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rr", abstract: "Send a request and print the answer, with mosquitto_rr's options.")
    @Argument(parsing: .captureForPassthrough, help: "As mosquitto_rr has it.") var words: [String] = []

    func run() async { await ToolCommands.run(.rr) }
}

enum ToolCommands {
    /// Runs a tool and ends, where the program is called by its name or its word comes first.
    static func runIfCalledSo() async {
        for tool in Tool.allCases {
            if ProgramName.called == tool.mosquittoName { await run(tool, behind: 1, name: tool.mosquittoName) }
            if CommandLine.arguments.dropFirst().first == tool.rawValue { await run(tool) }
        }
    }

    static func run(_ tool: Tool) async { await run(tool, behind: 2, name: "martlet \(tool.rawValue)") }

    private static func run(_ tool: Tool, behind: Int, name: String) async {
        let status = await ToolProgram.run(
            tool, Array(words().dropFirst(behind)), name: name, version: BrokerServer.Martlet.version)
        // Nothing is left to be tidied, and a thread may still wait for standard input.
        fflush(nil)
        _exit(status)
    }

    /// Takes passwords out of what `ps` shows, for programs whose words ArgumentParser has read.
    static func hideSecrets() { _ = words() }

    /// As bytes: Swift's own list repairs what is not UTF-8. Passwords are taken out of what `ps` shows; whoever looks in the
    /// first milliseconds still sees them.
    private static func words() -> [Word] {
        let pointers = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).compactMap {
            $0
        }
        let words = pointers.map { word in
            Word(UnsafeBufferPointer(start: word, count: strlen(word)).map { UInt8(bitPattern: $0) })
        }
        for (place, range) in SecretWords.ranges(in: words) {
            memset(pointers[place] + range.lowerBound, Int32(UInt8(ascii: "*")), range.count)
        }
        return words
    }
}
