/// A growing run of bytes on its way out. It owns its memory, grows by doubling and is emptied, not freed,
/// so that a pool of runs serves many connections.
/// Before: a packet's `encode(into:)`. After: the server hands the bytes to a socket.
package struct ByteRun: ~Copyable {
    @usableFromInline package private(set) var base: UnsafeMutableRawPointer
    @usableFromInline package private(set) var capacity: Int
    /// Bytes written so far.
    @usableFromInline package private(set) var count: Int

    /// A run with room for `capacity` bytes, at least 16.
    package init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        self.base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
        self.count = 0
    }

    deinit { base.deallocate() }

    @inlinable package var isEmpty: Bool { count == 0 }

    /// The written bytes, borrowed until the next change.
    @inlinable package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Forgets the content and keeps the memory.
    @inlinable package mutating func removeAll() { count = 0 }

    /// Forgets what was written after the first `newCount` bytes.
    @inlinable package mutating func truncate(to newCount: Int) {
        precondition(newCount <= count, "a run can only be shortened")
        count = newCount
    }

    /// Makes room for `n` more bytes and returns where they go; `advance(by:)` makes them count.
    @inlinable package mutating func reserve(_ n: Int) -> UnsafeMutableRawPointer {
        if capacity &- count < n { grow(n) }
        return base + count
    }

    @inlinable package mutating func advance(by n: Int) {
        assert(count + n <= capacity, "advance() without reserve()")
        count &+= n
    }

    @inlinable package mutating func append(_ source: UnsafeRawBufferPointer) {
        guard source.count > 0 else { return }
        let to = reserve(source.count)
        to.copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
        count &+= source.count
    }

    @inlinable package mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        count &+= 1
    }

    /// Two bytes, big-endian, §1.5.2.
    @inlinable package mutating func append(_ value: UInt16) {
        reserve(2).storeBytes(of: value.bigEndian, as: UInt16.self)
        count &+= 2
    }

    /// Four bytes, big-endian, §1.5.3.
    @inlinable package mutating func append(_ value: UInt32) {
        reserve(4).storeBytes(of: value.bigEndian, as: UInt32.self)
        count &+= 4
    }

    package mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// A variable byte integer in its shortest form, §1.5.5.
    @inlinable package mutating func append(variable value: Int) {
        precondition(value >= 0 && value <= VariableByteInteger.max, "a variable byte integer holds 28 bits")
        var rest = value
        repeat {
            let byte = UInt8(truncatingIfNeeded: rest & 0x7F)
            rest >>= 7
            append(rest > 0 ? byte | 0x80 : byte)
        } while rest > 0
    }

    /// A two-byte length and the bytes themselves, §1.5.4 and §1.5.6.
    package mutating func append(prefixed bytes: [UInt8]) {
        precondition(bytes.count <= 65_535, "a string or binary field holds 65,535 bytes")
        append(UInt16(bytes.count))
        append(bytes)
    }

    /// Overwrites one byte that was already written.
    @inlinable package mutating func patch(_ byte: UInt8, at offset: Int) {
        precondition(offset < count, "patch() beyond the end")
        base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    @inline(never) @usableFromInline package mutating func grow(_ n: Int) {
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
package enum VariableByteInteger {
    /// The largest value that four bytes can hold.
    package static let max = 268_435_455

    /// How many bytes `value` takes: 1 to 4.
    @inlinable package static func size(of value: Int) -> Int {
        value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
    }
}
