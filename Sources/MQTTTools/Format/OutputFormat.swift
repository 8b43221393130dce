/// `-F`: what is printed of each message, taken apart once. Owns the language's grammar; `OutputFormat+render` says what each field
/// prints.
///
/// `%` then, in this order and each optional: `-` (left), `0` (pad with zeros), a width, `.` and a number, one separator character
/// (hexadecimal only), and a letter. `@` and a letter is a field of `strftime`, `\` and a letter an escape.
package struct OutputFormat: Sendable {
    enum Part: Sendable, Equatable {
        case bytes([UInt8])
        case field(Field, Shape)
        /// `@X`.
        case time(UInt8)
        /// `@N`.
        case nanoseconds
    }

    /// The letters behind `%`.
    enum Field: Character, Sendable, CaseIterable {
        case topicAlias = "A"
        case contentType = "C"
        case correlationData = "D"
        case double = "d"
        case expiry = "E"
        case payloadFormat = "F"
        case float = "f"
        case isoTime = "I"
        case json = "j"
        case jsonWithPayload = "J"
        case length = "l"
        case messageIdentifier = "m"
        case payload = "p"
        case userProperties = "P"
        case qos = "q"
        case responseTopic = "R"
        case retain = "r"
        case subscriptionIdentifier = "S"
        case topic = "t"
        case unixTime = "U"
        case hexLower = "x"
        case hexUpper = "X"

        var isHexadecimal: Bool { self == .hexLower || self == .hexUpper }
    }

    /// What stands between `%` and the letter.
    struct Shape: Sendable, Equatable {
        var isLeft = false
        var padsZero = false
        /// 0 = as wide as it is.
        var width = 0
        /// Digits, characters or nibbles, as the field has it.
        var precision: Int?
        var separator: UInt8?
    }

    /// Wide enough for any table, and not for filling a disk.
    private static let widthMax = 10_000

    private(set) var parts: [Part] = []

    /// Whether a part needs to know when the message came.
    let needsTime: Bool

    /// - Throws: `ArgumentFault` in mosquitto's words.
    package init(_ text: [UInt8]) throws(ArgumentFault) {
        var reader = Reader(text: text)
        while let byte = reader.next() {
            switch byte {
            case UInt8(ascii: "%"): try reader.readField()
            case UInt8(ascii: "@"): try reader.readTime()
            case UInt8(ascii: "\\"): try reader.readEscape()
            default: reader.literal.append(byte)
            }
        }
        reader.endLiteral()
        parts = reader.parts
        needsTime = parts.contains {
            switch $0 {
            case .time, .nanoseconds, .field(.isoTime, _), .field(.unixTime, _), .field(.json, _),
                .field(.jsonWithPayload, _):
                true
            default: false
            }
        }
    }

    private struct Reader {
        let text: [UInt8]
        var at = 0
        var literal: [UInt8] = []
        var parts: [Part] = []

        mutating func next() -> UInt8? {
            guard at < text.count else { return nil }
            at += 1
            return text[at - 1]
        }

        mutating func endLiteral() {
            if !literal.isEmpty { parts.append(.bytes(literal)) }
            literal = []
        }

        mutating func add(_ part: Part) {
            endLiteral()
            parts.append(part)
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard at < text.count, text[at] == byte else { return false }
            at += 1
            return true
        }

        private mutating func number() -> Int? {
            var value: Int?
            while at < text.count, case let digit = text[at], (0x30...0x39).contains(digit) {
                value = min((value ?? 0) * 10 + Int(digit - 0x30), OutputFormat.widthMax)
                at += 1
            }
            return value
        }

        mutating func readField() throws(ArgumentFault) {
            var shape = Shape()
            shape.isLeft = take(UInt8(ascii: "-"))
            shape.padsZero = take(UInt8(ascii: "0"))
            shape.width = number() ?? 0
            if take(UInt8(ascii: ".")) { shape.precision = number() ?? 0 }
            guard let letter = next() else { throw Self.incomplete }
            if letter == UInt8(ascii: "%") { return literal.append(letter) }
            if let field = Self.field(letter) { return add(.field(field, shape)) }
            // A separator is any other character, and then only x or X may follow.
            guard at < text.count, let field = Self.field(text[at]), field.isHexadecimal else {
                throw Self.invalid("format", letter)
            }
            at += 1
            shape.separator = letter
            add(.field(field, shape))
        }

        mutating func readTime() throws(ArgumentFault) {
            guard let letter = next() else { throw Self.incomplete }
            switch letter {
            case UInt8(ascii: "@"): literal.append(letter)
            case UInt8(ascii: "N"): add(.nanoseconds)
            default: add(.time(letter))
            }
        }

        mutating func readEscape() throws(ArgumentFault) {
            guard let letter = next() else {
                throw ArgumentFault("Error: Incomplete escape specifier.", emptyLine: false)
            }
            switch letter {
            case UInt8(ascii: "\\"): literal.append(letter)
            case UInt8(ascii: "0"): literal.append(0)
            case UInt8(ascii: "a"): literal.append(0x07)
            case UInt8(ascii: "e"): literal.append(0x1B)
            case UInt8(ascii: "n"): literal.append(0x0A)
            case UInt8(ascii: "r"): literal.append(0x0D)
            case UInt8(ascii: "t"): literal.append(0x09)
            case UInt8(ascii: "v"): literal.append(0x0B)
            default: throw Self.invalid("escape", letter)
            }
        }

        private static func field(_ letter: UInt8) -> Field? { Field(rawValue: Character(UnicodeScalar(letter))) }

        private static let incomplete = ArgumentFault("Error: Incomplete format specifier.", emptyLine: false)

        private static func invalid(_ what: String, _ letter: UInt8) -> ArgumentFault {
            ArgumentFault("Error: Invalid \(what) specifier '\(Character(UnicodeScalar(letter)))'.", emptyLine: false)
        }
    }
}
