import NIOCore

/// One receive buffer for all connections of a loop: bytes are parsed in place and the buffer is free again before the
/// next connection reads. A fixed buffer per connection would stay with an idle one; this leaves it 128 bytes.
/// (Rule 2 of the hot path.)
struct ReceiveBuffers: RecvByteBufferAllocator {
    /// Bytes one read takes at most.
    static let readBytesMax = 262_144
    /// NIO keeps a connection's first buffer for its next read; this is all it gets to keep.
    static let parkedBytes = 128

    private let loop: NIOLoopBound<ShardLoop>
    private var isFirst = true

    init(loop: NIOLoopBound<ShardLoop>) { self.loop = loop }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if isFirst { return allocator.buffer(capacity: ReceiveBuffers.parkedBytes) }
        return loop.value.takeReceiveBuffer() ?? allocator.buffer(capacity: ReceiveBuffers.readBytesMax)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}
