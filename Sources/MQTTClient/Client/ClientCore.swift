import MQTTDelivery
import MQTTProtocol
import MQTTTransport
import NIOCore

/// The client on its event loop: the session, the codec, and what the session's actions are done with. It outlives
/// connections. Tasks reach it through `Mailbox`, bytes through `ClientHandler`; both end in `endTick`, which writes what was
/// gathered with one flush and wakes each reader once.
///
/// Not `Sendable`: touched only on `loop`.
final class ClientCore {
    /// How long the server may take to close after our DISCONNECT before we do.
    static var lingerMax: TimeAmount { .seconds(1) }

    let loop: any EventLoop
    let mailbox: Mailbox
    let states: StateStreams
    let limits: MQTTClient.Limits
    var session: ClientSession
    /// Of the present connection.
    private var stream: PacketStream

    var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    /// Of the present connection: succeeds when its channel is closed.
    private var ended: EventLoopPromise<ClientError?>?
    /// Of the present connection: why it never became one of MQTT's.
    private var openingFailure: ConnectFailure?
    /// Channels on their way to being connected.
    private var connecting: [any Channel] = []
    /// Where the server's challenges go; nil without an authenticator.
    let challenges: AsyncStream<[UInt8]?>.Continuation?
    /// Until a connection may be tried again.
    private var nap: EventLoopPromise<Void>?

    var answers: [UInt64: Answer] = [:]
    private let observer: PacketObserver?
    /// Nil without a `MessageStore`.
    let store: MessageFile?
    /// Numbers in the store, by request.
    var storedNumbers: [UInt64: UInt64] = [:]
    var connectionWaiters: [(RequestIdentifier, Mailbox.Answer<Void>)] = []
    var deliveries = Deliveries()
    var isClosing = false
    /// Favourable CONNACKs so far.
    private(set) var acceptedConnections = 0
    /// Nil while the client lives.
    var end: Result<Void, ClientError>?

    /// Who waits for a request.
    enum Answer {
        case publish(Mailbox.Answer<PublishResult>)
        case subscribe(SubscriptionHandle, Mailbox.Answer<SubscribeResult>)
        case unsubscribe(SubscriptionHandle, Mailbox.Answer<UnsubscribeResult>)
        case reauthenticate(Mailbox.Answer<Void>)
    }

    init(
        loop: any EventLoop, mailbox: Mailbox, states: StateStreams, limits: MQTTClient.Limits,
        session: consuming ClientSession, challenges: AsyncStream<[UInt8]?>.Continuation?, store: sending MessageFile?,
        observer: PacketObserver?
    ) {
        self.observer = observer
        self.store = store
        self.loop = loop
        self.mailbox = mailbox
        self.states = states
        self.limits = limits
        self.stream = PacketStream(session.configuration)
        self.session = session
        self.challenges = challenges
    }

    // MARK: Connections

    /// A channel that is being connected, one for each address that is tried; false where the client is leaving.
    func mayConnect(_ channel: any Channel) -> Bool {
        guard !isClosing else { return false }
        connecting.append(channel)
        return true
    }

    /// None of them was.
    func connectFailed() { connecting = [] }

    /// Takes a connected channel and begins. The future tells when it is over, and why: nil = we wanted it.
    func adopt(_ opened: OpenedChannel, authenticationData: [UInt8]?) -> EventLoopFuture<ClientError?> {
        let channel = opened.channel
        loop.preconditionInEventLoop()
        precondition(self.channel == nil, "one connection at a time")
        connecting = []
        guard !isClosing, channel.isActive else {
            channel.close(promise: nil)
            if isClosing { return loop.makeSucceededFuture(nil) }
            let reason = opened.failure.map { ClientError.lost($0) }
            return loop.makeSucceededFuture(reason ?? .connectionLost("closed by the other side"))
        }
        let ended = loop.makePromise(of: ClientError?.self)
        do {
            try channel.pipeline.syncOperations.addHandler(ClientHandler(core: self))
        } catch {
            channel.close(promise: nil)
            return loop.makeSucceededFuture(.connectionLost("\(error)"))
        }
        self.ended = ended
        self.channel = channel
        stream = PacketStream(session.configuration)
        session.transportOpened(authenticationData: authenticationData, at: .now)
        // Before the first write: one that fails has NIO read what the server said last, which is why it closed.
        channel.read()
        endTick()
        return ended.futureResult
    }

