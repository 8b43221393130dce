/// A certificate that is not signed yet. Version 3 always.
package struct CertificateDraft: Sendable {
    package var subject: DistinguishedName
    package var publicKey: PublicKey
    package var notBefore: Timestamp
    package var notAfter: Timestamp
    /// Big-endian, positive, at most 20 bytes. RFC 5280 §4.1.2.2
    package var serialNumber: [UInt8]
    package var extensions: [RawExtension]

    package init(
        subject: DistinguishedName, publicKey: PublicKey, notBefore: Timestamp, notAfter: Timestamp,
        serialNumber: [UInt8], extensions: [RawExtension]
    ) {
        (self.subject, self.publicKey) = (subject, publicKey)
        (self.notBefore, self.notAfter) = (notBefore, notAfter)
        (self.serialNumber, self.extensions) = (serialNumber, extensions)
    }

    package func signed(by issuer: DistinguishedName, with key: PrivateKey) throws -> ParsedCertificate {
        precondition(serialNumber.count <= 20, "a serial number has at most 20 bytes")
        let body = DERWriting.sequence(
            DERWriting.context(0, DERWriting.integer(2)), DERWriting.integer(serialNumber), key.signatureAlgorithm,
            issuer.der, DERWriting.sequence(DERWriting.time(notBefore), DERWriting.time(notAfter)), subject.der,
            publicKey.der,
            extensions.isEmpty ? [] : DERWriting.context(3, DERWriting.sequence(of: extensions.map(\.der))))
        // Read back at once: what we hand out, we understand.
        return try ParsedCertificate(der: try key.signed(body))
    }

    /// 128 random bits, positive. [MK-2]
    package static func randomSerialNumber(using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes[0] = bytes[0] & 0x7F | 0x40
        return bytes
    }
}

extension ParsedCertificate {
    /// The identifier its own certificates refer to: the one it states, or the hash of its key.
    package var keyIdentifier: [UInt8] { extensions.subjectKeyIdentifier ?? publicKey.identifier }

    package var pem: String { PEMBundle.text(label: "CERTIFICATE", der: der) }
}
