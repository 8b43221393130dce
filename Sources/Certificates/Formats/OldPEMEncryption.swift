import Crypto
import CryptoExtras
import SwiftASN1

/// Keys behind a passphrase as OpenSSL wrote them before PKCS#8: `DEK-Info: CIPHER,VECTOR` above the base64 (RFC 1421 §4.6.1.3),
/// the key by one round of MD5 (`EVP_BytesToKey`). Read, because such files live long; never written.
enum OldPEMEncryption {
    static func decrypt(_ secret: [UInt8], how: String, passphrase: String) throws(KeyFault) -> [UInt8] {
        let parts = how.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2, let vector = Hexadecimal.bytes(parts[1]) else {
            throw KeyFault.malformed("DEK-Info is not CIPHER,VECTOR")
        }
        let keyBytes: Int
        switch parts[0] {
        case "AES-128-CBC": keyBytes = 16
        case "AES-192-CBC", "DES-EDE3-CBC": keyBytes = 24
        case "AES-256-CBC": keyBytes = 32
        case let other:
            throw KeyFault.unsupported("it is encrypted with \(other); rewrite it once: openssl pkcs8 -topk8")
        }
        let isTripleDES = parts[0] == "DES-EDE3-CBC"
        guard vector.count == (isTripleDES ? 8 : 16) else {
            throw KeyFault.malformed("DEK-Info's vector is too short or long")
        }
        let key = derived(passphrase: Array(passphrase.utf8), salt: vector.prefix(8), count: keyBytes)
        let plain: [UInt8]? =
            if isTripleDES {
                TripleDES.decryptCBC(secret, key: key, vector: vector)
            } else {
                (try? AES._CBC.IV(ivBytes: vector)).flatMap { initial in
                    (try? AES._CBC.decrypt(secret, using: SymmetricKey(data: key), iv: initial)).map { Array($0) }
                }
            }
        // One wrong passphrase in 256 gives a padding that fits; what comes out is still no DER.
        guard let plain, (try? ASN1Node.document(plain, "key")) != nil else { throw KeyFault.wrongPassphrase }
        return plain
    }

    private static func derived(passphrase: [UInt8], salt: ArraySlice<UInt8>, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        var digest: [UInt8] = []
        while result.count < count {
            digest = Array(Insecure.MD5.hash(data: digest + passphrase + salt))
            result += digest
        }
        return Array(result.prefix(count))
    }
}
