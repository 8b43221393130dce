import SwiftASN1

/// One of the names a certificate may carry in its subject alternative name, and what constraints speak of.
/// RFC 5280 §4.2.1.6
package enum GeneralName: Hashable, Sendable {
    case dns(String)
    /// 4 or 16 bytes; 8 or 32 with a mask, in a constraint.
    case address([UInt8])
    case email(String)
    case uri(String)
    case directory(DistinguishedName)
    /// Another kind, by the number of its tag, with its DER.
    case other(UInt, [UInt8])

    init(_ node: ASN1Node, in part: String) throws(Malformed) {
        guard node.identifier.tagClass == .contextSpecific else { throw Malformed(part, "not a name") }
        switch node.identifier.tagNumber {
        case 1: self = .email(try Self.text(node, part))
        case 2: self = .dns(try Self.text(node, part))
        case 4: self = .directory(try DistinguishedName(try node.explicit(part), in: part))
        case 6: self = .uri(try Self.text(node, part))
        case 7: self = .address(Array(try node.primitive(part)))
        case let number: self = .other(number, Array(node.encodedBytes))
        }
    }

    static func list(_ node: ASN1Node, tagged identifier: ASN1Identifier? = .sequence, in part: String)
        throws(Malformed) -> [GeneralName]
    {
        var members = try DERMembers(of: node, tagged: identifier, in: part)
        var names: [GeneralName] = []
        while !members.isAtEnd { names.append(try GeneralName(try members.next("name"), in: part)) }
        return names
    }

    private static func text(_ node: ASN1Node, _ part: String) throws(Malformed) -> String {
        let bytes = try node.primitive(part)
        // A NUL or a byte outside ASCII has fooled programs before; no honest name has one.
        guard bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw Malformed(part, "a name with bytes that are not printable ASCII")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension GeneralName: CustomStringConvertible {
    /// As OpenSSL prints it: "DNS:broker.example", "IP Address:127.0.0.1".
    package var description: String {
        switch self {
        case .dns(let name): "DNS:\(name)"
        case .address(let bytes): "IP Address:\(IPAddress(bytes: bytes)?.description ?? Hexadecimal.lower(bytes))"
        case .email(let name): "email:\(name)"
        case .uri(let name): "URI:\(name)"
        case .directory(let name): "DirName:\(name)"
        case .other(let number, _): "name of kind \(number)"
        }
    }
}

/// An IPv4 or IPv6 address as bytes: what is compared, whichever way it was written.
package struct IPAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    /// `nil` unless there are 4 or 16 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// A literal: `127.0.0.1`, `::1`, `fe80::1%eth0`, `::ffff:10.0.0.1`. `nil` for anything that is a name.
    package init?(_ text: String) {
        let literal = text.split(separator: "%", maxSplits: 1).first.map(String.init) ?? ""
        if let bytes = Self.ipv4(literal[...]) ?? Self.ipv6(literal) { self.bytes = bytes } else { return nil }
    }

    private static func ipv4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func ipv6(_ text: String) -> [UInt8]? {
        guard text.contains(":") else { return nil }
        var groups: [UInt8]
        if let gap = text.range(ofGap: "::") {
            guard let head = side(text[..<gap.lowerBound]), let tail = side(text[gap.upperBound...]),
                head.count + tail.count <= 14
            else { return nil }
            groups = head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
        } else {
            guard let all = side(text[...]), all.count == 16 else { return nil }
            groups = all
        }
        return groups
    }

    /// The bytes of `a:b:c` or `a:b:1.2.3.4`; none for an empty side of `::`.
    private static func side(_ text: Substring) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, group) in groups.enumerated() {
            if index == groups.count - 1, group.contains(".") {
                guard let tail = ipv4(group) else { return nil }
                bytes += tail
            } else {
                guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
                    let value = UInt16(group, radix: 16)
                else { return nil }
                bytes += [UInt8(value >> 8), UInt8(value & 255)]
            }
        }
        return bytes
    }
}

extension String {
    fileprivate func range(ofGap gap: String) -> Range<String.Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(gap) { return index..<self.index(index, offsetBy: gap.count) }
            index = self.index(after: index)
        }
        return nil
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        // The longest run of two or more zero groups becomes "::" (RFC 5952 §4.2).
        var best = 0..<0
        var start: Int?
        for index in 0...8 {
            if index < 8, groups[index] == 0 {
                start = start ?? index
            } else if let begin = start {
                if index - begin > max(best.count, 1) { best = begin..<index }
                start = nil
            }
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty
            ? text(groups[...]) : text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}
