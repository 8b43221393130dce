import Crypto
import CryptoExtras
import SwiftASN1

/// A private key: made, read and written, and signing. Its formats are in `Formats/`.
package struct PrivateKey: Sendable {
    enum Backing: Sendable {
        case rsa(_RSA.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    package enum Kind: Hashable, Sendable {
        /// Bits of the modulus, 2048 to 8192.
        case rsa(Int)
        case p256
        case p384
    }

    let backing: Backing

    /// - Throws: where RSA is asked for with fewer than 2048 bits [CT-3], more than 8192, or no multiple of 8.
    package static func generate(_ kind: Kind) throws(KeyFault) -> PrivateKey {
        switch kind {
        case .rsa(let bits):
            guard bits >= PublicKey.rsaBitsMin else { throw KeyFault.tooShort("RSA \(bits)") }
            guard bits <= rsaBitsMax, bits % 8 == 0 else {
                throw KeyFault.unsupported("RSA \(bits): take 2048 to \(rsaBitsMax), in whole bytes")
            }
            do {
                return PrivateKey(backing: .rsa(try _RSA.Signing.PrivateKey(keySize: .init(bitCount: bits))))
            } catch { throw KeyFault.unsupported("RSA \(bits): \(error)") }
        case .p256: return PrivateKey(backing: .p256(P256.Signing.PrivateKey()))
        case .p384: return PrivateKey(backing: .p384(P384.Signing.PrivateKey()))
        }
    }

    package static let rsaBitsMax = 8192

    package var publicKey: PublicKey {
        get throws(Malformed) {
            let der: [UInt8]
            switch backing {
            case .rsa(let key):
                der = DERWriting.sequence(
                    DERWriting.sequence(DERWriting.objectIdentifier(Self.rsaType), DERWriting.null),
                    DERWriting.bits(Array(key.publicKey.pkcs1DERRepresentation)))
            case .p256(let key): der = Array(key.publicKey.derRepresentation)
            case .p384(let key): der = Array(key.publicKey.derRepresentation)
            case .p521(let key): der = Array(key.publicKey.derRepresentation)
            case .ed25519(let key):
                der = DERWriting.sequence(
                    DERWriting.sequence(DERWriting.objectIdentifier(Self.ed25519Type)),
                    DERWriting.bits(Array(key.publicKey.rawRepresentation)))
            }
            return try PublicKey(der: der)
        }
    }

    static let rsaType = "1.2.840.113549.1.1.1"
    static let ed25519Type = "1.3.101.112"
    static let ellipticType = "1.2.840.10045.2.1"

    /// The AlgorithmIdentifier this key signs with, in DER.
    var signatureAlgorithm: [UInt8] {
        switch backing {
        case .rsa: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.113549.1.1.11"), DERWriting.null)
        case .p256: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.10045.4.3.2"))
        case .p384: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.10045.4.3.3"))
        case .p521: DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.10045.4.3.4"))
        case .ed25519: DERWriting.sequence(DERWriting.objectIdentifier(Self.ed25519Type))
        }
    }

    func signature(over bytes: [UInt8]) throws(KeyFault) -> [UInt8] {
        do {
            switch backing {
            case .rsa(let key):
                let digest = SHA256.hash(data: bytes)
                return Array(try key.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation)
            case .p256(let key): return Array(try key.signature(for: SHA256.hash(data: bytes)).derRepresentation)
            case .p384(let key): return Array(try key.signature(for: SHA384.hash(data: bytes)).derRepresentation)
            case .p521(let key): return Array(try key.signature(for: SHA512.hash(data: bytes)).derRepresentation)
            case .ed25519(let key): return Array(try key.signature(for: bytes))
            }
        } catch { throw KeyFault.unsupported("the key does not sign: \(error)") }
    }

    /// What is signed, by which algorithm, and the signature: the outer form of certificates, requests and CRLs.
    func signed(_ content: [UInt8]) throws(KeyFault) -> [UInt8] {
        DERWriting.sequence(content, signatureAlgorithm, DERWriting.bits(try signature(over: content)))
    }
}

/// What can be wrong with a private key or its file.
package enum KeyFault: Error, Equatable, Sendable, CustomStringConvertible {
    case tooShort(String)
    case unsupported(String)
    case malformed(String)
    /// It is encrypted, and no passphrase was given.
    case passphraseNeeded
    case wrongPassphrase

    package var description: String {
        switch self {
        case .tooShort(let what): "\(what) is too short: take RSA with 2048 bits or more, or P-256"
        case .unsupported(let what): what
        case .malformed(let what): "not a private key: \(what)"
        case .passphraseNeeded: "the key is encrypted and needs its passphrase"
        case .wrongPassphrase: "the passphrase is not the one the key was encrypted with"
        }
    }
}
