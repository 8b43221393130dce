/// One line of a `mosquitto.conf`, cut into its key and the rest, with mosquitto's grammar for what the rest may be.
///
/// Knows bytes and words, no keys. Before: `ConfigurationReader` finds the line ends. After: `ConfigurationKey` says which of
/// `flag`, `integer` and `text` the rest must be.
struct ConfigurationLine {
    /// The first word, not empty.
    let key: ArraySlice<UInt8>
    /// What stands behind the words taken so far.
    private(set) var rest: ArraySlice<UInt8>

    /// `nil` for a line without a word, or one whose first byte is `#` or CR. `bytes` come without their LF.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let first = bytes.first, first != UInt8(ascii: "#"), first != Self.carriageReturn else { return nil }
        rest = bytes
        while rest.last == Self.carriageReturn { rest.removeLast() }
        guard let word = Self.takeWord(&rest) else { return nil }
        key = word
    }

    /// The next word; only the space separates words, a TAB is a part of one.
    mutating func word() -> ArraySlice<UInt8>? {
        Self.takeWord(&rest)
    }

    /// Whether a word is left.
    var hasWord: Bool { rest.contains { $0 != Self.space } }

    /// The next word, or what stands between double quotes, spaces too; without its quotes.
    mutating func quotedWord() -> ArraySlice<UInt8>? {
        let quote = UInt8(ascii: "\"")
        guard let start = rest.firstIndex(where: { $0 != Self.space }) else { return word() }
        guard rest[start] == quote, let end = rest[(start + 1)...].firstIndex(of: quote) else { return word() }
        defer { rest = rest[(end + 1)...] }
        return rest[(start + 1)..<end]
    }

    /// `true`, `1`, `false` or `0`, lower case.
    mutating func flag() throws(LineFault) -> Bool {
        guard let word = word() else { throw LineFault("needs a value: write true or false") }
        if word.elementsEqual("true".utf8) || word.elementsEqual("1".utf8) { return true }
        if word.elementsEqual("false".utf8) || word.elementsEqual("0".utf8) { return false }
        throw LineFault("must be true or false (lower case; 1 and 0 do too), not \(quoted(word))")
    }

    /// A C integer: decimal, `0x` hexadecimal or leading-`0` octal, in `range`, which keeps it inside C's `int` where mosquitto does.
    mutating func integer(in range: ClosedRange<Int>) throws(LineFault) -> Int {
        guard let word = word() else { throw LineFault("needs a number \(Self.describe(range))") }
        guard let value = Self.integer(word) else {
            throw LineFault("must be a whole number \(Self.describe(range)), not \(quoted(word))")
        }
        guard range.contains(value) else {
            throw LineFault("must be a number \(Self.describe(range)), not \(quoted(word))")
        }
        return value
    }

    /// One of `words`, as it is written.
    mutating func choice(of words: [String]) throws(LineFault) -> String {
        let list = words.joined(separator: ", ")
        guard let word = word() else { throw LineFault("needs a value: one of \(list)") }
        for choice in words where word.elementsEqual(choice.utf8) { return choice }
        throw LineFault("must be one of \(list), not \(quoted(word))")
    }

    /// The whole rest without blanks at its ends: UTF-8, not empty, at most `bytesMax` bytes, no control characters.
    func text(bytesMax: Int = Limit.textBytesMax) throws(LineFault) -> String {
        let trimmed = Self.trimmed(rest)
        guard !trimmed.isEmpty else { throw LineFault("needs a value") }
        guard trimmed.count <= bytesMax else {
            throw LineFault("is \(trimmed.count) bytes long, the longest allowed value has \(bytesMax)")
        }
        return try Self.utf8(trimmed)
    }

    /// `bytes` as a string, if mosquitto would take it as one: UTF-8 without control characters and non-characters.
    static func utf8(_ bytes: ArraySlice<UInt8>) throws(LineFault) -> String {
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw LineFault("must be valid UTF-8, not \(quoted(bytes))")
        }
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F:
                throw LineFault("must not hold control characters such as a TAB: \(quoted(bytes))")
            case 0xFDD0...0xFDEF:
                throw LineFault("must not hold the non-character U+\(String(scalar.value, radix: 16, uppercase: true))")
            case let value where value & 0xFFFE == 0xFFFE:
                throw LineFault("must not hold the non-character U+\(String(value, radix: 16, uppercase: true))")
            default: continue
            }
        }
        return string
    }

    /// What `strtol(…, 0)` makes of the whole word; `nil` for anything glued to the digits and for what 64 bits do not hold.
    static func integer(_ word: ArraySlice<UInt8>) -> Int? {
        var digits = word
        while let first = digits.first, isBlank(first) { digits.removeFirst() }
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits.removeFirst()
        }
        var radix = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            digits.removeFirst()
            radix = 8
            if digits.first == UInt8(ascii: "x") || digits.first == UInt8(ascii: "X") {
                digits.removeFirst()
                radix = 16
            }
        }
        guard !digits.isEmpty else { return nil }
        var magnitude = 0
        for byte in digits {
            guard let digit = digitValue(byte), digit < radix else { return nil }
            let (shifted, overflows) = magnitude.multipliedReportingOverflow(by: radix)
            let (sum, overflowsToo) = shifted.addingReportingOverflow(digit)
            guard !overflows, !overflowsToo else { return nil }
            magnitude = sum
        }
        return isNegative ? -magnitude : magnitude
    }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }

    private static let carriageReturn: UInt8 = 13
    private static let space = UInt8(ascii: " ")

    private static func takeWord(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let start = bytes.firstIndex(where: { $0 != space }) else {
            bytes = bytes[bytes.endIndex...]
            return nil
        }
        let end = bytes[start...].firstIndex(of: space) ?? bytes.endIndex
        defer { bytes = bytes[end...] }
        return bytes[start..<end]
    }

    /// C's `isspace`.
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == space || (9...13).contains(byte)
    }

    private static func digitValue(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    private static func describe(_ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (let low, Int.max): "of at least \(low)"
        case (let low, let high): "from \(low) to \(high)"
        }
    }
}

/// Bytes of a file as an error message may show them: in quotes, at most 60, nothing unprintable.
func quoted(_ bytes: ArraySlice<UInt8>) -> String {
    let shownMax = 60
    var shown = "'"
    for byte in bytes.prefix(shownMax) {
        switch byte {
        case 9: shown += "\\t"
        case 0x20...0x7E: shown.unicodeScalars.append(Unicode.Scalar(byte))
        default: shown += byte < 16 ? "\\x0\(String(byte, radix: 16))" : "\\x\(String(byte, radix: 16))"
        }
    }
    return bytes.count > shownMax ? shown + "…'" : shown + "'"
}
