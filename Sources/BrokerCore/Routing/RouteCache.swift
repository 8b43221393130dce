import Glibc

/// Topics seen lately, each with its resolved subscribers: what makes a PUBLISH cost one hash and one compare.
/// Bounded, four-way associative; an entry is checked against `RouteVersions`, so a SUBSCRIBE invalidates only what
/// it can change. A cached topic has been validated: its bytes need no second look.
struct RouteCache: ~Copyable {
    /// One resolved topic, in one allocation: this header, the subscribers, the topic's bytes.
    struct Plan {
        var hash: UInt64
        var version: UInt64
        /// Its own for ever: what is remembered about a plan cannot be mistaken for another's.
        var number: UInt64
        var stamp: RouteVersions.Stamp
        var topicLength: UInt32
        /// Receivers, overlapping subscriptions of one session counted each.
        var count: UInt32
        /// What clients publish here goes to nobody: `Shard.isReserved`.
        var isReserved: Bool
        /// Some session stands in the list more than once, in adjacent entries.
        var hasOverlaps: Bool

        static func subscribers(_ plan: UnsafeMutablePointer<Plan>) -> UnsafeMutablePointer<Subscriber> {
            UnsafeMutableRawPointer(plan + 1).assumingMemoryBound(to: Subscriber.self)
        }

        static func topic(_ plan: UnsafeMutablePointer<Plan>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(
                start: UnsafeRawPointer(subscribers(plan) + Int(plan.pointee.count)),
                count: Int(plan.pointee.topicLength))
        }
    }

    private struct Entry {
        var hash: UInt64
        var plan: UnsafeMutablePointer<Plan>?
    }

    /// Topics longer than this and plans larger than this are resolved each time.
    static let topicBytesMax = 1024
    static let planSubscribersMax = 65_536
    /// All plans together, before old ones go: 256 MiB.
    static let plansBytesMax = 256 << 20
    private static let ways = 4

    private let entries: UnsafeMutablePointer<Entry>
    private let sets: Int
    private let key: UInt64
    private var turn = 0
    private var plansMade: UInt64 = 0
    private(set) var bytes = 0
    private(set) var planCount = 0
    /// The plan of a topic that is not kept; replaced by the next one.
    private var unkept: UnsafeMutablePointer<Plan>?

    /// A cache for `capacity` topics, rounded up to a power of two, at least 4.
    init(capacity: Int, key: UInt64) {
        var sets = 1
        while sets * RouteCache.ways < capacity { sets *= 2 }
        self.sets = sets
        self.key = key
        // Zeroes are empty entries, and pages of them cost nothing until they are used.
        entries = calloc(sets * RouteCache.ways, MemoryLayout<Entry>.stride).assumingMemoryBound(to: Entry.self)
    }

    deinit {
        for i in 0..<(sets * RouteCache.ways) { free(entries[i].plan) }
        free(entries)
        free(unkept)
    }

    @inline(__always)
    func hash(_ topic: UnsafeRawBufferPointer) -> UInt64 {
        keyedHash(topic.baseAddress.unsafelyUnwrapped, topic.count, key: key)
    }

    /// The kept plan of `topic`, stale or not.
    @inline(__always)
    func find(_ topic: UnsafeRawBufferPointer, hash: UInt64) -> UnsafeMutablePointer<Plan>? {
        let set = entries + (Int(truncatingIfNeeded: hash) & (sets &- 1)) &* RouteCache.ways
        var way = 0
        while way < RouteCache.ways {
            if set[way].hash == hash, let plan = set[way].plan, Int(plan.pointee.topicLength) == topic.count,
                sameBytes(Plan.topic(plan), topic)
            {
                return plan
            }
            way &+= 1
        }
        return nil
    }

    /// Makes the plan of `topic` from what `matches` found, keeps it where the limits allow, and returns it. It stays
    /// valid until the next call.
    mutating func keep(
        _ topic: UnsafeRawBufferPointer, hash: UInt64, version: UInt64, stamp: RouteVersions.Stamp,
        matches: borrowing MatchBuffer, isReserved: Bool
    ) -> UnsafeMutablePointer<Plan> {
        let size =
            MemoryLayout<Plan>.stride + matches.count * MemoryLayout<Subscriber>.stride + topic.count
        let plan = malloc(size).assumingMemoryBound(to: Plan.self)
        plansMade &+= 1
        plan.initialize(
            to: Plan(
                hash: hash, version: version, number: plansMade, stamp: stamp, topicLength: UInt32(topic.count),
                count: UInt32(matches.count), isReserved: isReserved,
                hasOverlaps: RouteCache.hasOverlaps(matches)))
        Plan.subscribers(plan).initialize(from: matches.found, count: matches.count)
        UnsafeMutableRawPointer(mutating: Plan.topic(plan).baseAddress.unsafelyUnwrapped)
            .copyMemory(from: topic.baseAddress.unsafelyUnwrapped, byteCount: topic.count)

        drop(topic, hash: hash)
        guard topic.count <= RouteCache.topicBytesMax, matches.count <= RouteCache.planSubscribersMax,
            bytes + size <= RouteCache.plansBytesMax
        else {
            if bytes + size > RouteCache.plansBytesMax { evict(turn & (sets - 1)) }
            turn &+= 1
            free(unkept)
            unkept = plan
            return plan
        }
        let set = entries + (Int(truncatingIfNeeded: hash) & (sets - 1)) * RouteCache.ways
        var way = 0
        while way < RouteCache.ways, set[way].plan != nil { way += 1 }
        if way == RouteCache.ways {
            way = turn & (RouteCache.ways - 1)
            turn &+= 1
            release(&set[way])
        }
        set[way] = Entry(hash: hash, plan: plan)
        bytes += size
        planCount += 1
        return plan
    }

