import Crypto
import CryptoExtras
import SwiftASN1

/// Private keys behind a passphrase: PBES2 with PBKDF2 and AES-CBC, which is OpenSSL 3's default. RFC 8018 §6.2
package enum EncryptedPKCS8 {
    /// OpenSSL's default for keys. A guesser pays it for every guess, we once at start.
    static let rounds = 2048
    /// Nobody's honest file needs more, and a forged one shall not keep us busy for minutes.
    package static let roundsMax = 10_000_000

    package static func encrypt(_ pkcs8: [UInt8], passphrase: String) throws(KeyFault) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return try encrypt(pkcs8, passphrase: passphrase, using: &generator)
    }

    /// The whole EncryptedPrivateKeyInfo.
    static func encrypt(
        _ plain: [UInt8], passphrase: String, using generator: inout some RandomNumberGenerator
    ) throws(KeyFault) -> [UInt8] {
        let salt = random(16, using: &generator)
        let vector = random(16, using: &generator)
        do {
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: Array(passphrase.utf8), salt: salt, using: .sha256, outputByteCount: 32,
                unsafeUncheckedRounds: rounds)
            let secret = try AES._CBC.encrypt(plain, using: key, iv: AES._CBC.IV(ivBytes: vector))
            return DERWriting.sequence(
                algorithm(salt: salt, vector: vector), DERWriting.octets(Array(secret)))
        } catch { throw KeyFault.unsupported("cannot encrypt: \(error)") }
    }

    private static func algorithm(salt: [UInt8], vector: [UInt8]) -> [UInt8] {
        DERWriting.sequence(
            DERWriting.objectIdentifier("1.2.840.113549.1.5.13"),
            DERWriting.sequence(
                DERWriting.sequence(
                    DERWriting.objectIdentifier("1.2.840.113549.1.5.12"),
                    DERWriting.sequence(
                        DERWriting.octets(salt), DERWriting.integer(rounds),
                        DERWriting.sequence(DERWriting.objectIdentifier("1.2.840.113549.2.9"), DERWriting.null))),
                DERWriting.sequence(
                    DERWriting.objectIdentifier("2.16.840.1.101.3.4.1.42"), DERWriting.octets(vector))))
    }

    static func random(_ count: Int, using generator: inout some RandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    // MARK: - Reading

    /// The PrivateKeyInfo inside.
    package static func decrypt(
        _ der: [UInt8], passphrase: String, roundsMax: Int = roundsMax
    ) throws(KeyFault) -> [UInt8] {
        let scheme: Scheme
        do { scheme = try Scheme(der) } catch { throw KeyFault.malformed("\(error)") }
        guard let cipher = scheme.keyBytes, let hash = scheme.hash else {
            throw KeyFault.unsupported(
                "only keys encrypted with PBES2, PBKDF2 and AES or 3DES are read; \(scheme.name)")
        }
        guard (1...roundsMax).contains(scheme.rounds), scheme.vector.count == (scheme.isTripleDES ? 8 : 16) else {
            throw KeyFault.malformed("the parameters of its encryption are out of range")
        }
        guard
            let key = try? KDF.Insecure.PBKDF2.deriveKey(
                from: Array(passphrase.utf8), salt: scheme.salt, using: hash, outputByteCount: cipher,
                unsafeUncheckedRounds: scheme.rounds),
            let plain = scheme.decrypt(with: key),
            // One wrong passphrase in 256 gives a padding that fits; what comes out is still no DER.
            (try? ASN1Node.document(plain, "key")) != nil
        else { throw KeyFault.wrongPassphrase }
        return plain
    }

    /// What the file says of how it was encrypted.
    private struct Scheme {
        var name = ""
        var salt: [UInt8] = []
        var rounds = 0
        var hash: KDF.Insecure.PBKDF2.HashFunction?
        var keyBytes: Int?
        var vector: [UInt8] = []
        var secret: [UInt8] = []
        /// What OpenSSL 3's `req -keyout` still uses; read, never written.
        var isTripleDES = false

        func decrypt(with key: SymmetricKey) -> [UInt8]? {
            if isTripleDES {
                return TripleDES.decryptCBC(secret, key: key.withUnsafeBytes { Array($0) }, vector: vector)
            }
            guard let initial = try? AES._CBC.IV(ivBytes: vector) else { return nil }
            return (try? AES._CBC.decrypt(secret, using: key, iv: initial)).map { Array($0) }
        }

        init(_ der: [UInt8]) throws(Malformed) {
            let part = "encrypted key"
            var outer = try DERMembers(of: try ASN1Node.document(der, part), in: part)
            var algorithm = try DERMembers(of: try outer.next("how"), in: part)
            secret = Array(try outer.next("the key").octets(part))
            let kind = "\(try algorithm.next("its name").objectIdentifier(part))"
            guard kind == "1.2.840.113549.1.5.13" else {
                name = "this one uses \(kind)"
                return
            }
            var parameters = try DERMembers(of: try algorithm.next("parameters"), in: part)
            var derivation = try DERMembers(of: try parameters.next("key derivation"), in: part)
            var encryption = try DERMembers(of: try parameters.next("cipher"), in: part)
            let derivationName = "\(try derivation.next("its name").objectIdentifier(part))"
            guard derivationName == "1.2.840.113549.1.5.12" else {
                name = "this one uses \(derivationName)"
                return
            }
            var values = try DERMembers(of: try derivation.next("parameters"), in: part)
            salt = Array(try values.next("salt").octets("salt"))
            rounds = try values.next("rounds").smallInteger("rounds")
            _ = values.next(if: .integer)  // the key's length, which the cipher says as well
            var function = "1.2.840.113549.2.7"  // HMAC-SHA-1 where none is named
            if let node = values.next(if: .sequence) {
                var members = try DERMembers(of: node, in: part)
                function = "\(try members.next("its name").objectIdentifier(part))"
            }
            hash =
                switch function {
                case "1.2.840.113549.2.7": .insecureSHA1
                case "1.2.840.113549.2.9": .sha256
                case "1.2.840.113549.2.10": .sha384
                case "1.2.840.113549.2.11": .sha512
                default: nil
                }
            let cipher = "\(try encryption.next("its name").objectIdentifier(part))"
            keyBytes =
                switch cipher {
                case "2.16.840.1.101.3.4.1.2": 16
                case "2.16.840.1.101.3.4.1.22": 24
                case "2.16.840.1.101.3.4.1.42": 32
                case "1.2.840.113549.3.7": 24
                default: nil
                }
            isTripleDES = cipher == "1.2.840.113549.3.7"
            name = "this one uses \(keyBytes == nil ? cipher : function)"
            if keyBytes != nil { vector = Array(try encryption.next("initial vector").octets("initial vector")) }
        }
    }
}
