import BrokerAccess
import BrokerConfiguration
import BrokerCore
import MQTTProtocol
import NIOCore

/// A shard on its event loop: the only place where the two meet. Everything here happens on `eventLoop`; others reach it
/// through `NIOLoopBound`. It owns the shard, the handlers by slot, the receive buffer and the tick.
///
/// A tick is: packets of this turn of the loop are received, then everyone who got output is flushed once, or sooner or
/// later, as `FlushPace` says.
final class ShardLoop {
    let eventLoop: any EventLoop
    let allocator = ByteBufferAllocator()
    var shard: Shard
    let clock: ServerClock
    let log: LogWriter
    private var storage: LoopStorage
    var access: AccessSnapshot
    /// Counts the snapshots: a login that was checked by an earlier one is checked again.
    var accessNumber = 0
    private let doorkeeper: Doorkeeper

    private let mailboxes: [Mailbox]
    private let homeKey: UInt64
    private var packetSizeMax: Int { shard.settings.packetSizeMax }
    var connectTimeout: TimeAmount { .milliseconds(shard.settings.connectTimeout) }

    private(set) var handlers: [ConnectionEnd?] = []
    /// Connections of other loops' sockets, whose sessions are here.
    private var relayed: [RelayedConnection.Key: RelayedConnection] = [:]
    /// Sockets of this loop whose sessions are elsewhere.
    private var relays: [RelayedConnection.Key: ConnectionHandler] = [:]
    private var relayNumber: UInt64 = 0
    var receivePool = ReceivePool()
    private var outputPool: [ByteBuffer] = []
    /// Large payloads of this flush, by the shard's name for them: good until `releaseShared`.
    private var sharedPayloads: [UInt: ByteBuffer] = [:]
    private var isTickScheduled = false
    private var isFlushing = false
    private var pace = FlushPace()
    /// The end of a linger is scheduled.
    private var isLingerScheduled = false
    /// When the next `advance` is scheduled, in the shard's milliseconds.
    private var wakesAt = Int64.max

    /// Output buffers kept for the next tick, at most; a larger one goes back to the system.
    private static let pooledBuffersMax = 256
    private static let pooledBufferBytesMax = 262_144

    /// - Parameters:
    ///   - mailboxes: of all loops, in the order of their shards.
    ///   - homeKey: what decides whose session a client's is.
    init(
        eventLoop: any EventLoop, shard: consuming Shard, mailboxes: [Mailbox], homeKey: UInt64, clock: ServerClock,
        log: LogWriter, storage: LoopStorage, access: AccessSnapshot, doorkeeper: Doorkeeper
    ) {
        self.storage = storage
        self.access = access
        self.doorkeeper = doorkeeper
        self.eventLoop = eventLoop
        self.mailboxes = mailboxes
        self.homeKey = homeKey
        self.shard = shard
        self.clock = clock
        self.log = log
        self.shard.start(at: clock.now())
    }

    // MARK: Connections

    func accept(_ end: ConnectionEnd) -> ConnectionID {
        let id = shard.accepted(listener: end.listener.index, at: end.newcomer?.acceptedAt ?? clock.now())
        if let identity = end.identity { shard.identified(id, as: identity) }
        while handlers.count <= Int(id.slot) { handlers.append(nil) }
        handlers[Int(id.slot)] = end
        if log.wants(.notice), log.connectionMessages {
            log.write(.notice, "New connection from \(LogWriter.text(end.remoteAddress)) on \(end.listener.name).")
        }
        if let reason = end.objection { shard.dismiss(id, reason, at: clock.now()) }
        settle()
        return id
    }

    /// Feeds bytes to the shard and returns how many it took.
    func receive(_ bytes: UnsafeRawBufferPointer, on handler: ConnectionEnd) -> Int {
        var consumed = 0
        while true {
            let (taken, receipt) = shard.receive(
                UnsafeRawBufferPointer(rebasing: bytes[consumed...]), on: handler.id, at: clock.now())
            consumed += taken
            pace.received(taken)
            settle()
            guard receipt == .wantsFlush, !isFlushing else { return consumed }
            if shard.hasFull { flushFull() } else { flushAll() }
        }
    }

    /// One read is over: whoever has much to write is written to now, the others now or at the tick's end.
    func readComplete() {
        guard shard.hasOutput else { return }
        if pace.writesAfterRead(waiting) {
            flushAll()
        } else if shard.hasFull {
            flushFull()
        }
        settle()
    }

    func hasKnocked(_ id: ConnectionID) -> Bool { shard.hasKnocked(id) }

    func writabilityChanged(_ handler: ConnectionEnd) {
        shard.writabilityChanged(handler.id, to: handler.isWritable, at: clock.now())
        settle()
    }

    func closed(_ handler: ConnectionEnd) {
        let slot = Int(handler.id.slot)
        guard slot < handlers.count, handlers[slot] === handler else { return }
        shard.closed(handler.id, at: clock.now())
        settle()
        handlers[slot] = nil
    }

