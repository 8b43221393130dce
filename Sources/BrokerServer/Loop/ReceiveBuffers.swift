import NIOCore

/// One receive buffer for all connections of a loop: bytes are parsed in place and the buffer is free again before the
/// next connection reads. A fixed buffer per connection would stay with an idle one; this leaves it 128 bytes.
/// (Rule 2 of the hot path.)
struct ReceiveBuffers: RecvByteBufferAllocator {
    /// Bytes one read takes at most.
    static let readBytesMax = 262_144
    /// The same under TLS, where NIOSSL keeps as large a buffer for each connection as it had to decrypt at once: a whole
    /// record, which is up to 16,406 bytes of the wire, and the smaller one that often follows it.
    static let securedReadBytesMax = 32_768
    /// Under TLS for a connection whose last reads brought whole records: several at once, and as many in what is written then.
    static let busyReadBytesMax = 65_536
    /// NIO keeps a connection's first buffer for its next read; this is all it gets to keep.
    static let parkedBytes = 128

    private let loop: NIOLoopBound<ShardLoop>
    private let isSecured: Bool
    private var isFirst = true
    private var fullness = RecordFullness()

    init(loop: NIOLoopBound<ShardLoop>, isSecured: Bool = false) {
        self.loop = loop
        self.isSecured = isSecured
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if isFirst { return allocator.buffer(capacity: ReceiveBuffers.parkedBytes) }
        if isSecured {
            if fullness.isBusy {
                return loop.value.receivePool.takeBusy()
                    ?? allocator.buffer(capacity: ReceiveBuffers.busyReadBytesMax)
            }
            return loop.value.receivePool.takeSecured()
                ?? allocator.buffer(capacity: ReceiveBuffers.securedReadBytesMax)
        }
        return loop.value.receivePool.take() ?? allocator.buffer(capacity: ReceiveBuffers.readBytesMax)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        fullness.record(actualReadBytes)
        return true
    }
}

/// Whether reads of a TLS connection bring whole records again and again: it is a busy one then.
struct RecordFullness {
    /// What a record carries at most (RFC 8446 §5.1): a read that brings as much is a full one.
    static let recordBytesMax = 16_384
    /// So many more full reads than others make a connection a busy one; more than twice as many do not count.
    static let surplusOfBusy = 4

    /// Full reads beyond the others.
    private var surplus = 0

    mutating func record(_ bytes: Int) {
        let isFull = bytes >= RecordFullness.recordBytesMax
        surplus = isFull ? min(surplus + 1, 2 * RecordFullness.surplusOfBusy) : max(surplus - 1, 0)
    }

    var isBusy: Bool { surplus >= RecordFullness.surplusOfBusy }
}

/// The receive buffers of a loop that nobody reads into at the moment.
struct ReceivePool {
    private var plain: ByteBuffer?
    private var secured: ByteBuffer?
    private var busy: ByteBuffer?

    mutating func take() -> ByteBuffer? {
        guard var buffer = plain else { return nil }
        plain = nil
        buffer.clear()
        return buffer
    }

    mutating func takeSecured() -> ByteBuffer? {
        guard var buffer = secured else { return nil }
        secured = nil
        buffer.clear()
        return buffer
    }

    mutating func takeBusy() -> ByteBuffer? {
        guard var buffer = busy else { return nil }
        busy = nil
        buffer.clear()
        return buffer
    }

    /// Takes a buffer back if it is one of these, by its size.
    mutating func give(_ buffer: ByteBuffer) {
        switch buffer.storageCapacity {
        case ReceiveBuffers.readBytesMax..<(ReceiveBuffers.readBytesMax * 2): plain = buffer
        case ReceiveBuffers.securedReadBytesMax..<(ReceiveBuffers.securedReadBytesMax * 2): secured = buffer
        case ReceiveBuffers.busyReadBytesMax..<(ReceiveBuffers.busyReadBytesMax * 2): busy = buffer
        default: break
        }
    }
}

/// First in a pipeline that has stages before MQTT: gives the socket's buffer back when they have taken what they need of it.
final class ReceiveBufferReturn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let loop: ShardLoop

    init(loop: ShardLoop) { self.loop = loop }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(data)
        loop.receivePool.give(unwrapInboundIn(data))
    }
}
