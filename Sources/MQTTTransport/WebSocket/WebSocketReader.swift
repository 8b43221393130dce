package import NIOCore

/// WebSocket frames, read as they come: the payload of binary frames is MQTT's bytes, wherever frames and packets
/// begin and end [MQTT-6.0.0-2], so nothing of it is kept here. RFC 6455 §5
package struct WebSocketReader: Sendable {
    /// What a frame asks for besides its payload.
    package enum Control: Sendable, Equatable {
        case ping([UInt8])
        /// The peer closes; its status code, if it gave one.
        case close(UInt16?)
    }

    /// Why the connection must close.
    package struct Fault: Error, Equatable {
        /// What the close frame says: RFC 6455 §7.4.1.
        package let code: UInt16
        package let reason: String

        static func violation(_ reason: String) -> Fault { Fault(code: 1002, reason: reason) }
    }

    /// Longest frame header, and longest payload of a control frame.
    private static let headerBytesMax = 14
    private static let controlBytesMax = 125
    /// Controls of one read that are told at most; more are a flood, and the client is sent away.
    private static let controlsMax = 256

    private enum Kind { case data, ping, pong, close }

    /// Bytes of a header that has not come whole.
    private var header: [UInt8] = []
    private var kind = Kind.data
    private var mask = WebSocketMask(0, 0, 0, 0)
    /// Bytes of the current frame's payload still to come; `nil` between frames.
    private var left: UInt64?
    private var control: [UInt8] = []
    /// A data message is under way: continuation frames may follow.
    private var isFragmented = false
    private var isOver = false

    /// A client's frames are masked, and a server's never. RFC 6455 §5.1
    private let isMasked: Bool

    /// - Parameter isMasked: whether a client's frames are read, or a server's.
    package init(isMasked: Bool) { self.isMasked = isMasked }

    /// Appends MQTT's bytes to `output` and returns what else the frames asked for, in order. After `close` nothing more is
    /// read.
    package mutating func read(
        _ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer
    ) throws(Fault) -> [Control] {
        var controls: [Control] = []
        var at = 0
        while !isOver {
            if left == nil {
                guard try readHeader(bytes, &at) else { break }
            }
            let rest = left ?? 0
            let count = Int(min(rest, UInt64(bytes.count - at)))
            let piece = UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
            take(piece, into: &output)
            at += count
            left = rest - UInt64(count)
            guard left == 0 else { break }
            left = nil
            if let asked = try endFrame() {
                guard controls.count < Self.controlsMax else { throw .violation("a flood of pings") }
                controls.append(asked)
            }
        }
        return controls
    }

    /// False where more bytes are needed.
    private mutating func readHeader(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws(Fault) -> Bool {
        while at < bytes.count {
            header.append(bytes[at])
            at += 1
            if header.count < 2 { continue }
            guard (header[1] & 0x80 != 0) == isMasked else {
                throw .violation(isMasked ? "a frame without a mask" : "a server's frame with a mask")
            }
            let short = header[1] & 0x7F
            let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
            if header.count < 2 + lengthBytes + (isMasked ? 4 : 0) { continue }
            let length =
                lengthBytes == 0
                ? UInt64(short) : header[2..<(2 + lengthBytes)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length >> 63 == 0, lengthBytes != 2 || length > 125, lengthBytes != 8 || length > 0xFFFF else {
                throw .violation("a length that is not as short as it can be")
            }
            if isMasked {
                let at = 2 + lengthBytes
                mask = WebSocketMask(header[at], header[at + 1], header[at + 2], header[at + 3])
            }
            try begin(first: header[0], length: length)
            header.removeAll(keepingCapacity: true)
            left = length
            return true
        }
        return false
    }

    private mutating func begin(first: UInt8, length: UInt64) throws(Fault) {
        guard first & 0x70 == 0 else { throw .violation("reserved bits are set, and no extension was agreed on") }
        let isFinal = first & 0x80 != 0
        let opcode = first & 0x0F
        if opcode >= 8 {
            guard isFinal else { throw .violation("a control frame in fragments") }
            guard length <= Self.controlBytesMax else { throw .violation("a control frame with \(length) bytes") }
            control.removeAll(keepingCapacity: true)
        }
        switch opcode {
        case 0:
            guard isFragmented else { throw .violation("a continuation of nothing") }
            kind = .data
            isFragmented = !isFinal
        case 1:
            // [MQTT-6.0.0-1]
            throw Fault(code: 1003, reason: "a text frame; MQTT comes in binary frames")
        case 2:
            guard !isFragmented else { throw .violation("a new message inside another") }
            kind = .data
            isFragmented = !isFinal
        case 8: kind = .close
        case 9: kind = .ping
        case 10: kind = .pong
        default: throw .violation("opcode \(opcode) is not known")
        }
    }

    private mutating func endFrame() throws(Fault) -> Control? {
        switch kind {
        case .data, .pong: return nil
        case .ping: return .ping(control)
        case .close:
            guard control.count != 1 else { throw .violation("a close frame with half a status code") }
            isOver = true
            return .close(control.count >= 2 ? UInt16(control[0]) << 8 | UInt16(control[1]) : nil)
        }
    }

    private mutating func take(_ piece: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        switch (kind, isMasked) {
        case (.data, true): mask.apply(to: piece, into: &output)
        case (.data, false): output.writeBytes(piece)
        case (_, true): for byte in piece { control.append(mask.apply(to: byte)) }
        case (_, false): control += piece
        }
    }
}