    // MARK: The tick

    /// Does what the last event asked for, and sees to the end of the tick and the next deadline.
    func settle() {
        while shard.hasEffects {
            for effect in shard.takeEffects() { perform(effect) }
        }
        askStorage()
        if !isTickScheduled, shard.hasBatch || (shard.hasOutput && !pace.isLingering) { scheduleTick() }
        if let deadline = shard.nextDeadline, deadline < wakesAt { wake(at: deadline) }
    }

    private func scheduleTick() {
        isTickScheduled = true
        eventLoop.assumeIsolatedUnsafeUnchecked().execute { self.tick() }
    }

    private func tick() {
        isTickScheduled = false
        if shard.hasBatch { shard.endTick(at: clock.now()) }
        if pace.writesAfterTurn(waiting) { flushAll() } else { linger() }
    }

    private var waiting: FlushPace.Waiting {
        FlushPace.Waiting(bytes: shard.waitingBytes, connections: shard.waitingConnections)
    }

    /// Lets output gather beyond its turn.
    private func linger() {
        guard !isLingerScheduled else { return settle() }
        isLingerScheduled = true
        eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: .microseconds(FlushPace.lingerMicroseconds)) {
            self.isLingerScheduled = false
            guard self.pace.isLingering else { return }
            self.pace.lingerEnded()
            self.flushAll()
        }
        settle()
    }

    private func wake(at moment: Int64) {
        wakesAt = moment
        eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(deadline: clock.deadline(moment)) {
            guard self.wakesAt <= moment else { return }
            self.wakesAt = .max
            self.shard.advance(to: self.clock.now())
            self.settle()
        }
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .close(let id): handler(id)?.closeSoon()
        case .pauseReading(let id): handler(id)?.pauseReading()
        case .resumeReading(let id):
            // Not from inside another connection's packet: at the next turn.
            eventLoop.assumeIsolatedUnsafeUnchecked().execute { self.resume(id) }
        case .storage(let request): storage.ask(request)
        case .authenticate(let request): authenticate(request)
        case .tell(let neighbour, let batch): mailboxes[neighbour].post(.peer(batch, from: index))
        case .log(let event): write(event)
        }
    }

    private func resume(_ id: ConnectionID) {
        guard let handler = handler(id), !shard.isPaused(id) else { return }
        handler.resumeReading()
    }

    private func authenticate(_ request: AuthenticationRequest) {
        let source = Strangers.word(handler(request.connection)?.remoteAddress)
        let known = doorkeeper.answer(
            request, access, accessNumber: accessNumber, source: source, to: mailboxes[index])
        if let known { hear(known) }
    }

    private func hear(_ login: LoginAnswer) {
        guard login.accessNumber == accessNumber else { return authenticate(login.request) }
        shard.authenticated(
            login.request.connection, login.verdict, credential: login.credential, at: clock.now())
    }

    private func askStorage() {
        let answers = storage.send(from: index)
        guard !answers.isEmpty else { return }
        eventLoop.assumeIsolatedUnsafeUnchecked().execute {
            self.hear(answers)
            self.settle()
        }
    }

    private func hear(_ answers: [StorageEvent]) {
        for answer in answers { shard.handle(answer, at: clock.now()) }
    }

    /// Takes up what an earlier run kept. Nobody is connected yet.
    func restore(_ sessions: [RestoredSession], _ retained: [LoggedMessage]) {
        for session in sessions { shard.restore(session, at: clock.now()) }
        for message in retained { shard.restoreRetained(message, at: clock.now()) }
        settle()
    }

    /// What receivers have of messages from these sessions, wherever those live.
    func restoreShares(of sessions: [RestoredSession]) {
        for session in sessions { shard.restoreShares(of: session) }
    }

    private func handler(_ id: ConnectionID) -> ConnectionEnd? {
        let slot = Int(id.slot)
        guard slot < handlers.count, let handler = handlers[slot], handler.id == id else { return nil }
        return handler
    }

    // MARK: Writing

    private func flushAll() {
        isFlushing = true
        let dirty = shard.takeDirty()
        for slot in dirty { flush(slot) }
        shard.recycle(dirty)
        forgetShared()
        isFlushing = false
        settle()
    }

    private func flushFull() {
        for slot in shard.takeFull() { flush(slot) }
        forgetShared()
        settle()
    }

    /// Hands one connection's output to its socket, if that takes it.
    private func flush(_ slot: UInt32) {
        guard Int(slot) < handlers.count, let handler = handlers[Int(slot)], shard.connection(in: slot) == handler.id
        else {
            return
        }
        guard handler.isWritable else { return shard.outputHeld(slot) }
        let size = shard.outputBytes(of: slot)
        guard size > 0 || handler.isClosing else { return shard.outputTaken(slot, at: clock.now()) }
        var buffer = takeOutputBuffer(size)
        var pieces: [ByteBuffer] = []
        shard.withOutput(of: slot) { bytes in
            buffer.writeBytes(bytes)
        } shared: { payload, name in
            // A large payload for several readers: one copy for all, written between the bytes of each.
            pieces.append(buffer)
            pieces.append(sharedBuffer(payload, name))
            buffer = takeOutputBuffer(0)
        }
        shard.outputTaken(slot, at: clock.now())
        // Only now: writing may call back at once, to say that the socket is full.
        for piece in pieces { handler.writeMore(piece) }
        handler.write(buffer, isLast: handler.isClosing)
        if isAlone, buffer.capacity <= ShardLoop.pooledBufferBytesMax, outputPool.count < ShardLoop.pooledBuffersMax {
            outputPool.append(buffer)
        }
    }

    private func sharedBuffer(_ payload: UnsafeRawBufferPointer, _ name: UInt) -> ByteBuffer {
        if let known = sharedPayloads[name] { return known }
        var buffer = allocator.buffer(capacity: payload.count)
        buffer.writeBytes(payload)
        sharedPayloads[name] = buffer
        return buffer
    }

    private func takeOutputBuffer(_ size: Int) -> ByteBuffer {
        guard var buffer = outputPool.popLast() else { return allocator.buffer(capacity: max(size, 4096)) }
        buffer.clear(minimumCapacity: size)
        return buffer
    }

    private func forgetShared() {
        guard !sharedPayloads.isEmpty else { return }
        sharedPayloads.removeAll(keepingCapacity: true)
        shard.releaseShared()
    }

    // MARK: Other loops

    var index: Int { shard.index }
    var isAlone: Bool { mailboxes.count == 1 }
    func mailbox(of shard: Int) -> Mailbox { mailboxes[shard] }

    func home(ofConnection bytes: UnsafeRawBufferPointer, of end: ConnectionEnd) -> Shard.Home {
        Shard.home(
            ofConnection: bytes, count: mailboxes.count, key: homeKey, packetSizeMax: packetSizeMax,
            listener: shard.listeners[end.listener.index], identity: end.identity)
    }

    /// A connection that nobody's shard knows yet: CONNECT in time, or the end.
    func expectConnect(_ handler: ConnectionHandler) {
        let waited = handler.newcomer.map { TimeAmount.milliseconds(clock.now() - $0.acceptedAt) } ?? .zero
        eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(in: connectTimeout - waited) { [weak handler] in
            handler?.closeIfUndecided()
        }
    }

    func newRelay(for handler: ConnectionHandler) -> RelayedConnection.Key {
        relayNumber += 1
        let key = RelayedConnection.Key(loop: index, number: relayNumber)
        relays[key] = handler
        return key
    }

    func forgetRelay(_ key: RelayedConnection.Key) { relays.removeValue(forKey: key) }

    func readMail() {
        for mail in mailboxes[index].take() { read(mail) }
        settle()
    }

    private func read(_ mail: Mail) {
        switch mail {
        case .storage(let answers): hear(answers)
        case .login(let answer): hear(answer)
        case .peer(let batch, let neighbour): shard.handle(batch, from: neighbour, at: clock.now())
        case .open(let key, let listener, let address, let newcomer):
            let end = RelayedConnection(
                key: key, socket: mailboxes[key.loop], address: address, loop: self, listener: listener,
                newcomer: newcomer)
            relayed[key] = end
            end.id = accept(end)
        case .input(let key, let bytes):
            relayed[key]?.hear(bytes)
            readComplete()
        case .writable(let key, let isWritable):
            relayed[key]?.socketWritabilityChanged(to: isWritable)
        case .written(let key, let count): relayed[key]?.written(count)
        case .gone(let key): relayed.removeValue(forKey: key)?.gone()
        case .output(let key, let bytes, let isLast): relays[key]?.writeRelayed(bytes, isLast: isLast)
        case .heard(let key, let count): relays[key]?.heard(count)
        case .reading(let key, let isOn): relays[key]?.setReading(isOn)
        case .end(let key): relays[key]?.endWithinGrace()
        case .known(let key): relays[key]?.becameKnown()
        }
    }

    // MARK: The control plane

    func publish(topic: [UInt8], payload: [UInt8]) {
        shard.publish(topic: topic, payload: payload, qos: .exactlyOnce, retain: true, at: clock.now())
        settle()
    }

    func status() -> ShardStatus {
        var status = shard.status
        (status.waitingMessages, status.waitingMessageBytes) = storage.waitingHere
        return status
    }

    func shutDown() {
        shard.shutDown(at: clock.now())
        settle()
        flushAll()
    }

    private func write(_ event: LogEvent) {
        for (type, text) in log.lines(of: event, address: { self.handler($0)?.remoteAddress }) { log.write(type, text) }
    }
}
