/// What the person asks for. [CH-5]
extension Conversation {
    /// Our own group messages that may be on their way back, at most.
    private static var echoesMax: Int { 1_000 }

    /// A line was entered.
    package mutating func enter(_ line: String, at now: Instant) {
        let command: ChatCommand
        do throws(ChatCommand.Fault) {
            command = try ChatCommand(line)
        } catch {
            return tell(.refused(error.words))
        }
        obey(command, at: now)
        arm()
    }

    private mutating func obey(_ command: ChatCommand, at now: Instant) {
        guard phase != .leaving, phase != .over else { return }
        switch command {
        case .nothing: break
        case .who: tell(.people(peopleHere))
        case .help: tell(.help)
        case .quit: leave(at: now)
        case .everything: turn(to: nil)
        case .message(let person, let text): write(text, to: .person(person))
        case .group(let group, let text): write(text, to: .group(group))
        case .text(let text):
            guard let place else {
                return tell(.refused("to whom? /msg NAME TEXT, or /group NAME TEXT; /help lists all commands"))
            }
            send(text, to: place)
        case .join(let group): join(group)
        case .leave(let group): leave(group)
        case .status(let status):
            ownStatus = status
            publish(.status(of: name), status.rawValue, as: .status)
            tell(.ownStatus(status))
        }
    }

    /// Looks at a place; lines without a command go there from now on.
    private mutating func turn(to place: Place?) {
        self.place = place
        tell(.looking(place))
    }

    private mutating func write(_ text: String?, to place: Place) {
        guard let text else { return turn(to: place) }
        self.place = place
        send(text, to: place)
    }

    private mutating func send(_ text: String, to place: Place) {
        let topic: ChatTopic
        switch place {
        case .person(let person): topic = .toPerson(person, from: name)
        case .group(let group): topic = .toGroup(group, from: name)  // also where we are no member [CH-5]
        }
        let ticket = publish(topic, text, as: .message(place, text))
        if case .group(let group) = place, memberships[group] != nil {
            if echoes.count >= Self.echoesMax { echoes.removeFirst() }
            echoes.append(Echo(group: group, text: text, identifier: "\(nonce)-\(ticket)"))
        }
        tell(.sending(ticket, place, text))
    }

    private mutating func join(_ group: ChatName) {
        switch memberships[group] {
        case .joined: return tell(.note("you are in \(group) already"))
        case .joining: return
        case .leaving, nil: break
        }
        guard memberships.count < Self.peopleMax else { return tell(.refused("you are in too many groups")) }
        memberships[group] = .joining
        complaints.remove("stale \(group)")
        actions.append(.subscribe(.group(group)))
    }

    private mutating func leave(_ group: ChatName) {
        guard memberships[group] == .joined else { return tell(.refused("you are not in \(group)")) }
        memberships[group] = .leaving
        actions.append(.unsubscribe(.group(group)))
    }

    // MARK: Completion

    /// What could stand in place of the last word of a line, in order; each the whole line.
    package func completions(of line: String) -> [String] {
        guard line.hasPrefix("/") else { return [] }
        guard let space = line.firstIndex(of: " ") else {
            return ChatCommand.list.map(\.name).filter { $0.hasPrefix(line.lowercased()) }.map { $0 + " " }
        }
        let command = String(line[..<space]).lowercased()
        let begun = String(line[line.index(after: space)...])
        let words: [String]
        switch command {
        case "/msg": words = people.keys.sorted().map(\.text)
        case "/group": words = Set(groups).union(unread.keys.compactMap(\.group)).sorted().map(\.text)
        case "/join", "/leave": words = groups.map(\.text)
        case "/status": words = ["online", "away", "dnd"]
        default: words = []
        }
        let behind = command == "/msg" || command == "/group" ? " " : ""
        return words.filter { $0.lowercased().hasPrefix(begun.lowercased()) && !begun.hasSuffix(" ") }
            .map { word in "\(command) \(word.contains(" ") ? "\"\(word)\"" : word)\(behind)" }
    }
}

extension Place {
    fileprivate var group: ChatName? {
        if case .group(let name) = self { name } else { nil }
    }
}
