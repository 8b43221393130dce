/// What stands for a topic in the index of retained messages: 128 bits under a secret key of the store, so that nobody
/// can choose two topics that meet, and by chance none do.
struct TopicHash: Hashable {
    var low: UInt64
    var high: UInt64
}

/// SipHash-2-4 with its 128-bit output, J.-P. Aumasson and D. J. Bernstein. Small and known; the key is drawn when the
/// store is created and kept in it.
struct TopicHasher {
    let key0: UInt64
    let key1: UInt64

    func hash(_ bytes: UnsafeRawBufferPointer) -> TopicHash {
        var v0 = key0 ^ 0x736f_6d65_7073_6575
        var v1 = key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
        var v2 = key0 ^ 0x6c79_6765_6e65_7261
        var v3 = key1 ^ 0x7465_6462_7974_6573
        func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value &<< by | value &>> (64 &- by) }
        func round() {
            v0 &+= v1
            v1 = rotate(v1, 13) ^ v0
            v0 = rotate(v0, 32)
            v2 &+= v3
            v3 = rotate(v3, 16) ^ v2
            v0 &+= v3
            v3 = rotate(v3, 21) ^ v0
            v2 &+= v1
            v1 = rotate(v1, 17) ^ v2
            v2 = rotate(v2, 32)
        }
        func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }
        var at = 0
        while at &+ 8 <= bytes.count {
            absorb(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
            at &+= 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) &<< 56
        var shift: UInt64 = 0
        while at < bytes.count {
            last |= UInt64(bytes[at]) &<< shift
            shift += 8
            at &+= 1
        }
        absorb(last)
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return TopicHash(low: low, high: v0 ^ v1 ^ v2 ^ v3)
    }
}