    /// Forgets one topic: an exact filter came or went.
    mutating func drop(_ topic: UnsafeRawBufferPointer, hash: UInt64) {
        let set = entries + (Int(truncatingIfNeeded: hash) & (sets - 1)) * RouteCache.ways
        for way in 0..<RouteCache.ways where set[way].hash == hash {
            guard let plan = set[way].plan else { continue }
            let kept = Plan.topic(plan)
            if kept.count == topic.count, sameBytes(kept, topic) { release(&set[way]) }
        }
    }

    private mutating func evict(_ set: Int) {
        let first = entries + set * RouteCache.ways
        for way in 0..<RouteCache.ways where first[way].plan != nil { release(&first[way]) }
    }

    private mutating func release(_ entry: inout Entry) {
        guard let plan = entry.plan else { return }
        bytes -=
            MemoryLayout<Plan>.stride + Int(plan.pointee.count) * MemoryLayout<Subscriber>.stride
            + Int(plan.pointee.topicLength)
        planCount -= 1
        free(plan)
        entry = Entry(hash: 0, plan: nil)
    }

    private static func hasOverlaps(_ matches: borrowing MatchBuffer) -> Bool {
        guard matches.lists > 1 else { return false }
        for i in 1..<max(1, matches.count)
        where matches.found[i].kind == .session && matches.found[i - 1].kind == .session
            && matches.found[i].slot == matches.found[i - 1].slot
        {
            return true
        }
        return false
    }
}

/// Counts the changes of wildcard filters, by what topics they can match: filters that begin with two literal levels,
/// with one, and the rest. The sum of the three counters a topic falls under only grows, so it tells whether anything
/// changed since.
struct RouteVersions: ~Copyable {
    /// The counters a topic falls under.
    struct Stamp {
        var first: UInt16
        var second: UInt16
    }

    private static let buckets = 4096
    private var everywhere: UInt64 = 1
    private let counters: UnsafeMutablePointer<UInt64>
    private let key: UInt64

    init(key: UInt64) {
        self.key = key
        counters = .allocate(capacity: RouteVersions.buckets)
        counters.initialize(repeating: 0, count: RouteVersions.buckets)
    }

    deinit { counters.deallocate() }

    /// The stamp of a topic, or of a filter whose first two levels are literal.
    func stamp(_ topic: UnsafeRawBufferPointer) -> Stamp {
        var levels = Levels(topic)
        guard let first = levels.next() else { return Stamp(first: 0, second: 0) }
        let firstHash = keyedHash(first.start, first.count, key: key)
        let second = levels.next()
        let secondHash = second.map { keyedHash($0.start, $0.count, key: firstHash) } ?? firstHash &+ 1
        return Stamp(first: RouteVersions.bucket(firstHash), second: RouteVersions.bucket(secondHash))
    }

    @inline(__always)
    func version(_ stamp: Stamp) -> UInt64 {
        everywhere &+ counters[Int(stamp.first)] &+ counters[Int(stamp.second)]
    }

    /// Everything is to be resolved anew.
    mutating func bumpAll() { everywhere &+= 1 }

    /// A filter with wildcards came, went or changed.
    mutating func bump(filter: UnsafeRawBufferPointer) {
        var levels = Levels(filter)
        guard let first = levels.next(), !RouteVersions.isWildcard(first) else {
            everywhere &+= 1
            return
        }
        // `a/#` also matches `a`, which has no second level: only a literal second level narrows it down.
        guard let second = levels.next(), !RouteVersions.isWildcard(second) else {
            counters[Int(stamp(filter).first)] &+= 1
            return
        }
        // `a/b/#` matches `a/b`, which falls under the same two counters.
        counters[Int(stamp(filter).second)] &+= 1
    }

    private static func isWildcard(_ level: (start: UnsafePointer<UInt8>, count: Int)) -> Bool {
        level.count == 1 && (level.start[0] == UInt8(ascii: "+") || level.start[0] == UInt8(ascii: "#"))
    }

    private static func bucket(_ hash: UInt64) -> UInt16 {
        UInt16(truncatingIfNeeded: hash >> 20) & UInt16(buckets - 1)
    }
}

/// Whether two runs of the same length hold the same bytes.
@inline(__always)
func sameBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    a.count == b.count
        && (a.count == 0 || memcmp(a.baseAddress.unsafelyUnwrapped, b.baseAddress.unsafelyUnwrapped, a.count) == 0)
}
