/// A keyed hash over bytes that a stranger chose. The key comes from the server's random source, so that nobody
/// outside can aim topics at one bucket. Multiply-and-fold, 8 bytes a step.
@inline(__always)
func keyedHash(_ bytes: UnsafeRawPointer, _ count: Int, key: UInt64) -> UInt64 {
    var hash = key ^ UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
    var i = 0
    while i &+ 8 <= count {
        hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self), 0xA076_1D64_78BD_642F)
        i &+= 8
    }
    if i < count {
        var tail: UInt64 = 0
        while i < count {
            tail = tail << 8 | UInt64(bytes.load(fromByteOffset: i, as: UInt8.self))
            i &+= 1
        }
        hash = fold(hash ^ tail, 0xE703_7ED1_A0B4_28DB)
    }
    return fold(hash, 0x8EBC_6AF0_9C88_C6E3)
}

@inline(__always)
private func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
}
