import Crypto
import CryptoExtras
import SwiftASN1

/// The key a certificate speaks for, ready to check signatures with.
package struct PublicKey: Sendable {
    enum Backing: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
        /// A kind or size we cannot use; the text names it. Certificates with such a key can be read and shown.
        case unusable(String, rsaBits: Int? = nil)
    }

    let backing: Backing
    /// The whole SubjectPublicKeyInfo in DER.
    package let der: [UInt8]
    /// The bits of the key alone: SHA-1 of these is the key identifier of RFC 5280 §4.2.1.2 (1).
    package let bits: [UInt8]

    init(_ node: ASN1Node) throws(Malformed) {
        let part = "public key"
        var members = try DERMembers(of: node, in: part)
        var algorithm = try DERMembers(of: try members.next("its algorithm"), in: part)
        let kind = try algorithm.next("the algorithm's name").objectIdentifier(part)
        let parameters = algorithm.rest.first
        let bits = try members.next("its bits").bits(part)
        try members.end()
        self.der = Array(node.encodedBytes)
        self.bits = Array(bits)
        self.backing = try Self.backing(kind, parameters, bits, der: der)
    }

    /// A SubjectPublicKeyInfo on its own.
    package init(der: [UInt8]) throws(Malformed) { try self.init(try ASN1Node.document(der, "public key")) }

    private static func backing(
        _ kind: ASN1ObjectIdentifier, _ parameters: ASN1Node?, _ bits: ArraySlice<UInt8>, der: [UInt8]
    ) throws(Malformed) -> Backing {
        let unreadable = Malformed("public key", "its bits are no such key")
        switch "\(kind)" {
        case "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10":
            // 1024 bits are read so that they can be named, and because an old root may be trusted explicitly.
            guard let bitCount = try? modulusBits(bits) else { throw unreadable }
            // Beyond the limit a stranger's chain would cost us more than it may.
            guard bitCount >= 1024, bitCount <= PrivateKey.rsaBitsMax else {
                return .unusable("RSA \(bitCount)", rsaBits: bitCount)
            }
            guard let key = try? _RSA.Signing.PublicKey(unsafeDERRepresentation: der) else { throw unreadable }
            return .rsa(key)
        case "1.2.840.10045.2.1":
            let curve = parameters.flatMap { try? $0.objectIdentifier("curve") }.map { "\($0)" }
            switch curve {
            case "1.2.840.10045.3.1.7":
                guard let key = try? P256.Signing.PublicKey(x963Representation: bits) else { throw unreadable }
                return .p256(key)
            case "1.3.132.0.34":
                guard let key = try? P384.Signing.PublicKey(x963Representation: bits) else { throw unreadable }
                return .p384(key)
            case "1.3.132.0.35":
                guard let key = try? P521.Signing.PublicKey(x963Representation: bits) else { throw unreadable }
                return .p521(key)
            default: return .unusable("elliptic curve \(curve ?? "with parameters of its own")")
            }
        case "1.3.101.112":
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bits) else { throw unreadable }
            return .ed25519(key)
        case let other: return .unusable("key of the kind \(other)")
        }
    }

    private static func modulusBits(_ bits: ArraySlice<UInt8>) throws(Malformed) -> Int {
        var members = try DERMembers(of: try ASN1Node.document(bits, "public key"), in: "public key")
        let modulus = try members.next("modulus").integerBytes("modulus").drop { $0 == 0 }
        guard let first = modulus.first else { return 0 }
        return modulus.count * 8 - first.leadingZeroBitCount
    }
}

extension PublicKey: Hashable {
    package static func == (left: PublicKey, right: PublicKey) -> Bool { left.der == right.der }
    package func hash(into hasher: inout Hasher) { hasher.combine(der) }
}

extension PublicKey: CustomStringConvertible {
    /// "RSA 2048", "EC P-256", "Ed25519".
    package var description: String {
        switch backing {
        case .rsa(let key): "RSA \(key.keySizeInBits)"
        case .p256: "EC P-256"
        case .p384: "EC P-384"
        case .p521: "EC P-521"
        case .ed25519: "Ed25519"
        case .unusable(let what, _): what
        }
    }

    package var isUsable: Bool {
        if case .unusable = backing { false } else { true }
    }

    /// Why this key is too weak to be trusted unless it was trusted by hand; `nil` when it is strong enough. [CT-3]
    package var weakness: String? {
        switch backing {
        case .rsa(let key) where key.keySizeInBits < Self.rsaBitsMin: "RSA \(key.keySizeInBits)"
        case .unusable(let what, let bits?) where bits < Self.rsaBitsMin: what
        default: nil
        }
    }

    package static let rsaBitsMin = 2048

    /// SHA-1 of the key's bits, as `hash` in OpenSSL's `subjectKeyIdentifier=hash`.
    package var identifier: [UInt8] { Array(Insecure.SHA1.hash(data: bits)) }

    /// SHA-256 over the whole SubjectPublicKeyInfo: what pins are made of.
    package var fingerprint: [UInt8] { Array(SHA256.hash(data: der)) }
}

// MARK: - Signatures

extension PublicKey {
    /// Whether this key made `signature` over `bytes`. False also where key and algorithm do not fit each other.
    package func isValid(
        signature: some Collection<UInt8>, over bytes: some Collection<UInt8>, by algorithm: SignatureAlgorithm
    ) -> Bool {
        isValid(signature: Array(signature), over: Array(bytes), by: algorithm.scheme)
    }

    func isValid(signature: [UInt8], over bytes: [UInt8], by scheme: SignatureAlgorithm.Scheme) -> Bool {
        switch scheme {
        case .ed25519:
            guard case .ed25519(let key) = backing else { return false }
            return key.isValidSignature(signature, for: bytes)
        case .rsa(.sha256): return rsa(signature, SHA256.hash(data: bytes), .insecurePKCS1v1_5)
        case .rsa(.sha384): return rsa(signature, SHA384.hash(data: bytes), .insecurePKCS1v1_5)
        case .rsa(.sha512): return rsa(signature, SHA512.hash(data: bytes), .insecurePKCS1v1_5)
        case .pss(.sha256): return rsa(signature, SHA256.hash(data: bytes), .PSS)
        case .pss(.sha384): return rsa(signature, SHA384.hash(data: bytes), .PSS)
        case .pss(.sha512): return rsa(signature, SHA512.hash(data: bytes), .PSS)
        case .ecdsa(.sha256): return ecdsa(signature, SHA256.hash(data: bytes))
        case .ecdsa(.sha384): return ecdsa(signature, SHA384.hash(data: bytes))
        case .ecdsa(.sha512): return ecdsa(signature, SHA512.hash(data: bytes))
        case .weak, .unknown: return false
        }
    }

    private func rsa(_ signature: [UInt8], _ digest: some Digest, _ padding: _RSA.Signing.Padding) -> Bool {
        guard case .rsa(let key) = backing else { return false }
        return key.isValidSignature(
            _RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
    }

    private func ecdsa(_ signature: [UInt8], _ digest: some Digest) -> Bool {
        switch backing {
        case .p256(let key):
            (try? P256.Signing.ECDSASignature(derRepresentation: signature)).map {
                key.isValidSignature($0, for: digest)
            } ?? false
        case .p384(let key):
            (try? P384.Signing.ECDSASignature(derRepresentation: signature)).map {
                key.isValidSignature($0, for: digest)
            } ?? false
        case .p521(let key):
            (try? P521.Signing.ECDSASignature(derRepresentation: signature)).map {
                key.isValidSignature($0, for: digest)
            } ?? false
        case .rsa, .ed25519, .unusable: false
        }
    }
}
