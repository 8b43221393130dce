import BrokerCore
import NIOCore

/// One connection's place in the pipeline: bytes in, bytes out, nothing decided. It holds what NIO needs to know of a
/// connection; what MQTT needs to know is in the shard, under `id`.
/// Before: the socket. After: `Shard.receive`.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long output may still be written after the end was decided.
    static let closeGrace = TimeAmount.seconds(2)

    private let loop: ShardLoop
    private let listener: Listener
    private(set) var id = ConnectionID(slot: .max, generation: 0)
    private(set) var context: ChannelHandlerContext?
    /// The start of a packet that has not come whole, or everything since reading was paused.
    private var rest: ByteBuffer?
    private(set) var isWritable = true
    private var isPaused = false
    private(set) var isClosing = false
    /// It has not sent CONNECT yet: it counts against the listener's limit for strangers.
    private var isPending = true

    init(loop: ShardLoop, listener: Listener) {
        self.loop = loop
        self.listener = listener
    }

    var remoteAddress: SocketAddress? { context?.remoteAddress }
    var listenerPort: Int { listener.port }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        id = loop.accept(self, listener: listener)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if isClosing { return }
        if rest != nil {
            rest?.writeBuffer(&bytes)
            bytes = rest ?? bytes
            rest = nil
        }
        take(bytes)
        loop.giveReceiveBuffer(bytes)
    }

    /// Feeds the shard; keeps what it did not take.
    private func take(_ bytes: ByteBuffer) {
        let consumed = bytes.withUnsafeReadableBytes { loop.receive($0, on: self) }
        if isPending, !isClosing { leaveStrangersIfOpen() }
        let left = bytes.readableBytes - consumed
        guard left > 0, !isClosing else { return }
        // Copied, exact: the receive buffer is everybody's.
        var kept = loop.allocator.buffer(capacity: max(left, 64))
        kept.writeBytes(bytes.readableBytesView.suffix(left))
        rest = kept
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        loop.readComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        loop.writabilityChanged(self)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        forgetStranger()
        loop.closed(self)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A socket's error ends it; `channelInactive` tells the shard.
        context.close(promise: nil)
    }

    // MARK: What the shard wants

    func pauseReading() {
        guard let context, !isPaused else { return }
        isPaused = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)  // fails only on a closed channel
    }

    /// Goes on with what was kept, then with the socket.
    func resumeReading() {
        guard let context, isPaused else { return }
        isPaused = false
        if let kept = rest {
            rest = nil
            take(kept)
        }
        guard !isPaused, !isClosing else { return }
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)  // fails only on a closed channel
    }

    /// Closes when its output has been written, or cannot be.
    func closeSoon() {
        guard let context, !isClosing else { return }
        isClosing = true
        rest = nil
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)  // fails only on a closed channel
        let channel = context.channel
        context.eventLoop.scheduleTask(in: ConnectionHandler.closeGrace) { channel.close(promise: nil) }
    }

    /// Hands bytes to the socket; the last of them end the connection where that is decided.
    func write(_ bytes: ByteBuffer, isLast: Bool) {
        guard let context else { return }
        if isLast {
            context.writeAndFlush(wrapOutboundOut(bytes)).assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        } else {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    func writeMore(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    // MARK: Strangers

    private func leaveStrangersIfOpen() {
        if loop.isOpen(id) { forgetStranger() }
    }

    private func forgetStranger() {
        guard isPending else { return }
        isPending = false
        listener.strangers.leave(context?.remoteAddress)
    }
}
