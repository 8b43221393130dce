/// A row of messages, as memory knows it: which positions, and how many claims there are on them.
struct MessageRow {
    let first: UInt64
    /// The last position it may hold: what lies between and is not in it is gone.
    let last: UInt64
    /// Messages in it.
    let count: Int
    let bytes: Int
    /// Queue entries and retained topics that point here.
    var claims = 0
    /// Claims there were at most.
    var claimsMax = 0
    var isDead = false
    /// Its claims when compaction looked last: a row that is being drained needs no help.
    var claimsSeen = -1

    init(first: UInt64, last: UInt64, count: Int, bytes: Int) {
        self.first = first
        self.last = last
        self.count = count
        self.bytes = bytes
    }

    /// A quarter of it, or less, is needed.
    var isSparse: Bool { claims * 4 <= max(count, claimsMax) }
    /// Messages in it that are needed, at most: two claims may be on one message or on two.
    var needed: Int { isDead ? 0 : max(0, min(count, claims)) }
    /// About how many of its bytes are needed.
    var neededBytes: Int {
        max(count, claimsMax) == 0 ? 0 : bytes / max(count, claimsMax) * min(claims, max(count, claimsMax))
    }
}

/// All rows of messages by position, and which of them nobody needs any more.
struct RowIndex {
    private(set) var rows: ContiguousArray<MessageRow> = []
    private var deadCount = 0
    /// Rows whose last claim went, to be deleted with the next group.
    private(set) var toDelete: [UInt64] = []
    /// Of the rows that are not dead.
    private(set) var bytes = 0
    /// Messages that are needed, each once: at most so many.
    private(set) var messages = 0
    /// Where the last search ended: the next is mostly for the same row.
    private var recent = 0
    /// Rows from this position on are judged later: those of a group while it takes effect, and all while a store is read.
    var judgedLaterFrom: UInt64 = .max

    var liveRows: Int { rows.count - deadCount }

    mutating func append(_ row: MessageRow) {
        precondition(rows.last.map { $0.last < row.first } ?? true, "positions only grow")
        rows.append(row)
        bytes += row.bytes
        messages += row.needed
    }

    @inline(__always)
    private mutating func find(_ position: UInt64) -> Int? {
        if recent < rows.count, rows[recent].first <= position, position <= rows[recent].last { return recent }
        let at = index(of: position)
        guard at >= 0, position <= rows[at].last else { return nil }
        recent = at
        return at
    }

    /// The last row that begins at or before a position, or −1.
    private func index(of position: UInt64) -> Int {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low &+ high) / 2
            if rows[middle].first <= position { low = middle &+ 1 } else { high = middle }
        }
        return low &- 1
    }

    @inline(__always)
    mutating func claim(_ position: UInt64) {
        guard let at = find(position) else { return }
        let before = rows[at].needed
        rows[at].claims &+= 1
        messages &+= rows[at].needed &- before
        if rows[at].claims > rows[at].claimsMax { rows[at].claimsMax = rows[at].claims }
    }

    @inline(__always)
    mutating func release(_ position: UInt64) {
        guard let at = find(position), !rows[at].isDead else { return }
        let before = rows[at].needed
        rows[at].claims &-= 1
        messages &+= rows[at].needed &- before
        if rows[at].claims <= 0, rows[at].first < judgedLaterFrom { bury(at) }
    }

    private mutating func bury(_ at: Int) {
        guard !rows[at].isDead else { return }
        messages -= rows[at].needed
        rows[at].isDead = true
        toDelete.append(rows[at].first)
        bytes -= rows[at].bytes
        deadCount += 1
    }

    /// Rows from this position on that nobody claims are dead: a group's messages that nobody waits for, or all at the
    /// end of reading a store.
    mutating func buryUnclaimed(from position: UInt64) {
        judgedLaterFrom = .max
        var at = max(0, index(of: position))
        while at < rows.count {
            if rows[at].claims <= 0 { bury(at) }
            at += 1
        }
    }

    mutating func deleted(_ count: Int) {
        toDelete.removeFirst(count)
        if deadCount > 64, deadCount * 2 > rows.count {
            rows.removeAll { $0.isDead }
            deadCount = 0
            recent = 0
        }
    }

    /// The row that holds a position.
    func row(of position: UInt64) -> MessageRow? {
        let at = index(of: position)
        guard at >= 0, !rows[at].isDead, position <= rows[at].last else { return nil }
        return rows[at]
    }

    /// One row takes the place of several neighbours.
    mutating func replace(_ range: Range<Int>, with row: MessageRow?) {
        for at in range {
            if rows[at].isDead {
                deadCount -= 1
            } else {
                bytes -= rows[at].bytes
                messages -= rows[at].needed
            }
        }
        bytes += row?.bytes ?? 0
        messages += row?.needed ?? 0
        rows.replaceSubrange(range, with: row.map { [$0] } ?? [])
        recent = 0
    }

    /// Remembers that compaction saw this row, and says whether anything happened to it since it saw it before.
    mutating func look(at: Int) -> Bool {
        let isSame = rows[at].claimsSeen == rows[at].claims
        rows[at].claimsSeen = rows[at].claims
        return isSame
    }
}
