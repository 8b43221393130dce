import BrokerCore
import MQTTTransport
import NIOCore

/// One connection's place in the pipeline: bytes in, bytes out, nothing decided.
/// Before: the socket. After: `ConnectionEnd.receive`, or, where the client's session is kept by another loop's shard,
/// that loop's mailbox.
final class ConnectionHandler: ConnectionEnd, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Where its bytes go.
    private enum Route {
        /// To this loop's shard.
        case here
        /// Not known before CONNECT has come: what came so far.
        case undecided(ByteBuffer)
        case relay(RelayedConnection.Key, Mailbox)
    }

    private var route: Route
    private var context: ChannelHandlerContext?
    private var isCountedStranger = true
    /// Its place among the strangers where it has passed stages before MQTT; else it is counted by its socket's address.
    private let ticket: StrangerTicket?
    /// What comes is the loop's receive buffer. Behind stages it is a stage's own, which nobody else may keep: while the pool
    /// held NIOSSL's buffer, NIOSSL and the pool each had to have a new one for every read.
    private let readsFromSocket: Bool
    private var wantsReading = true
    /// Input that the session's loop has not taken, as far as we know.
    private var unheard = 0
    /// Output taken here that the session's loop has not been told of.
    private var written = 0

    init(loop: ShardLoop, listener: Listener, newcomer: Newcomer? = nil, ticket: StrangerTicket? = nil) {
        route = loop.isAlone ? .here : .undecided(ByteBuffer())
        self.ticket = ticket
        readsFromSocket = listener.stages.isEmpty
        super.init(loop: loop, listener: listener, newcomer: newcomer)
    }

    override var remoteAddress: SocketAddress? { newcomer?.address ?? context?.remoteAddress }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // Behind stages it comes when the channel has long been active.
        if context.channel.isActive { begin() }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin()
        context.fireChannelActive()
    }

    private func begin() {
        if case .here = route { id = loop.accept(self) } else { loop.expectConnect(self) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch route {
        case .here: receive(bytes)
        case .relay(let key, let mailbox): relay(bytes, key, mailbox)
        case .undecided: decide(bytes)
        }
        if readsFromSocket { loop.receivePool.give(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { loop.readComplete() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        switch route {
        case .here: loop.writabilityChanged(self)
        case .relay(let key, let mailbox): mailbox.post(.writable(key, isWritable))
        case .undecided: break
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        becameKnown()
        switch route {
        case .here, .undecided: gone()
        case .relay(let key, let mailbox):
            mailbox.post(.gone(key))
            loop.forgetRelay(key)
        }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? TransportFault { Broker.tell(fault, of: remoteAddress, listener, loop) }
        // A socket's error ends it; `channelInactive` tells the shard.
        context.close(promise: nil)
    }

    // MARK: Whose it is

    /// CONNECT names the client, the client names the shard. What has come of it lies in one buffer, which grows by
    /// doubling and no further than the largest packet allowed: a header that asks for more is decided at once.
    private func decide(_ bytes: ByteBuffer) {
        guard case .undecided(var start) = route else { return }
        route = .undecided(ByteBuffer())  // nobody else holds the buffer now: it grows in place
        let isFirst = start.readableBytes == 0
        if isFirst { start = bytes } else { start.writeImmutableBuffer(bytes) }
        switch start.withUnsafeReadableBytes({ loop.home(ofConnection: $0, of: self) }) {
        case .unknown:
            // The receive buffer is everybody's.
            route = .undecided(isFirst ? copy(bytes) : start)
        case .shard(let home) where home != loop.index:
            let key = loop.newRelay(for: self)
            let mailbox = loop.mailbox(of: home)
            route = .relay(key, mailbox)
            mailbox.post(.open(key, listener, remoteAddress, newcomer))
            relay(start, key, mailbox)
        case .shard, .any:
            route = .here
            id = loop.accept(self)
            receive(start)
        }
    }

    private func relay(_ bytes: ByteBuffer, _ key: RelayedConnection.Key, _ mailbox: Mailbox) {
        mailbox.post(.input(key, copy(bytes)))
        unheard += bytes.readableBytes
        if unheard >= RelayedConnection.wayBytesMax { updateReading() }
    }

    /// The session's loop has taken so much of the input.
    func heard(_ count: Int) {
        let wasFull = unheard >= RelayedConnection.wayBytesMax
        unheard -= count
        if wasFull { updateReading() }
    }

    /// Output from the session's loop.
    func writeRelayed(_ bytes: ByteBuffer, isLast: Bool) {
        write(bytes, isLast: isLast)
        written += bytes.readableBytes
        guard written >= RelayedConnection.portionBytes, case .relay(let key, let mailbox) = route else { return }
        mailbox.post(.written(key, written))
        written = 0
    }

    private func copy(_ bytes: ByteBuffer) -> ByteBuffer {
        var exact = loop.allocator.buffer(capacity: bytes.readableBytes)
        exact.writeImmutableBuffer(bytes)
        return exact
    }

    /// Nothing decided so far and no CONNECT in time.
    func closeIfUndecided() {
        if case .undecided = route { context?.close(promise: nil) }
    }

    // MARK: The socket

    override func write(_ bytes: ByteBuffer, isLast: Bool) {
        guard let context else { return }
        if isLast {
            context.writeAndFlush(wrapOutboundOut(bytes)).assumeIsolated().whenComplete { _ in
                context.close(promise: nil)
            }
        } else {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }

    override func writeMore(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    override func setReading(_ isOn: Bool) {
        wantsReading = isOn
        updateReading()
    }

    private func updateReading() {
        let isOn = wantsReading && unheard < RelayedConnection.wayBytesMax
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isOn)  // fails only on a closed channel
    }

    override func endWithinGrace() {
        guard let channel = context?.channel else { return }
        channel.eventLoop.scheduleTask(in: ConnectionEnd.closeGrace) { channel.close(promise: nil) }
    }

    override func becameKnown() {
        guard isCountedStranger else { return }
        isCountedStranger = false
        if let ticket { ticket.leave() } else { listener.strangers.leave(context?.remoteAddress) }
    }
}
