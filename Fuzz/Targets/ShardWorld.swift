import BrokerCore
import MQTTProtocol

/// One or two shards and everything around them that a server would be: connections, the clock, storage, the mailbox.
/// It keeps to the rules that `ShardLoop` keeps to, and checks what the shards promise in return.
final class ShardWorld {
    static let peersMax = 8
    static let listeners: [ListenerSettings] = [ListenerSettings()]

    enum StorageMood { case healthy, full, forgetful }

    /// A shard in a box: arrays do not hold what cannot be copied.
    private final class Host {
        var shard: Shard
        var storage = MemoryStorage()
        var pending: [StorageEvent] = []
        var counters = Counters()

        init(index: Int, count: Int, settings: ShardSettings) {
            shard = Shard(
                index: index, count: count, homeKey: 7, settings: settings, listeners: ShardWorld.listeners, seed: 42)
        }
    }

    var storageMood = StorageMood.healthy
    private let settings: ShardSettings
    private let hosts: [Host]
    private var peers: [Int: Peer] = [:]
    private var mail: [(from: Int, to: Int, batch: PeerBatch)] = []
    private var now: Int64 = 1_700_000_000_000

    /// - Parameter limits: a bit for each limit that is made small.
    init(limits: UInt8, shards: Int) {
        var settings = ShardSettings()
        settings.outputBytesMax = 4_096
        settings.persistentSessionSecondsMax = 100
        settings.routeCacheEntries = limits & 1 == 0 ? 16 : 0
        if limits & 2 != 0 { settings.inflightMessagesMax = 2 }
        if limits & 4 != 0 { settings.queuedMessagesMax = 3 }
        if limits & 8 != 0 { settings.sessionsMax = 2 }
        if limits & 16 != 0 { settings.connectionsMax = 2 }
        if limits & 32 != 0 { settings.packetSizeMax = 400 }
        if limits & 64 != 0 { settings.queuesQoS0 = true }
        if limits & 128 != 0 { settings.logInterest = [.error, .warning, .notice, .information, .debug, .subscribe] }
        self.settings = settings
        hosts = (0..<shards).map { Host(index: $0, count: shards, settings: settings) }
    }

    func version(of name: Int) -> ProtocolVersion { peers[name]?.version ?? .v311 }

    // MARK: What happens to the shards

    func connect(_ name: Int) {
        guard peers[name] == nil else { return }
        // A server looks for the client's home first; here the script has chosen where it connects.
        let host = name % hosts.count
        peers[name] = Peer(id: hosts[host].shard.accepted(listener: 0, at: now), shard: host)
    }

    func send(_ bytes: [UInt8], from name: Int) {
        guard peers[name] != nil else { return }
        peers[name]?.unsent += bytes
        feed(name)
    }

    private func feed(_ name: Int) {
        while let peer = peers[name], !peer.isPaused, !peer.isClosing, !peer.unsent.isEmpty {
            // The sanitizer guards the ends of a block of exactly this size.
            let (consumed, receipt) = peer.unsent.withUnsafeBytes { bytes in
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
                copy.copyMemory(from: bytes)
                defer { copy.deallocate() }
                return hosts[peer.shard].shard.receive(UnsafeRawBufferPointer(copy), on: peer.id, at: now)
            }
            require(consumed <= peer.unsent.count, "took more than there was")
            peers[name]?.taken(peer.unsent[..<consumed])
            peers[name]?.unsent.removeFirst(consumed)
            settle()
            guard receipt == .wantsFlush else { return }
            flush()
        }
    }

    func hangUp(_ name: Int) {
        guard let peer = peers[name] else { return }
        hosts[peer.shard].shard.closed(peer.id, at: now)
        // What its own end sets off may still name it (a client that waited for itself to read is told to go on).
        settle()
        peers.removeValue(forKey: name)
    }

    func setWritable(_ name: Int, _ isWritable: Bool) {
        guard let peer = peers[name], peer.isWritable != isWritable else { return }
        peers[name]?.isWritable = isWritable
        hosts[peer.shard].shard.writabilityChanged(peer.id, to: isWritable, at: now)
    }

    func advance(by milliseconds: Int64) {
        now += milliseconds
        for host in hosts {
            host.shard.advance(to: now)
            require(host.shard.nextDeadline.map { $0 > now } ?? true, "a deadline is left behind: the loop would spin")
        }
    }

    // MARK: What the shards want

    /// Does what they ask for, as the server does after every event.
    func settle() {
        for index in hosts.indices {
            while hosts[index].shard.hasEffects {
                for effect in hosts[index].shard.takeEffects() { perform(effect, of: index) }
            }
        }
    }

    private func perform(_ effect: Effect, of index: Int) {
        switch effect {
        case .close(let id):
            let name = name(of: id, in: index)
            require(peers[name]?.isClosing == false, "closed twice")
            peers[name]?.isClosing = true
            peers[name]?.unsent = []
        case .pauseReading(let id): peers[name(of: id, in: index)]?.isPaused = true
        case .resumeReading(let id):
            let name = name(of: id, in: index)
            peers[name]?.isPaused = hosts[index].shard.isPaused(id)
        case .storage(let request): hosts[index].pending.append(answer(request, by: hosts[index]))
        case .tell(let shard, let batch):
            require(shard != index && hosts.indices.contains(shard), "a batch for shard \(shard), no neighbour")
            mail.append((index, shard, batch))
        case .authenticate: preconditionFailure("everybody may come in here, and nobody was to be asked")
        case .log: break
        }
    }

