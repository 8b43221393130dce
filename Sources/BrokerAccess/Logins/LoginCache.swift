import Crypto
import MQTTProtocol

/// Logins that were checked a short while ago, so that a client that comes again, or ten thousand of them, costs no second
/// hash. It never holds a password: its keys are made of password and stored hash with a secret of this process, so a
/// changed password file is another key. Bounded; the older half goes when the newer is full or has aged.
struct LoginCache: Sendable {
    /// Entries of one half.
    static let entriesMax = 32_768
    /// How long an answer is good at least, in milliseconds; at most twice as long.
    static let lifetime: Int64 = 60_000

    struct Key: Hashable, Sendable {
        fileprivate let a: UInt64, b: UInt64, c: UInt64, d: UInt64
    }

    private let secret = SymmetricKey(size: .bits256)
    private var newer: [Key: Bool] = [:]
    private var older: [Key: Bool] = [:]
    private var turnedAt: Int64 = 0

    /// - Parameter isKnown: the hash is the user's own, and no decoy.
    func key(_ userName: MQTTString, _ hash: PasswordHash, _ password: [UInt8], isKnown: Bool) -> Key {
        var mac = HMAC<SHA256>(key: secret)
        // Lengths first, so that nothing runs into the next.
        for part in [userName.bytes, Array(hash.text.utf8), password, [isKnown ? 1 : 0]] {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { mac.update(data: $0) }
            mac.update(data: part)
        }
        return mac.finalize().withUnsafeBytes { bytes in
            Key(
                a: bytes.loadUnaligned(as: UInt64.self), b: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                c: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                d: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        }
    }

    mutating func answer(_ key: Key, at now: Int64) -> Bool? {
        turn(at: now)
        return newer[key] ?? older[key]
    }

    mutating func keep(_ isRight: Bool, _ key: Key, at now: Int64) {
        turn(at: now)
        if newer.count >= LoginCache.entriesMax { swapHalves(at: now) }
        newer[key] = isRight
    }

    private mutating func turn(at now: Int64) {
        guard now - turnedAt >= LoginCache.lifetime else { return }
        // Both halves have aged where nobody has come for long.
        if now - turnedAt >= 2 * LoginCache.lifetime { newer = [:] }
        swapHalves(at: now)
    }

    private mutating func swapHalves(at now: Int64) {
        older = newer
        newer = [:]
        turnedAt = now
    }
}
