/// One session's claim on a message, as a segment keeps it.
struct Entry {
    static let retain: UInt8 = 0x04
    /// It left the queue; the place is kept until the segment's front reaches it.
    static let isGone: UInt8 = 0x08
    static let isSent: UInt8 = 0x10
    static let isPubrec: UInt8 = 0x20
    static let qosMask: UInt8 = 0x03

    let position: UInt64
    /// The message's length.
    let bytes: UInt32
    /// Subscription Identifier, 0 = none, `Claim.several` = in the segment's lists.
    let identifier: UInt32
    let group: UInt32
    /// The packet identifier it was sent with at QoS 2.
    var packet: UInt16 = 0
    var flags: UInt8

    var isGone: Bool { flags & Entry.isGone != 0 }
}

/// Some thousand entries of one queue that lie beside each other: what is written, dropped from memory and read back as
/// one. Knows no rows and no file.
final class Segment {
    let queue: Queue
    /// Its row's key; 0 = in no row yet.
    var id: Int64 = 0
    private(set) var first: UInt64 = .max
    /// The last position that was ever appended, though it may be gone.
    private(set) var last: UInt64 = 0
    private(set) var live = 0
    /// Of the live entries' messages.
    private(set) var liveBytes = 0
    /// Entries that were sent at QoS 2 and are not acknowledged.
    private(set) var inflight = 0
    /// Only their number is known; the entries are in the row.
    private(set) var isEvicted = false
    /// Takes no more entries.
    var isClosed = false
    /// In the list of what is to be written.
    var isDirty = false
    /// Nothing points here any more; only its row may have to go.
    var isDead = false
    /// Its queue is void, but the rows its entries point to do not know that yet.
    var holdsClaims = false

    private(set) var entries: ContiguousArray<Entry> = []
    /// Beside `entries`, in the queue of retained messages only.
    private(set) var topics: ContiguousArray<TopicHash> = []
    /// Subscription Identifiers of entries with several.
    private(set) var lists: [UInt64: [UInt32]] = [:]
    /// Entries before this are gone.
    private var head = 0

    init(queue: Queue) { self.queue = queue }

    /// Entries in memory, gone ones included.
    var count: Int { entries.count }

    func append(_ entry: Entry, identifiers: [UInt32]?, topic: TopicHash?) {
        precondition(!isEvicted && !isClosed, "a closed segment takes no entries")
        precondition(entry.position > last || last == 0, "positions only grow")
        if first == .max { first = entry.position }
        last = entry.position
        entries.append(entry)
        if let topic { topics.append(topic) }
        if let identifiers { lists[entry.position] = identifiers }
        live &+= 1
        liveBytes &+= Int(entry.bytes)
    }

    /// Where the live entry at a position stands.
    @inline(__always)
    private func place(_ position: UInt64) -> Int? {
        precondition(!isEvicted, "entries must be in memory first")
        // Mostly the oldest, or entries lie as densely as messages do.
        if head < entries.count, entries[head].position == position { return head }
        guard position >= first, position <= last, !entries.isEmpty else { return nil }
        let guess = Int(truncatingIfNeeded: position &- entries[0].position)
        if guess >= 0, guess < entries.count, entries[guess].position == position {
            return entries[guess].isGone ? nil : guess
        }
        let at = lowerBound(position)
        guard at < entries.count, entries[at].position == position, !entries[at].isGone else { return nil }
        return at
    }

    /// The first place at or after a position.
    func lowerBound(_ position: UInt64) -> Int {
        var low = head
        var high = entries.count
        while low < high {
            let middle = (low &+ high) / 2
            if entries[middle].position < position { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// Takes the entry at a position out. Returns its message's length, or nil where there is none.
    @inline(__always)
    func remove(_ position: UInt64) -> Int? {
        guard let at = place(position) else { return nil }
        if entries[at].flags & Entry.isSent != 0 { inflight &-= 1 }
        entries[at].flags |= Entry.isGone
        if entries[at].identifier == Claim.several { lists.removeValue(forKey: position) }
        live &-= 1
        let bytes = Int(entries[at].bytes)
        liveBytes &-= bytes
        if at == head {
            head &+= 1
            while head < entries.count, entries[head].isGone { head &+= 1 }
        }
        return bytes
    }

    /// It goes out at QoS 2 under this identifier. False where there is no such entry.
    func markSent(_ position: UInt64, _ identifier: UInt16) -> Bool {
        guard let at = place(position) else { return false }
        if entries[at].flags & Entry.isSent == 0 { inflight += 1 }
        entries[at].flags |= Entry.isSent
        entries[at].flags &= ~Entry.isPubrec
        entries[at].packet = identifier
        return true
    }

    func markPubrec(_ position: UInt64) -> Bool {
        guard let at = place(position) else { return false }
        entries[at].flags |= Entry.isPubrec
        return true
    }

    func topic(_ position: UInt64) -> TopicHash? { place(position).map { topics[$0] } }

    // MARK: In and out of memory

    /// Entries leave memory. Only what is in its row as it stands may.
    func evict() {
        precondition(!isDirty && id != 0 && inflight == 0, "what is not written stays in memory")
        isEvicted = true
        isClosed = true
        entries = []
        topics = []
        lists = [:]
        head = 0
    }

    /// Nothing in it is live any more: it may wait long for its row to be deleted, and needs no memory for that.
    func bury() {
        precondition(live == 0, "a segment that holds something is not dead")
        isDead = true
        entries = []
        topics = []
        lists = [:]
        head = 0
    }

    /// Takes the entries of its row. They are those that were counted when it was evicted.
    func load(_ decoded: SegmentForm.Decoded) {
        entries = decoded.entries
        topics = decoded.topics
        lists = decoded.lists
        head = 0
        isEvicted = false
    }

    /// What its row says, at the start.
    func describe(_ decoded: borrowing SegmentForm.Decoded, id: Int64) {
        self.id = id
        first = decoded.first
        last = decoded.last
        live = decoded.count
        liveBytes = decoded.bytes
        inflight = decoded.inflight
        isEvicted = true
        isClosed = true
    }

    /// Gives up the places of entries that are gone, where they are most.
    func compact() {
        guard !isEvicted, entries.count > 64, live * 2 < entries.count else { return }
        var kept: ContiguousArray<Entry> = []
        var keptTopics: ContiguousArray<TopicHash> = []
        kept.reserveCapacity(live)
        for at in entries.indices where !entries[at].isGone {
            kept.append(entries[at])
            if !topics.isEmpty { keptTopics.append(topics[at]) }
        }
        entries = kept
        topics = keptTopics
        head = 0
    }

    func forEachLive(_ body: (Entry) -> Void) {
        precondition(!isEvicted, "entries must be in memory first")
        for at in head..<max(head, entries.count) where !entries[at].isGone { body(entries[at]) }
    }
}
