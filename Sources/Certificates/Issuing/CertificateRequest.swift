import SwiftASN1

/// A request for a certificate, signed with the key it is for. PKCS#10, RFC 2986
package struct CertificateRequest: Sendable {
    package let der: [UInt8]
    package let subject: DistinguishedName
    package let publicKey: PublicKey
    /// The extensions that are asked for.
    package let extensions: [RawExtension]
    package let signatureAlgorithm: SignatureAlgorithm
    private let signature: [UInt8]
    private let signedBytes: [UInt8]

    package init(der: [UInt8]) throws(Malformed) {
        let part = "certificate request"
        guard der.count <= ParsedCertificate.bytesMax else { throw Malformed(part, "larger than anyone needs") }
        var outer = try DERMembers(of: try ASN1Node.document(der, part), in: part)
        let signed = try outer.next("what is signed")
        signatureAlgorithm = try SignatureAlgorithm(try outer.next("signature algorithm"))
        signature = Array(try outer.next("signature").bits("signature"))
        try outer.end()
        signedBytes = Array(signed.encodedBytes)
        self.der = der
        var members = try DERMembers(of: signed, in: part)
        guard try members.next("version").smallInteger("version") == 0 else {
            throw Malformed(part, "only version 1 is known")
        }
        subject = try DistinguishedName(try members.next("subject"), in: "subject")
        publicKey = try PublicKey(try members.next("public key"))
        var wanted: [RawExtension] = []
        if let node = members.next(ifContext: 0) {
            var attributes = try DERMembers(of: node, tagged: nil, in: part)
            while !attributes.isAtEnd {
                var attribute = try DERMembers(of: try attributes.next("attribute"), in: part)
                let type = "\(try attribute.next("its type").objectIdentifier(part))"
                guard type == Self.extensionRequestType else { continue }
                var values = try DERMembers(of: try attribute.next("its values"), tagged: .set, in: part)
                wanted += try RawExtension.list(try values.next("extensions"), in: part)
            }
        }
        extensions = wanted
        try members.end()
    }

    private static let extensionRequestType = "1.2.840.113549.1.9.14"

    /// Whether whoever asks has the key: without it nothing is signed.
    package var isSignedByItsKey: Bool {
        publicKey.isValid(signature: signature, over: signedBytes, by: signatureAlgorithm)
    }

    package init(subject: DistinguishedName, key: PrivateKey, extensions: [RawExtension]) throws {
        let body = Self.body(subject: subject, publicKey: try key.publicKey.der, extensions: extensions)
        try self.init(der: try key.signed(body))
    }

    /// What is signed.
    static func body(subject: DistinguishedName, publicKey: [UInt8], extensions: [RawExtension]) -> [UInt8] {
        let attribute = DERWriting.sequence(
            DERWriting.objectIdentifier(extensionRequestType),
            DERWriting.set(of: [DERWriting.sequence(of: extensions.map(\.der))]))
        return DERWriting.sequence(
            DERWriting.integer(0), subject.der, publicKey,
            DERWriting.context(0, extensions.isEmpty ? [] : attribute))
    }

    package var pem: String { PEMBundle.text(label: "CERTIFICATE REQUEST", der: der) }

    /// The request of a file: PEM under either of its two labels, or DER.
    package init(file bytes: [UInt8], name: String) throws(PEMBundle.Fault) {
        var der = bytes
        if PEMBundle.isPEM(bytes) {
            let bundle = try PEMBundle(bytes, file: name)
            let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"]
            guard let block = bundle.blocks.first(where: { labels.contains($0.label) }) else {
                throw PEMBundle.Fault(file: name, reason: "no CERTIFICATE REQUEST in it")
            }
            der = block.der
        }
        do { try self.init(der: der) } catch { throw PEMBundle.Fault(file: name, reason: "\(error)") }
    }
}
