package import BrokerCore
package import MQTTProtocol

/// A shard without sockets, clocks or disks: it owns the shard, the clients' ends of its connections, a storage that
/// answers when it is told to, and the time. It does what `ShardLoop` does: effects after every event, one flush of
/// everyone at the end of a tick.
package final class ShardHarness {
    package var shard: Shard
    package var storage: TestStorage
    /// Milliseconds; only `advance` moves it.
    package private(set) var now: Int64
    package private(set) var log: [LogEvent] = []
    /// A receive asked for a flush, and the flush changed nothing: the server's loop would turn for ever.
    package private(set) var flushesInVain = 0
    /// Asked to watch what every event leaves behind.
    package var afterEvent: ((ShardHarness) -> Void)?
    /// Takes what is said to neighbours.
    package var tell: (_ shard: Int, _ batch: PeerBatch) -> Void = { _, _ in }

    /// Logins that the shard wants checked, oldest first.
    package private(set) var logins: [AuthenticationRequest] = []

    private var connections: [UInt32: TestConnection] = [:]
    private var resumes: [ConnectionID] = []
    private let keepsHistory: Bool

    /// How long output may still be written after the end was decided, in milliseconds: the server's.
    private static let closeGrace: Int64 = 2000

    /// - Parameters:
    ///   - disk: what shards of one broker share, and what outlives them; nil = a new one.
    ///   - keepsHistory: log, bytes and storage requests are kept for the test to look at.
    package init(
        index: Int = 0, count: Int = 1, homeKey: UInt64 = 0, census: Census = Census(),
        settings: ShardSettings = ShardSettings(), listeners: [ListenerSettings] = [ListenerSettings()],
        policy: (any AccessPolicy)? = nil, seed: UInt64 = 1, now: Int64 = 1_700_000_000_000, disk: ModelDisk? = nil,
        keepsHistory: Bool = true
    ) {
        self.now = now
        shard = Shard(
            index: index, count: count, homeKey: homeKey, census: census, settings: settings, listeners: listeners,
            policy: policy, seed: seed)
        storage = TestStorage(disk: disk ?? ModelDisk(), keepsRequests: keepsHistory)
        self.keepsHistory = keepsHistory
    }

    // MARK: What clients do

    package func open(listener: Int = 0) -> TestConnection {
        let id = shard.accepted(listener: listener, at: now)
        let connection = TestConnection(id: id, keepsBytes: keepsHistory)
        connections[id.slot] = connection
        settle()
        return connection
    }

    /// Opens a connection, sends CONNECT and lets everything happen.
    @discardableResult
    package func connect(_ connect: Connect, listener: Int = 0) -> TestConnection {
        let connection = open(listener: listener)
        send(.connect(connect), on: connection)
        run()
        return connection
    }

    package func send(_ packets: Packet..., on connection: TestConnection) {
        for packet in packets {
            if case .connect(let connect) = packet { connection.version = connect.version }
            send(packet.bytes(connection.version), on: connection)
        }
    }

    /// Bytes arrive at the shard, or wait while it does not read.
    package func send(_ bytes: [UInt8], on connection: TestConnection) {
        guard !connection.isClosing, !connection.isClosed else { return }
        connection.toServer += bytes
        feed(connection)
    }

    /// The client reads up to `count` bytes of what its socket holds.
    package func read(_ count: Int = .max, on connection: TestConnection) {
        connection.read(count)
        guard !connection.isWritable, connection.isSocketLow, !connection.isClosed else { return }
        connection.isWritable = true
        shard.writabilityChanged(connection.id, to: true, at: now)
        settle()
    }

    /// The network connection breaks.
    package func cut(_ connection: TestConnection) {
        guard !connection.isClosed else { return }
        connection.isClosed = true
        connections[connection.id.slot] = nil
        shard.closed(connection.id, at: now)
        settle()
    }

    /// A login was checked: the one at `index` of `logins`.
    package func answer(login index: Int, _ verdict: AuthenticationVerdict) {
        shard.authenticated(logins.remove(at: index).connection, verdict, at: now)
        settle()
        run()
    }

    package func replaceAccess(policy: (any AccessPolicy)?, listeners: [ListenerSettings]? = nil) {
        shard.replaceAccess(policy: policy, listeners: listeners ?? shard.listeners, at: now)
        settle()
        run()
    }

    // MARK: Time

    /// One turn of the loop: postponed reading goes on, the batch goes to storage, everyone is flushed.
    package func tick() {
        let waiting = resumes
        resumes = []
        for id in waiting { resume(id) }
        if shard.hasBatch { shard.endTick(at: now) }
        flush()
        if storage.mode == .answersAtOnce { answerAll() }
    }

    /// Ticks until nothing happens any more.
    package func run() {
        for _ in 0..<100_000 {
            guard isBusy else { return }
            tick()
        }
        preconditionFailure("the shard does not come to rest")
    }

    private var isBusy: Bool {
        let isShardBusy = ShardHarness.isBusy(shard)
        return isShardBusy || !resumes.isEmpty || (storage.mode == .answersAtOnce && !storage.answers.isEmpty)
    }

    /// One look at the shard for all its questions: where `a.shard.x || a.shard.y` stands in a class, the optimizer of Swift
    /// 6.3.1 leaves the access open on the way out of the middle. `Docs/decisions/0003-exclusivity.md` has the reduction.
    @inline(never)
    private static func isBusy(_ shard: borrowing Shard) -> Bool {
        shard.hasBatch || shard.hasOutput || shard.hasEffects
    }

    /// Time passes; what is due happens at its moment.
    package func advance(by milliseconds: Int64) {
        let end = now + milliseconds
        run()
        while let due = [shard.nextDeadline ?? .max, connections.values.map(\.closesAt).min() ?? .max].min(), due <= end
        {
            now = max(now, due)
            shard.advance(to: now)
            settle()
            let overdue = connections.values.filter { $0.closesAt <= now }.sorted { $0.id.slot < $1.id.slot }
            for connection in overdue { cut(connection) }
            run()
        }
        now = end
    }

    // MARK: Storage

    /// The disk takes up to `count` of the requests it was asked, oldest first. Answers follow when `answer` says so.
    package func write(_ count: Int = .max) {
        storage.write(count)
    }

    package func answer(at index: Int = 0) {
        shard.handle(storage.takeAnswer(at: index), at: now)
        settle()
    }

    /// Everything that was asked is done and answered, and what is asked because of that.
    package func answerAll() {
        storage.write()
        while !storage.answers.isEmpty {
            answer()
            storage.write()
        }
    }

    /// Takes up what an earlier run left, as the server does before it opens its listeners.
    package func restore(_ sessions: [RestoredSession], _ retained: [LoggedMessage]) {
        for message in retained { shard.restoreRetained(message, at: now) }
        for session in sessions { shard.restore(session, at: now) }
        settle()
    }

    /// What receivers anywhere have of this session's messages.
    package func restoreShares(of session: RestoredSession) { shard.restoreShares(of: session) }

    /// A neighbour's batch arrives.
    package func hear(_ batch: PeerBatch, from neighbour: Int) {
        shard.handle(batch, from: neighbour, at: now)
        settle()
    }

    // MARK: Inside

    /// Feeds the shard as the server does: what it does not take stays until more comes, or reading goes on.
    private func feed(_ connection: TestConnection) {
        while !connection.isPaused, !connection.isClosing, !connection.isClosed {
            let (consumed, receipt) = connection.toServer.withUnsafeBytes {
                shard.receive($0, on: connection.id, at: now)
            }
            connection.toServer.removeFirst(consumed)
            settle()
            guard receipt == .wantsFlush else { return }
            let before = shard.status.outputBytes
            flush()
            if shard.status.outputBytes == before, consumed == 0 {
                flushesInVain += 1
                return
            }
        }
    }

    package func settle() {
        while shard.hasEffects {
            for effect in shard.takeEffects() { perform(effect) }
        }
        afterEvent?(self)
    }

    private func perform(_ effect: Effect) {
        if case .close(let id) = effect, let connection = connection(id) {
            connection.isClosing = true
            connection.toServer = []
            connection.closesAt = now + ShardHarness.closeGrace
        } else if case .pauseReading(let id) = effect {
            connection(id)?.isPaused = true
        } else if case .resumeReading(let id) = effect {
            resumes.append(id)
        } else if case .storage(let request) = effect {
            storage.ask(request)
        } else if case .authenticate(let request) = effect {
            logins.append(request)
        } else if case .tell(let neighbour, let batch) = effect {
            tell(neighbour, batch)
        } else if case .log(let event) = effect, keepsHistory {
            log.append(event)
        }
    }

    private func resume(_ id: ConnectionID) {
        guard let connection = connection(id), connection.isPaused, !shard.isPaused(id) else { return }
        connection.isPaused = false
        feed(connection)
    }

    private func connection(_ id: ConnectionID) -> TestConnection? {
        guard let connection = connections[id.slot], connection.id == id else { return nil }
        return connection
    }

    private func flush() {
        let dirty = shard.takeDirty()
        for slot in dirty { flush(slot) }
        shard.recycle(dirty)
        shard.releaseShared()
        settle()
    }

    private func flush(_ slot: UInt32) {
        guard let connection = connections[slot], shard.connection(in: slot) == connection.id else { return }
        guard connection.isWritable else { return shard.outputHeld(slot) }
        var written: [UInt8] = []
        shard.withOutput(of: slot) {
            written += $0
        } shared: { payload, _ in
            written += payload
        }
        shard.outputTaken(slot, at: now)
        connection.take(written)
        if connection.isSocketFull {
            connection.isWritable = false
            shard.writabilityChanged(connection.id, to: false, at: now)
        } else if connection.socketBytesMax == nil {
            connection.read(.max)
        }
        if connection.isClosing { cut(connection) }
    }
}

extension Packet {
    package func bytes(_ version: ProtocolVersion) -> [UInt8] {
        var run = ByteRun(capacity: encodedSize(version: version) + 8)
        encode(into: &run, version: version)
        return [UInt8](run.bytes)
    }
}
