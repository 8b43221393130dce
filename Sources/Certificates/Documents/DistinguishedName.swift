import SwiftASN1

/// Who a certificate speaks of: an ordered list of attributes, kept byte for byte as it was written, and comparable
/// as RFC 5280 §7.1 asks. RFC 5280 §4.1.2.4
package struct DistinguishedName: Sendable {
    package struct Attribute: Sendable {
        package let type: String
        /// `nil` for a value that is no character string.
        package let text: String?
        /// The whole value in DER.
        package let der: [UInt8]
    }

    /// Relative names in the order of the document; nearly always one attribute each.
    package let relativeNames: [[Attribute]]
    /// The whole name in DER.
    package let der: [UInt8]
    /// Equal for names that mean the same: case, runs of white space and the kind of string do not count.
    let canonical: [UInt8]
}

extension DistinguishedName: Hashable {
    package static func == (left: DistinguishedName, right: DistinguishedName) -> Bool {
        left.canonical == right.canonical
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(canonical) }
}

extension DistinguishedName {
    init(_ node: ASN1Node, in part: String) throws(Malformed) {
        var members = try DERMembers(of: node, in: part)
        var names: [[Attribute]] = []
        while !members.isAtEnd {
            var set = try DERMembers(of: try members.next("relative name"), tagged: .set, in: part)
            var attributes: [Attribute] = []
            while !set.isAtEnd {
                var pair = try DERMembers(of: try set.next("attribute"), in: part)
                let type = try pair.next("attribute type").objectIdentifier(part)
                let value = try pair.next("attribute value")
                try pair.end()
                attributes.append(
                    Attribute(type: "\(type)", text: Self.text(of: value), der: Array(value.encodedBytes)))
            }
            guard !attributes.isEmpty else { throw Malformed(part, "an empty relative name") }
            names.append(attributes)
        }
        relativeNames = names
        der = Array(node.encodedBytes)
        canonical = Self.canonical(names)
    }

    package var isEmpty: Bool { relativeNames.isEmpty }

    /// The last common name, which is the most specific one (and the one mosquitto takes as a user name).
    package var commonName: String? { last("2.5.4.3") }

    package func last(_ type: String) -> String? {
        relativeNames.last { $0.contains { $0.type == type } }?.last { $0.type == type }?.text
    }

    /// The text of a character string, whichever of ASN.1's many kinds it is.
    static func text(of node: ASN1Node) -> String? {
        guard node.identifier.tagClass == .universal, case .primitive(let bytes) = node.content else { return nil }
        switch node.identifier.tagNumber {
        case 12: return String(validating: bytes, as: UTF8.self)  // UTF8String
        case 18, 19, 22, 26: return bytes.allSatisfy { $0 < 0x80 } ? String(decoding: bytes, as: UTF8.self) : nil
        case 20: return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))  // Teletex, read as Latin-1
        case 30:  // BMPString
            guard bytes.count % 2 == 0 else { return nil }
            let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2)
                .map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
            return String(validating: units, as: UTF16.self)
        case 28:  // UniversalString
            guard bytes.count % 4 == 0 else { return nil }
            var scalars = String.UnicodeScalarView()
            for index in stride(from: bytes.startIndex, to: bytes.endIndex, by: 4) {
                let value = bytes[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                guard let scalar = Unicode.Scalar(value) else { return nil }
                scalars.append(scalar)
            }
            return String(scalars)
        default: return nil
        }
    }

    static func canonical(_ names: [[Attribute]]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ part: [UInt8]) {
            // Lengths in front, so that no two different names run into the same bytes.
            withUnsafeBytes(of: UInt32(part.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: part)
        }
        for name in names {
            let attributes = name.map { attribute -> [UInt8] in
                let value = attribute.text.map(folded) ?? [0] + attribute.der
                return Array(attribute.type.utf8) + [UInt8(ascii: "=")] + value
            }
            append([UInt8(truncatingIfNeeded: attributes.count)])
            attributes.sorted { $0.lexicographicallyPrecedes($1) }.forEach(append)
        }
        return bytes
    }

    /// Lower case for ASCII, no white space at the ends, single spaces inside: what OpenSSL compares, too.
    private static func folded(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if byte == 0x20 || (0x09...0x0D).contains(byte) {
                if let last = result.last, last != 0x20 { result.append(0x20) }
            } else {
                result.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
            }
        }
        if result.last == 0x20 { result.removeLast() }
        return result
    }
}

// MARK: - As text

extension DistinguishedName: CustomStringConvertible {
    package var description: String { isEmpty ? "(no name)" : rfc2253 }

    /// As OpenSSL's `-nameopt RFC2253` prints it and mosquitto's `use_subject_as_username` takes it.
    package var rfc2253: String {
        relativeNames.reversed().map { name in
            name.reversed().map { attribute in
                guard let short = Self.shortNames[attribute.type] else {
                    return attribute.type + "=#" + Hexadecimal.upper(attribute.der)
                }
                guard let text = attribute.text else { return short + "=#" + Hexadecimal.upper(attribute.der) }
                return short + "=" + Self.escaped(text)
            }.joined(separator: "+")
        }.joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result = ""
        for (index, byte) in bytes.enumerated() {
            let isEdgeSpace = byte == 0x20 && (index == 0 || index == bytes.count - 1)
            let isLeadingHash = byte == 0x23 && index == 0
            switch byte {
            case 0x2C, 0x2B, 0x22, 0x5C, 0x3C, 0x3E, 0x3B: result += "\\" + String(Unicode.Scalar(byte))
            case 0x20...0x7E:
                if isEdgeSpace || isLeadingHash { result += "\\" }
                result += String(Unicode.Scalar(byte))
            default: result += "\\" + Hexadecimal.upper([byte])
            }
        }
        return result
    }

    /// OpenSSL's short names.
    package static let shortNames: [String: String] = [
        "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
        "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
        "2.5.4.17": "postalCode", "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier",
        "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym", "2.5.4.41": "name", "2.5.4.97": "organizationIdentifier",
        "1.2.840.113549.1.9.1": "emailAddress", "1.2.840.113549.1.9.2": "unstructuredName",
        "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
    ]
}

/// Bytes as hexadecimal digits, and back.
package enum Hexadecimal {
    package static func lower(_ bytes: some Sequence<UInt8>) -> String { text(bytes, "0123456789abcdef") }
    package static func upper(_ bytes: some Sequence<UInt8>) -> String { text(bytes, "0123456789ABCDEF") }

    /// `AB:CD:EF`, as fingerprints are written.
    package static func colons(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { upper([$0]) }.joined(separator: ":")
    }

    private static func text(_ bytes: some Sequence<UInt8>, _ alphabet: StaticString) -> String {
        var digits: [UInt8] = []
        alphabet.withUTF8Buffer { alphabet in
            for byte in bytes {
                digits.append(alphabet[Int(byte >> 4)])
                digits.append(alphabet[Int(byte & 15)])
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }

    package static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x37
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }
}
