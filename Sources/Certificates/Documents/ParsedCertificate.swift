import Crypto
import SwiftASN1

/// A certificate read for judging it: every field that matters, and the exact bytes that were signed.
///
/// We read it ourselves, beside swift-certificates' own type, because a judge must also be able to name what it
/// refuses (RSA 1024, unknown kinds of key, RSASSA-PSS, version 1), and that type cannot hold those.
/// RFC 5280 §4.1
package struct ParsedCertificate: Sendable {
    package let der: [UInt8]
    /// 1, 2 or 3.
    package let version: Int
    /// Big-endian, as encoded.
    package let serialNumber: [UInt8]
    package let issuer: DistinguishedName
    package let subject: DistinguishedName
    package let notBefore: Timestamp
    package let notAfter: Timestamp
    package let publicKey: PublicKey
    package let extensions: CertificateExtensions
    package let signatureAlgorithm: SignatureAlgorithm
    package let signature: [UInt8]
    let signedBytes: [UInt8]

    /// Larger ones are refused before they are looked at.
    package static let bytesMax = 64 * 1024

    package init(der: [UInt8]) throws(Malformed) {
        let part = "certificate"
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
        version =
            try members.next(ifContext: 0).map { node throws(Malformed) in
                try node.explicit("version").smallInteger("version") + 1
            } ?? 1
        guard (1...3).contains(version) else { throw Malformed("version", "\(version) is not 1, 2 or 3") }
        serialNumber = Array(try members.next("serial number").integerBytes("serial number"))
        guard try members.next("signature algorithm").encodedBytes == algorithm.encodedBytes else {
            throw Malformed("signature algorithm", "it is not the one that was signed")  // RFC 5280 §4.1.1.2
        }
        issuer = try DistinguishedName(try members.next("issuer"), in: "issuer")
        var validity = try DERMembers(of: try members.next("validity"), in: "validity")
        notBefore = try validity.next("its begin").time("validity")
        notAfter = try validity.next("its end").time("validity")
        try validity.end()
        subject = try DistinguishedName(try members.next("subject"), in: "subject")
        publicKey = try PublicKey(try members.next("public key"))
        _ = members.next(ifContext: 1)
        _ = members.next(ifContext: 2)
        if let node = members.next(ifContext: 3) {
            guard version == 3 else { throw Malformed("extensions", "version \(version) has none") }
            extensions = try CertificateExtensions(try node.explicit("extensions"))
        } else {
            extensions = CertificateExtensions()
        }
        try members.end()
    }

    /// Issuer and subject are the same name, which does not yet say that it signed itself.
    package var isSelfIssued: Bool { issuer == subject }

    package func isSigned(by key: PublicKey) -> Bool {
        key.isValid(signature: signature, over: signedBytes, by: signatureAlgorithm)
    }

    /// SHA-256 over the whole certificate.
    package var fingerprint: [UInt8] { Array(SHA256.hash(data: der)) }

    /// What it is called in a message: its subject, or its serial number where it has none.
    package var displayName: String {
        subject.isEmpty ? "serial number \(Hexadecimal.upper(serialNumber))" : subject.rfc2253
    }
}

extension ParsedCertificate: Hashable {
    package static func == (left: ParsedCertificate, right: ParsedCertificate) -> Bool { left.der == right.der }
    package func hash(into hasher: inout Hasher) { hasher.combine(der) }
}
