import SwiftASN1

extension DistinguishedName {
    /// Type (short name or dotted) and text, in the order of the document.
    package init(_ attributes: [(type: String, text: String)]) throws(Malformed) {
        let names = try attributes.map { attribute throws(Malformed) in
            guard let type = Self.type(attribute.type) else {
                throw Malformed("name", "\(attribute.type) is no attribute of a name")
            }
            let size = attribute.text.utf8.count
            guard (1...Self.textBytesMax).contains(size) else {
                throw Malformed("name", "\(attribute.type) must have 1 to \(Self.textBytesMax) bytes, it has \(size)")
            }
            return DERWriting.set(of: [
                DERWriting.sequence(DERWriting.objectIdentifier(type), try Self.value(attribute.text, of: type))
            ])
        }
        let der = DERWriting.sequence(of: names)
        try self.init(try ASN1Node.document(der, "name"), in: "name")
    }

    /// RFC 5280 appendix A gives 64 for most; nobody minds a longer host name here.
    static let textBytesMax = 256

    /// OpenSSL's notation: `/C=DE/O=Ours/CN=broker.example`, with `\` before a slash that is meant.
    package init(slashes text: String) throws(Malformed) {
        guard text.hasPrefix("/") else { throw Malformed("name", "\(text) does not begin with /, as in /O=Ours/CN=x") }
        var parts: [String] = []
        var current = ""
        var isEscaped = false
        for character in text.dropFirst() {
            if isEscaped {
                current.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "/" {
                parts.append(current)
                current = ""
            } else {
                current.append(character)
            }
        }
        parts.append(current)
        let attributes = try parts.filter { !$0.isEmpty }.map { part throws(Malformed) in
            guard let equals = part.firstIndex(of: "=") else { throw Malformed("name", "\(part) has no =") }
            return (type: String(part[..<equals]), text: String(part[part.index(after: equals)...]))
        }
        try self.init(attributes)
    }

    private static func type(_ text: String) -> String? {
        if let known = shortNames.first(where: { $0.value.lowercased() == text.lowercased() }) { return known.key }
        let isDotted = text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { UInt32($0) != nil }
        return isDotted && (text.hasPrefix("1.") || text.hasPrefix("2.") || text.hasPrefix("0."))
            && text.split(separator: ".").count > 2 ? text : nil
    }

    private static func value(_ text: String, of type: String) throws(Malformed) -> [UInt8] {
        switch type {
        case "2.5.4.6", "2.5.4.5", "2.5.4.46":
            guard text.utf8.allSatisfy({ $0 < 0x80 }), type != "2.5.4.6" || text.utf8.count == 2 else {
                throw Malformed("name", type == "2.5.4.6" ? "C must be two letters" : "\(text) is not ASCII")
            }
            return DERWriting.printable(text)
        case "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25":
            guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw Malformed("name", "\(text) is not ASCII") }
            return DERWriting.ia5(text)
        default: return DERWriting.utf8(text)
        }
    }
}
