import BrokerCore
import MQTTProtocol
import SeededRandom
import ShardTestKit

/// Shards and clients driven from one seed. The same seed makes the same run, to the byte.
final class Simulation {
    let seed: UInt64
    var random: SeededGenerator
    /// Shards of this run; the next has others.
    var worlds: [ShardHarness] = []
    /// What outlives them.
    let disk = ModelDisk()
    /// Decides which shard is whose home; new for each run.
    var homeKey: UInt64
    var clients: [SimulatedClient] = []
    var model = Model()
    /// What shards have said to each other and not yet heard: from, to, oldest first.
    var mail: [[[PeerBatch]]] = []
    let settings: ShardSettings
    /// Storage refuses this many requests of a hundred, until the end.
    var refusalPercent: Int
    /// The disk has no room until this step.
    private var isFullUntil = 0
    /// The disk takes nothing until this step, as if its writer were stopped.
    private var isStoppedUntil = 0
    /// How often, in ten thousand steps, the broker is lost with everything in memory.
    let crashesPerTenThousand: Int
    var crashes = 0
    private(set) var steps = 0

    static let topics = ["t/0", "t/1", "t/2", "t/0/a", "u/1", "t", "/t", "t//0"]
    static let filters = ["#", "t/+", "t/#", "t/0", "t/0/a", "+/1", "u/1", "+/+", "/t", "t//0", "r/#", "r/+", "r/1"]
    static let retainedTopics = ["r/0", "r/1", "r/2", "r/3/x"]
    static let willTopics = ["w/0", "w/1"]
    static let sharedTopics = ["s/0", "s/1"]
    static let groups = ["$share/one/s/#", "$share/two/s/+"]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        var settings = ShardSettings()
        settings.queuedMessagesMax = 0
        settings.inflightMessagesMax = [1, 2, 5, 20][random.below(4)]
        settings.outputBytesMax = [2_000, 20_000, 1 << 20][random.below(3)]
        settings.neighbourBytesMax = [500, 20_000, 1 << 20][random.below(3)]
        settings.routeCacheEntries = [4, 64, 4096][random.below(3)]
        settings.queuesQoS0 = random.chance(30)
        if random.chance(30) { settings.logInterest.insert(.debug) }
        self.settings = settings
        refusalPercent = random.chance(40) ? 4 : 0
        crashesPerTenThousand = random.chance(70) ? 10 + random.below(40) : 0
        homeKey = seed
        let count = [1, 1, 2, 3][random.below(4)]
        model.hasRefusals = refusalPercent > 0
        model.hasNeighbours = count > 1
        makeClients()
        makeWorlds(count, at: 1_700_000_000_000)
    }

    /// The broker starts, with so many shards.
    func makeWorlds(_ count: Int, at now: Int64) {
        let census = Census()
        worlds = (0..<count).map { index in
            ShardHarness(
                index: index, count: count, homeKey: homeKey, census: census, settings: settings, seed: random.next(),
                now: now, disk: disk, keepsHistory: false)
        }
        mail = Array(repeating: Array(repeating: [], count: count), count: count)
        for world in worlds { prepare(world) }
    }

    private func makeClients() {
        let versions: [ProtocolVersion] = [.v31, .v311, .v5, .v5]
        for index in 0..<(6 + random.below(14)) {
            let version = random.pick(versions)
            let kinds: [SimulatedClient.Kind] =
                version == .v5 ? [.clean, .mortal, .persistent, .persistent] : [.clean, .persistent]
            let isMember = random.chance(25)
            clients.append(
                SimulatedClient(
                    index: index, version: version,
                    kind: isMember ? (random.chance(25) ? .clean : .persistent) : random.pick(kinds),
                    group: isMember ? random.pick(Simulation.groups) : nil, random: &random))
        }
        model.lasting = Set(clients.filter { $0.kind == .persistent }.map(\.index))
    }

    private func prepare(_ world: ShardHarness) {
        world.storage.mode = .held
        world.storage.delaysWrites = true
        world.storage.refusal = { [unowned self] request in
            guard refusalPercent > 0 else { return nil }
            if steps < isFullUntil, !request.isRead { return .full }
            return random.chance(refusalPercent) ? .unavailable : nil
        }
        let index = world.shard.index
        world.tell = { [unowned self] shard, batch in mail[index][shard].append(batch) }
        let client = settings.outputBytesMax
        let onTheWay = (worlds.count - 1) * settings.neighbourBytesMax
        world.afterEvent = { [unowned self] world in
            // A connection may hold its limit, what each publisher was just sending, what was on the way from
            // neighbours, and the replies to its own reading.
            let bound = world.shard.status.connections * (2 * client + onTheWay + 400_000)
            if world.shard.status.outputBytes > bound {
                model.breach("output grew to \(world.shard.status.outputBytes) bytes")
            }
        }
    }

    /// The world a client connects to.
    func world(of client: SimulatedClient) -> ShardHarness {
        worlds[Shard.home(of: client.name, count: worlds.count, key: homeKey)]
    }

    /// One batch of mail arrives, of any pair; each pair keeps its order.
    func deliverMail(from: Int, to: Int) {
        guard !mail[from][to].isEmpty else { return }
        worlds[to].hear(mail[from][to].removeFirst(), from: from)
    }

    // MARK: Steps

    func run(steps count: Int) {
        while steps < count, model.violations.isEmpty {
            step()
            steps += 1
        }
        if model.violations.isEmpty { heal() }
    }

    private func step() {
        if crashesPerTenThousand > 0, random.below(10_000) < crashesPerTenThousand { return crash() }
        if worlds.count > 1, random.chance(25) {
            return deliverMail(from: random.below(worlds.count), to: random.below(worlds.count))
        }
        if random.chance(35) { return stepWorld(random.pick(worlds)) }
        let client = random.pick(clients)
        // A connection the server has ended is noticed at some time.
        if let wire = client.wire, wire.isClosed { return client.loseConnection() }
        switch client.phase {
        case .offline: if random.chance(client.will == nil ? 40 : 3) { connect(client) }
        case .connecting: network(client)
        case .online: act(client)
        }
    }

    private func stepWorld(_ world: ShardHarness) {
        switch random.below(100) {
        case 0..<35: world.tick()
        case 35..<60: if steps >= isStoppedUntil { world.write(1 + random.below(4)) }
        case 60..<85:
            let waiting = world.storage.answers.count
            if waiting > 0 { world.answer(at: random.chance(70) ? 0 : random.below(waiting)) }
        case 85..<96: world.advance(by: Int64(random.below(200)))
        case 96 where random.chance(20): isStoppedUntil = steps + random.below(300)
        case 96 where random.chance(20): isFullUntil = steps + random.below(150)
        default:
            let time = Int64(random.below(20_000))
            for world in worlds { world.advance(by: time) }
        }
    }

    func connect(_ client: SimulatedClient) {
        let wire = world(of: client).open()
        renewWill(client)
        client.connectedAt = world(of: client).now
        wire.version = client.version
        wire.socketBytesMax = client.socketBytes
        client.wire = wire
        client.phase = .connecting
        if client.kind == .clean || client.isUncertain { client.forgetSession(&model) }
        client.put(.connect(client.connectPacket))
    }

    private func act(_ client: SimulatedClient) {
        if client.mustReconnect { return leave(client) }
        if steps >= client.idleUntil, random.chance(1) { client.idleUntil = steps + random.below(400) }
        switch random.below(100) {
        case 0..<25: network(client)
        case 25..<55: read(client)
        case 55..<75: publish(client)
        case 75..<85: client.reply(random.chance(50) ? 1 : 1000)
        case 85..<91: subscribe(client)
        case 91..<93: unsubscribe(client)
        case 93: client.put(.pingreq(Pingreq()))
        case 94..<96: lose(client)
        case 96: abandon(client)
        case 97: leave(client)
        default: dropAbandoned(client)
        }
    }

    /// Some of what the client has written reaches the shard, and something is read.
    private func network(_ client: SimulatedClient, all: Bool = false) {
        guard let wire = client.wire else { return }
        let count = all || random.chance(60) ? client.unsent.count : random.below(client.unsent.count + 1)
        let part = Array(client.unsent[..<count])
        client.unsent.removeFirst(count)
        world(of: client).send(part, on: wire)
        if client.phase == .connecting { read(client) }
    }

    private func read(_ client: SimulatedClient) {
        guard let wire = client.wire, steps >= client.idleUntil else { return }
        client.clock = world(of: client).now
        world(of: client).read(random.chance(50) ? 100_000 : random.below(64), on: wire)
        client.receive(&model)
    }

    func leave(_ client: SimulatedClient) {
        client.put(.disconnect(Disconnect()))
        client.will?.isKept = false  // a normal end withdraws it
        network(client, all: true)
        lose(client)
    }

    private func lose(_ client: SimulatedClient) {
        if let wire = client.wire { world(of: client).cut(wire) }
        client.will?.lostAt = world(of: client).now
        client.loseConnection()
    }

    /// The client is gone for good, and the server does not know.
    private func abandon(_ client: SimulatedClient) {
        if let wire = client.wire { client.abandoned.append(wire) }
        client.loseConnection()
    }

    private func dropAbandoned(_ client: SimulatedClient) {
        if let wire = client.abandoned.popLast() { world(of: client).cut(wire) }
    }
}
