/// A request whose key is somewhere else, such as in a token: its bytes go there to be signed, the signature comes back.
package struct UnsignedRequest: Sendable {
    /// What is signed, by `publicKey.naturalAlgorithm`.
    package let bytes: [UInt8]
    private let algorithm: [UInt8]

    /// - Throws: where the key is of a kind that signs no requests.
    package init(subject: DistinguishedName, publicKey: PublicKey, extensions: [RawExtension]) throws(KeyFault) {
        guard let algorithm = publicKey.naturalAlgorithm else {
            throw KeyFault.unsupported("requests for \(publicKey) are not made")
        }
        bytes = CertificateRequest.body(subject: subject, publicKey: publicKey.der, extensions: extensions)
        self.algorithm = algorithm.der
    }

    /// The request, read back and checked: what does not fit its key is refused here.
    package func signed(_ signature: [UInt8]) throws -> CertificateRequest {
        let request = try CertificateRequest(
            der: DERWriting.sequence(bytes, algorithm, DERWriting.bits(signature)))
        guard request.isSignedByItsKey else {
            throw KeyFault.unsupported("the signature does not belong to the public key of the request")
        }
        return request
    }
}

/// What a key signs documents with when nobody says otherwise.
package enum NaturalAlgorithm: Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rsa
    /// ECDSA with SHA-256.
    case p256
    /// ECDSA with SHA-384.
    case p384

    /// The AlgorithmIdentifier.
    var der: [UInt8] {
        switch self {
        case .rsa: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.113549.1.1.11"), DERWriting.null)
        case .p256: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.10045.4.3.2"))
        case .p384: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.10045.4.3.3"))
        }
    }

    var scheme: SignatureAlgorithm.Scheme {
        switch self {
        case .rsa: .rsa(.sha256)
        case .p256: .ecdsa(.sha256)
        case .p384: .ecdsa(.sha384)
        }
    }
}

extension PublicKey {
    /// Nil for kinds that are not signed with here: Ed25519, P-521, and what cannot be used.
    package var naturalAlgorithm: NaturalAlgorithm? {
        switch backing {
        case .rsa: .rsa
        case .p256: .p256
        case .p384: .p384
        case .p521, .ed25519, .unusable: nil
        }
    }

    /// Whether this key made `signature` over `bytes`, by its natural algorithm.
    package func isValid(signature: [UInt8], over bytes: [UInt8]) -> Bool {
        guard let algorithm = naturalAlgorithm else { return false }
        return isValid(signature: signature, over: bytes, by: algorithm.scheme)
    }
}
