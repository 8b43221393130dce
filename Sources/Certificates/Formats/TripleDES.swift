/// DES three times over with CBC, as PKCS#12 of old wants it (RFC 7292 appendix B, FIPS 46-3).
///
/// Written for `p12 --legacy` alone: Android before 11 and old Java read nothing else; and read because OpenSSL 3's
/// `req -keyout` still encrypts keys with it. swift-crypto has it, rightly, not. Never used where we may choose. It is
/// not constant-time, and need not be: it runs once, on a person's own machine.
enum TripleDES {
    static func encryptCBC(_ plain: [UInt8], key: [UInt8], vector: [UInt8]) -> [UInt8] {
        precondition(key.count == 24 && vector.count == 8, "three keys of 8 bytes, and a block")
        let padding = 8 - plain.count % 8
        let padded = plain + [UInt8](repeating: UInt8(padding), count: padding)
        let schedules = (0..<3).map { subkeys(word(key[($0 * 8)..<($0 * 8 + 8)])) }
        var previous = word(vector[...])
        var result: [UInt8] = []
        for start in stride(from: 0, to: padded.count, by: 8) {
            var block = word(padded[start..<start + 8]) ^ previous
            block = crypt(block, schedules[0])
            block = crypt(block, schedules[1].reversed())
            block = crypt(block, schedules[2])
            previous = block
            withUnsafeBytes(of: block.bigEndian) { result.append(contentsOf: $0) }
        }
        return result
    }

    /// `nil` where the length or the padding is wrong: most often the key was.
    static func decryptCBC(_ secret: [UInt8], key: [UInt8], vector: [UInt8]) -> [UInt8]? {
        guard key.count == 24, vector.count == 8, !secret.isEmpty, secret.count % 8 == 0 else { return nil }
        let schedules = (0..<3).map { subkeys(word(key[($0 * 8)..<($0 * 8 + 8)])) }
        var previous = word(vector[...])
        var result: [UInt8] = []
        for start in stride(from: 0, to: secret.count, by: 8) {
            let sealed = word(secret[start..<start + 8])
            var block = crypt(sealed, schedules[2].reversed())
            block = crypt(block, schedules[1])
            block = crypt(block, schedules[0].reversed()) ^ previous
            previous = sealed
            withUnsafeBytes(of: block.bigEndian) { result.append(contentsOf: $0) }
        }
        guard let padding = result.last, (1...8).contains(padding),
            result.suffix(Int(padding)).allSatisfy({ $0 == padding })
        else { return nil }
        return Array(result.dropLast(Int(padding)))
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// Bits of `input` (of `width`, numbered from 1 at the top) in the order of `table`.
    private static func permuted(_ input: UInt64, _ width: Int, _ table: [Int]) -> UInt64 {
        table.reduce(0) { $0 << 1 | (input >> UInt64(width - $1)) & 1 }
    }

    private static func subkeys(_ key: UInt64) -> [UInt64] {
        let chosen = permuted(key, 64, permutedChoice1)
        var (left, right) = (chosen >> 28, chosen & 0xFFF_FFFF)
        return rotations.map { count in
            left = (left << count | left >> (28 - count)) & 0xFFF_FFFF
            right = (right << count | right >> (28 - count)) & 0xFFF_FFFF
            return permuted(left << 28 | right, 56, permutedChoice2)
        }
    }

    private static func crypt(_ block: UInt64, _ subkeys: [UInt64]) -> UInt64 {
        let initial = permuted(block, 64, initialPermutation)
        var (left, right) = (initial >> 32, initial & 0xFFFF_FFFF)
        for subkey in subkeys {
            let mixed = permuted(right, 32, expansion) ^ subkey
            var substituted: UInt64 = 0
            for box in 0..<8 {
                let six = Int(mixed >> UInt64(42 - 6 * box) & 0x3F)
                let row = six >> 4 & 2 | six & 1
                substituted = substituted << 4 | UInt64(boxes[box][row * 16 + six >> 1 & 15])
            }
            (left, right) = (right, left ^ permuted(substituted, 32, permutation))
        }
        return permuted(right << 32 | left, 64, finalPermutation)
    }

    private static let rotations: [UInt64] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
    private static let permutedChoice1 = [
        57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
        63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
    ]
    private static let permutedChoice2 = [
        14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
        41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
    ]
    private static let initialPermutation = [58, 60, 62, 64, 57, 59, 61, 63].flatMap { start in
        (0..<8).map { start - 8 * $0 }
    }
    private static let finalPermutation = (0..<8).flatMap { row in
        [40, 8, 48, 16, 56, 24, 64, 32].map { $0 - row }
    }
    private static let expansion = (0..<8).flatMap { group in
        (0..<6).map { (group * 4 + $0 + 31) % 32 + 1 }
    }
    private static let permutation = [
        16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
        2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
    ]
    private static let boxes: [[UInt8]] = [
        [
            14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
            4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
        ],
        [
            15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
            0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
        ],
        [
            10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
            13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
        ],
        [
            7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
            10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
        ],
        [
            2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
            4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
        ],
        [
            12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
            9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
        ],
        [
            4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
            1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
        ],
        [
            13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
            7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
        ],
    ]
}
