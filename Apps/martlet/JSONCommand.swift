import ArgumentParser
import MQTTTools

/// `martlet json TEXT`: a text as a JSON string, for scripts that build JSON.
struct JSONCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "json",
        abstract: "Print a text as a JSON string, quotes and all.",
        discussion: """
            For messages made in a shell, where a quotation mark in a value would break the JSON around it:

                martlet pub -t notes -m "{\\"text\\":$(martlet json "$text")}"
            """)

    @Argument(parsing: .captureForPassthrough, help: "The text; without any, standard input to its end.")
    var text: [String] = []

    func run() {
        if text.isEmpty {
            var whole: [String] = []
            while let line = readLine(strippingNewline: false) { whole.append(line) }
            print(JSONText.quoted(whole.joined()))
        } else {
            print(JSONText.quoted(text.joined(separator: " ")))
        }
    }
}
