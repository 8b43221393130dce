import MQTTClient
import MQTTProtocol
import MQTTTransport
import NIOCore

/// A tool's end of a connection: the session, the codec, and what the session's actions are done with. Every packet passes here
/// once in each direction, which is where `-d` is written. It outlives connections, as the session does.
///
/// Not `Sendable`: touched only on `loop`. Before: `ToolRun`. After: `Conversation`.
final class ToolConnection {
    /// How long the server may take to close after our DISCONNECT before we do.
    private static var lingerMax: TimeAmount { .seconds(1) }
    /// The same where much was sent: it may still lie before the DISCONNECT, in sockets and in front of a slow reader.
    private static var lingerMaxAfterMuch: TimeAmount { .seconds(60) }
    /// How much is much, in bytes: what surely fits into sockets.
    private static var muchBytes: Int { 64 * 1024 }

    let loop: any EventLoop
    let arguments: ToolArguments
    let standardOutput: StandardOutput
    var session: ClientSession
    let conversation: any Conversation
    /// What `-D` and options say that the session knows nothing of.
    private let additions: PacketAdditions

    /// Of the present connection.
    private var stream: PacketStream
    /// Why it never became one of MQTT's.
    private var openingFailure: ConnectFailure?
    private(set) var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var ended: EventLoopPromise<ClientError?>?
    /// QoS 2: received, and printed when the server has released them.
    private var unreleased: [(identifier: UInt16, message: Message)] = []
    private var deliveries: [Message] = []
    /// On this connection.
    private var sentBytes = 0
    /// The packet identifier used last: `-d` counts on from it for messages at QoS 0, which have none.
    var lastIdentifier: UInt16 = 0
    private var isTracing: Bool
    /// A DISCONNECT of ours has been sent.
    private(set) var hasSaidGoodbye = false

    init(
        loop: any EventLoop, arguments: ToolArguments, session: consuming ClientSession, conversation: any Conversation,
        standardOutput: StandardOutput
    ) {
        self.loop = loop
        self.arguments = arguments
        self.stream = PacketStream(session.configuration)
        self.session = session
        self.conversation = conversation
        self.standardOutput = standardOutput
        isTracing = arguments.isDebug
        additions = PacketAdditions(arguments)
    }

    // MARK: Connections

    /// Takes a connected channel and begins. The future tells when it is over, and why: nil = we wanted it.
    func adopt(_ opened: OpenedChannel) -> EventLoopFuture<ClientError?> {
        loop.preconditionInEventLoop()
        let channel = opened.channel
        do {
            guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
            try channel.pipeline.syncOperations.addHandler(ToolHandler(connection: self))
        } catch {
            // Closed already, as by a TLS 1.3 server that wants a certificate: it says so after the handshake.
            let reason = opened.failure.map { ClientError.lost($0) }
            return loop.makeSucceededFuture(reason ?? .connectionLost("closed by the other side"))
        }
        let ended = loop.makePromise(of: ClientError?.self)
        self.ended = ended
        self.channel = channel
        stream = PacketStream(session.configuration)
        sentBytes = 0
        session.transportOpened(authenticationData: additions.authenticationData, at: .now)
        // Before the first write: one that fails has NIO read what the server said last, which is why it closed.
        channel.read()
        endTick()
        return ended.futureResult
    }

    /// - Parameter failure: where the server's first bytes were not MQTT's.
    func channelLost(_ channel: any Channel, _ reason: String, _ failure: ConnectFailure?) {
        guard channel === self.channel else { return }
        openingFailure = failure
        session.transportLost(reason)
        endTick()
    }

    func channelWritabilityChanged(_ isWritable: Bool) {
        session.setWritable(isWritable, at: .now)
        endTick()
    }

    // MARK: Reading

    /// Bytes came: whole packets are read where they lie, and only the rest is copied.
    func read(_ bytes: inout ByteBuffer) {
        let now = ClientSession.Instant.now
        session.receivedBytes(at: now)
        stream.receive(&bytes)
        do throws(PacketError) {
            while session.state != .disconnected, let packet = try stream.next() { receive(packet, at: now) }
        } catch {
            session.receive(malformed: error, at: now)
            obeyAll()
        }
        stream.settle()
    }

    private func receive(_ packet: ControlPacket, at now: ClientSession.Instant) {
        if isTracing { traceReceived(packet) }
        session.receive(packet, at: now)
        obeyAll()
        switch packet.content {
        case .acknowledgement(.pubrel, let identifier, _): release(identifier)
        case .other(.pubrel(let pubrel)): release(pubrel.packetIdentifier)
        case .other(.suback(let suback)): conversation.answered(suback, self)
        default: break
        }
        handOver()
    }

    /// What has been received, in order, once its acknowledgement is written.
    private func handOver() {
        guard !deliveries.isEmpty else { return }
        let messages = deliveries
        deliveries.removeAll(keepingCapacity: true)
        for message in messages where session.state == .connected { conversation.received(message, self) }
    }

    private func release(_ identifier: UInt16) {
        guard let at = unreleased.firstIndex(where: { $0.identifier == identifier }) else { return }
        deliveries.append(unreleased.remove(at: at).message)
    }

