import DequeModule
import HeapModule
import MQTTProtocol

/// The broker's mind: some sessions, their connections, and its view of the routes. Events go in, effects come out; it
/// has no socket, clock, disk, thread or randomness of its own. An event loop runs one, a test calls one, a simulation
/// runs forty.
///
/// The story goes: `Shard+receive` (a packet came) → `+connect`, `+publish`, `+subscribe`, `+acknowledge`,
/// `+disconnect` (what it means) → `+forward`, `+deliver` (who gets it) → `Outbox` and `effects` (what to do).
/// Times are milliseconds since 1970 on a clock that never steps back, given with every event.
package struct Shard: ~Copyable {
    package var index: Int { neighbours.index }
    package internal(set) var settings: ShardSettings
    package internal(set) var listeners: [ListenerSettings]
    /// Who may do what; nil = everybody everything.
    var policy: (any AccessPolicy)?

    /// The moment of the event being handled.
    var now: Int64 = 0
    var random: SplitMix64

    var connections = SlotTable<Connection>()
    var sessions = SlotTable<Session>()
    /// Client identifier → session. [5.0 MQTT-3.1.3-2]
    var clients: [MQTTString: UInt32] = [:]
    let clientKeySeed: UInt64
    /// Grows with every connection and session, so that a slot used again is not mistaken.
    var generation: UInt32 = 0
    /// Clients that are connected.
    var connectedClients = 0
    /// The same, and sessions, for all shards of the broker.
    package let census: Census
    /// Memberships of sessions here in shared subscriptions, wherever the groups are kept.
    var sharedMemberships = 0

    var routes: SubscriptionTree
    var versions: RouteVersions
    var cache: RouteCache
    var matches = MatchBuffer()
    var groups = SlotTable<SharedGroup>()
    var groupNames: [MQTTString: UInt32] = [:]
    var retained: RetainedTree

    var outbox = Outbox()
    /// Shared payloads that the server has been handed and may still look at.
    var handedOver: [Message] = []
    package internal(set) var effects: [Effect] = []
    var deadlines = Heap<Deadline>()
    /// Counts the times the settings were replaced: sweeps of earlier ones are known by it.
    var settingsNumber: UInt32 = 0
    package var counters = Counters()

    /// Packets being put together; emptied for each.
    var scratch = ByteRun(capacity: 4096)
    let templates: UnsafeMutablePointer<Template>
    let templateStorage = TemplateStorage()
    /// Properties that are passed on, copied out of a block that holds others too.
    var forwardedProperties = ByteRun(capacity: 256)
    var storage = StorageDesk()
    var neighbours: Neighbourhood
    /// Publishers that wait for room in the whole store.
    var publishersWaiting: [ConnectionID] = []

    /// - Parameters:
    ///   - index: its number among its neighbours, from 0.
    ///   - count: how many shards there are, itself included.
    ///   - homeKey: the same for all of them: decides which shard keeps what. Messages in the log name their publisher by
    ///     it, so it stays the same over restarts.
    ///   - census: the same for all of them: counts what is limited for the whole broker.
    ///   - policy: who may do what; `replaceAccess` replaces it.
    ///   - seed: chance, for hash keys and client identifiers.
    package init(
        index: Int = 0, count: Int = 1, homeKey: UInt64 = 0, census: Census = Census(), settings: ShardSettings,
        listeners: [ListenerSettings], policy: (any AccessPolicy)? = nil, seed: UInt64
    ) {
        self.policy = policy
        self.census = census
        neighbours = Neighbourhood(index: index, count: count, key: homeKey)
        self.settings = settings
        self.listeners = listeners
        random = SplitMix64(seed: seed)
        clientKeySeed = homeKey
        routes = SubscriptionTree(key: random.next())
        versions = RouteVersions(key: random.next())
        cache = RouteCache(capacity: settings.routeCacheEntries, key: random.next())
        retained = RetainedTree(key: random.next())
        templates = .allocate(capacity: Template.shapes)
    }

    /// The world begins to turn: what repeats is set up.
    package mutating func start(at now: Int64) {
        self.now = now
        scheduleSweep()
        scheduleQueueSweep()
    }

    deinit { templates.deallocate() }

    // MARK: Effects

    /// What is to be done, in order. Bytes to write are in the outbox.
    package mutating func takeEffects() -> [Effect] {
        var taken: [Effect] = []
        swap(&taken, &effects)
        return taken
    }

    package var hasEffects: Bool { !effects.isEmpty }

    /// Says an event to the log, if the log wants its kind. Debug lines ask `debugName` first, so they cost nothing.
    mutating func log(_ type: LogInterest, _ event: LogEvent) {
        if !settings.logInterest.isDisjoint(with: type) { effects.append(.log(event)) }
    }

    /// Whether a connection with this name is still there.
    func exists(_ id: ConnectionID) -> Bool {
        connections.isTaken(id.slot) && connections.pointer(id.slot).pointee.generation == id.generation
    }

    func id(of slot: UInt32) -> ConnectionID {
        ConnectionID(slot: slot, generation: connections.pointer(slot).pointee.generation)
    }

    mutating func nextGeneration() -> UInt32 {
        generation &+= 1
        return generation
    }

    func clientKey(_ identifier: MQTTString) -> UInt64 {
        identifier.bytes.withUnsafeBytes { bytes in
            bytes.baseAddress.map { keyedHash($0, bytes.count, key: clientKeySeed) } ?? 1
        }
    }
}

