import SwiftASN1

/// What one authority has taken back, and until when that word holds. RFC 5280 §5
///
/// Read whole and once; looking a serial number up is one step. Lists that speak for others or only of changes
/// (indirect and delta lists) are refused when they are read, because half an answer would pass for a whole one.
package struct CertificateRevocationList: Sendable {
    package struct Entry: Hashable, Sendable {
        package let serialNumber: [UInt8]
        package let revokedAt: Timestamp
        package let reason: RevocationReason?

        package init(serialNumber: [UInt8], revokedAt: Timestamp, reason: RevocationReason? = nil) {
            (self.serialNumber, self.revokedAt, self.reason) = (serialNumber, revokedAt, reason)
        }
    }

    package let der: [UInt8]
    package let issuer: DistinguishedName
    package let thisUpdate: Timestamp
    /// After this a newer list must be had. RFC 5280 asks for it; a list without never grows old.
    package let nextUpdate: Timestamp?
    package let entries: [Entry]
    package let number: [UInt8]?
    package let authorityKeyIdentifier: [UInt8]?
    package let signatureAlgorithm: SignatureAlgorithm
    let signature: [UInt8]
    let signedBytes: [UInt8]
    private let indexBySerial: [[UInt8]: Int]

    package static let bytesMax = 16 * 1024 * 1024

    package init(der: [UInt8]) throws(Malformed) {
        let part = "CRL"
        guard der.count <= Self.bytesMax else { throw Malformed(part, "larger than \(Self.bytesMax) bytes") }
        var outer = try DERMembers(of: try ASN1Node.document(der, part), in: part)
        let signed = try outer.next("what is signed")
        let algorithm = try outer.next("signature algorithm")
        signature = Array(try outer.next("signature").bits("signature"))
        try outer.end()
        signatureAlgorithm = try SignatureAlgorithm(algorithm)
        signedBytes = Array(signed.encodedBytes)
        self.der = der

        var members = try DERMembers(of: signed, in: part)
        let version =
            try members.next(if: .integer).map { node throws(Malformed) in
                try node.smallInteger("version") + 1
            } ?? 1
        guard version <= 2 else { throw Malformed(part, "version \(version) is not 1 or 2") }
        guard try members.next("signature algorithm").encodedBytes == algorithm.encodedBytes else {
            throw Malformed(part, "its signature algorithm is not the one that was signed")
        }
        issuer = try DistinguishedName(try members.next("issuer"), in: "CRL issuer")
        thisUpdate = try members.next("thisUpdate").time("thisUpdate")
        if let node = members.next(if: .utcTime) ?? members.next(if: .generalizedTime) {
            nextUpdate = try node.time("nextUpdate")
        } else {
            nextUpdate = nil
        }
        var entries: [Entry] = []
        if let node = members.next(if: .sequence) {
            var list = try DERMembers(of: node, in: "revoked certificates")
            while !list.isAtEnd { entries.append(try Self.entry(try list.next("entry"))) }
        }
        self.entries = entries
        var index: [[UInt8]: Int] = [:]
        for (position, entry) in entries.enumerated() where index[entry.serialNumber] == nil {
            index[entry.serialNumber] = position
        }
        indexBySerial = index

        var number: [UInt8]?
        var keyIdentifier: [UInt8]?
        if let node = members.next(ifContext: 0) {
            for one in try RawExtension.list(try node.explicit("CRL extensions"), in: "CRL extensions") {
                switch one.type {
                case "2.5.29.20":
                    number = Array(try ASN1Node.document(one.value, "CRL number").integerBytes("CRL number"))
                case CertificateExtensions.authorityKeyIdentifierType:
                    keyIdentifier = try AuthorityKeyIdentifier(one.value).keyIdentifier
                case "2.5.29.27":
                    throw Malformed(part, "a delta CRL holds only changes; configure the complete one")
                case "2.5.29.28": try Self.checkDistributionPoint(one.value)
                default:
                    // RFC 5280 §5.2: a list with a critical extension that is not understood must not be used.
                    if one.isCritical { throw Malformed(part, "critical extension \(one.type) is not understood") }
                }
            }
        }
        self.number = number
        authorityKeyIdentifier = keyIdentifier
        try members.end()
    }

    private static func entry(_ node: ASN1Node) throws(Malformed) -> Entry {
        let part = "revoked certificate"
        var members = try DERMembers(of: node, in: part)
        let serial = Array(try members.next("serial number").integerBytes("serial number"))
        let at = try members.next("revocation date").time("revocation date")
        var reason: RevocationReason?
        if let extensions = members.next(if: .sequence) {
            for one in try RawExtension.list(extensions, in: part) {
                switch one.type {
                case "2.5.29.21":
                    let code = try ASN1Node.document(one.value, "reason").smallInteger("reason")
                    reason = RevocationReason(rawValue: code)
                case "2.5.29.24": break  // since when the key was known to be lost
                case "2.5.29.29":
                    throw Malformed("CRL", "an indirect CRL speaks for other issuers; it is not supported")
                default: if one.isCritical { throw Malformed(part, "critical extension \(one.type) is not understood") }
                }
            }
        }
        try members.end()
        return Entry(serialNumber: serial, revokedAt: at, reason: reason)
    }

    /// Only where it may be fetched is allowed; any limit of its scope would leave certificates unanswered for.
    private static func checkDistributionPoint(_ value: [UInt8]) throws(Malformed) {
        let part = "issuing distribution point"
        var members = try DERMembers(of: try ASN1Node.document(value, part), in: part)
        while !members.isAtEnd {
            let node = try members.next("member")
            guard node.identifier.tagClass == .contextSpecific else { throw Malformed(part, "an unknown member") }
            switch node.identifier.tagNumber {
            case 0: break
            case 4 where try node.primitive(part).contains { $0 != 0 }:
                throw Malformed("CRL", "an indirect CRL speaks for other issuers; it is not supported")
            case 3: throw Malformed("CRL", "it covers only some reasons; configure the complete one")
            case 1, 2, 5:
                if try node.primitive(part).contains(where: { $0 != 0 }) {
                    throw Malformed("CRL", "it covers only some certificates; configure the complete one")
                }
            default: break
            }
        }
    }

    package func entry(forSerialNumber serial: [UInt8]) -> Entry? { indexBySerial[serial].map { entries[$0] } }

    package func isSigned(by key: PublicKey) -> Bool {
        key.isValid(signature: signature, over: signedBytes, by: signatureAlgorithm)
    }
}

/// Why a certificate was taken back. RFC 5280 §5.3.1
package enum RevocationReason: Int, Sendable, CaseIterable {
    case unspecified = 0
    case keyCompromise = 1
    case cACompromise = 2
    case affiliationChanged = 3
    case superseded = 4
    case cessationOfOperation = 5
    case certificateHold = 6
    case removeFromCRL = 8
    case privilegeWithdrawn = 9
    case aACompromise = 10
}
