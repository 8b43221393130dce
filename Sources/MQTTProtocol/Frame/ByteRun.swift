/// A growing run of bytes on its way out. It owns its memory, grows by doubling and is emptied, not freed,
/// so that a pool of runs serves many connections.
/// Before: a packet's `encode(into:)`. After: the server hands the bytes to a socket.
public struct ByteRun: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var written: Int
    /// Bytes written so far.
    @inlinable public var count: Int { written }

    /// A run with room for `capacity` bytes, at least 16.
    public init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        self.base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
        self.written = 0
    }

    deinit { base.deallocate() }

    @inlinable public var isEmpty: Bool { count == 0 }

    /// The written bytes, borrowed until the next change.
    @inlinable public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Forgets the content and keeps the memory.
    @inlinable public mutating func removeAll() { written = 0 }

    /// Forgets what was written after the first `newCount` bytes.
    @inlinable public mutating func truncate(to newCount: Int) {
        precondition(newCount <= count, "a run can only be shortened")
        written = newCount
    }

    /// Makes room for `n` more bytes and returns where they go; `advance(by:)` makes them count.
    @inlinable public mutating func reserve(_ n: Int) -> UnsafeMutableRawPointer {
        if capacity &- count < n { grow(n) }
        return base + count
    }

    @inlinable public mutating func advance(by n: Int) {
        assert(count + n <= capacity, "advance() without reserve()")
        written &+= n
    }

    @inlinable public mutating func append(_ source: UnsafeRawBufferPointer) {
        guard source.count > 0 else { return }
        let to = reserve(source.count)
        to.copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
        written &+= source.count
    }

    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        written &+= 1
    }

    /// Two bytes, big-endian, §1.5.2.
    @inlinable public mutating func append(_ value: UInt16) {
        reserve(2).storeBytes(of: value.bigEndian, as: UInt16.self)
        written &+= 2
    }

    /// Four bytes, big-endian, §1.5.3.
    @inlinable public mutating func append(_ value: UInt32) {
        reserve(4).storeBytes(of: value.bigEndian, as: UInt32.self)
        written &+= 4
    }

    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// A variable byte integer in its shortest form, §1.5.5.
    @inlinable public mutating func append(variable value: Int) {
        precondition(value >= 0 && value <= VariableByteInteger.max, "a variable byte integer holds 28 bits")
        var rest = value
        repeat {
            let byte = UInt8(truncatingIfNeeded: rest & 0x7F)
            rest >>= 7
            append(rest > 0 ? byte | 0x80 : byte)
        } while rest > 0
    }

    /// A two-byte length and the bytes themselves, §1.5.4 and §1.5.6.
    public mutating func append(prefixed bytes: [UInt8]) {
        precondition(bytes.count <= 65_535, "a string or binary field holds 65,535 bytes")
        append(UInt16(bytes.count))
        append(bytes)
    }

    /// Overwrites one byte that was already written.
    @inlinable public mutating func patch(_ byte: UInt8, at offset: Int) {
        precondition(offset < count, "patch() beyond the end")
        base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    @inline(never) @usableFromInline mutating func grow(_ n: Int) {
        var wanted = capacity * 2
        while wanted - count < n { wanted *= 2 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }
}

/// The variable byte integer of §1.5.5.
public enum VariableByteInteger {
    /// The largest value that four bytes can hold.
    public static let max = 268_435_455

    /// How many bytes `value` takes: 1 to 4.
    @inlinable public static func size(of value: Int) -> Int {
        value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
    }
}
