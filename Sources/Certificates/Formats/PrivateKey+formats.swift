import Crypto
import CryptoExtras
import SwiftASN1

/// PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) and SEC1 (RFC 5915), byte for byte as OpenSSL writes them.
extension PrivateKey {
    package enum Format: String, Sendable, CaseIterable {
        case pkcs8
        /// PKCS#1 for RSA, SEC1 for elliptic curves: `RSA PRIVATE KEY`, `EC PRIVATE KEY`.
        case traditional
    }

    package var pkcs8: [UInt8] {
        let (algorithm, key): ([UInt8], [UInt8]) =
            switch backing {
            case .rsa(let key):
                (
                    DERWriting.sequence(DERWriting.objectIdentifier(Self.rsaType), DERWriting.null),
                    Array(key.derRepresentation)
                )
            case .ed25519(let key):
                (
                    DERWriting.sequence(DERWriting.objectIdentifier(Self.ed25519Type)),
                    DERWriting.octets(Array(key.rawRepresentation))
                )
            case .p256, .p384, .p521:
                (
                    DERWriting.sequence(
                        DERWriting.objectIdentifier(Self.ellipticType), DERWriting.objectIdentifier(curve)),
                    sec1(withCurve: false)
                )
            }
        return DERWriting.sequence(DERWriting.integer(0), algorithm, DERWriting.octets(key))
    }

    /// `nil` for Ed25519, which has no older format.
    package var traditional: (label: String, der: [UInt8])? {
        switch backing {
        case .rsa(let key): ("RSA PRIVATE KEY", Array(key.derRepresentation))
        case .p256, .p384, .p521: ("EC PRIVATE KEY", sec1(withCurve: true))
        case .ed25519: nil
        }
    }

    package var pem: String { PEMBundle.text(label: "PRIVATE KEY", der: pkcs8) }

    /// The curve's object identifier; only for keys on one.
    var curve: String {
        switch backing {
        case .p384: "1.3.132.0.34"
        case .p521: "1.3.132.0.35"
        default: "1.2.840.10045.3.1.7"
        }
    }

    private func sec1(withCurve: Bool) -> [UInt8] {
        let (secret, point): ([UInt8], [UInt8]) =
            switch backing {
            case .p256(let key): (Array(key.rawRepresentation), Array(key.publicKey.x963Representation))
            case .p384(let key): (Array(key.rawRepresentation), Array(key.publicKey.x963Representation))
            case .p521(let key): (Array(key.rawRepresentation), Array(key.publicKey.x963Representation))
            default: ([], [])
            }
        return DERWriting.sequence(
            DERWriting.integer(1), DERWriting.octets(secret),
            withCurve ? DERWriting.context(0, DERWriting.objectIdentifier(curve)) : [],
            DERWriting.context(1, DERWriting.bits(point)))
    }

    // MARK: - Reading

    /// Any of the formats, in DER, encrypted PKCS#8 included.
    package init(der: [UInt8], passphrase: String? = nil) throws(KeyFault) {
        do {
            var members = try DERMembers(of: try ASN1Node.document(der, "key"), in: "key")
            let first = try members.next("its first member")
            if first.identifier == .sequence {
                guard let passphrase else { throw KeyFault.passphraseNeeded }
                let decrypted = try EncryptedPKCS8.decrypt(der, passphrase: passphrase)
                try self.init(der: decrypted)
                return
            }
            let version = try first.smallInteger("version")
            let second = try members.next("its second member")
            switch second.identifier {
            case .sequence:
                let key = Array(try (try members.next("the key")).octets("the key"))
                self = try Self.pkcs8(algorithm: second, key: key)
            case .octetString where version == 1:
                let secret = try second.octets("secret")
                let curve = try members.next(ifContext: 0).map { node throws(Malformed) in
                    "\(try node.explicit("curve").objectIdentifier("curve"))"
                }
                self = try Self.elliptic(secret, curve: curve)
            case .integer where version == 0: self = try Self.rsa(der)
            default: throw KeyFault.malformed("neither PKCS#8, PKCS#1 nor SEC1")
            }
        } catch let fault as KeyFault {
            throw fault
        } catch {
            throw KeyFault.malformed("\(error)")
        }
    }

    private static func pkcs8(algorithm: ASN1Node, key: [UInt8]) throws -> PrivateKey {
        var members = try DERMembers(of: algorithm, in: "key algorithm")
        switch "\(try members.next("its name").objectIdentifier("key algorithm"))" {
        case rsaType: return try rsa(key)
        case ellipticType:
            let curve = "\(try members.next("curve").objectIdentifier("curve"))"
            var inner = try DERMembers(of: try ASN1Node.document(key, "key"), in: "key")
            _ = try inner.next("version")
            return try elliptic(try inner.next("secret").octets("secret"), curve: curve)
        case ed25519Type:
            let secret = try ASN1Node.document(key, "key").octets("secret")
            guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: secret) else {
                throw KeyFault.malformed("not an Ed25519 key")
            }
            return PrivateKey(backing: .ed25519(key))
        case let other: throw KeyFault.unsupported("keys of the kind \(other) are not supported")
        }
    }

    private static func rsa(_ der: [UInt8]) throws -> PrivateKey {
        var members = try DERMembers(of: try ASN1Node.document(der, "RSA key"), in: "RSA key")
        _ = try members.next("version")
        let modulus = try members.next("modulus").integerBytes("modulus").drop { $0 == 0 }
        let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
        guard bits >= PublicKey.rsaBitsMin else { throw KeyFault.tooShort("RSA \(bits)") }
        guard let key = try? _RSA.Signing.PrivateKey(derRepresentation: der) else {
            throw KeyFault.malformed("its numbers are no RSA key")
        }
        return PrivateKey(backing: .rsa(key))
    }

    private static func elliptic(_ secret: ArraySlice<UInt8>, curve: String?) throws -> PrivateKey {
        let key: Backing? =
            switch curve {
            case "1.2.840.10045.3.1.7": (try? P256.Signing.PrivateKey(rawRepresentation: secret)).map { .p256($0) }
            case "1.3.132.0.34": (try? P384.Signing.PrivateKey(rawRepresentation: secret)).map { .p384($0) }
            case "1.3.132.0.35": (try? P521.Signing.PrivateKey(rawRepresentation: secret)).map { .p521($0) }
            default: throw KeyFault.unsupported("the curve \(curve ?? "that is not named") is not supported")
            }
        guard let key else { throw KeyFault.malformed("its secret does not fit its curve") }
        return PrivateKey(backing: key)
    }

    /// A key file: the first key block of a PEM file, or DER.
    package init(file bytes: [UInt8], name: String, passphrase: String? = nil) throws(KeyFault) {
        guard PEMBundle.isPEM(bytes) else {
            try self.init(der: bytes, passphrase: passphrase)
            return
        }
        let block: PEMBundle.Block
        do {
            let bundle = try PEMBundle(bytes, file: name)
            guard let found = bundle.blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
                throw KeyFault.malformed("\(name) has no PRIVATE KEY block")
            }
            block = found
        } catch let fault as KeyFault {
            throw fault
        } catch {
            throw KeyFault.malformed("\(error)")
        }
        if let how = block.headers.first(where: { $0.name == "DEK-Info" })?.value {
            guard let passphrase else { throw KeyFault.passphraseNeeded }
            try self.init(der: try OldPEMEncryption.decrypt(block.der, how: how, passphrase: passphrase))
            return
        }
        try self.init(der: block.der, passphrase: passphrase)
    }
}
