import MQTTClient

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// What a person or a script sees and types: a screen on a terminal, lines elsewhere.
struct ChatFront {
    private let settings: ChatSettings
    /// Nil = lines.
    private var screen: Screen?
    private var shown: Frame?
    private var keys = KeyReader()
    private var splitter = LineSplitter()
    /// Lines that were typed before there was a connection.
    private var held: [String] = []
    /// Nobody reads our lines any more.
    private(set) var isBroken = false

    var isScreen: Bool { screen != nil }

    init(_ settings: ChatSettings) {
        self.settings = settings
        guard !settings.isPlain, !settings.isJSON, TerminalDevice.isUsable else { return }
        screen = Screen(
            size: TerminalDevice.size, title: "\(settings.name) at \(settings.endpoint)", version: settings.versionText,
            clock: { WallClock.minute($0) })
    }

    // MARK: The terminal

    mutating func open() {
        guard isScreen else { return }
        TerminalDevice.open()
        paint()
    }

    func close() {
        if isScreen { TerminalDevice.close() }
    }

    mutating func resize() {
        screen?.resize(to: TerminalDevice.size)
        shown = nil
    }

    /// We were stopped and go on: somebody else had the terminal meanwhile.
    mutating func reopen() {
        guard isScreen else { return }
        TerminalDevice.open()
        resize()
    }

    private mutating func paint() {
        guard let frame = screen?.frame() else { return }
        let bytes = Painting.bytes(of: frame, after: shown)
        shown = frame
        if !bytes.isEmpty { TerminalDevice.write(bytes) }
    }

    // MARK: Showing

    mutating func tell(_ told: ToldEvent) {
        if screen != nil {
            screen?.tell(told)
        } else if settings.isJSON {
            if case .connecting = told.event { return }
            if case .sending = told.event { return }
            say(EventJSON.line(told, time: WallClock.rfc3339(told.time), version: settings.versionText))
        } else if let line = EventText.line(told, version: settings.versionText) {
            say(line)
        }
    }

    mutating func follow(_ notes: [PacketNote], of number: Int) {
        if screen != nil {
            screen?.follow(notes, of: number)
        } else if settings.isJSON {
            say(EventJSON.following(notes, of: number, time: WallClock.rfc3339(time(nil))))
        } else {
            say(EventText.following(notes, of: number))
        }
    }

    /// Tells the conversation what is in sight.
    func look(_ conversation: inout Conversation) {
        conversation.look(at: screen?.view, isAtEnd: (screen?.rowsBelow ?? 0) == 0)
    }

    /// Everything that has happened is in: show it.
    mutating func update(_ conversation: Conversation) {
        guard isScreen else { return }
        var surroundings = Screen.Surroundings()
        surroundings.people = conversation.peopleHere
        surroundings.groups = conversation.groups
        surroundings.unread = conversation.unread
        screen?.surroundings = surroundings
        paint()
    }

    /// The run ends because of this.
    mutating func fail(_ words: String) {
        if settings.isJSON { say(EventJSON.failure(words, time: WallClock.rfc3339(time(nil)))) }
        Self.complain("Error: \(SafeText.shown(words))")
    }

    static func complain(_ text: String) { TerminalDevice.write(text + "\n", to: STDERR_FILENO) }

    private mutating func say(_ line: String) {
        if !TerminalDevice.write(line + "\n") { isBroken = true }
    }

    // MARK: Typing

    mutating func take(_ bytes: [UInt8], _ conversation: Conversation) -> [Screen.Wish] {
        guard screen != nil else { return splitter.take(bytes).map { .enter($0) } }
        var wishes: [Screen.Wish] = []
        for key in keys.take(bytes) {
            if key == .redraw { shown = nil }
            if let wish = screen?.press(key, completions: { conversation.completions(of: $0) }) { wishes.append(wish) }
        }
        return wishes
    }

    /// The last line of a script, where it had no end.
    mutating func takeRest() -> String? { splitter.takeRest() }

    mutating func hold(_ line: String) {
        if held.count < 100 { held.append(line) }
    }

    mutating func takeHeld() -> [String] {
        defer { held = [] }
        return held
    }
}

/// What a calendar and a clock on the wall call a second since 1970, here.
enum WallClock {
    static func minute(_ second: Int) -> String { text(second, "%H:%M") }

    static func rfc3339(_ second: Int) -> String {
        let zone = text(second, "%z")
        guard zone.count == 5 else { return text(second, "%FT%TZ") }
        return text(second, "%FT%T") + zone.prefix(3) + ":" + zone.suffix(2)
    }

    private static func text(_ second: Int, _ format: String) -> String {
        var time = time_t(second)
        var calendar = tm()
        guard localtime_r(&time, &calendar) != nil else { return "" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            let count = strftime(buffer.baseAddress, buffer.count, format, &calendar)
            return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
