import Crypto
import SwiftASN1

extension PKCS12 {
    /// What lies in a file of somebody else's.
    package struct Contents: Sendable {
        package var key: PrivateKey?
        /// In the file's order; the one that fits the key first.
        package var certificates: [ParsedCertificate] = []
    }

    /// Files are small: a key and a handful of certificates.
    package static let bytesMax = 1024 * 1024

    /// Whether these bytes begin as such a file does: version 3, then where the contents are.
    package static func isOne(_ der: [UInt8]) -> Bool {
        guard let node = try? ASN1Node.document(der, part), var members = try? DERMembers(of: node, in: part),
            let version = try? members.next("version").smallInteger("version"), version == 3,
            let safes = try? members.next("contents"), var inner = try? DERMembers(of: safes, in: part)
        else { return false }
        return (try? inner.next("kind").objectIdentifier(part)) != nil
    }

    /// - Parameter roundsMax: a forged file shall not keep us busy for long.
    package static func read(
        _ der: [UInt8], password: String, roundsMax: Int = EncryptedPKCS8.roundsMax
    ) throws(KeyFault) -> Contents {
        guard der.count <= bytesMax else { throw KeyFault.unsupported("larger than \(bytesMax) bytes") }
        do {
            var file = try DERMembers(of: try ASN1Node.document(der, part), in: part)
            guard try file.next("version").smallInteger("version") == 3 else {
                throw KeyFault.unsupported("only version 3 of PKCS#12 is read")
            }
            let safes = try content(of: try file.next("contents"))
            let lock = Lock(password: password, roundsMax: roundsMax)
            if let mac = file.next(if: .sequence) { try lock.check(mac, over: safes) }
            var contents = Contents()
            for node in try DERMembers(of: try ASN1Node.document(safes, part), in: part).rest {
                var members = try DERMembers(of: node, in: part)
                let bags: [UInt8] =
                    switch "\(try members.next("kind").objectIdentifier(part))" {
                    case "1.2.840.113549.1.7.1": Array(try members.next("data").explicit(part).octets(part))
                    case "1.2.840.113549.1.7.6": try lock.opened(try members.next("sealed data").explicit(part))
                    case let other: throw KeyFault.unsupported("what lies in it is sealed as \(other)")
                    }
                try contents.add(bags: bags, lock)
            }
            let publicKey = try contents.key?.publicKey
            if let own = contents.certificates.firstIndex(where: { $0.publicKey == publicKey }) {
                contents.certificates.insert(contents.certificates.remove(at: own), at: 0)
            }
            return contents
        } catch let fault as KeyFault {
            throw fault
        } catch {
            throw KeyFault.malformed("\(error)")
        }
    }

    private static let part = "PKCS#12"

    /// The bytes of a ContentInfo of kind data.
    private static func content(of node: ASN1Node) throws -> [UInt8] {
        var members = try DERMembers(of: node, in: part)
        let kind = "\(try members.next("kind").objectIdentifier(part))"
        guard kind == "1.2.840.113549.1.7.1" else {
            throw KeyFault.unsupported("it is held together by \(kind), not by a password")
        }
        return Array(try members.next("data").explicit(part).octets(part))
    }
}

extension PKCS12.Contents {
    private static let part = "PKCS#12 bag"

    fileprivate mutating func add(bags: [UInt8], _ lock: Lock) throws {
        for node in try DERMembers(of: try ASN1Node.document(bags, Self.part), in: Self.part).rest {
            var bag = try DERMembers(of: node, in: Self.part)
            let kind = "\(try bag.next("kind").objectIdentifier(Self.part))"
            let value = try bag.next("value").explicit(Self.part)
            switch kind {
            case "1.2.840.113549.1.12.10.1.1":
                key = try key ?? PrivateKey(der: Array(value.encodedBytes))
            case "1.2.840.113549.1.12.10.1.2":
                var sealed = try DERMembers(of: value, in: Self.part)
                let how = try sealed.next("how")
                let plain = try lock.decrypted(Array(try sealed.next("the key").octets(Self.part)), how)
                key = try key ?? PrivateKey(der: plain)
            case "1.2.840.113549.1.12.10.1.3":
                var certificate = try DERMembers(of: value, in: Self.part)
                // SDSI certificates, the other kind, are seen by nobody.
                guard "\(try certificate.next("kind").objectIdentifier(Self.part))" == "1.2.840.113549.1.9.22.1" else {
                    continue
                }
                let der = Array(try certificate.next("certificate").explicit(Self.part).octets(Self.part))
                certificates.append(try ParsedCertificate(der: der))
            default: continue  // CRLs, secrets and bags in bags: nothing that we could use
            }
        }
    }
}

