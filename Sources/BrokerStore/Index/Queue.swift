/// The queue of one session: its segments, oldest first, and the QoS 2 identifiers it has received. Knows no rows.
final class Queue {
    let id: UInt64
    /// By position; none is empty but perhaps the last.
    var segments: ContiguousArray<Segment> = []
    /// QoS 2 identifiers received and not released, oldest first.
    var received: [UInt16] = []
    /// Shares of QoS 2 messages, which are kept before their identifiers, by these.
    var shares: [UInt16: Set<UInt64>] = [:]
    /// Its identifiers are in a row.
    var hasReceivedRow = false
    /// Its identifiers are in the list of what is to be written.
    var isReceivedDirty = false
    var isDropped = false
    var live = 0
    var liveBytes = 0
    /// Segments whose entries are not in memory.
    var evicted = 0

    init(id: UInt64) { self.id = id }

    var isEmpty: Bool { live == 0 && hasNoIdentifiers }
    /// Nothing of it belongs into the table of received identifiers.
    var hasNoIdentifiers: Bool { received.isEmpty && shares.isEmpty }

    /// The last position that was ever appended, as far as is still known.
    var last: UInt64 { segments.last?.last ?? 0 }

    /// The segment in which a position would stand.
    @inline(__always)
    func segment(_ position: UInt64) -> Int? {
        guard let first = segments.first, position >= first.first else { return nil }
        if position <= first.last { return 0 }
        let at = self.firstSegment(endingAtOrAfter: position)
        guard at < segments.count, segments[at].first <= position else { return nil }
        return at
    }

    /// The first segment that ends at or after a position; their number where none does.
    func firstSegment(endingAtOrAfter position: UInt64) -> Int {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].last < position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Finds queues by their random 64-bit names: open addressing, since names need no hashing.
struct QueueTable {
    private var slots: ContiguousArray<Queue?>
    private(set) var count = 0
    /// Slots in use or once in use.
    private var mask: Int

    init() {
        slots = ContiguousArray(repeating: nil, count: 64)
        mask = 63
    }

    /// Names are random, but nobody must rely on it.
    @inline(__always)
    private func start(_ id: UInt64) -> Int { Int(truncatingIfNeeded: (id &* 0x9E37_79B9_7F4A_7C15) &>> 20) & mask }

    @inline(__always)
    subscript(id: UInt64) -> Queue? {
        var at = start(id)
        while let queue = slots[at] {
            if queue.id == id { return queue }
            at = (at &+ 1) & mask
        }
        return nil
    }

    mutating func insert(_ queue: Queue) {
        if (count + 1) * 2 > slots.count { grow() }
        place(queue)
        count += 1
    }

    private mutating func place(_ queue: Queue) {
        var at = start(queue.id)
        while slots[at] != nil { at = (at + 1) & mask }
        slots[at] = queue
    }

    private mutating func grow() {
        let old = slots
        slots = ContiguousArray(repeating: nil, count: old.count * 2)
        mask = slots.count - 1
        for case let queue? in old { place(queue) }
    }

    mutating func remove(_ id: UInt64) {
        var hole = start(id)
        while let queue = slots[hole], queue.id != id { hole = (hole + 1) & mask }
        guard slots[hole] != nil else { return }
        count -= 1
        // Those behind move up, so that no search ends early.
        var at = hole
        while true {
            at = (at + 1) & mask
            guard let next = slots[at] else { break }
            let home = start(next.id)
            let isBetween = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at)
            if !isBetween {
                slots[hole] = next
                hole = at
            }
        }
        slots[hole] = nil
    }

    func forEach(_ body: (Queue) throws -> Void) rethrows {
        for case let queue? in slots { try body(queue) }
    }
}

/// Where each topic's retained message stands: open addressing over hashes that are already evenly spread.
struct RetainedTable {
    private struct Slot {
        var hash = TopicHash(low: 0, high: 0)
        /// 0 = empty: no message stands there.
        var position: UInt64 = 0
    }

    private var slots: ContiguousArray<Slot> = ContiguousArray(repeating: Slot(), count: 64)
    private(set) var count = 0

    private func find(_ hash: TopicHash) -> Int {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: hash.low) & mask
        while slots[at].position != 0, slots[at].hash != hash { at = (at + 1) & mask }
        return at
    }

    subscript(hash: TopicHash) -> UInt64? {
        let position = slots[find(hash)].position
        return position == 0 ? nil : position
    }

    mutating func set(_ hash: TopicHash, _ position: UInt64) {
        var at = find(hash)
        if slots[at].position == 0 {
            count += 1
            if count * 4 > slots.count * 3 {
                let old = slots
                slots = ContiguousArray(repeating: Slot(), count: old.count * 2)
                for slot in old where slot.position != 0 { slots[find(slot.hash)] = slot }
                at = find(hash)
            }
        }
        slots[at] = Slot(hash: hash, position: position)
    }

    mutating func remove(_ hash: TopicHash) {
        let mask = slots.count - 1
        var hole = find(hash)
        guard slots[hole].position != 0 else { return }
        count -= 1
        var at = hole
        while true {
            at = (at + 1) & mask
            guard slots[at].position != 0 else { break }
            let home = Int(truncatingIfNeeded: slots[at].hash.low) & mask
            let isBetween = hole <= at ? (hole < home && home <= at) : (hole < home || home <= at)
            if !isBetween {
                slots[hole] = slots[at]
                hole = at
            }
        }
        slots[hole] = Slot()
    }
}
