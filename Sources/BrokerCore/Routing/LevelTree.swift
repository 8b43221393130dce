import Glibc

/// Topic levels as a tree in one arena, found by (parent, bytes of the level). Subscriptions and retained messages
/// both live on it: it owns the levels and one word of payload a node, and knows nothing of either.
///
/// Nodes are 48 bytes and addressed by index; the children of all nodes share one open-addressing table, so a level
/// costs one probe. Siblings are linked, newest first, for walks. A walk that pauses marks the nodes it stands on as
/// watched; when one of them goes, `departures` says where its walk goes on.
struct LevelTree: ~Copyable {
    typealias Index = UInt32
    /// The root has no level of its own. As a child or sibling, index 0 means "none".
    static let root: Index = 0

    struct Node {
        var parent: Index
        var firstChild: Index
        var nextSibling: Index
        var previousSibling: Index
        /// The owner's word; 0 = nothing here.
        var payload: UInt
        var hash: UInt32
        var length: UInt16
        /// A paused walk may stand here.
        var isWatched: Bool
        /// Bit 0: has a child `+`; bit 1: has a child `#`.
        var wildcards: UInt8
        /// The level's bytes: in place up to 16, else a pointer in `low`.
        var low: UInt64
        var high: UInt64
    }

    private(set) var nodes: UnsafeMutablePointer<Node>
    private var capacity = 64
    private var highWater: Index = 1
    private var freeList: Index = 0
    /// Watched nodes that were removed, each with the sibling after it. Whoever pauses walks drains this after `prune`.
    private(set) var departures: [(gone: Index, next: Index)] = []
    /// Live nodes, the root not counted.
    private(set) var count = 0

    /// hash << 32 | index; 0 = empty.
    private var table: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private let key: UInt64

    init(key: UInt64) {
        self.key = key
        nodes = malloc(capacity * MemoryLayout<Node>.stride).assumingMemoryBound(to: Node.self)
        mask = 127
        table = .allocate(capacity: mask + 1)
        table.initialize(repeating: 0, count: mask + 1)
        nodes.initialize(to: Node.root)
    }

    deinit {
        for index in 1..<max(1, Int(highWater)) where nodes[index].length > 16 {
            levelPointer(Index(index)).deallocate()
        }
        free(nodes)
        table.deallocate()
    }

    // MARK: Levels

