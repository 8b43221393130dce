import Crypto
import MQTTTransport

/// What has to be done for a signature of TLS beside the bare operation that a token offers: the hash, the wrapping of the
/// hash, the form of the result. RFC 8446 §4.2.3
extension SignatureScheme {
    enum Hash { case sha256, sha384, sha512 }
    enum Operation { case pkcs1, pss, ecdsa }

    static let rsaPSS: [SignatureScheme] = [.rsaPSSSHA256, .rsaPSSSHA384, .rsaPSSSHA512]
    static let rsaPKCS1: [SignatureScheme] = [.rsaPKCS1SHA256, .rsaPKCS1SHA384, .rsaPKCS1SHA512]

    /// Nil for Ed25519, which no store of ours signs with.
    var parts: (operation: Operation, hash: Hash)? {
        switch self {
        case .rsaPKCS1SHA256: (.pkcs1, .sha256)
        case .rsaPKCS1SHA384: (.pkcs1, .sha384)
        case .rsaPKCS1SHA512: (.pkcs1, .sha512)
        case .rsaPSSSHA256: (.pss, .sha256)
        case .rsaPSSSHA384: (.pss, .sha384)
        case .rsaPSSSHA512: (.pss, .sha512)
        case .ecdsaP256SHA256: (.ecdsa, .sha256)
        case .ecdsaP384SHA384: (.ecdsa, .sha384)
        case .ecdsaP521SHA512: (.ecdsa, .sha512)
        case .ed25519: nil
        }
    }
}

extension SignatureScheme.Hash {
    func digest(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sha256: Array(SHA256.hash(data: bytes))
        case .sha384: Array(SHA384.hash(data: bytes))
        case .sha512: Array(SHA512.hash(data: bytes))
        }
    }

    /// The hash with its name before it, in DER: what RSASSA-PKCS1-v1_5 pads. RFC 8017 §9.2
    func digestInfo(_ digest: [UInt8]) -> [UInt8] {
        let last: UInt8 =
            switch self {
            case .sha256: 1
            case .sha384: 2
            case .sha512: 3
            }
        let count = UInt8(digest.count)
        let name: [UInt8] = [0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last, 0x05, 0x00]
        return [0x30, UInt8(name.count) + 2 + count] + name + [0x04, count] + digest
    }

    /// A token gives r and s of ECDSA one after the other; TLS wants them in DER. Nil where the length is wrong.
    func der(rawSignature raw: [UInt8]) -> [UInt8]? {
        switch self {
        case .sha256: (try? P256.Signing.ECDSASignature(rawRepresentation: raw)).map { Array($0.derRepresentation) }
        case .sha384: (try? P384.Signing.ECDSASignature(rawRepresentation: raw)).map { Array($0.derRepresentation) }
        case .sha512: (try? P521.Signing.ECDSASignature(rawRepresentation: raw)).map { Array($0.derRepresentation) }
        }
    }
}
