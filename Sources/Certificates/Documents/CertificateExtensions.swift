import SwiftASN1

/// One extension as it stands in a certificate, CRL or request.
package struct RawExtension: Hashable, Sendable {
    package let type: String
    package let isCritical: Bool
    /// The DER inside the octet string.
    package let value: [UInt8]

    static func list(_ node: ASN1Node, in part: String) throws(Malformed) -> [RawExtension] {
        var members = try DERMembers(of: node, in: part)
        var list: [RawExtension] = []
        while !members.isAtEnd {
            var one = try DERMembers(of: try members.next("extension"), in: part)
            let type = "\(try one.next("its type").objectIdentifier(part))"
            let isCritical = try one.next(if: .boolean)?.boolean(part) ?? false
            let value = Array(try one.next("its value").octets(part))
            try one.end()
            guard !list.contains(where: { $0.type == type }) else {
                throw Malformed(part, "\(type) stands there twice")  // RFC 5280 §4.2
            }
            list.append(RawExtension(type: type, isCritical: isCritical, value: value))
        }
        return list
    }
}

/// What a key may be used for. RFC 5280 §4.2.1.3
package struct KeyUsage: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let digitalSignature = KeyUsage(rawValue: 1 << 0)
    package static let nonRepudiation = KeyUsage(rawValue: 1 << 1)
    package static let keyEncipherment = KeyUsage(rawValue: 1 << 2)
    package static let dataEncipherment = KeyUsage(rawValue: 1 << 3)
    package static let keyAgreement = KeyUsage(rawValue: 1 << 4)
    package static let keyCertSign = KeyUsage(rawValue: 1 << 5)
    package static let cRLSign = KeyUsage(rawValue: 1 << 6)
    package static let encipherOnly = KeyUsage(rawValue: 1 << 7)
    package static let decipherOnly = KeyUsage(rawValue: 1 << 8)

    /// In the order of their bits, with the names OpenSSL prints.
    package static let names: [(KeyUsage, String)] = [
        (.digitalSignature, "Digital Signature"), (.nonRepudiation, "Non Repudiation"),
        (.keyEncipherment, "Key Encipherment"), (.dataEncipherment, "Data Encipherment"),
        (.keyAgreement, "Key Agreement"), (.keyCertSign, "Certificate Sign"), (.cRLSign, "CRL Sign"),
        (.encipherOnly, "Encipher Only"), (.decipherOnly, "Decipher Only"),
    ]
}

/// A certificate's extensions, those that matter read into types. RFC 5280 §4.2
package struct CertificateExtensions: Sendable {
    package struct BasicConstraints: Hashable, Sendable {
        package var isAuthority: Bool
        /// How many further authorities may follow below this one; `nil` is no limit.
        package var pathLength: Int?
    }

    package private(set) var all: [RawExtension] = []
    package private(set) var basicConstraints: BasicConstraints?
    package private(set) var keyUsage: KeyUsage?
    /// Object identifiers of purposes, dotted.
    package private(set) var extendedKeyUsage: [String]?
    package private(set) var subjectAlternativeNames: [GeneralName]?
    package private(set) var subjectKeyIdentifier: [UInt8]?
    package private(set) var authorityKeyIdentifier: AuthorityKeyIdentifier?
    package private(set) var nameConstraints: NameConstraints?
    /// Critical ones that nobody here understands: such a certificate must be refused. RFC 5280 §4.2
    package private(set) var unknownCritical: [String] = []

    init() {}

    init(_ node: ASN1Node) throws(Malformed) { try self.init(try RawExtension.list(node, in: "extensions")) }

    package init(_ list: [RawExtension]) throws(Malformed) {
        all = list
        for one in all {
            switch one.type {
            case Self.basicConstraintsType: basicConstraints = try Self.basicConstraints(one.value)
            case Self.keyUsageType: keyUsage = try Self.keyUsage(one.value)
            case Self.extendedKeyUsageType: extendedKeyUsage = try Self.extendedKeyUsage(one.value)
            case Self.subjectAlternativeNameType:
                let part = "subject alternative name"
                subjectAlternativeNames = try GeneralName.list(try ASN1Node.document(one.value, part), in: part)
            case Self.subjectKeyIdentifierType:
                let part = "subject key identifier"
                subjectKeyIdentifier = Array(try ASN1Node.document(one.value, part).octets(part))
            case Self.authorityKeyIdentifierType: authorityKeyIdentifier = try AuthorityKeyIdentifier(one.value)
            case Self.nameConstraintsType: nameConstraints = try NameConstraints(one.value)
            // Policies constrain nothing as long as nobody asks for one (RFC 5280 §6.1.1 (d), (e)); where CRLs lie
            // and who answers for them is for those who fetch them.
            case "2.5.29.32", "2.5.29.31", "1.3.6.1.5.5.7.1.1": break
            case let unknown: if one.isCritical { unknownCritical.append(unknown) }
            }
        }
    }

    package static let basicConstraintsType = "2.5.29.19"
    package static let keyUsageType = "2.5.29.15"
    package static let extendedKeyUsageType = "2.5.29.37"
    package static let subjectAlternativeNameType = "2.5.29.17"
    package static let subjectKeyIdentifierType = "2.5.29.14"
    package static let authorityKeyIdentifierType = "2.5.29.35"
    package static let nameConstraintsType = "2.5.29.30"

    private static func basicConstraints(_ value: [UInt8]) throws(Malformed) -> BasicConstraints {
        let part = "basic constraints"
        var members = try DERMembers(of: try ASN1Node.document(value, part), in: part)
        let isAuthority = try members.next(if: .boolean)?.boolean(part) ?? false
        let pathLength = try members.next(if: .integer)?.smallInteger("path length")
        try members.end()
        return BasicConstraints(isAuthority: isAuthority, pathLength: pathLength)
    }

    private static func keyUsage(_ value: [UInt8]) throws(Malformed) -> KeyUsage {
        let bytes = Array(try ASN1Node.document(value, "key usage").bits("key usage"))
        var usage = KeyUsage()
        for bit in 0..<9 where bit / 8 < bytes.count && bytes[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0 {
            usage.insert(KeyUsage(rawValue: 1 << UInt16(bit)))
        }
        return usage
    }

    private static func extendedKeyUsage(_ value: [UInt8]) throws(Malformed) -> [String] {
        let part = "extended key usage"
        var members = try DERMembers(of: try ASN1Node.document(value, part), in: part)
        var purposes: [String] = []
        while !members.isAtEnd { purposes.append("\(try members.next("purpose").objectIdentifier(part))") }
        return purposes
    }
}

/// Which key signed this: a hint for finding it, not a proof. RFC 5280 §4.2.1.1
package struct AuthorityKeyIdentifier: Sendable {
    package let keyIdentifier: [UInt8]?
    package let issuer: [GeneralName]
    package let serialNumber: [UInt8]?

    init(_ value: [UInt8]) throws(Malformed) {
        let part = "authority key identifier"
        var members = try DERMembers(of: try ASN1Node.document(value, part), in: part)
        keyIdentifier = try members.next(ifContext: 0).map { node throws(Malformed) in Array(try node.primitive(part)) }
        issuer =
            try members.next(ifContext: 1).map { node throws(Malformed) in
                try GeneralName.list(node, tagged: nil, in: part)
            } ?? []
        serialNumber = try members.next(ifContext: 2).map { node throws(Malformed) in
            Array(try node.integerBytes(part))
        }
        try members.end()
    }
}