    /// The child of `parent` whose level is these bytes, or 0.
    @inline(__always)
    func child(of parent: Index, _ level: UnsafePointer<UInt8>, _ length: Int) -> Index {
        let hash = levelHash(parent, level, length)
        var slot = Int(hash) & mask
        while true {
            let entry = table[slot]
            if entry == 0 { return 0 }
            if UInt32(truncatingIfNeeded: entry >> 32) == hash {
                let index = Index(truncatingIfNeeded: entry)
                if nodes[Int(index)].parent == parent, levelEquals(index, level, length) { return index }
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// The child of `parent` whose level is this one byte: a wildcard.
    @inline(__always)
    func child(of parent: Index, _ byte: UInt8) -> Index {
        withUnsafePointer(to: byte) { child(of: parent, $0, 1) }
    }

    /// The child of `parent` with this level, made if it is not there.
    mutating func insertChild(of parent: Index, _ level: UnsafePointer<UInt8>, _ length: Int) -> Index {
        let found = child(of: parent, level, length)
        if found != 0 { return found }
        if (count + 1) * 10 > (mask + 1) * 7 { growTable() }
        let index = takeNode()
        let hash = levelHash(parent, level, length)
        let first = nodes[Int(parent)].firstChild
        nodes[Int(index)] = Node(
            parent: parent, firstChild: 0, nextSibling: first, previousSibling: 0, payload: 0, hash: hash,
            length: UInt16(length), isWatched: false, wildcards: 0, low: 0, high: 0)
        storeLevel(index, level, length)
        if first != 0 { nodes[Int(first)].previousSibling = index }
        nodes[Int(parent)].firstChild = index
        if length == 1 {
            if level[0] == UInt8(ascii: "+") { nodes[Int(parent)].wildcards |= 1 }
            if level[0] == UInt8(ascii: "#") { nodes[Int(parent)].wildcards |= 2 }
        }
        place(hash, index)
        count += 1
        return index
    }

    /// Removes `index` and its ancestors as long as they hold neither payload nor children.
    mutating func prune(_ index: Index) {
        var index = index
        while index != LevelTree.root, nodes[Int(index)].payload == 0, nodes[Int(index)].firstChild == 0 {
            let parent = nodes[Int(index)].parent
            unlink(index)
            index = parent
        }
    }

    /// Writes the topic or filter that ends at `index` into `bytes`.
    func path(to index: Index, into bytes: inout [UInt8]) {
        var levels: [Index] = []
        var at = index
        while at != LevelTree.root {
            levels.append(at)
            at = nodes[Int(at)].parent
        }
        for (depth, level) in levels.reversed().enumerated() {
            if depth > 0 { bytes.append(UInt8(ascii: "/")) }
            withLevel(level) { bytes.append(contentsOf: $0) }
        }
    }

    /// The level's bytes, borrowed.
    func withLevel<R>(_ index: Index, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        let length = Int(nodes[Int(index)].length)
        if length > 16 { return body(UnsafeRawBufferPointer(start: levelPointer(index), count: length)) }
        return withUnsafeBytes(of: (nodes[Int(index)].low, nodes[Int(index)].high)) {
            body(UnsafeRawBufferPointer(rebasing: $0[0..<length]))
        }
    }

    // MARK: Walks that pause

    /// Marks a node that a paused walk will visit next.
    mutating func watch(_ index: Index) {
        if index != 0 { nodes[Int(index)].isWatched = true }
    }

    mutating func forgetDepartures() { departures.removeAll(keepingCapacity: true) }

    mutating func setPayload(_ payload: UInt, at index: Index) { nodes[Int(index)].payload = payload }

    // MARK: Inside

    @inline(__always)
    private func levelHash(_ parent: Index, _ level: UnsafePointer<UInt8>, _ length: Int) -> UInt32 {
        let hash = keyedHash(level, length, key: key ^ (UInt64(parent) &* 0xD6E8_FEB8_6659_FD93))
        return UInt32(truncatingIfNeeded: hash) | 1  // never 0: an empty slot is 0
    }

    @inline(__always)
    private func levelPointer(_ index: Index) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: UInt(nodes[Int(index)].low)).unsafelyUnwrapped
    }

    @inline(__always)
    private func levelEquals(_ index: Index, _ level: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let node = nodes + Int(index)
        guard Int(node.pointee.length) == length else { return false }
        if length > 16 { return memcmp(levelPointer(index), level, length) == 0 }
        let (low, high) = LevelTree.words(level, length)
        return node.pointee.low == low && node.pointee.high == high
    }

    /// Up to 16 bytes as two words, zero-filled.
    @inline(__always)
    private static func words(_ level: UnsafePointer<UInt8>, _ length: Int) -> (UInt64, UInt64) {
        let raw = UnsafeRawPointer(level)
        if length >= 8 {
            let low = raw.loadUnaligned(as: UInt64.self)
            if length == 8 { return (low, 0) }
            return (low, partial(raw + 8, length &- 8))
        }
        return (partial(raw, length), 0)
    }

    @inline(__always)
    private static func partial(_ raw: UnsafeRawPointer, _ length: Int) -> UInt64 {
        if length == 8 { return raw.loadUnaligned(as: UInt64.self) }
        var word: UInt64 = 0
        var i = 0
        while i < length {
            word |= UInt64(raw.load(fromByteOffset: i, as: UInt8.self)) << UInt64(truncatingIfNeeded: i &* 8)
            i &+= 1
        }
        return word
    }

    private func storeLevel(_ index: Index, _ level: UnsafePointer<UInt8>, _ length: Int) {
        if length > 16 {
            let copy = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
            copy.copyMemory(from: level, byteCount: length)
            nodes[Int(index)].low = UInt64(UInt(bitPattern: copy))
        } else {
            (nodes[Int(index)].low, nodes[Int(index)].high) = LevelTree.words(level, length)
        }
    }

    private mutating func takeNode() -> Index {
        if freeList != 0 {
            let index = freeList
            freeList = nodes[Int(index)].nextSibling
            return index
        }
        if Int(highWater) == capacity {
            capacity *= 2
            precondition(capacity < Int(Index.max), "a tree holds four thousand million levels")
            // realloc moves pages instead of bytes when the arena is large.
            nodes = realloc(nodes, capacity * MemoryLayout<Node>.stride)
                .assumingMemoryBound(to: Node.self)
        }
        highWater += 1
        return highWater - 1
    }

    private mutating func unlink(_ index: Index) {
        let node = nodes[Int(index)]
        displace(node.hash, index)
        if node.previousSibling != 0 {
            nodes[Int(node.previousSibling)].nextSibling = node.nextSibling
        } else {
            nodes[Int(node.parent)].firstChild = node.nextSibling
        }
        if node.nextSibling != 0 { nodes[Int(node.nextSibling)].previousSibling = node.previousSibling }
        if node.length == 1 {
            if UInt8(truncatingIfNeeded: node.low) == UInt8(ascii: "+") { nodes[Int(node.parent)].wildcards &= ~1 }
            if UInt8(truncatingIfNeeded: node.low) == UInt8(ascii: "#") { nodes[Int(node.parent)].wildcards &= ~2 }
        }
        count -= 1
        if node.isWatched {
            departures.append((index, node.nextSibling))
            watch(node.nextSibling)
        }
        recycle(index)
    }

    private mutating func recycle(_ index: Index) {
        if nodes[Int(index)].length > 16 { levelPointer(index).deallocate() }
        nodes[Int(index)].length = 0
        nodes[Int(index)].nextSibling = freeList
        freeList = index
    }

    private mutating func place(_ hash: UInt32, _ index: Index) {
        var slot = Int(hash) & mask
        while table[slot] != 0 { slot = (slot + 1) & mask }
        table[slot] = UInt64(hash) << 32 | UInt64(index)
    }

    /// Takes the entry out and moves later ones of its run back, so that no tombstones gather.
    private mutating func displace(_ hash: UInt32, _ index: Index) {
        let wanted = UInt64(hash) << 32 | UInt64(index)
        var hole = Int(hash) & mask
        while table[hole] != wanted {
            precondition(table[hole] != 0, "a live node is in the table")
            hole = (hole + 1) & mask
        }
        var next = (hole + 1) & mask
        while table[next] != 0 {
            let home = Int(UInt32(truncatingIfNeeded: table[next] >> 32)) & mask
            if (next - home) & mask >= (next - hole) & mask {
                table[hole] = table[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        table[hole] = 0
    }

    private mutating func growTable() {
        let old = table
        let oldMask = mask
        mask = mask * 2 + 1
        table = .allocate(capacity: mask + 1)
        table.initialize(repeating: 0, count: mask + 1)
        for slot in 0...oldMask where old[slot] != 0 {
            place(UInt32(truncatingIfNeeded: old[slot] >> 32), Index(truncatingIfNeeded: old[slot]))
        }
        old.deallocate()
    }
}

extension LevelTree.Node {
    static var root: LevelTree.Node {
        LevelTree.Node(
            parent: 0, firstChild: 0, nextSibling: 0, previousSibling: 0, payload: 0, hash: 0, length: 0,
            isWatched: false,
            wildcards: 0, low: 0, high: 0)
    }
}
