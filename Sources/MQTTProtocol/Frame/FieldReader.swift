/// Reads a packet's fields from borrowed bytes, front to back, and refuses to go beyond their end.
/// Allocates nothing but the strings and arrays it is asked for.
public struct FieldReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    /// Where the next field starts.
    @usableFromInline var at = 0
    /// Named in the error when a field is cut short.
    @usableFromInline let packet: PacketType

    @inlinable public init(_ bytes: UnsafeRawBufferPointer, of packet: PacketType) {
        self.bytes = bytes
        self.packet = packet
    }

    /// Bytes read so far.
    @inlinable public var offset: Int { at }
    /// Bytes left.
    @inlinable public var remaining: Int { bytes.count &- offset }
    @inlinable public var isAtEnd: Bool { offset == bytes.count }

    @inlinable @inline(__always)
    public mutating func take(_ n: Int) throws(PacketError) -> UnsafeRawBufferPointer {
        guard n <= remaining else { throw .truncated(packet) }
        let taken = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ n)])
        at &+= n
        return taken
    }

    @inlinable @inline(__always)
    public mutating func byte() throws(PacketError) -> UInt8 {
        guard remaining >= 1 else { throw .truncated(packet) }
        defer { at &+= 1 }
        return bytes[offset]
    }

    /// Big-endian, §1.5.2.
    @inlinable @inline(__always)
    public mutating func uint16() throws(PacketError) -> UInt16 {
        guard remaining >= 2 else { throw .truncated(packet) }
        defer { at &+= 2 }
        return UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// Big-endian, §1.5.3.
    @inlinable @inline(__always)
    public mutating func uint32() throws(PacketError) -> UInt32 {
        guard remaining >= 4 else { throw .truncated(packet) }
        defer { at &+= 4 }
        return UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A variable byte integer in its shortest form, §1.5.5.
    @inlinable
    public mutating func variable() throws(PacketError) -> Int {
        var value = 0
        for index in 0..<4 {
            let byte = try byte()
            value |= Int(byte & 0x7F) << (7 * index)
            guard byte < 0x80 else { continue }
            guard byte != 0 || index == 0 else { throw .variableByteIntegerNotShortest }
            return value
        }
        throw .variableByteIntegerTooLong
    }

    /// Bytes behind a two-byte length, §1.5.6.
    @inlinable @inline(__always)
    public mutating func prefixed() throws(PacketError) -> UnsafeRawBufferPointer {
        let count = try uint16()
        return try take(Int(count))
    }

    /// A validated string, §1.5.4.
    package mutating func string() throws(PacketError) -> MQTTString {
        try MQTTString(validating: prefixed())
    }

    /// Not zero, §2.2.1.
    @inlinable
    public mutating func packetIdentifier() throws(PacketError) -> UInt16 {
        let identifier = try uint16()
        guard identifier != 0 else { throw .packetIdentifierZero }  // [5.0 MQTT-2.2.1-3] [3.1.1 MQTT-2.3.1-1]
        return identifier
    }

    /// A property block behind its length, §2.2.2.
    @inlinable
    public mutating func propertyBlock() throws(PacketError) -> UnsafeRawBufferPointer {
        let count = try variable()
        return try take(count)
    }

    /// All that is left.
    @inlinable
    public mutating func rest() -> UnsafeRawBufferPointer {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        at = bytes.count
        return rest
    }

    /// Throws when a field is left over.
    @inlinable public func finish() throws(PacketError) {
        guard isAtEnd else { throw .trailingBytes }
    }
}
