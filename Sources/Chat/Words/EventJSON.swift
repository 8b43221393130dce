import MQTTClient

/// Events for programs: one JSON object a line. [CH-10]
package enum EventJSON {
    /// - Parameter time: as RFC 3339 has it.
    package static func line(_ told: ToldEvent, time: String, version: String) -> String {
        var fields = [("event", quoted(kind(told.event))), ("number", "\(told.number)"), ("time", quoted(time))]
        fields += details(told.event, version: version)
        if !told.packets.isEmpty { fields.append(("packets", packets(told.packets))) }
        return object(fields)
    }

    /// Packets that followed after the event they belong to.
    package static func following(_ notes: [PacketNote], of number: Int, time: String) -> String {
        object([
            ("event", quoted("packets")), ("of", "\(number)"), ("time", quoted(time)), ("packets", packets(notes)),
        ])
    }

    /// The end of a run that failed.
    package static func failure(_ words: String, time: String) -> String {
        object([("event", quoted("failed")), ("time", quoted(time)), ("why", quoted(words))])
    }

    private static func kind(_ event: ChatEvent) -> String {
        switch event {
        case .connecting: "connecting"
        case .connected: "connected"
        case .waiting: "lost"
        case .loggedIn: "here"
        case .loggedOut: "gone"
        case .login: "login"
        case .logout: "logout"
        case .active: "active"
        case .status, .ownStatus: "status"
        case .people: "who"
        case .privateMessage: "private"
        case .groupMessage: "group"
        case .sending: "sending"
        case .sent: "sent"
        case .notSent: "notSent"
        case .joined: "joined"
        case .left: "left"
        case .looking: "to"
        case .help: "help"
        case .note: "note"
        case .refused: "refused"
        }
    }

    private static func details(_ event: ChatEvent, version: String) -> [(String, String)] {
        switch event {
        case .connecting(let attempt): [("attempt", "\(attempt)")]
        case .connected(let sessionPresent):
            [("version", quoted(version)), ("sessionPresent", "\(sessionPresent)")]
        case .waiting(let why, let seconds): [("why", quoted(why)), ("seconds", EventText.tenths(seconds))]
        case .loggedIn, .loggedOut: []
        case .login(let name), .active(let name): [("name", quoted(name.text))]
        case .logout(let name, let isPresumed): [("name", quoted(name.text)), ("presumed", "\(isPresumed)")]
        case .status(let name, let status): [("name", quoted(name.text)), ("status", quoted(status.rawValue))]
        case .ownStatus(let status): [("status", quoted(status.rawValue)), ("you", "true")]
        case .people(let people):
            [
                (
                    "people",
                    "["
                        + people.map {
                            object([
                                ("name", quoted($0.name.text)), ("status", quoted($0.status.rawValue)),
                                ("you", "\($0.isOurselves)"),
                            ])
                        }.joined(separator: ",") + "]"
                )
            ]
        case .privateMessage(let sender, let text): [("from", quoted(sender.text)), ("text", quoted(text))]
        case .groupMessage(let group, let sender, let text, let isOwn):
            [
                ("group", quoted(group.text)), ("from", quoted(sender.text)), ("text", quoted(text)),
                ("own", "\(isOwn)"),
            ]
        case .sending(_, let place, let text): destination(place) + [("text", quoted(text))]
        case .sent(_, let place, let text, let isHeard):
            destination(place) + [("text", quoted(text)), ("heard", "\(isHeard)")]
        case .notSent(_, let place, let text, let why):
            destination(place) + [("text", quoted(text)), ("why", quoted(why))]
        case .joined(let group), .left(let group): [("group", quoted(group.text))]
        case .looking(let place): place.map { destination($0) } ?? []
        case .help: [("commands", "[" + ChatCommand.list.map { quoted($0.name) }.joined(separator: ",") + "]")]
        case .note(let text), .refused(let text): [("text", quoted(text))]
        }
    }

    private static func destination(_ place: Place) -> [(String, String)] {
        switch place {
        case .person(let name): [("to", quoted(name.text))]
        case .group(let name): [("group", quoted(name.text))]
        }
    }

    private static func packets(_ notes: [PacketNote]) -> String {
        "["
            + notes.map { note in
                var fields = [
                    ("direction", quoted(note.direction == .sent ? "sent" : "received")),
                    ("type", quoted("\(note.type)")),
                ]
                if let publish = note.publish {
                    fields.append(("qos", "\(publish.qos)"))
                    fields.append(("retain", "\(publish.retain)"))
                    fields.append(("duplicate", "\(publish.isDuplicate)"))
                }
                if let id = note.packetIdentifier { fields.append(("id", "\(id)")) }
                if let code = note.reasonCode { fields.append(("reason", quoted("\(code)"))) }
                if let grants = note.grants {
                    let name = note.type == .suback ? "granted" : "qos"
                    fields.append((name, "[" + grants.map { "\($0)" }.joined(separator: ",") + "]"))
                }
                return object(fields)
            }.joined(separator: ",") + "]"
    }

    private static func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { "\(quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    }

    /// RFC 8259 §7. Beyond what that demands, whatever could do harm in a terminal is escaped too: the same text, safely shown.
    static func quoted(_ text: String) -> String {
        var line = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\t": line += "\\t"
            case _ where SafeText.isForbidden(scalar):
                for unit in scalar.utf16 {
                    let digits = String(unit, radix: 16)
                    line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line + "\""
    }
}
