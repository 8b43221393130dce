import Crypto
import CryptoExtras

/// Signing as TLS asks for it, and as documents are signed.
extension PrivateKey {
    /// Nil for kinds that nothing is signed with here but documents: P-521, Ed25519.
    package var kindOfSignature: NaturalAlgorithm? {
        switch backing {
        case .rsa: .rsa
        case .p256: .p256
        case .p384: .p384
        case .p521, .ed25519: nil
        }
    }

    package func naturalSignature(over bytes: [UInt8]) throws(KeyFault) -> [UInt8] { try signature(over: bytes) }

    /// - Parameter number: TLS's SignatureScheme, RFC 8446 §4.2.3.
    /// - Throws: where the key cannot sign so.
    package func signature(over bytes: [UInt8], tlsScheme number: UInt16) throws -> [UInt8] {
        switch (number, backing) {
        case (0x0401, .rsa(let key)): try rsa(key, SHA256.hash(data: bytes), .insecurePKCS1v1_5)
        case (0x0501, .rsa(let key)): try rsa(key, SHA384.hash(data: bytes), .insecurePKCS1v1_5)
        case (0x0601, .rsa(let key)): try rsa(key, SHA512.hash(data: bytes), .insecurePKCS1v1_5)
        case (0x0804, .rsa(let key)): try rsa(key, SHA256.hash(data: bytes), .PSS)
        case (0x0805, .rsa(let key)): try rsa(key, SHA384.hash(data: bytes), .PSS)
        case (0x0806, .rsa(let key)): try rsa(key, SHA512.hash(data: bytes), .PSS)
        case (0x0403, .p256), (0x0503, .p384): try signature(over: bytes)
        default: throw KeyFault.unsupported("the key does not sign by scheme 0x" + String(number, radix: 16))
        }
    }

    private func rsa(
        _ key: _RSA.Signing.PrivateKey, _ digest: some Digest, _ padding: _RSA.Signing.Padding
    ) throws -> [UInt8] {
        Array(try key.signature(for: digest, padding: padding).rawRepresentation)
    }
}
