/// A JSON text, RFC 8259, checked and written again: with no space at all, or the way mosquitto's `--pretty` has it. Numbers and
/// strings stay as they were written: a reader that rounds 21.50 or a number of twenty digits would change somebody's data.
package struct JSONDocument {
    /// How deep arrays and objects may lie in one another.
    private static let depthMax = 512

    private let text: [UInt8]
    private var at = 0
    private let isPretty: Bool
    private(set) var output: [UInt8] = []

    private init(_ text: [UInt8], pretty: Bool) {
        self.text = text
        isPretty = pretty
    }

    /// - Parameter depth: how deep the text will lie in another, for its tabs.
    /// - Returns: nil where the text is not JSON.
    package static func rewrite(_ text: [UInt8], pretty: Bool, depth: Int = 0) -> [UInt8]? {
        guard String(validating: text, as: UTF8.self) != nil else { return nil }
        var document = JSONDocument(text, pretty: pretty)
        guard document.value(depth), document.skipSpace(), document.at == text.count else { return nil }
        return document.output
    }

    private mutating func skipSpace() -> Bool {
        while at < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[at]) { at += 1 }
        return true
    }

    private var next: UInt8? { at < text.count ? text[at] : nil }

    private mutating func take(_ byte: Character) -> Bool {
        guard next == byte.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func value(_ depth: Int) -> Bool {
        _ = skipSpace()
        guard depth < Self.depthMax else { return false }
        switch next {
        case UInt8(ascii: "{"): return object(depth + 1)
        case UInt8(ascii: "["): return array(depth + 1)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number()
        }
    }

    private mutating func word(_ word: String) -> Bool {
        guard text[at...].starts(with: word.utf8) else { return false }
        output += word.utf8
        at += word.utf8.count
        return true
    }

    private mutating func digits() -> Bool {
        let start = at
        while let digit = next, (0x30...0x39).contains(digit) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        let start = at
        _ = take("-")
        if take("0") {} else if !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return false }
        }
        output += text[start..<at]
        return true
    }

    private mutating func string() -> Bool {
        let start = at
        at += 1
        while let byte = next {
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                output += text[start..<at]
                return true
            case UInt8(ascii: "\\"):
                guard let letter = next else { return false }
                at += 1
                if letter == UInt8(ascii: "u") {
                    guard text.count - at >= 4, text[at..<(at + 4)].allSatisfy({ Self.isHex($0) }) else { return false }
                    at += 4
                } else if !"\"\\/bfnrt".utf8.contains(letter) {
                    return false
                }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private mutating func array(_ depth: Int) -> Bool {
        at += 1
        output.append(UInt8(ascii: "["))
        _ = skipSpace()
        if take("]") {
            output.append(UInt8(ascii: "]"))
            return true
        }
        while value(depth), skipSpace() {
            if take("]") {
                output.append(UInt8(ascii: "]"))
                return true
            }
            guard take(",") else { return false }
            output.append(UInt8(ascii: ","))
            if isPretty { output.append(0x20) }
        }
        return false
    }

    private mutating func object(_ depth: Int) -> Bool {
        at += 1
        output.append(UInt8(ascii: "{"))
        _ = skipSpace()
        if take("}") {
            endObject(depth)
            return true
        }
        while skipSpace() {
            newLine(depth)
            guard next == UInt8(ascii: "\""), string(), skipSpace(), take(":") else { return false }
            output.append(UInt8(ascii: ":"))
            if isPretty { output.append(0x09) }
            guard value(depth), skipSpace() else { return false }
            if take("}") {
                endObject(depth)
                return true
            }
            guard take(",") else { return false }
            output.append(UInt8(ascii: ","))
        }
        return false
    }

    private mutating func endObject(_ depth: Int) {
        newLine(depth - 1)
        output.append(UInt8(ascii: "}"))
    }

    private mutating func newLine(_ depth: Int) {
        guard isPretty else { return }
        output.append(0x0A)
        output += repeatElement(0x09, count: depth)
    }
}
