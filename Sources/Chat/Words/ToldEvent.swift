/// An event with its number, its time and, with `--explain`, the packets that carried it.
package struct ToldEvent: Sendable, Equatable {
    /// Counts from 1.
    package let number: Int
    package let event: ChatEvent
    /// Seconds since 1970.
    package let time: Int
    package var packets: [PacketNote]

    package init(number: Int, event: ChatEvent, time: Int, packets: [PacketNote] = []) {
        (self.number, self.event, self.time, self.packets) = (number, event, time, packets)
    }
}

/// Events as lines: the kind first, so that a person sees it and a script finds it. [CH-6] [CH-10]
package enum EventText {
    /// Nil = no line of its own here; the help is several.
    package static func line(_ told: ToldEvent, version: String) -> String? {
        guard var line = words(told.event, version: version) else { return nil }
        if !told.packets.isEmpty { line += "  " + explanation(told.packets, of: told.number) }
        return line
    }

    /// Packets that followed after the line they belong to, or (number 0) that belong to none.
    package static func following(_ notes: [PacketNote], of number: Int) -> String {
        "[packets] " + explanation(notes, of: number)
    }

    /// `{#3 → PUBLISH qos 2 id 3 retain 0, ← PUBREC id 3, …}`
    package static func explanation(_ notes: [PacketNote], of number: Int) -> String {
        "{\(number > 0 ? "#\(number) " : "")\(notes.map(\.description).joined(separator: ", "))}"
    }

    private static func words(_ event: ChatEvent, version: String) -> String? {
        switch event {
        case .connecting(let attempt): attempt == 1 ? nil : "[connecting] attempt \(attempt)"
        case .connected(let sessionPresent):
            "[connected] \(version), \(sessionPresent ? "the session of earlier goes on" : "a new session")"
        case .waiting(let why, let seconds): "[lost] \(safe(why)); again in \(tenths(seconds)) s"
        case .loggedIn: "[here] you are logged in"
        case .loggedOut: "[gone] you are logged out"
        case .login(let name): "[login] \(name)"
        case .logout(let name, let isPresumed): "[logout] \(name)\(isPresumed ? " (no sign of life)" : "")"
        case .active(let name): "[active] \(name)"
        case .status(let name, let status): "[status] \(name): \(status.rawValue)"
        case .people(let people): "[who] \(list(people))"
        case .privateMessage(let sender, let text): "[private] \(sender): \(safe(text))"
        case .groupMessage(let group, let sender, let text, let isOwn):
            "[group \(group)] \(sender)\(isOwn ? " (you, elsewhere)" : ""): \(safe(text))"
        case .sending: nil
        case .sent(_, let place, let text, let isHeard):
            "[sent] to \(name(place)): \(safe(text))\(isHeard ? "" : "  (the broker says that nobody listens there)")"
        case .notSent(_, let place, let text, let why):
            "[refused] not sent to \(name(place)): \(safe(text))  (\(safe(why)))"
        case .joined(let group): "[joined] \(group)"
        case .left(let group): "[left] \(group)"
        case .ownStatus(let status): "[status] you: \(status.rawValue)"
        case .looking(let place): place.map { "[to] \(name($0))" } ?? "[to] nobody: name somebody with each message"
        case .help: help.joined(separator: "\n")
        case .note(let text): "[note] \(safe(text))"
        case .refused(let text): "[refused] \(safe(text))"
        }
    }

    /// A list of commands, a line each.
    package static var help: [String] {
        ChatCommand.list.map { command in
            let usage = "\(command.name) \(command.arguments)"
            let gap = String(repeating: " ", count: max(1, 26 - usage.count))
            return "[help] \(usage)\(gap)\(command.meaning)"
        }
    }

    static func list(_ people: [ChatEvent.Person]) -> String {
        people.map { person in
            var text = person.name.text
            if person.isOurselves { text += " (you)" }
            if person.status != .online { text += " [\(person.status.rawValue)]" }
            return text
        }.joined(separator: ", ")
    }

    static func name(_ place: Place) -> String {
        switch place {
        case .person(let name): name.text
        case .group(let name): "group \(name)"
        }
    }

    static func safe(_ text: String) -> String { SafeText.shown(text) }

    static func tenths(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
