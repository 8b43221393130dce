import NIOCore

/// The mask over the payload of one frame of a client's, both ways. RFC 6455 §5.3
package struct WebSocketMask: Sendable {
    private let key: (UInt8, UInt8, UInt8, UInt8)
    /// Bytes of the payload so far.
    private var at = 0

    package init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        key = (first, second, third, fourth)
    }

    /// One that nobody can guess.
    package init(using random: inout some RandomNumberGenerator) {
        let word = UInt32.random(in: 0...UInt32.max, using: &random)
        key = (
            UInt8(truncatingIfNeeded: word >> 24), UInt8(truncatingIfNeeded: word >> 16),
            UInt8(truncatingIfNeeded: word >> 8), UInt8(truncatingIfNeeded: word)
        )
    }

    package var bytes: [UInt8] { [key.0, key.1, key.2, key.3] }

    mutating func apply(to byte: UInt8) -> UInt8 {
        defer { at += 1 }
        return byte ^ bytes[at & 3]
    }

    /// Eight bytes at a time.
    mutating func apply(to piece: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        guard piece.count > 0 else { return }
        let turn = at & 3
        let key = bytes
        let four =
            UInt32(key[turn]) | UInt32(key[(turn + 1) & 3]) << 8 | UInt32(key[(turn + 2) & 3]) << 16
            | UInt32(key[(turn + 3) & 3]) << 24
        let eight = UInt64(four) | UInt64(four) << 32
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: piece.count) { target in
            var at = 0
            while at + 8 <= piece.count {
                let word = UInt64(littleEndian: piece.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                target.storeBytes(of: (word ^ eight).littleEndian, toByteOffset: at, as: UInt64.self)
                at += 8
            }
            while at < piece.count {
                target[at] = piece[at] ^ key[(turn + at) & 3]
                at += 1
            }
            return piece.count
        }
        at = (turn + piece.count) & 3
    }
}
