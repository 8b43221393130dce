/// What a person can ask for: a line that begins with `/`, or text for the present place. [CH-5] [CH-10]
package enum ChatCommand: Sendable, Equatable {
    case who
    /// Without text: look at that place.
    case message(ChatName, String?)
    case group(ChatName, String?)
    case join(ChatName)
    case leave(ChatName)
    case status(ChatStatus)
    case everything
    case help
    case quit
    /// A line without a command.
    case text(String)
    case nothing

    /// What is wrong with a line, in words.
    package struct Fault: Error, Equatable {
        package let words: String
    }

    /// Each command and what stands behind it.
    package static let list: [(name: String, arguments: String, meaning: String)] = [
        ("/who", "", "who is here, and how they are"),
        ("/msg", "NAME [TEXT]", "write to a person; without text: look at that conversation"),
        ("/group", "NAME [TEXT]", "write to a group, also to one you are not in"),
        ("/join", "GROUP", "hear what is written to a group"),
        ("/leave", "GROUP", "no more of it"),
        ("/status", "online|away|dnd", "tell the others how you are"),
        ("/all", "", "look at everything again"),
        ("/help", "", "this list"),
        ("/quit", "", "log out and end"),
    ]

    /// - Parameter line: without its end. `//` at the beginning is text that begins with one slash.
    package init(_ line: String) throws(Fault) {
        let trimmed = line.trimmed
        guard !trimmed.isEmpty else {
            self = .nothing
            return
        }
        guard trimmed.hasPrefix("/") else {
            self = .text(line)
            return
        }
        if trimmed.hasPrefix("//") {
            self = .text(String(trimmed.dropFirst()))
            return
        }
        let (word, rest) = Self.split(trimmed)
        switch word.lowercased() {
        case "/who": self = .who
        case "/msg":
            let (name, text) = try Self.nameAndText(rest, of: "/msg")
            self = .message(name, text)
        case "/group":
            let (name, text) = try Self.nameAndText(rest, of: "/group")
            self = .group(name, text)
        case "/join": self = .join(try Self.name(rest, of: "/join"))
        case "/leave": self = .leave(try Self.name(rest, of: "/leave"))
        case "/status":
            guard let status = ChatStatus(typed: rest) else {
                throw Fault(words: "a status is one of \(ChatStatus.list)")  // [CH-8]
            }
            self = .status(status)
        case "/all": self = .everything
        case "/help": self = .help
        case "/quit", "/exit": self = .quit
        default: throw Fault(words: "there is no command \(word); /help lists them")
        }
    }

    /// The first word and the rest; a name with spaces stands between quotation marks.
    private static func split(_ text: String) -> (String, String) {
        if text.hasPrefix("\""), let end = text.dropFirst().firstIndex(of: "\"") {
            return (
                String(text[text.index(after: text.startIndex)..<end]), String(text[text.index(after: end)...]).trimmed
            )
        }
        guard let space = text.firstIndex(of: " ") else { return (text, "") }
        return (String(text[..<space]), String(text[space...]).trimmed)
    }

    private static func nameAndText(_ rest: String, of command: String) throws(Fault) -> (ChatName, String?) {
        let (name, text) = split(rest)
        return (try checked(name, command), text.isEmpty ? nil : text)
    }

    private static func name(_ rest: String, of command: String) throws(Fault) -> ChatName {
        let (name, more) = split(rest)
        guard more.isEmpty else { throw Fault(words: "\(command) takes one name; one with spaces stands in \"…\"") }
        return try checked(name, command)
    }

    private static func checked(_ name: String, _ command: String) throws(Fault) -> ChatName {
        do throws(ChatName.Fault) {
            return try ChatName(name)
        } catch {
            throw Fault(words: "\(command): \(error)")
        }
    }
}

extension String {
    /// Without spaces and tabs at either end.
    var trimmed: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" || first.isNewline { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" || last.isNewline { text = text.dropLast() }
        return String(text)
    }
}
