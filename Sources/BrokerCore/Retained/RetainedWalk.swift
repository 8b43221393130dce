import MQTTProtocol

/// A walk over the topics that match a filter, one node a step. It holds nothing but the nodes it will visit next, at
/// most one for each level; when one of them goes, `leave` puts its sibling in its place.
struct RetainedWalk: ~Copyable {
    private enum Level {
        case literal([UInt8])
        /// `+`
        case one
        /// `#`
        case rest
    }

    /// A node to visit, and what the filter says about it.
    private struct Pending {
        var node: LevelTree.Index
        /// Index of the filter's level that the node stands at.
        var level: Int
        /// Its siblings follow; a literal level has none.
        var walksSiblings: Bool
    }

    struct Step {
        /// A node whose topic matches; it may hold no message.
        var found: LevelTree.Index?
    }

    private let filter: [Level]
    private var pending: [Pending] = []
    private var hasBegun = false
    /// The nodes that the last step left to be visited; the tree marks them.
    private(set) var watched: (LevelTree.Index, LevelTree.Index) = (0, 0)

    init(filter: MQTTString) {
        self.filter = filter.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { level in
            if level.elementsEqual("+".utf8) { return .one }
            if level.elementsEqual("#".utf8) { return .rest }
            return .literal([UInt8](level))
        }
    }

    /// Visits the next node; nil = the walk is over.
    mutating func step(_ levels: borrowing LevelTree) -> Step? {
        watched = (0, 0)
        if !hasBegun {
            hasBegun = true
            descend(from: LevelTree.root, to: 0, levels)
            return Step(found: nil)
        }
        guard let current = pending.popLast() else { return nil }
        let next = levels.nodes[Int(current.node)].nextSibling
        if current.walksSiblings, next != 0 {
            pending.append(Pending(node: next, level: current.level, walksSiblings: true))
            watched.0 = next
        }
        // Wildcards at the first level do not see `$` topics. [5.0 MQTT-4.7.2-1]
        if current.level == 0, current.walksSiblings, isHidden(current.node, levels) { return Step(found: nil) }
        if case .rest = filter[current.level] {
            descendAll(from: current.node, level: current.level, levels)
            return Step(found: current.node)
        }
        let isLast = current.level == filter.count - 1
        if !isLast { descend(from: current.node, to: current.level + 1, levels) }
        // `a/#` matches `a` itself. [5.0 MQTT-4.7.1-2]
        if !isLast, current.level == filter.count - 2, case .rest = filter[current.level + 1] {
            return Step(found: current.node)
        }
        return Step(found: isLast ? current.node : nil)
    }

    /// A node has gone: the walk goes on with the sibling after it.
    mutating func leave(_ gone: LevelTree.Index, for next: LevelTree.Index) {
        for i in pending.indices.reversed() where pending[i].node == gone {
            if pending[i].walksSiblings, next != 0 {
                pending[i].node = next
            } else {
                pending.remove(at: i)
            }
        }
    }

    private mutating func descend(from node: LevelTree.Index, to level: Int, _ levels: borrowing LevelTree) {
        switch filter[level] {
        case .literal(let bytes):
            // An empty level has no address of its own.
            let child = bytes.withUnsafeBufferPointer { buffer in
                if let base = buffer.baseAddress { return levels.child(of: node, base, buffer.count) }
                return withUnsafePointer(to: UInt8(0)) { levels.child(of: node, $0, 0) }
            }
            if child != 0 { push(child, level, walksSiblings: false) }
        case .one, .rest: descendAll(from: node, level: level, levels)
        }
    }

    private mutating func descendAll(from node: LevelTree.Index, level: Int, _ levels: borrowing LevelTree) {
        let child = levels.nodes[Int(node)].firstChild
        if child != 0 { push(child, level, walksSiblings: true) }
    }

    private mutating func push(_ node: LevelTree.Index, _ level: Int, walksSiblings: Bool) {
        pending.append(Pending(node: node, level: level, walksSiblings: walksSiblings))
        watched.1 = node
    }

    private func isHidden(_ node: LevelTree.Index, _ levels: borrowing LevelTree) -> Bool {
        guard levels.nodes[Int(node)].parent == LevelTree.root else { return false }
        return levels.withLevel(node) { $0.first == UInt8(ascii: "$") }
    }
}
