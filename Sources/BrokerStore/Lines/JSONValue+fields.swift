import Foundation

/// Takes the members of a line out, and says what is wrong with one. Owns the line; knows no meaning.
struct JSONFields {
    struct Failure: Error {
        var reason: String
    }

    private let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    private func get(_ name: StaticString) -> JSONValue? {
        let found = value[name]
        return found == .null ? nil : found
    }

    private func missing(_ name: StaticString) -> Failure { Failure(reason: "\"\(name)\" is missing") }
    private func wrong(_ name: StaticString, _ what: String) -> Failure { Failure(reason: "\"\(name)\" is no \(what)") }

    func optionalText(_ name: StaticString) throws(Failure) -> [UInt8]? {
        guard let value = get(name) else { return nil }
        guard case .string(let text) = value else { throw wrong(name, "text") }
        return text
    }

    func text(_ name: StaticString) throws(Failure) -> [UInt8] {
        guard let text = try optionalText(name) else { throw missing(name) }
        return text
    }

    func optionalNumber<Number: FixedWidthInteger>(_ name: StaticString, _ type: Number.Type) throws(Failure) -> Number?
    {
        guard let value = get(name) else { return nil }
        guard case .number(let wide) = value, let number = Number(exactly: wide) else {
            throw wrong(name, "number from \(Number.min) to \(Number.max)")
        }
        return number
    }

    func number<Number: FixedWidthInteger>(_ name: StaticString, _ type: Number.Type) throws(Failure) -> Number {
        guard let number = try optionalNumber(name, type) else { throw missing(name) }
        return number
    }

    /// 0, 1 or 2.
    func qos() throws(Failure) -> UInt8 {
        let qos = try number("qos", UInt8.self)
        guard qos <= 2 else { throw Failure(reason: "\"qos\" is 0, 1 or 2") }
        return qos
    }

    func flag(_ name: StaticString) throws(Failure) -> Bool {
        guard let value = get(name) else { return false }
        guard case .bool(let flag) = value else { throw wrong(name, "true or false") }
        return flag
    }

    func list(_ name: StaticString) throws(Failure) -> [JSONValue] {
        guard let value = get(name) else { return [] }
        guard case .array(let list) = value else { throw wrong(name, "list") }
        return list
    }

    func numbers<Number: FixedWidthInteger>(_ name: StaticString, _ type: Number.Type) throws(Failure) -> [Number] {
        var numbers: [Number] = []
        for value in try list(name) {
            guard case .number(let wide) = value, let number = Number(exactly: wide) else {
                throw wrong(name, "list of numbers from \(Number.min) to \(Number.max)")
            }
            numbers.append(number)
        }
        return numbers
    }

    func object(_ name: StaticString) -> JSONFields? { get(name).map { JSONFields($0) } }

    /// What `JSONLine.add(bytes:_:base64:)` wrote.
    func bytes(_ name: StaticString, base64 other: StaticString) throws(Failure) -> [UInt8] {
        if let text = try optionalText(name) { return text }
        guard let encoded = try optionalText(other) else { throw missing(name) }
        guard let data = Data(base64Encoded: Data(encoded)) else { throw wrong(other, "base64") }
        return [UInt8](data)
    }
}
