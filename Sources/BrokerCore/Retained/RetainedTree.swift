import MQTTProtocol

/// The last retained message of each topic, §3.3.1.3. It owns the messages; walks over them pause and go on, so that a
/// slow reader is served at its own pace and nothing is gathered for it.
struct RetainedTree: ~Copyable {
    /// Names a walk under way.
    typealias WalkID = UInt32

    private(set) var levels: LevelTree
    private(set) var count = 0
    /// Bytes of all messages.
    private(set) var bytes = 0
    private var walks = SlotTable<RetainedWalk>()
    /// Who published what, by node: four bytes a message. Empty while nobody but the server has.
    private var sources: [SourceTable.Number] = []
    private(set) var publishers = SourceTable()

    init(key: UInt64) { levels = LevelTree(key: key) }

    deinit {
        var pending = [LevelTree.root]
        while let node = pending.popLast() {
            message(at: node)?.release()
            var child = levels.nodes[Int(node)].firstChild
            while child != 0 {
                pending.append(child)
                child = levels.nodes[Int(child)].nextSibling
            }
        }
    }

    /// Replaces the message of its topic; takes over the caller's reference.
    /// - Parameter source: who published it; nil = the server, or nobody knows.
    mutating func set(_ message: Message, by source: AccessSubject? = nil) {
        var node = LevelTree.root
        var rest = Levels(message.topic)
        while let level = rest.next() { node = levels.insertChild(of: node, level.start, level.count) }
        if let old = self.message(at: node) {
            bytes -= old.size
            old.release()
        } else {
            count += 1
        }
        bytes += message.size
        levels.setPayload(message.word, at: node)
        setSource(source, at: node)
    }

    private mutating func setSource(_ source: AccessSubject?, at node: LevelTree.Index) {
        let before = Int(node) < sources.count ? sources[Int(node)] : 0
        guard let source else {
            if before != 0 { sources[Int(node)] = 0 }
            return publishers.leave(before)
        }
        while sources.count <= Int(node) { sources.append(0) }
        sources[Int(node)] = publishers.enter(source)
        publishers.leave(before)
    }

    /// Who published the message of exactly this topic; nil = the server, or nobody knows.
    func source(of topic: UnsafeRawBufferPointer) -> AccessSubject? {
        let node = node(of: topic)
        return Int(node) < sources.count ? publishers[sources[Int(node)]] : nil
    }

    /// Removes the message of a topic; true where there was one.
    @discardableResult
    mutating func remove(_ topic: UnsafeRawBufferPointer) -> Bool {
        let node = node(of: topic)
        guard node != LevelTree.root, let old = message(at: node) else { return false }
        clear(node, old)
        return true
    }

    /// The message of exactly this topic.
    func message(of topic: UnsafeRawBufferPointer) -> Message? {
        let node = node(of: topic)
        return node == LevelTree.root ? nil : message(at: node)
    }

    /// Where exactly this topic stands; the root = nowhere.
    private func node(of topic: UnsafeRawBufferPointer) -> LevelTree.Index {
        var node = LevelTree.root
        var rest = Levels(topic)
        while let level = rest.next() {
            node = levels.child(of: node, level.start, level.count)
            if node == 0 { return LevelTree.root }
        }
        return node
    }

    @inline(__always)
    func message(at node: LevelTree.Index) -> Message? { Message(word: levels.nodes[Int(node)].payload) }

    private mutating func clear(_ node: LevelTree.Index, _ message: Message) {
        bytes -= message.size
        count -= 1
        message.release()
        levels.setPayload(0, at: node)
        setSource(nil, at: node)
        levels.prune(node)
        guard !levels.departures.isEmpty else { return }
        for departure in levels.departures {
            for slot in 0..<UInt32(walks.highWater) where walks.isTaken(slot) {
                walks.pointer(slot).pointee.leave(departure.gone, for: departure.next)
            }
        }
        levels.forgetDepartures()
    }

    // MARK: Walks

    /// Begins a walk over the messages whose topics match `filter`, which is valid.
    mutating func walk(_ filter: MQTTString) -> WalkID {
        walks.insert(RetainedWalk(filter: filter))
    }

    mutating func cancel(_ id: WalkID) { walks.remove(id) }

    /// The next message of a walk, or nil at its end. Expired ones are removed on the way. At most `stepsMax` nodes are
    /// looked at in one call; `isPaused` says that there are more.
    mutating func next(_ id: WalkID, at now: Int64, stepsMax: Int) -> (message: Message?, isPaused: Bool) {
        let walk = walks.pointer(id)
        var steps = 0
        while steps < stepsMax {
            steps += 1
            guard let step = walk.pointee.step(levels) else { return (nil, false) }
            levels.watch(walk.pointee.watched.0)
            levels.watch(walk.pointee.watched.1)
            guard let node = step.found, let message = message(at: node) else { continue }
            if message.isExpired(at: now) {
                clear(node, message)
            } else {
                return (message, false)
            }
        }
        return (nil, true)
    }
}