    // MARK: The end of a tick

    /// Does what the session wants and writes it with one flush; then what was printed is written.
    func endTick() {
        loop.preconditionInEventLoop()
        obeyAll()
        conversation.ticked(self)
        obeyAll()
        flush()
        standardOutput.flush()
        if standardOutput.isBroken, session.state == .connected { sayGoodbye() }
    }

    func obeyAll() {
        while let action = session.nextAction() { obey(action) }
    }

    private func obey(_ action: ClientAction) {
        switch action {
        case .send(let packet): send(packet)
        case .deliver(let message, _):
            if message.qos == .exactlyOnce, let identifier = message.receipt?.packetIdentifier {
                unreleased.append((identifier, message))
            } else if message.qos == .atMostOnce, deliveries.isEmpty {
                conversation.received(message, self)
            } else {
                deliveries.append(message)
            }
        case .complete(let request, let result): conversation.completed(request, result, self)
        case .setDeadline(let due): arm(due)
        case .connected(let server):
            if !server.sessionPresent { releaseAll() }
            conversation.began(self, sessionPresent: server.sessionPresent)
        case .authenticate: session.failAuthentication("mosquitto's tools have no authenticator", at: .now)
        case .subscriptionRefused: break
        case .close(let error): close(error)
        }
    }

    /// The server has forgotten what it had not released; we have it and it is not shown yet.
    private func releaseAll() {
        deliveries += unreleased.map(\.message)
        unreleased = []
    }

    private func send(_ packet: ControlPacket) {
        var packet = packet
        additions.apply(to: &packet)
        if isTracing { traceSent(packet) }
        if stream.append(packet) { flush() }
    }

    func flush() {
        guard let bytes = stream.take(), let channel else { return }
        sentBytes += bytes.readableBytes
        channel.writeAndFlush(bytes, promise: nil)
        if !channel.isWritable { session.setWritable(false, at: .now) }
    }

    private func arm(_ due: ClientSession.Instant) {
        timer?.cancel()
        let delay = due - ClientSession.Instant.now
        timer = loop.scheduleTask(in: TimeAmount(max(delay, .zero))) {
            [connection = NIOLoopBound(self, eventLoop: loop)] in
            connection.value.session.timerFired(at: .now)
            connection.value.endTick()
        }
    }

    // MARK: Closing

    /// DISCONNECT, and the end of it all.
    /// - Parameters:
    ///   - withWill: lets the server publish the will; 5.0 only.
    ///   - quietly: without a line of `-d`.
    func sayGoodbye(withWill: Bool = false, quietly: Bool = false) {
        guard !hasSaidGoodbye, session.state != .disconnected else { return }
        hasSaidGoodbye = true
        isTracing = arguments.isDebug && !quietly
        let properties = arguments.properties
        do {
            try session.disconnect(
                withWill && session.version == .v5 ? .disconnectWithWill : .normalDisconnection,
                sessionExpiryIntervalSeconds: properties.number(.disconnect, .sessionExpiryInterval),
                reasonString: properties.text(.disconnect, .reasonString),
                userProperties: properties.users(.disconnect), at: .now)
        } catch {
            session.transportLost("\(error)")
        }
        obeyAll()
    }

    private func close(_ error: ClientError?) {
        timer?.cancel()
        timer = nil
        guard let channel else { return }
        if case .connectionRefused = error, arguments.tool != .pub {
            // mosquitto takes its leave of a server that would not have it, too.
            send(ControlPacket(.disconnect(Disconnect(reasonCode: .normalDisconnection))))
        }
        flush()
        standardOutput.flush()  // the process may end before this tick does
        self.channel = nil
        let ended = self.ended
        self.ended = nil
        let told = openingFailure.map { ClientError.lost($0) } ?? error
        openingFailure = nil
        channel.closeFuture.whenComplete { _ in ended?.succeed(told) }
        guard error == nil, channel.isActive else { return channel.close(promise: nil) }
        // The server closes when it has read our DISCONNECT. Who closes first, even half, may find that what the server has not read
        // yet is thrown away.
        let hasSentMuch = sentBytes > Self.muchBytes
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
            if !hasSentMuch { channel.close(mode: .output, promise: nil) }
            channel.read()
            channel.eventLoop.scheduleTask(in: hasSentMuch ? Self.lingerMaxAfterMuch : Self.lingerMax) {
                channel.close(promise: nil)
            }
        }
    }
}

/// The one channel handler of a tool.
final class ToolHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let connection: ToolConnection
    private var failure: String?
    /// The server's first bytes were not MQTT's.
    private var connectFailure: ConnectFailure?

    init(connection: ToolConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes after we have closed is for nobody.
        guard connection.channel === context.channel else { return }
        var bytes = unwrapInboundIn(data)
        connection.read(&bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        connection.endTick()
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard connection.channel === context.channel else { return }
        connection.channelWritabilityChanged(context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.channelLost(context.channel, failure ?? "closed by the other side", connectFailure)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = ConnectFailure.words(error)
        connectFailure = error as? ConnectFailure
        context.close(promise: nil)
    }
}
