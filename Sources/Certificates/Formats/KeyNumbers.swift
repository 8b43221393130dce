import Crypto
import CryptoExtras
import SwiftASN1

/// The numbers a key is made of, as other keepers of keys want them: big-endian, without leading zeros.
package enum KeyNumbers: Sendable {
    package struct RSA: Sendable {
        package let modulus, publicExponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient: [UInt8]
    }

    case rsa(RSA)
    /// `curve` is the curve's object identifier in DER, `point` uncompressed (X9.63), `secret` as long as the curve.
    case elliptic(curve: [UInt8], secret: [UInt8], point: [UInt8])
}

extension PrivateKey {
    /// - Throws: for Ed25519.
    package var numbers: KeyNumbers {
        get throws(KeyFault) {
            switch backing {
            case .rsa(let key): return .rsa(try Self.numbers(pkcs1: Array(key.derRepresentation)))
            case .p256(let key): return elliptic(key.rawRepresentation, key.publicKey.x963Representation)
            case .p384(let key): return elliptic(key.rawRepresentation, key.publicKey.x963Representation)
            case .p521(let key): return elliptic(key.rawRepresentation, key.publicKey.x963Representation)
            case .ed25519: throw KeyFault.unsupported("Ed25519 keys stay in files")
            }
        }
    }

    private func elliptic(_ secret: some Sequence<UInt8>, _ point: some Sequence<UInt8>) -> KeyNumbers {
        .elliptic(curve: DERWriting.objectIdentifier(curve), secret: Array(secret), point: Array(point))
    }

    private static func numbers(pkcs1: [UInt8]) throws(KeyFault) -> KeyNumbers.RSA {
        do {
            var members = try DERMembers(of: try ASN1Node.document(pkcs1, "RSA key"), in: "RSA key")
            _ = try members.next("version")
            func number(_ name: String) throws(Malformed) -> [UInt8] {
                Array(try members.next(name).integerBytes(name).drop { $0 == 0 })
            }
            return KeyNumbers.RSA(
                modulus: try number("modulus"), publicExponent: try number("public exponent"),
                privateExponent: try number("private exponent"), prime1: try number("prime 1"),
                prime2: try number("prime 2"), exponent1: try number("exponent 1"),
                exponent2: try number("exponent 2"), coefficient: try number("coefficient"))
        } catch {
            throw KeyFault.malformed("\(error)")
        }
    }
}

extension PublicKey {
    /// An RSA key of its two numbers, big-endian.
    package init(modulus: [UInt8], exponent: [UInt8]) throws(Malformed) {
        let numbers = DERWriting.sequence(DERWriting.integer(modulus), DERWriting.integer(exponent))
        try self.init(
            der: DERWriting.sequence(
                DERWriting.sequence(DERWriting.objectIdentifier(PrivateKey.rsaType), DERWriting.null),
                DERWriting.bits(numbers)))
    }

    /// A point on a named curve.
    /// - Parameters:
    ///   - curve: the curve's object identifier in DER.
    ///   - point: uncompressed (X9.63), bare, or inside a DER OCTET STRING as PKCS#11 wants it.
    package init(curve: [UInt8], point: [UInt8]) throws(Malformed) {
        var bare = point
        if let inside = try? ASN1Node.document(point, "point").octets("point") { bare = Array(inside) }
        try self.init(
            der: DERWriting.sequence(
                DERWriting.sequence(DERWriting.objectIdentifier(PrivateKey.ellipticType), curve),
                DERWriting.bits(bare)))
    }
}

extension KeyNumbers {
    /// The object identifiers of curves, in DER.
    package static var p256: [UInt8] { DERWriting.objectIdentifier("1.2.840.10045.3.1.7") }
    package static var p384: [UInt8] { DERWriting.objectIdentifier("1.3.132.0.34") }
    package static var p521: [UInt8] { DERWriting.objectIdentifier("1.3.132.0.35") }

    /// A point as PKCS#11 holds it.
    package static func octetString(_ bytes: [UInt8]) -> [UInt8] { DERWriting.octets(bytes) }
}
