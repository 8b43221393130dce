import NIOCore
import Synchronization

/// One receive buffer for all connections of a loop: bytes are parsed in place and the buffer is free again before the
/// next connection reads. A fixed buffer per connection would stay with an idle one; this leaves it 128 bytes.
/// (Rule 2 of the hot path.)
///
/// Under TLS, NIOSSL keeps as large a buffer for each connection as it had to decrypt at once, and another as large as what
/// was written at once: there a read takes a record or two, more for a busy connection, and as much as in the clear for so
/// many busy ones as there are `LargeReads` permits.
struct ReceiveBuffers: RecvByteBufferAllocator {
    /// Bytes one read takes at most.
    static let readBytesMax = 262_144
    /// The same under TLS: a whole record, which is up to 16,406 bytes of the wire, and the smaller one that often follows it.
    static let securedReadBytesMax = 32_768
    /// Under TLS for a busy connection.
    static let busyReadBytesMax = 65_536
    /// NIO keeps a connection's first buffer for its next read; this is all it gets to keep.
    static let parkedBytes = 128

    private let loop: NIOLoopBound<ShardLoop>
    private let isSecured: Bool
    private var isFirst = true
    private var fullness = RecordFullness()
    /// Kept while the connection lives, as NIOSSL keeps what it had to allocate.
    private var permit: LargeReads.Permit?

    init(loop: NIOLoopBound<ShardLoop>, isSecured: Bool = false) {
        self.loop = loop
        self.isSecured = isSecured
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if isFirst { return allocator.buffer(capacity: ReceiveBuffers.parkedBytes) }
        let loop = loop.value
        if !isSecured || (fullness.isBusy && permit != nil) {
            return loop.receivePool.take() ?? allocator.buffer(capacity: ReceiveBuffers.readBytesMax)
        }
        if fullness.isBusy {
            return loop.receivePool.takeBusy() ?? allocator.buffer(capacity: ReceiveBuffers.busyReadBytesMax)
        }
        return loop.receivePool.takeSecured() ?? allocator.buffer(capacity: ReceiveBuffers.securedReadBytesMax)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        guard isSecured else { return true }
        fullness.record(actualReadBytes)
        if fullness.isBusy, permit == nil { permit = loop.value.receivePool.largeReads.permit() }
        return true
    }
}

/// How many TLS connections of a loop may read as much at once as one in the clear. Each costs what NIOSSL then keeps: up to
/// half a megabyte, until it closes.
final class LargeReads: Sendable {
    /// Permits of one loop.
    static let permitsMax = 64

    /// Given back by its end, on whatever thread the channel goes.
    final class Permit: Sendable {
        private let source: LargeReads
        fileprivate init(_ source: LargeReads) { self.source = source }
        deinit { source.taken.subtract(1, ordering: .relaxed) }
    }

    private let taken = Atomic(0)

    /// `nil` when all are out.
    func permit() -> Permit? {
        guard taken.add(1, ordering: .relaxed).newValue <= LargeReads.permitsMax else {
            taken.subtract(1, ordering: .relaxed)
            return nil
        }
        return Permit(self)
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
    let largeReads = LargeReads()
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
