/// The line that is being typed, and those of before. Nothing that arrives touches it.
package struct InputLine: Sendable, Equatable {
    /// Lines that are remembered, and characters that one may have.
    static let historyMax = 500
    static let charactersMax = 8_192

    package private(set) var characters: [Character] = []
    /// Before which character the next one goes.
    package private(set) var cursor = 0
    private var history: [String] = []
    /// Which line of the history is shown; nil = the new one, kept in `draft` meanwhile.
    private var at: Int?
    private var draft = ""

    package var text: String { String(characters) }

    package init() {}

    mutating func insert(_ text: String) {
        let room = max(0, Self.charactersMax - characters.count)
        let added = Array(text).prefix(room)
        characters.insert(contentsOf: added, at: cursor)
        cursor += added.count
        // A combining mark joins the character before it.
        rejoin()
    }

    mutating func replace(with text: String) {
        characters = Array(text)
        cursor = characters.count
    }

    /// The line is entered: it is handed out, and remembered.
    mutating func enter() -> String {
        let line = text
        if !line.trimmed.isEmpty, history.last != line {
            history.append(line)
            if history.count > Self.historyMax { history.removeFirst() }
        }
        replace(with: "")
        at = nil
        return line
    }

    /// Does what an editing key says; false where the key is none.
    mutating func edit(_ key: Key) -> Bool {
        switch key {
        case .character(let character): insert(String(character))
        case .paste(let text): insert(text)
        case .backspace:
            guard cursor > 0 else { break }
            cursor -= 1
            characters.remove(at: cursor)
        case .delete: if cursor < characters.count { characters.remove(at: cursor) }
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .wordLeft: cursor = wordStart
        case .wordRight:
            while cursor < characters.count, characters[cursor] == " " { cursor += 1 }
            while cursor < characters.count, characters[cursor] != " " { cursor += 1 }
        case .deleteWord:
            let start = wordStart
            characters.removeSubrange(start..<cursor)
            cursor = start
        case .deleteToStart:
            characters.removeFirst(cursor)
            cursor = 0
        case .deleteToEnd: characters.removeLast(characters.count - cursor)
        case .up: recall(-1)
        case .down: recall(1)
        default: return false
        }
        return true
    }

    private var wordStart: Int {
        var start = cursor
        while start > 0, characters[start - 1] == " " { start -= 1 }
        while start > 0, characters[start - 1] != " " { start -= 1 }
        return start
    }

    private mutating func recall(_ step: Int) {
        let place = (at ?? history.count) + step
        guard place >= 0, place <= history.count else { return }
        if at == nil { draft = text }
        at = place == history.count ? nil : place
        replace(with: at.map { history[$0] } ?? draft)
    }

    private mutating func rejoin() {
        let before = Array(String(characters[..<cursor]))
        guard before.count != cursor else { return }
        characters = before + characters[cursor...]
        cursor = before.count
    }
}
