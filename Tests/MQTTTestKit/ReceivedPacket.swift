/// One packet that came from the broker, with its bytes and a lenient reading of them: fields that are cut short are
/// nil or empty, and the test's comparison says so. `bytes` is always the truth.
package struct ReceivedPacket: Sendable, CustomStringConvertible {
    package enum Kind: UInt8, Sendable {
        case reserved, connect, connack, publish, puback, pubrec, pubrel, pubcomp
        case subscribe, suback, unsubscribe, unsuback, pingreq, pingresp, disconnect, auth
    }

    /// The whole packet, first byte and remaining length included.
    package let bytes: [UInt8]
    /// Everything after the fixed header.
    package let body: [UInt8]
    package let kind: Kind
    /// Low four bits of the first byte.
    package let flags: UInt8
    package private(set) var packetID: UInt16?
    /// PUBLISH only.
    package private(set) var topic: [UInt8] = []
    /// PUBLISH only.
    package private(set) var payload: [UInt8] = []
    /// In the order they came; 5.0 only.
    package private(set) var properties: [Property] = []
    /// CONNACK, DISCONNECT, AUTH and acknowledgements: one code (0 where 5.0 lets it be left out; none in 3.1.1
    /// acknowledgements). SUBACK and UNSUBACK: one a filter.
    package private(set) var reasonCodes: [UInt8] = []
    /// CONNACK's first body byte.
    package private(set) var connackFlags: UInt8?

    package var qos: UInt8 { flags >> 1 & 3 }
    package var dup: Bool { flags & 8 != 0 }
    package var retain: Bool { flags & 1 != 0 }
    package var sessionPresent: Bool { connackFlags == 1 }
    package var reasonCode: UInt8? { reasonCodes.first }
    package var topicText: String { String(decoding: topic, as: UTF8.self) }
    package var payloadText: String { String(decoding: payload, as: UTF8.self) }

    /// All values of one property, in order.
    package func property(_ id: UInt8) -> [[UInt8]] { properties.filter { $0.id == id }.map(\.bytes) }
    /// The value of a one-, two- or four-byte property; nil when absent.
    package func number(_ id: UInt8) -> UInt32? {
        property(id).first.map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }
    /// The value of a string property without its length; nil when absent.
    package func text(_ id: UInt8) -> String? {
        property(id).first.map { String(decoding: $0.dropFirst(2), as: UTF8.self) }
    }
    /// The value of a property that is a variable byte integer (Subscription Identifier), each time it occurs.
    package func variableByteIntegers(_ id: UInt8) -> [Int] {
        property(id).map { value in
            value.enumerated().reduce(0) { $0 | Int($1.element & 0x7F) << (7 * $1.offset) }
        }
    }

    /// `bytes` is one whole packet; `version` (3, 4 or 5) says how to read it.
    package init(bytes: [UInt8], headerCount: Int, version: UInt8) {
        self.bytes = bytes
        body = Array(bytes.dropFirst(headerCount))
        kind = Kind(rawValue: bytes[0] >> 4) ?? .reserved
        flags = bytes[0] & 0x0F
        var reader = Reader(rest: body[...])
        read(&reader, isVersion5: version == 5)
    }

    private mutating func read(_ reader: inout Reader, isVersion5: Bool) {
        switch kind {
        case .connack:
            connackFlags = reader.byte()
            reasonCodes = reader.byte().map { [$0] } ?? []
            if isVersion5 { properties = reader.properties() }
        case .publish:
            topic = reader.field() ?? []
            if qos > 0 { packetID = reader.u16() }
            if isVersion5 { properties = reader.properties() }
            payload = Array(reader.rest)
        case .puback, .pubrec, .pubrel, .pubcomp:
            packetID = reader.u16()
            guard isVersion5 else { return }
            reasonCodes = [reader.byte() ?? 0]
            properties = reader.properties()
        case .suback, .unsuback:
            packetID = reader.u16()
            if isVersion5 { properties = reader.properties() }
            reasonCodes = Array(reader.rest)
        case .disconnect, .auth:
            guard isVersion5 else { return }
            reasonCodes = [reader.byte() ?? 0]
            properties = reader.properties()
        default:
            break
        }
    }

    package var description: String {
        let digits = bytes.prefix(64).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
        return "\(kind) [\(digits.joined(separator: " "))\(bytes.count > 64 ? " … \(bytes.count) bytes" : "")]"
    }
}

/// Walks a body; every step answers nil at the end instead of trapping.
private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func u16() -> UInt16? {
        guard rest.count >= 2, let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    mutating func field() -> [UInt8]? {
        guard let count = u16(), rest.count >= Int(count) else { return nil }
        return take(Int(count))
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(taken)
    }

    mutating func variableByteInteger() -> Int? {
        var value = 0
        for shift in stride(from: 0, through: 21, by: 7) {
            guard let next = rest.popFirst() else { return nil }
            value |= Int(next & 0x7F) << shift
            if next < 0x80 { return value }
        }
        return nil
    }

    mutating func properties() -> [Property] {
        guard let count = variableByteInteger(), count <= rest.count else { return [] }
        var inner = Reader(rest: rest.prefix(count))
        rest = rest.dropFirst(count)
        var found: [Property] = []
        while let id = inner.byte() {
            found.append(Property(id: id, bytes: inner.value(ofProperty: id)))
        }
        return found
    }

    /// The wire bytes of a property's value; an id that is not in the standard takes everything that is left.
    mutating func value(ofProperty id: UInt8) -> [UInt8] {
        switch id {
        case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A: return take(1)
        case 0x13, 0x21, 0x22, 0x23: return take(2)
        case 0x02, 0x11, 0x18, 0x27: return take(4)
        case 0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F: return takeField()
        case 0x26: return takeField() + takeField()
        case 0x0B: return take((rest.firstIndex { $0 < 0x80 } ?? rest.endIndex - 1) - rest.startIndex + 1)
        default: return take(rest.count)
        }
    }

    private mutating func takeField() -> [UInt8] {
        guard let count = u16() else { return take(rest.count) }
        return Wire.u16(count) + take(Int(count))
    }
}
