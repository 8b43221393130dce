import CArgon2
import Crypto
import Foundation

extension PasswordHash {
    /// How a new hash is to be made.
    package enum Recipe: Equatable, Sendable {
        case sha512
        case pbkdf2(iterations: Int)
        /// mosquitto 2.1's costs: 46 MiB, one pass, one lane.
        case argon2id
    }

    /// mosquitto_passwd's of 1.6 and 2.0; 2.1 makes 1000.
    package static let mosquittoIterations = 101
    private static let argonMemory: UInt32 = 47_104

    /// A new hash.
    /// - Parameter saltBytes: 12 can be read by every mosquitto, 64 by those from 2.1.
    package static func make(_ password: [UInt8], _ recipe: Recipe, saltBytes: Int = 12) -> PasswordHash {
        precondition(PasswordHash.saltBytes.contains(saltBytes), "readers know these lengths only")
        var random = SystemRandomNumberGenerator()
        let salt = (0..<saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text =
            switch recipe {
            case .sha512: "$6$\(base64(salt))$\(base64(Array(SHA512.hash(data: password + salt))))"
            case .pbkdf2(let iterations):
                "$7$\(iterations)$\(base64(salt))$\(base64(pbkdf2(password, salt, iterations)))"
            case .argon2id: argon(password)
            }
        guard let made = PasswordHash(text) else { preconditionFailure("what we write we can read") }
        return made
    }

    private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    private static func argon(_ password: [UInt8]) -> String {
        var random = SystemRandomNumberGenerator()
        let salt = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        var encoded = [CChar](repeating: 0, count: 512)
        let status = password.withUnsafeBytes { bytes in
            argon2id_hash_encoded(
                1, argonMemory, 1, bytes.baseAddress, bytes.count, salt, salt.count, 64, &encoded, encoded.count)
        }
        precondition(status == ARGON2_OK.rawValue, "argon2id needs 46 MiB of memory")
        return encoded.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    }
}
