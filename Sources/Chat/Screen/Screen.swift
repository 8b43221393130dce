/// The full-screen view as a value: lines that were told, the line being typed, which place is looked at. Keys go in, wishes come out;
/// with a size it becomes a `Frame`. It owns no terminal and decides nothing about the chat. [CH-6]
///
/// Before: `ChatFront`. After: `Screen+frame` for how it looks, `InputLine` for typing.
package struct Screen: Sendable {
    /// Lines that are kept.
    package static let entriesMax = 5_000
    /// Characters of one line that are shown; JSON has them all.
    static let charactersMax = 4_000

    /// Something that was told, as it is shown.
    struct Entry: Sendable, Equatable {
        enum Mark: Sendable, Equatable {
            case none, pending, sent, unheard
            case failed(String)
        }

        let number: Int
        /// Of a message of ours.
        let ticket: Int?
        let time: String
        let place: Place?
        /// Shown wherever one looks.
        let isUrgent: Bool
        let head: String
        let headStyle: Frame.Style
        let text: String
        let textStyle: Frame.Style
        var mark = Mark.none
        var packets: [PacketNote]
    }

    /// What a key asks for.
    package enum Wish: Sendable, Equatable {
        case enter(String)
        case look(Place?)
        case quit
    }

    /// What the frame shows beside the lines: taken from the conversation.
    package struct Surroundings: Sendable, Equatable {
        package var people: [ChatEvent.Person] = []
        package var groups: [ChatName] = []
        package var unread: [Place: Int] = [:]
        package init() {}
    }

    package var size: TerminalSize
    /// Who, where.
    let title: String
    var connection = "connecting …"
    var isConnected = false
    /// Why there is no connection: told when it changes, not at every attempt.
    private var lastFailure: String?
    var entries: [Entry] = []
    package private(set) var input = InputLine()
    /// Nil = everything.
    package private(set) var view: Place?
    /// Rows below the lowest one in sight; 0 = the newest line is there.
    package internal(set) var rowsBelow = 0
    /// What Tab offers, and which of them stands there.
    private(set) var offers: [String] = []
    private var offer = 0
    package var surroundings = Surroundings()
    let version: String
    /// The hour and minute of a second since 1970, as it is called here.
    private let clock: @Sendable (Int) -> String

    package init(size: TerminalSize, title: String, version: String, clock: @escaping @Sendable (Int) -> String) {
        (self.size, self.title, self.version, self.clock) = (size, title, version, clock)
    }

    // MARK: Events

    package mutating func tell(_ told: ToldEvent) {
        switch told.event {
        case .connecting(let attempt): connection = attempt == 1 ? "connecting …" : "connecting, attempt \(attempt) …"
        case .connected:
            connection = version
            isConnected = true
            lastFailure = nil
        case .waiting(let why, let seconds):
            connection = "no connection, again in \(EventText.tenths(seconds)) s"
            isConnected = false
            guard why != lastFailure else { return }
            lastFailure = why
        case .looking(let place): turn(to: place)
        case .sent(let ticket, _, _, let isHeard): return mark(ticket, isHeard ? .sent : .unheard, told)
        case .notSent(let ticket, _, _, let why): return mark(ticket, .failed(SafeText.shown(why)), told)
        case .help:
            for line in EventText.help {
                add(entry(told, "", .plain, String(line.dropFirst(7)), .plain, isUrgent: true))
            }
            return
        default: break
        }
        if let entry = entry(told) { add(entry) }
    }

    /// Packets that followed after the line they belong to.
    package mutating func follow(_ notes: [PacketNote], of number: Int) {
        guard let at = entries.lastIndex(where: { $0.number == number }) else { return }
        keepingPlace { $0.entries[at].packets += notes }
    }

    private mutating func mark(_ ticket: Int, _ mark: Entry.Mark, _ told: ToldEvent) {
        guard let at = entries.lastIndex(where: { $0.ticket == ticket }) else { return }
        keepingPlace {
            $0.entries[at].mark = mark
            $0.entries[at].packets += told.packets
        }
    }

    private mutating func add(_ entry: Entry) {
        keepingPlace {
            $0.entries.append(entry)
            if $0.entries.count > Self.entriesMax { $0.entries.removeFirst($0.entries.count - Self.entriesMax) }
        }
    }

    /// Who has scrolled up keeps seeing the same lines.
    private mutating func keepingPlace(_ change: (inout Screen) -> Void) {
        guard rowsBelow > 0 else { return change(&self) }
        let before = rowCount
        change(&self)
        rowsBelow = max(1, rowsBelow + rowCount - before)
        clampScroll()
    }

    private func entry(_ told: ToldEvent) -> Entry? {
        func line(_ text: String, isUrgent: Bool = false, _ style: Frame.Style = .dim) -> Entry {
            entry(told, "*", style, text, style, isUrgent: isUrgent)
        }
        switch told.event {
        case .connecting, .help, .sent, .notSent, .looking: return nil
        case .connected(let sessionPresent):
            return line(sessionPresent ? "connected; the session of earlier goes on" : "connected", isUrgent: true)
        case .waiting(let why, _): return line(SafeText.shown(why), isUrgent: true, .warning)
        case .loggedIn: return line("you are logged in")
        case .loggedOut: return line("you are logged out")
        case .login(let name): return line("\(name) logged in")
        case .logout(let name, let isPresumed): return line("\(name) is gone\(isPresumed ? ", without a word" : "")")
        case .active(let name): return line("\(name) is here")
        case .status(let name, let status): return line("\(name) is \(status.rawValue)")
        case .ownStatus(let status): return line("you are \(status.rawValue)")
        case .people(let people): return line("here: \(EventText.list(people))")
        case .joined(let group): return line("you are in #\(group)")
        case .left(let group): return line("you have left #\(group)")
        case .privateMessage(let sender, let text):
            return entry(told, "\(sender):", .name, SafeText.shown(text), .plain, place: .person(sender))
        case .groupMessage(let group, let sender, let text, let isOwn):
            let from = isOwn ? "\(sender) (you, elsewhere)" : sender.text
            return entry(told, "#\(group) \(from):", .group, SafeText.shown(text), .plain, place: .group(group))
        case .sending(let ticket, let place, let text):
            let head = if case .group(let group) = place { "→ #\(group):" } else { "→ \(place.name):" }
            var entry = entry(told, head, .own, SafeText.shown(text), .plain, place: place, ticket: ticket)
            entry.mark = .pending
            return entry
        case .note(let text): return line(SafeText.shown(text), isUrgent: true)
        case .refused(let text): return entry(told, "!", .warning, SafeText.shown(text), .warning, isUrgent: true)
        }
    }

    private func entry(
        _ told: ToldEvent, _ head: String, _ headStyle: Frame.Style, _ text: String, _ textStyle: Frame.Style,
        place: Place? = nil, isUrgent: Bool = false, ticket: Int? = nil
    ) -> Entry {
        let text = text.count > Self.charactersMax ? text.prefix(Self.charactersMax) + " ⋯" : text
        return Entry(
            number: told.number, ticket: ticket, time: clock(told.time), place: place, isUrgent: isUrgent, head: head,
            headStyle: headStyle, text: text, textStyle: textStyle, packets: told.packets)
    }

    /// What can be looked at, in order: everything, people, groups.
    var views: [Place?] {
        var places = surroundings.people.filter { !$0.isOurselves }.map { Place.person($0.name) }
        for place in surroundings.unread.keys.sorted() where !places.contains(place) {
            if case .person = place { places.append(place) }
        }
        return [nil] + places + surroundings.groups.map { Place.group($0) }
    }

    private mutating func turn(to place: Place?) {
        view = place
        rowsBelow = 0
    }

    // MARK: Keys

    /// - Parameter completions: what could stand in place of a line.
    package mutating func press(_ key: Key, completions: (String) -> [String]) -> Wish? {
        if key == .tab {
            complete(completions)
            return nil
        }
        offers = []
        if input.edit(key) { return nil }
        switch key {
        case .enter:
            let line = input.enter()
            rowsBelow = 0
            return line.trimmed.isEmpty ? nil : .enter(line)
        case .pageUp: scroll(by: max(1, messageRows - 1))
        case .pageDown: scroll(by: -max(1, messageRows - 1))
        case .nextView, .previousView:
            let views = views
            let at = views.firstIndex(of: view) ?? 0
            return .look(views[(at + (key == .nextView ? 1 : views.count - 1)) % views.count])
        case .escape: if view != nil { return .look(nil) } else { rowsBelow = 0 }
        case .interrupt: return .quit
        case .endOfInput: if input.characters.isEmpty { return .quit } else { _ = input.edit(.delete) }
        default: break
        }
        return nil
    }

    private mutating func complete(_ completions: (String) -> [String]) {
        if offers.isEmpty {
            offers = completions(input.text)
            offer = 0
        } else {
            offer = (offer + 1) % offers.count
        }
        guard !offers.isEmpty else { return }
        input.replace(with: offers[offer])
        if offers.count == 1 { offers = [] }
    }

    private mutating func scroll(by rows: Int) {
        rowsBelow += rows
        clampScroll()
    }

    mutating func clampScroll() {
        rowsBelow = min(max(0, rowsBelow), max(0, rowCount - messageRows))
    }

    /// The terminal has another size.
    package mutating func resize(to size: TerminalSize) {
        guard size != self.size else { return }
        let share = rowsBelow == 0 ? 0 : Double(rowsBelow) / Double(max(1, rowCount))
        self.size = size
        rowsBelow = rowsBelow == 0 ? 0 : max(1, Int(share * Double(rowCount)))
        clampScroll()
    }
}
