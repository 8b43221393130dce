/// What was pressed.
package enum Key: Sendable, Equatable {
    case character(Character)
    /// Text that was pasted; its ends of lines are spaces.
    case paste(String)
    case enter, tab, backspace, delete
    case left, right, up, down, home, end, wordLeft, wordRight
    case pageUp, pageDown
    case deleteWord, deleteToStart, deleteToEnd
    case nextView, previousView, escape
    case redraw
    /// Ctrl-C.
    case interrupt
    /// Ctrl-D.
    case endOfInput
}

/// Bytes of a terminal in raw mode to keys. A sequence that has not come whole waits for its rest.
package struct KeyReader: Sendable {
    /// The longest paste, in bytes.
    static let pasteBytesMax = 65_536

    private var pending: [UInt8] = []
    private var paste: [UInt8]?

    package init() {}

    /// - Parameter bytes: a piece, as it was read at once.
    package mutating func take(_ bytes: [UInt8]) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        while !pending.isEmpty {
            if paste != nil {
                guard takePaste(&keys) else { break }
            } else {
                guard let (key, count) = next() else { break }
                pending.removeFirst(count)
                if let key { keys.append(key) }
            }
        }
        return keys
    }

    /// The next key and its bytes; a nil key is one that means nothing here. Nil = not whole yet.
    private mutating func next() -> (Key?, Int)? {
        switch pending[0] {
        case 0x1B: return sequence()
        case 0x00..<0x20, 0x7F: return (Self.control(pending[0]), 1)
        case 0x20..<0x80: return (.character(Character(UnicodeScalar(pending[0]))), 1)
        default: return utf8()
        }
    }

    private static func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x01: .home
        case 0x02: .left
        case 0x03: .interrupt
        case 0x04: .endOfInput
        case 0x05: .end
        case 0x06: .right
        case 0x08, 0x7F: .backspace
        case 0x09: .tab
        case 0x0A, 0x0D: .enter
        case 0x0B: .deleteToEnd
        case 0x0C: .redraw
        case 0x0E: .nextView
        case 0x10: .previousView
        case 0x15: .deleteToStart
        case 0x17: .deleteWord
        default: nil
        }
    }

    private func utf8() -> (Key?, Int)? {
        let count = pending[0] >= 0xF0 ? 4 : pending[0] >= 0xE0 ? 3 : pending[0] >= 0xC0 ? 2 : 1
        guard pending.count >= count else { return nil }
        guard let text = String(validating: pending.prefix(count), as: UTF8.self), let character = text.first,
            !text.unicodeScalars.contains(where: { SafeText.isForbidden($0) })
        else { return (nil, 1) }
        return (.character(character), count)
    }

    /// ESC and what follows, as xterm, the Linux console, tmux and screen send it.
    private mutating func sequence() -> (Key?, Int)? {
        guard pending.count > 1 else { return (.escape, 1) }  // nothing followed at once
        switch pending[1] {
        case UInt8(ascii: "["): break
        case UInt8(ascii: "O"):
            guard pending.count > 2 else { return nil }
            return (Self.letter(pending[2], isModified: false), 3)
        case UInt8(ascii: "b"): return (.wordLeft, 2)
        case UInt8(ascii: "f"): return (.wordRight, 2)
        case 0x7F: return (.deleteWord, 2)
        default: return (.escape, 1)
        }
        guard let end = pending.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) }) else {
            return pending.count > 32 ? (nil, pending.count) : nil
        }
        let parameters = String(decoding: pending[2..<end], as: UTF8.self).split(separator: ";")
        let count = end + 1
        guard pending[end] == UInt8(ascii: "~") else {
            return (Self.letter(pending[end], isModified: parameters.count > 1), count)
        }
        switch parameters.first {
        case "1", "7": return (.home, count)
        case "4", "8": return (.end, count)
        case "3": return (.delete, count)
        case "5": return (.pageUp, count)
        case "6": return (.pageDown, count)
        case "200":
            paste = []
            return (nil, count)
        default: return (nil, count)
        }
    }

    private static func letter(_ byte: UInt8, isModified: Bool) -> Key? {
        switch byte {
        case UInt8(ascii: "A"): isModified ? .previousView : .up
        case UInt8(ascii: "B"): isModified ? .nextView : .down
        case UInt8(ascii: "C"): isModified ? .wordRight : .right
        case UInt8(ascii: "D"): isModified ? .wordLeft : .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        default: nil
        }
    }

    /// Bracketed paste: all up to `ESC [201~`.
    private mutating func takePaste(_ keys: inout [Key]) -> Bool {
        let mark = Array("\u{1B}[201~".utf8)
        guard pending.count >= mark.count,
            let at = (0...(pending.count - mark.count)).first(where: { pending[$0...].starts(with: mark) })
        else {
            guard pending.count > mark.count else { return false }
            let count = pending.count - mark.count
            keep(pending.prefix(count))
            pending.removeFirst(count)
            return false
        }
        keep(pending.prefix(at))
        pending.removeFirst(at + mark.count)
        let text = String(decoding: paste ?? [], as: UTF8.self)
        paste = nil
        var safe = ""
        for character in text {
            safe += character.isNewline || character == "\t" ? " " : SafeText.shown(String(character))
        }
        keys.append(.paste(safe))
        return true
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        let room = Self.pasteBytesMax - (paste?.count ?? 0)
        paste?.append(contentsOf: bytes.prefix(max(0, room)))
    }
}
