import Crypto
import CryptoExtras
import SwiftASN1

/// A key and its certificates in one file behind a password, as phones and Java want them. RFC 7292
/// Reading: `PKCS12+reading`.
package struct PKCS12: Sendable {
    package enum Strength: Sendable {
        /// OpenSSL 3's default: PBES2, AES-256-CBC, HMAC-SHA-256, 2048 rounds.
        case current
        /// PBE-SHA1-3DES and HMAC-SHA-1, for Android before 11 and old Java. No RC2 even then.
        case legacy
    }

    package var certificate: ParsedCertificate
    package var key: PrivateKey
    package var authorities: [ParsedCertificate]
    package var friendlyName: String?

    package init(
        certificate: ParsedCertificate, key: PrivateKey, authorities: [ParsedCertificate] = [],
        friendlyName: String? = nil
    ) {
        (self.certificate, self.key) = (certificate, key)
        (self.authorities, self.friendlyName) = (authorities, friendlyName)
    }

    package func encoded(
        password: String, strength: Strength = .current, using generator: inout some RandomNumberGenerator
    ) throws -> [UInt8] {
        // Ties the key to its certificate: SHA-1 of the certificate, as OpenSSL writes it.
        let identifier = Array(Insecure.SHA1.hash(data: certificate.der))
        var attributes = [Self.attribute("1.2.840.113549.1.9.21", DERWriting.octets(identifier))]
        if let friendlyName {
            let text = friendlyName.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            attributes.insert(Self.attribute("1.2.840.113549.1.9.20", DERWriting.value(0x1E, text)), at: 0)
        }
        let own = Self.bag(Self.certificateBagType, Self.certificate(certificate), attributes)
        let others = authorities.map { Self.bag(Self.certificateBagType, Self.certificate($0), []) }
        let sealed = Seal(password: password, strength: strength)
        let certificates = try sealed.encrypt(DERWriting.sequence(of: [own] + others), using: &generator)
        let shroudedKey = try sealed.encrypt(key.pkcs8, using: &generator)
        let keyBag = Self.bag(
            "1.2.840.113549.1.12.10.1.2",
            DERWriting.sequence(shroudedKey.algorithm, DERWriting.octets(shroudedKey.bytes)),
            attributes)

        let encryptedContent = DERWriting.sequence(
            DERWriting.integer(0),
            DERWriting.sequence(
                DERWriting.objectIdentifier(Self.dataType), certificates.algorithm,
                DERWriting.contextPrimitive(0, certificates.bytes)))
        let safes = DERWriting.sequence(
            DERWriting.sequence(
                DERWriting.objectIdentifier("1.2.840.113549.1.7.6"), DERWriting.context(0, encryptedContent)),
            Self.data(DERWriting.sequence(keyBag)))
        return DERWriting.sequence(
            DERWriting.integer(3), Self.data(safes), sealed.mac(over: safes, using: &generator))
    }

    private static let dataType = "1.2.840.113549.1.7.1"
    private static let certificateBagType = "1.2.840.113549.1.12.10.1.3"

    private static func data(_ content: [UInt8]) -> [UInt8] {
        DERWriting.sequence(
            DERWriting.objectIdentifier(dataType), DERWriting.context(0, DERWriting.octets(content)))
    }

    private static func certificate(_ certificate: ParsedCertificate) -> [UInt8] {
        DERWriting.sequence(
            DERWriting.objectIdentifier("1.2.840.113549.1.9.22.1"),
            DERWriting.context(0, DERWriting.octets(certificate.der)))
    }

    private static func bag(_ type: String, _ value: [UInt8], _ attributes: [[UInt8]]) -> [UInt8] {
        DERWriting.sequence(
            DERWriting.objectIdentifier(type), DERWriting.context(0, value),
            attributes.isEmpty ? [] : DERWriting.set(of: attributes))
    }

    private static func attribute(_ type: String, _ value: [UInt8]) -> [UInt8] {
        DERWriting.sequence(DERWriting.objectIdentifier(type), DERWriting.set(of: [value]))
    }
}

/// How a PKCS#12 file is locked.
private struct Seal {
    let password: String
    let strength: PKCS12.Strength
    private let rounds = 2048

    init(password: String, strength: PKCS12.Strength) { (self.password, self.strength) = (password, strength) }

    private func derive<H: HashFunction>(_ hash: H.Type, purpose: UInt8, salt: [UInt8], count: Int) -> [UInt8] {
        PKCS12.derive(hash, password: password, purpose: purpose, salt: salt, rounds: rounds, count: count)
    }

    func encrypt(_ plain: [UInt8], using generator: inout some RandomNumberGenerator) throws
        -> (algorithm: [UInt8], bytes: [UInt8])
    {
        switch strength {
        case .current:
            // The same structure as an encrypted PKCS#8 file, taken apart again.
            let whole = try EncryptedPKCS8.encrypt(plain, passphrase: password, using: &generator)
            var members = try DERMembers(of: try .document(whole, "sealed"), in: "sealed")
            let algorithm = Array(try members.next("how").encodedBytes)
            return (algorithm, Array(try members.next("bytes").octets("bytes")))
        case .legacy:
            let salt = EncryptedPKCS8.random(8, using: &generator)
            let key = derive(Insecure.SHA1.self, purpose: 1, salt: salt, count: 24)
            let vector = derive(Insecure.SHA1.self, purpose: 2, salt: salt, count: 8)
            let algorithm = DERWriting.sequence(
                DERWriting.objectIdentifier("1.2.840.113549.1.12.1.3"),
                DERWriting.sequence(DERWriting.octets(salt), DERWriting.integer(rounds)))
            return (algorithm, TripleDES.encryptCBC(plain, key: key, vector: vector))
        }
    }

    /// MacData over the authenticated safes. RFC 7292 §4
    func mac(over content: [UInt8], using generator: inout some RandomNumberGenerator) -> [UInt8] {
        let salt = EncryptedPKCS8.random(8, using: &generator)
        let (algorithm, digest): (String, [UInt8])
        switch strength {
        case .current:
            let key = SymmetricKey(data: derive(SHA256.self, purpose: 3, salt: salt, count: 32))
            algorithm = "2.16.840.1.101.3.4.2.1"
            digest = Array(HMAC<SHA256>.authenticationCode(for: content, using: key))
        case .legacy:
            let key = SymmetricKey(data: derive(Insecure.SHA1.self, purpose: 3, salt: salt, count: 20))
            algorithm = "1.3.14.3.2.26"
            digest = Array(HMAC<Insecure.SHA1>.authenticationCode(for: content, using: key))
        }
        return DERWriting.sequence(
            DERWriting.sequence(
                DERWriting.sequence(DERWriting.objectIdentifier(algorithm), DERWriting.null), DERWriting.octets(digest)),
            DERWriting.octets(salt), DERWriting.integer(rounds))
    }
}
