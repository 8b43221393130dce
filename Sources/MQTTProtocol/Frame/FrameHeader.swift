/// The fixed header of a packet, §2.1: its type, flags and length.
/// Before: the read buffer. After: `PublishFrame.parse` or a packet's `decode`.
public struct FrameHeader: Equatable, Sendable {
    /// The high nibble of the first byte, 1 to 15.
    public let type: UInt8
    /// The low nibble of the first byte.
    public let flags: UInt8
    /// Bytes of the header, 2 to 5.
    public let headerLength: Int
    /// Bytes after the header, 0 to 268,435,455.
    public let remainingLength: Int

    @inlinable init(first: UInt8, headerLength: Int, remainingLength: Int) {
        self.type = first >> 4
        self.flags = first & 0x0F
        self.headerLength = headerLength
        self.remainingLength = remainingLength
    }

    /// Bytes of the whole packet.
    @inlinable public var totalLength: Int { headerLength &+ remainingLength }

    /// Type 1 to 15: `parse` lets no other through.
    @inlinable public var packetType: PacketType { PacketType(rawValue: type).unsafelyUnwrapped }

    /// Reads the header at the start of `bytes`; nil when it has not come whole yet. The body may still be missing.
    /// The size is checked here, before anybody waits for or stores the body.
    /// - Parameter maximumPacketSize: the largest whole packet to accept, in bytes.
    @inlinable @inline(__always)
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, maximumPacketSize: Int
    ) throws(PacketError) -> FrameHeader? {
        let count = bytes.count
        guard count >= 2, let base = bytes.baseAddress else { return nil }
        let first = base.load(as: UInt8.self)
        guard first >= 0x10 else { throw .reservedPacketType }
        let length = base.load(fromByteOffset: 1, as: UInt8.self)
        guard length < 0x80 else {
            return try parseLong(bytes, maximumPacketSize: maximumPacketSize)
        }
        guard Int(length) &+ 2 <= maximumPacketSize else { throw .packetTooLarge(limitBytes: maximumPacketSize) }
        return FrameHeader(first: first, headerLength: 2, remainingLength: Int(length))
    }

    /// Lengths of two to four bytes: 128 and above.
    @usableFromInline
    static func parseLong(
        _ bytes: UnsafeRawBufferPointer, maximumPacketSize: Int
    ) throws(PacketError) -> FrameHeader? {
        var length = 0
        for index in 0..<4 {
            guard 1 + index < bytes.count else { return nil }
            let byte = bytes[1 + index]
            length |= Int(byte & 0x7F) << (7 * index)
            guard byte < 0x80 else { continue }
            // [5.0 MQTT-1.5.5-1] binds the writer; a longer form is not worth reading either.
            guard byte != 0 || index == 0 else { throw .variableByteIntegerNotShortest }
            let total = 2 + index + length
            guard total <= maximumPacketSize else { throw .packetTooLarge(limitBytes: maximumPacketSize) }
            return FrameHeader(first: bytes[0], headerLength: 2 + index, remainingLength: length)
        }
        throw .remainingLengthTooLong
    }
}