    private func name(of id: ConnectionID, in shard: Int) -> Int {
        for (name, peer) in peers where peer.id == id && peer.shard == shard { return name }
        preconditionFailure("an effect for \(id), which is not connected")
    }

    private func answer(_ request: StorageRequest, by host: Host) -> StorageEvent {
        switch (storageMood, request) {
        case (.full, .append(let token, _)), (.full, .put(let token, _)), (.full, .remove(let token, _)):
            .failed(token, .full)
        case (.full, .read(let token, _, _, _, _)): .failed(token, .unavailable)
        case (.forgetful, .read(let token, _, _, _, _)): .records(token, [])
        default: host.storage.perform(request)
        }
    }

    func answerStorage(_ choice: Int) {
        let host = hosts[choice % hosts.count]
        guard !host.pending.isEmpty else { return }
        host.shard.handle(host.pending.remove(at: (choice >> 1) % host.pending.count), at: now)
    }

    func answerEverything() {
        for host in hosts {
            while !host.pending.isEmpty {
                host.shard.handle(host.pending.removeLast(), at: now)
                settle()
            }
        }
    }

    // MARK: The tick

    func endTick() {
        for host in hosts where host.shard.hasBatch { host.shard.endTick(at: now) }
        settle()
        flush()
        let letters = mail
        mail = []
        for letter in letters {
            hosts[letter.to].shard.handle(letter.batch, from: letter.from, at: now)
            settle()
        }
        for name in peers.keys.sorted() where peers[name]?.isPaused == false { feed(name) }
    }

    func flush() {
        for index in hosts.indices {
            let dirty = hosts[index].shard.takeDirty()
            for slot in dirty { flush(slot, of: index) }
            hosts[index].shard.recycle(dirty)
            hosts[index].shard.releaseShared()
        }
        settle()
    }

    private func flush(_ slot: UInt32, of index: Int) {
        guard let id = hosts[index].shard.connection(in: slot) else { return }
        let name = name(of: id, in: index)
        guard peers[name]?.isWritable == true else { return hosts[index].shard.outputHeld(slot) }
        var output: [UInt8] = []
        hosts[index].shard.withOutput(of: slot) {
            output += $0
        } shared: { payload, _ in
            output += payload
        }
        require(output.count == hosts[index].shard.outputBytes(of: slot), "the output's size was said to be another")
        hosts[index].shard.outputTaken(slot, at: now)
        peers[name]?.receive(output)
        if peers[name]?.isClosing == true { hangUp(name) }
    }

    // MARK: What must hold

    func check() {
        for (index, host) in hosts.enumerated() {
            let status = host.shard.status
            let here = peers.values.filter { $0.shard == index }
            require(status.connections == here.count, "\(status.connections) connections for \(here.count)")
            let waiting = here.reduce(0) { $0 + host.shard.outputBytes(of: $1.id.slot) }
            require(status.outputBytes == waiting, "\(status.outputBytes) bytes are said to wait, \(waiting) do")
            require(status.clientsConnected <= status.connections, "more clients than connections")
            require(status.clientsConnected <= settings.connectionsMax ?? .max, "global_max_connections")
            require(status.sessions <= settings.sessionsMax ?? .max, "global_max_clients")
            grows(host, \.packetsReceived)
            grows(host, \.packetsSent)
            grows(host, \.bytesReceived)
            grows(host, \.bytesSent)
            grows(host, \.publishesReceived)
            grows(host, \.publishesSent)
            grows(host, \.publishesDropped)
            grows(host, \.connectionsAccepted)
            grows(host, \.clientsConnected)
            grows(host, \.sessionsExpired)
            host.counters = status.counters
        }
    }

    private func grows(_ host: Host, _ counter: KeyPath<Counters, UInt64>) {
        let (before, after) = (host.counters[keyPath: counter], host.shard.counters[keyPath: counter])
        // A step back and a step over 2^63 look alike: both are wrong.
        require(after >= before && after - before < 1 << 40, "a counter went from \(before) to \(after)")
    }

    /// Everybody goes, time passes, storage answers: nothing may be left but retained messages.
    func tearDown() {
        storageMood = .healthy
        for name in peers.keys.sorted() {
            hangUp(name)
            settle()
        }
        for _ in 0..<16 {
            advance(by: 200_000)
            settle()
            endTick()
            answerEverything()
        }
        for host in hosts {
            let status = host.shard.status
            require(status.connections == 0 && status.clientsConnected == 0, "connections are left")
            require(status.sessions == 0, "\(status.sessions) sessions outlived their expiry")
            require(status.subscriptions == 0, "\(status.subscriptions) subscriptions outlived their sessions")
            require(status.outputBytes == 0, "\(status.outputBytes) bytes wait for nobody")
            require(host.pending.isEmpty && !host.shard.hasBatch, "storage is never done")
        }
    }
}
