import Testing

@testable import Chat

@Suite("What a line means") struct ChatCommandTests {
    @Test(
        "[CH-5] commands",
        arguments: [
            ("/who", ChatCommand.who), (" /WHO ", .who), ("/help", .help), ("/quit", .quit), ("/all", .everything),
            ("/msg bob hi  there", .message("bob", "hi  there")), ("/msg bob", .message("bob", nil)),
            ("/msg \"anna b\" hi", .message("anna b", "hi")), ("/group g hi", .group("g", "hi")),
            ("/join g", .join("g")),
            ("/leave \"my group\"", .leave("my group")), ("hello", .text("hello")), ("//hello", .text("/hello")),
            ("", .nothing), ("   ", .nothing),
        ])
    func commands(_ line: String, _ command: ChatCommand) throws { #expect(try ChatCommand(line) == command) }

    @Test(
        "[CH-8] a status is one of three, in any case; DND too",
        arguments: [
            ("online", ChatStatus.online), ("ONLINE", .online), ("Away", .away), ("do  not disturb", .doNotDisturb),
            ("dnd", .doNotDisturb),
        ])
    func status(_ typed: String, _ status: ChatStatus) throws {
        #expect(try ChatCommand("/status \(typed)") == .status(status))
    }

    @Test(
        "what is wrong is said",
        arguments: [
            ("/status busy", "ONLINE, AWAY, DO NOT DISTURB"), ("/status", "ONLINE"),
            ("/join", "at least one character"),
            ("/join a b", "one name"), ("/msg a/b hi", "'/'"), ("/group # hi", "'#'"), ("/join a+", "'+'"),
            ("/frobnicate", "/help"),
        ])
    func faults(_ line: String, _ part: String) {
        do {
            let command = try ChatCommand(line)
            Issue.record("\(command)")
        } catch {
            #expect(error.words.contains(part))
        }
    }

    @Test("[CH-9] names", arguments: ["", "a/b", "+", "x#", "a\n", "a\u{1B}[2J", String(repeating: "x", count: 256)])
    func names(_ name: String) { #expect(throws: ChatName.Fault.self) { try ChatName(name) } }

    @Test("[CH-9] bytes that are not UTF-8 are no name")
    func bytes() { #expect(throws: ChatName.Fault.notUTF8) { try ChatName(utf8: [0xFF, 0x41]) } }

    @Test("names are compared byte by byte")
    func comparison() {
        let (composed, decomposed): (ChatName, ChatName) = ("\u{E9}", "e\u{301}")
        #expect(composed != decomposed && composed.text == decomposed.text)
    }
}
