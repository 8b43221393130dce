import NIOCore

/// A whole WebSocket message as one frame. RFC 6455 §5.2
enum WebSocketFrame {
    static let binary: UInt8 = 2
    static let close: UInt8 = 8
    static let pong: UInt8 = 10

    /// Normal closure: RFC 6455 §7.4.1.
    static let normalClosure: UInt16 = 1000

    /// What a close frame says: a status code, and words of which 120 bytes are sent.
    static func goodbye(code: UInt16, reason: String) -> [UInt8] {
        [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)] + reason.utf8.prefix(120)
    }

    /// - Parameter mask: a client's frames have one, a server's never. RFC 6455 §5.1
    static func whole(opcode: UInt8, _ payload: [UInt8], mask: WebSocketMask? = nil) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(payload.count + 8)
        writeHeader(opcode: opcode, length: payload.count, mask: mask, to: &frame)
        if var mask {
            payload.withUnsafeBytes { mask.apply(to: $0, into: &frame) }
        } else {
            frame.writeBytes(payload)
        }
        return frame
    }

    static func writeHeader(opcode: UInt8, length: Int, mask: WebSocketMask? = nil, to buffer: inout ByteBuffer) {
        let masked: UInt8 = mask == nil ? 0 : 0x80
        buffer.writeInteger(0x80 | opcode)
        switch length {
        case ...125: buffer.writeInteger(masked | UInt8(length))
        case ...65535:
            buffer.writeInteger(masked | 126)
            buffer.writeInteger(UInt16(length))
        default:
            buffer.writeInteger(masked | 127)
            buffer.writeInteger(UInt64(length))
        }
        if let mask { buffer.writeBytes(mask.bytes) }
    }
}
