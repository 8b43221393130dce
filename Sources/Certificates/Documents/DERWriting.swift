import SwiftASN1

/// DER put together from finished parts, inside out: each function gives the bytes of one whole value.
///
/// SwiftASN1's serializer would do as well; written this way an encoder reads like the ASN.1 it stands for.
enum DERWriting {
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [tag]
        if content.count < 0x80 {
            bytes.append(UInt8(content.count))
        } else {
            let length = withUnsafeBytes(of: UInt64(content.count).bigEndian) { Array($0.drop { $0 == 0 }) }
            bytes.append(0x80 | UInt8(length.count))
            bytes += length
        }
        return bytes + content
    }

    static func sequence(_ members: [UInt8]...) -> [UInt8] { value(0x30, members.flatMap { $0 }) }
    static func sequence(of members: [[UInt8]]) -> [UInt8] { value(0x30, members.flatMap { $0 }) }
    /// Members in DER's order, as a SET OF wants them.
    static func set(of members: [[UInt8]]) -> [UInt8] {
        value(0x31, members.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { $0 })
    }

    /// A number that is not negative, big-endian.
    static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array(bytes.drop { $0 == 0 })
        guard let first = digits.first else { return value(0x02, [0]) }
        return value(0x02, first < 0x80 ? digits : [0] + digits)
    }

    /// The content bytes of an integer as they were read.
    static func integer(raw content: [UInt8]) -> [UInt8] { value(0x02, content) }
    static func integer(_ number: Int) -> [UInt8] {
        precondition(number >= 0, "only sizes and versions are written this way")
        return withUnsafeBytes(of: UInt64(number).bigEndian) { integer(Array($0)) }
    }

    /// A dotted object identifier; a program's own, never a peer's.
    static func objectIdentifier(_ dotted: String) -> [UInt8] {
        let arcs = dotted.split(separator: ".").compactMap { UInt64($0) }
        precondition(arcs.count >= 2, "\(dotted) is no object identifier")
        var content: [UInt8] = []
        for arc in [arcs[0] * 40 + arcs[1]] + arcs.dropFirst(2) {
            var groups = [UInt8(arc & 0x7F)]
            var rest = arc >> 7
            while rest > 0 {
                groups.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            content += groups.reversed()
        }
        return value(0x06, content)
    }

    static func octets(_ bytes: [UInt8]) -> [UInt8] { value(0x04, bytes) }
    static func bits(_ bytes: [UInt8], unused: UInt8 = 0) -> [UInt8] { value(0x03, [unused] + bytes) }
    static func boolean(_ flag: Bool) -> [UInt8] { value(0x01, [flag ? 0xFF : 0]) }
    static let null: [UInt8] = [0x05, 0x00]

    static func utf8(_ text: String) -> [UInt8] { value(0x0C, Array(text.utf8)) }
    static func printable(_ text: String) -> [UInt8] { value(0x13, Array(text.utf8)) }
    static func ia5(_ text: String) -> [UInt8] { value(0x16, Array(text.utf8)) }

    static func time(_ moment: Timestamp) -> [UInt8] {
        let (text, isGeneralized) = moment.encoded
        return value(isGeneralized ? 0x18 : 0x17, Array(text.utf8))
    }

    /// `[number] EXPLICIT`, or `[number] IMPLICIT` of something constructed.
    static func context(_ number: UInt8, _ content: [UInt8]) -> [UInt8] { value(0xA0 | number, content) }
    /// `[number] IMPLICIT` of a single value.
    static func contextPrimitive(_ number: UInt8, _ content: [UInt8]) -> [UInt8] { value(0x80 | number, content) }
}
