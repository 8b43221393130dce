import Foundation

/// Bytes on their way into a row: one growing run that is used again for every group. Owns its memory; knows no format.
struct ByteSink: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 1 << 16) {
        base = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Lent to SQLite without a copy: not to be kept beyond the next change.
    var borrowed: Data { Data(bytesNoCopy: base, count: count, deallocator: .none) }

    mutating func removeAll() {
        count = 0
        // One giant group shall not be remembered forever.
        if capacity > 1 << 23 {
            base.deallocate()
            capacity = 1 << 16
            base = .allocate(byteCount: capacity, alignment: 16)
        }
    }

    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        capacity = max(capacity * 2, count + more)
        let bigger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        bigger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = bigger
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    mutating func append<T: FixedWidthInteger & BitwiseCopyable>(fixed value: T) {
        reserve(MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    @inline(__always)
    mutating func append(varint value: UInt64) {
        reserve(10)
        var rest = value
        while rest >= 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count &+= 1
            rest >>= 7
        }
        base.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        guard let start = more.baseAddress else { return }
        reserve(more.count)
        (base + count).copyMemory(from: start, byteCount: more.count)
        count += more.count
    }

    /// Puts a value where room was left for it.
    mutating func overwrite<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _ value: T) {
        precondition(offset + MemoryLayout<T>.size <= count, "only what was appended can be overwritten")
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}

/// Reads what a `ByteSink` gathered. Reading past the end yields zeros and is remembered: whoever reads asks `isDamaged`
/// before trusting what came.
struct ByteSource {
    let bytes: UnsafeRawBufferPointer
    private(set) var at = 0
    private(set) var isDamaged = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { at >= bytes.count }

    @inline(__always)
    mutating func byte() -> UInt8 {
        guard at < bytes.count else {
            isDamaged = true
            return 0
        }
        at &+= 1
        return bytes[at &- 1]
    }

    mutating func fixed<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T {
        guard bytes.count - at >= MemoryLayout<T>.size else {
            isDamaged = true
            return 0
        }
        at += MemoryLayout<T>.size
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at - MemoryLayout<T>.size, as: T.self))
    }

    @inline(__always)
    mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = byte()
            value |= UInt64(next & 0x7F) &<< shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 {
                isDamaged = true
                return 0
            }
        }
    }

    /// A number of things of which each takes at least a byte: more than there are bytes cannot be.
    mutating func count() -> Int {
        let value = varint()
        guard value <= UInt64(bytes.count) else {
            isDamaged = true
            return 0
        }
        return Int(value)
    }
}

/// A check over a row's bytes: SQLite keeps none over its pages, and a flipped bit shall be found, not delivered.
/// Eight bytes at a step; no defence against intent.
enum Checksum {
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let prime: UInt64 = 0x9E37_79B9_7F4A_7C15
        var a = UInt64(bytes.count) &* prime
        var b = a ^ 0xD6E8_FEB8_6659_FD93
        var at = 0
        while at &+ 16 <= bytes.count {
            a = mix(a ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self), prime)
            b = mix(b ^ bytes.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self), prime)
            at &+= 16
        }
        while at < bytes.count {
            a = mix(a ^ UInt64(bytes[at]), prime)
            at &+= 1
        }
        return mix(a ^ (b &<< 1 | b &>> 63), prime)
    }

    @inline(__always)
    private static func mix(_ value: UInt64, _ prime: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: prime)
        return product.low ^ (product.high &+ (value &<< 32 | value &>> 32))
    }
}