    /// The channel is gone, or broken.
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
            while session.state != .disconnected, let packet = try stream.next() {
                observer?(.received, packet)
                session.receive(packet, at: now)
            }
        } catch {
            session.receive(malformed: error, at: now)
        }
        stream.settle()
    }

    /// Whether more may be read: no reader lags.
    var mayRead: Bool { deliveries.overfull.isEmpty }

    // MARK: The end of a tick

    /// Does what the session wants, writes it with one flush, wakes readers.
    func endTick() {
        loop.preconditionInEventLoop()
        while let action = session.nextAction() { obey(action) }
        store?.write()
        flush()
        wakeReaders()
    }

    private func obey(_ action: ClientAction) {
        switch action {
        case .send(let packet):
            observer?(.sent, packet)
            if stream.append(packet) { flush() }
        case .deliver(let message, let route): deliveries.add(message, to: route, limits)
        case .complete(let request, let result): answer(request, result)
        case .setDeadline(let due): arm(due)
        case .connected(let server):
            acceptedConnections += 1
            states.send(.connected(server))
            for (_, waiter) in connectionWaiters { waiter.resume(returning: .success(())) }
            connectionWaiters = []
        case .authenticate(let challenge):
            if let challenges {
                challenges.yield(challenge)
            } else {
                session.failAuthentication("no authenticator", at: .now)
            }
        case .subscriptionRefused(let handle, _, let error):
            deliveries.finish(handle, .failure(error))
        case .close(let error): close(error)
        }
    }

    func flush() {
        guard let bytes = stream.take(), let channel else { return }
        channel.writeAndFlush(bytes, promise: nil)
        if !channel.isWritable { session.setWritable(false, at: .now) }
    }

    private func wakeReaders() {
        let wasReading = mayRead
        deliveries.put()
        if wasReading, !mayRead { session.setReading(paused: true, at: .now) }
    }

    /// A reader has caught up.
    func readerDrained() {
        guard !mayRead else { return }
        deliveries.recheck()
        guard mayRead else { return }
        session.setReading(paused: false, at: .now)
        channel?.read()
    }

    private func arm(_ due: ClientSession.Instant) {
        timer?.cancel()
        let delay = due - ClientSession.Instant.now
        timer = loop.scheduleTask(in: TimeAmount(max(delay, .zero))) { [core = NIOLoopBound(self, eventLoop: loop)] in
            core.value.session.timerFired(at: .now)
            core.value.endTick()
        }
    }

    // MARK: Closing

    /// The session is done with this connection. What is written goes out first; after a DISCONNECT of ours the server has
    /// a moment to close before we do, so that nothing it still reads is cut off.
    private func close(_ error: ClientError?) {
        timer?.cancel()
        timer = nil
        guard let channel else { return }
        flush()
        self.channel = nil
        let ended = self.ended
        self.ended = nil
        let told = openingFailure.map { ClientError.lost($0) } ?? error
        openingFailure = nil
        channel.closeFuture.whenComplete { _ in ended?.succeed(told) }
        guard error == nil, channel.isActive else { return channel.close(promise: nil) }
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            channel.read()
            channel.eventLoop.scheduleTask(in: Self.lingerMax) { channel.close(promise: nil) }
        }
    }

    /// Sleeps before the next attempt; ends early when the client is closed.
    func sleep(_ duration: Duration) -> EventLoopFuture<Void> {
        let nap = loop.makePromise(of: Void.self)
        guard !isClosing else {
            nap.succeed()
            return nap.futureResult
        }
        self.nap = nap
        loop.scheduleTask(in: TimeAmount(duration)) { [core = NIOLoopBound(self, eventLoop: loop)] in core.value.wake()
        }
        return nap.futureResult
    }

    func wake() {
        nap?.succeed()
        nap = nil
    }

    /// The program wants to leave.
    func leave(_ goodbye: Mailbox.Goodbye) {
        isClosing = true
        wake()
        if session.state == .connected {
            do {
                try session.disconnect(
                    goodbye.reasonCode, sessionExpiryIntervalSeconds: goodbye.sessionExpiryIntervalSeconds,
                    reasonString: goodbye.reasonString, userProperties: goodbye.userProperties, at: .now)
            } catch {
                session.transportLost("\(error)")
            }
        } else {
            session.transportLost("closed")
            for channel in connecting { channel.close(promise: nil) }
            connecting = []
        }
    }

    /// Nothing will come any more: everybody who waits is told.
    func finish(_ error: ClientError?) {
        loop.preconditionInEventLoop()
        let end: Result<Void, ClientError> = error.map { .failure($0) } ?? .success(())
        self.end = end
        session.abandon(error ?? .closed)
        endTick()
        deliveries.finishAll(end)
        for (_, waiter) in connectionWaiters { waiter.resume(returning: .failure(error ?? .closed)) }
        connectionWaiters = []
        challenges?.finish()
        store?.finish()
        states.send(.closed(error))
    }
}
