/// A value of JSON, as far as exported stores need it: numbers are whole. A parser of our own, because every line of a
/// store of millions goes through it, and because a fault shall name its place.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(Int64)
    /// As UTF-8, its escapes taken out.
    case string([UInt8])
    case array([JSONValue])
    case object([Member])

    struct Member: Equatable {
        var name: [UInt8]
        var value: JSONValue
    }

    /// Why a text is not such a value, and at which byte.
    struct Failure: Error, Equatable {
        var reason: String
        var offset: Int
    }

    /// Reads a whole text.
    init(parsing text: ArraySlice<UInt8>) throws(Failure) {
        var parser = JSONParser(text)
        self = try parser.whole()
    }

    subscript(name: StaticString) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return name.withUTF8Buffer { wanted in members.first { $0.name.elementsEqual(wanted) }?.value }
    }
}

private struct JSONParser {
    private static let depthMax = 16

    private let text: ArraySlice<UInt8>
    private var at: Int

    init(_ text: ArraySlice<UInt8>) {
        self.text = text
        at = text.startIndex
    }

    private func failure(_ reason: String) -> JSONValue.Failure { .init(reason: reason, offset: at - text.startIndex) }

    mutating func whole() throws(JSONValue.Failure) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard at == text.endIndex else { throw failure("more than one value") }
        return value
    }

    private mutating func skipSpace() {
        while at < text.endIndex, text[at] == 0x20 || text[at] == 0x09 || text[at] == 0x0D { at += 1 }
    }

    private mutating func peek() throws(JSONValue.Failure) -> UInt8 {
        skipSpace()
        guard at < text.endIndex else { throw failure("the text ends too early") }
        return text[at]
    }

    private mutating func expect(_ byte: UInt8) throws(JSONValue.Failure) {
        guard try peek() == byte else { throw failure("\"\(Character(UnicodeScalar(byte)))\" is missing") }
        at += 1
    }

    private mutating func takes(_ byte: UInt8) throws(JSONValue.Failure) -> Bool {
        guard try peek() == byte else { return false }
        at += 1
        return true
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONValue.Failure) -> JSONValue {
        let isHere = word.withUTF8Buffer { text[at...].starts(with: $0) }
        guard isHere else { throw failure("this is no value") }
        at += word.utf8CodeUnitCount
        return value
    }

    private mutating func value(depth: Int) throws(JSONValue.Failure) -> JSONValue {
        guard depth < Self.depthMax else { throw failure("nested too deeply") }
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(_ depth: Int) throws(JSONValue.Failure) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        if try takes(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            guard try peek() == UInt8(ascii: "\"") else { throw failure("a name is missing") }
            let name = try string()
            guard !members.contains(where: { $0.name == name }) else { throw failure("a name stands twice") }
            try expect(UInt8(ascii: ":"))
            members.append(.init(name: name, value: try value(depth: depth + 1)))
        } while try takes(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
        return .object(members)
    }

    private mutating func array(_ depth: Int) throws(JSONValue.Failure) -> JSONValue {
        at += 1
        var values: [JSONValue] = []
        if try takes(UInt8(ascii: "]")) { return .array(values) }
        repeat { values.append(try value(depth: depth + 1)) } while try takes(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
        return .array(values)
    }

    private mutating func number() throws(JSONValue.Failure) -> JSONValue {
        let start = at
        if text[at] == UInt8(ascii: "-") { at += 1 }
        while at < text.endIndex, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[at]) { at += 1 }
        guard let value = Int64(String(decoding: text[start..<at], as: UTF8.self)) else {
            at = start
            throw failure("this is no value")
        }
        return .number(value)
    }

    private mutating func string() throws(JSONValue.Failure) -> [UInt8] {
        at += 1
        var bytes: [UInt8] = []
        while at < text.endIndex {
            let start = at
            while at < text.endIndex, text[at] != UInt8(ascii: "\""), text[at] != UInt8(ascii: "\\"), text[at] >= 0x20 {
                at += 1
            }
            bytes += text[start..<at]
            guard at < text.endIndex else { break }
            let byte = text[at]
            guard byte >= 0x20 else { throw failure("a control character that is not escaped") }
            at += 1
            if byte == UInt8(ascii: "\"") {
                guard bytes.isASCII || String(validating: bytes, as: UTF8.self) != nil else {
                    throw failure("text that is not UTF-8")
                }
                return bytes
            }
            try escape(into: &bytes)
        }
        throw failure("a text that does not end")
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(JSONValue.Failure) {
        guard at < text.endIndex else { throw failure("the text ends too early") }
        at += 1
        switch text[at - 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(text[at - 1])
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var unit = UInt32(try hexadecimal())
            if (0xD800..<0xDC00).contains(unit), text[at...].starts(with: "\\u".utf8) {
                at += 2
                let low = UInt32(try hexadecimal())
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half a character") }
                unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = UnicodeScalar(unit) else { throw failure("half a character") }
            bytes += Array(String(scalar).utf8)
        default: throw failure("an escape that JSON does not have")
        }
    }

    private mutating func hexadecimal() throws(JSONValue.Failure) -> UInt16 {
        guard text.endIndex - at >= 4, let value = UInt16(String(decoding: text[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits are missing") }
        at += 4
        return value
    }
}

extension [UInt8] {
    fileprivate var isASCII: Bool { allSatisfy { $0 < 0x80 } }
}
