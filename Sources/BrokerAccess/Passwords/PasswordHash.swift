import CArgon2
import Crypto
import CryptoExtras
import Foundation

/// How a password is kept: mosquitto's three forms, MOSQUITTO_COMPAT §5.1. A value of this type is well formed.
package struct PasswordHash: Hashable, Sendable {
    /// What the text stands for.
    enum Form: Hashable, Sendable {
        /// `$6$`: SHA-512 of password and salt, one round.
        case sha512(salt: [UInt8], digest: [UInt8])
        /// `$7$`: PBKDF2 with HMAC-SHA-512.
        case pbkdf2(iterations: Int, salt: [UInt8], digest: [UInt8])
        /// `$argon2id$`: RFC 9106; its text is what the library reads.
        case argon2id
    }

    /// As the file has it.
    package let text: String
    let form: Form

    static let digestBytes = 64
    /// What mosquitto 1.6 and 2.0 write, and what 2.1 does; no other length is read.
    static let saltBytes: Set<Int> = [12, 64]
    /// A login may not take for ever, whatever the file says: some ten seconds.
    package static let iterationsMax = 10_000_000
    /// KiB of one login, and passes: as much for argon2id.
    static let argonMemoryMax = 4_194_304
    static let argonPassesMax = 64
    static let argonLanesMax = 64

    /// Reads the part of a line behind `NAME:`; nil = not a hash of these forms.
    package init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, parts[0].isEmpty else { return nil }
        switch parts[1] {
        case "6":
            guard parts.count == 4, let (salt, digest) = PasswordHash.decode(parts[2], parts[3]) else { return nil }
            form = .sha512(salt: salt, digest: digest)
        case "7":
            guard parts.count == 5, let iterations = PasswordHash.number(parts[2], max: PasswordHash.iterationsMax),
                let (salt, digest) = PasswordHash.decode(parts[3], parts[4])
            else { return nil }
            form = .pbkdf2(iterations: iterations, salt: salt, digest: digest)
        case "argon2id":
            guard PasswordHash.isArgon(parts) else { return nil }
            form = .argon2id
        default: return nil
        }
        self.text = text
    }

    /// Whether a text that is no hash was meant as one, and no plain password.
    static func isDamaged(_ text: String) -> Bool {
        PasswordHash(text) == nil && ["$6$", "$7$", "$argon2"].contains { text.hasPrefix($0) }
    }

    /// Whether this is the password: always all of the work, whatever comes out.
    package func verify(_ password: [UInt8]) -> Bool {
        switch form {
        case .sha512(let salt, let digest):
            PasswordHash.isSame(Array(SHA512.hash(data: password + salt)), digest)
        case .pbkdf2(let iterations, let salt, let digest):
            PasswordHash.isSame(PasswordHash.pbkdf2(password, salt, iterations), digest)
        case .argon2id:
            password.withUnsafeBytes { bytes in
                text.withCString { argon2id_verify($0, bytes.baseAddress, bytes.count) == ARGON2_OK.rawValue }
            }
        }
    }

    // MARK: Reading

    private static func decode(_ salt: String, _ digest: String) -> (salt: [UInt8], digest: [UInt8])? {
        guard let salt = Data(base64Encoded: salt), let digest = Data(base64Encoded: digest),
            saltBytes.contains(salt.count), digest.count == digestBytes
        else { return nil }
        return ([UInt8](salt), [UInt8](digest))
    }

    private static func number(_ text: some StringProtocol, max: Int) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let value = Int(text),
            1...max ~= value
        else { return nil }
        return value
    }

    /// `$argon2id$v=19$m=47104,t=1,p=1$SALT$TAG`
    private static func isArgon(_ parts: [String]) -> Bool {
        guard parts.count == 6, parts[2] == "v=19" else { return false }
        let costs = parts[3].split(separator: ",", omittingEmptySubsequences: false)
        guard costs.count == 3, costs[0].hasPrefix("m="), costs[1].hasPrefix("t="), costs[2].hasPrefix("p="),
            let memory = number(costs[0].dropFirst(2), max: argonMemoryMax),
            number(costs[1].dropFirst(2), max: argonPassesMax) != nil,
            let lanes = number(costs[2].dropFirst(2), max: argonLanesMax), memory >= 8 * lanes
        else { return false }
        return unpadded(parts[4], 8...1024) && unpadded(parts[5], 16...1024)
    }

    /// Base64 without `=`, of so many bytes.
    private static func unpadded(_ text: String, _ range: ClosedRange<Int>) -> Bool {
        guard !text.contains("="), text.utf8.count % 4 != 1 else { return false }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { range ~= $0.count } ?? false
    }

    // MARK: Work

    static func pbkdf2(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int) -> [UInt8] {
        // Fails only where memory does: then nobody logs in.
        let key = try? KDF.Insecure.PBKDF2.deriveKey(
            from: password, salt: salt, using: .sha512, outputByteCount: digestBytes,
            unsafeUncheckedRounds: iterations)
        return key.map { $0.withUnsafeBytes { Array($0) } } ?? []
    }

    /// Takes as long for a wrong first byte as for a wrong last one.
    static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for i in a.indices { difference |= a[i] ^ b[i] }
        return difference == 0
    }
}