/// How things stand in a shard, for `$SYS`.
package struct ShardStatus: Equatable, Sendable {
    package var counters = Counters()
    package var connections = 0
    package var clientsConnected = 0
    package var sessions = 0
    package var subscriptions = 0
    package var sharedSubscriptions = 0
    package var retainedMessages = 0
    package var retainedBytes = 0
    /// Messages that wait for persistent sessions: storage's to say.
    package var waitingMessages = 0
    package var waitingMessageBytes = 0
    package var outputConnections = 0
    package var outputBytes = 0

    package init() {}
}

extension Shard {
    package var status: ShardStatus {
        var status = ShardStatus()
        status.counters = counters
        // Counted together; said once.
        status.counters.clientsMaximum = index == 0 ? census.connections.peak : 0
        status.connections = connections.count
        status.clientsConnected = connectedClients
        status.sessions = sessions.count
        // What clients asked for: neither groups nor neighbours, which stand in the tree too.
        status.subscriptions = routes.count - groups.count - neighbours.interestCount
        status.sharedSubscriptions = sharedMemberships
        // Every shard has a copy of all retained messages; they count once.
        status.retainedMessages = index == 0 ? retained.count : 0
        status.retainedBytes = index == 0 ? retained.bytes : 0
        status.outputConnections = outbox.dirty.count
        status.outputBytes = outbox.bytes
        return status
    }
}

/// What the broker counts, for `$SYS`. Every number only grows.
package struct Counters: Equatable, Sendable {
    package var packetsReceived: UInt64 = 0
    package var packetsSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var publishesReceived: UInt64 = 0
    package var publishesSent: UInt64 = 0
    /// Messages that a subscriber should have had and did not get: limits, stalled readers, packets too large.
    package var publishesDropped: UInt64 = 0
    package var payloadBytesReceived: UInt64 = 0
    package var payloadBytesSent: UInt64 = 0
    package var connectionsAccepted: UInt64 = 0
    package var clientsConnected: UInt64 = 0
    package var sessionsExpired: UInt64 = 0
    /// The most clients connected at once, of all shards; only shard 0 says it.
    package var clientsMaximum: Int = 0

    package init() {}
}

/// A small generator with a seed: chance as an argument. (Steele, Lea & Flood, 2014.)
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