/// The password of a file that is read.
private struct Lock {
    let password: String
    let roundsMax: Int
    private let part = "PKCS#12 lock"

    /// MacData. RFC 7292 §4
    func check(_ node: ASN1Node, over content: [UInt8]) throws {
        var members = try DERMembers(of: node, in: part)
        var info = try DERMembers(of: try members.next("digest"), in: part)
        var algorithm = try DERMembers(of: try info.next("kind"), in: part)
        let kind = "\(try algorithm.next("name").objectIdentifier(part))"
        let expected = Array(try info.next("digest").octets(part))
        let salt = Array(try members.next("salt").octets(part))
        let rounds =
            try members.next(if: .integer).map { node throws(Malformed) in try node.smallInteger("rounds") } ?? 1
        guard (1...roundsMax).contains(rounds) else {
            throw KeyFault.malformed("the rounds of its MAC are out of range")
        }
        func matches<H: HashFunction>(_ hash: H.Type) -> Bool {
            let bytes = PKCS12.derive(
                hash, password: password, purpose: 3, salt: salt, rounds: rounds, count: H.Digest.byteCount)
            return HMAC<H>.isValidAuthenticationCode(
                expected, authenticating: content, using: SymmetricKey(data: bytes))
        }
        let isRight: Bool =
            switch kind {
            case "1.3.14.3.2.26": matches(Insecure.SHA1.self)
            case "2.16.840.1.101.3.4.2.1": matches(SHA256.self)
            case "2.16.840.1.101.3.4.2.2": matches(SHA384.self)
            case "2.16.840.1.101.3.4.2.3": matches(SHA512.self)
            default: throw KeyFault.unsupported("its MAC is of the kind \(kind), which is not supported")
            }
        guard isRight else { throw KeyFault.wrongPassphrase }
    }

    /// EncryptedData: a version, then kind, how, and the bytes.
    func opened(_ node: ASN1Node) throws -> [UInt8] {
        var data = try DERMembers(of: node, in: part)
        _ = try data.next("version")
        var info = try DERMembers(of: try data.next("contents"), in: part)
        _ = try info.next("kind")
        let how = try info.next("how")
        guard let sealed = info.next(ifContext: 0) else { throw Malformed(part, "the sealed bytes are missing") }
        return try decrypted(Array(try sealed.primitive(part)), how)
    }

    func decrypted(_ secret: [UInt8], _ how: ASN1Node) throws -> [UInt8] {
        var algorithm = try DERMembers(of: how, in: part)
        let kind = "\(try algorithm.next("name").objectIdentifier(part))"
        let cipher: (keyBytes: Int, isRC2: Bool)
        switch kind {
        case "1.2.840.113549.1.5.13":
            let whole = DERWriting.sequence(Array(how.encodedBytes), DERWriting.octets(secret))
            return try EncryptedPKCS8.decrypt(whole, passphrase: password, roundsMax: roundsMax)
        case "1.2.840.113549.1.12.1.3": cipher = (24, false)
        case "1.2.840.113549.1.12.1.5": cipher = (16, true)
        case "1.2.840.113549.1.12.1.6": cipher = (5, true)
        default: throw KeyFault.unsupported("it is encrypted with \(kind), which is not supported")
        }
        var parameters = try DERMembers(of: try algorithm.next("parameters"), in: part)
        let salt = Array(try parameters.next("salt").octets(part))
        let rounds = try parameters.next("rounds").smallInteger("rounds")
        guard (1...roundsMax).contains(rounds) else {
            throw KeyFault.malformed("the rounds of its encryption are out of range")
        }
        func derived(_ purpose: UInt8, _ count: Int) -> [UInt8] {
            PKCS12.derive(
                Insecure.SHA1.self, password: password, purpose: purpose, salt: salt, rounds: rounds, count: count)
        }
        let (key, vector) = (derived(1, cipher.keyBytes), derived(2, 8))
        let plain =
            cipher.isRC2
            ? RC2.decryptCBC(secret, key: key, effectiveBits: cipher.keyBytes * 8, vector: vector)
            : TripleDES.decryptCBC(secret, key: key, vector: vector)
        guard let plain else { throw KeyFault.wrongPassphrase }
        return plain
    }
}
