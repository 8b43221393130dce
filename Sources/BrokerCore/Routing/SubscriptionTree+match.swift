/// The subscribers that one topic goes to, gathered into a reusable buffer.
struct MatchBuffer: ~Copyable {
    private(set) var found: UnsafeMutablePointer<Subscriber>
    private(set) var count = 0
    private var capacity = 64
    /// Lists that contributed. One list never names a session twice; several may.
    fileprivate(set) var lists = 0

    init() { found = .allocate(capacity: capacity) }
    deinit { found.deallocate() }

    mutating func removeAll() {
        count = 0
        lists = 0
    }

    mutating func append(_ list: UnsafeMutablePointer<SubscriptionTree.List>) {
        let more = Int(list.pointee.count)
        if count + more > capacity {
            capacity = max(capacity * 2, count + more)
            let larger = UnsafeMutablePointer<Subscriber>.allocate(capacity: capacity)
            larger.moveInitialize(from: found, count: count)
            found.deallocate()
            found = larger
        }
        (found + count).initialize(from: SubscriptionTree.List.entries(list), count: more)
        count += more
        lists += 1
    }

    mutating func truncate(to kept: Int) {
        precondition(kept <= count, "nothing is added by forgetting")
        count = kept
    }

    /// Brings the entries of one receiver together, strongest first, as `Routing` expects them.
    func sortByReceiver() {
        var all = UnsafeMutableBufferPointer(start: found, count: count)
        all.sort { a, b in
            (a.kind.rawValue, a.slot, b.options.qos) < (b.kind.rawValue, b.slot, a.options.qos)
        }
    }
}

extension SubscriptionTree {
    /// Gathers everyone whose filter matches `topic`, which is valid. §4.7
    func match(_ topic: UnsafeRawBufferPointer, into buffer: inout MatchBuffer) {
        buffer.removeAll()
        guard count > 0 else { return }
        // Wildcards at the first level do not see topics that begin with `$`. [5.0 MQTT-4.7.2-1] [3.1.1 MQTT-4.7.2-1]
        let hidden = topic[0] == UInt8(ascii: "$")
        descend(LevelTree.root, Levels(topic), wildcardsSeen: !hidden, &buffer)
        if buffer.lists > 1 { buffer.sortByReceiver() }
    }

    private func descend(_ node: LevelTree.Index, _ levels: Levels, wildcardsSeen: Bool, _ buffer: inout MatchBuffer) {
        let wildcards = self.levels.nodes[Int(node)].wildcards
        if wildcards & 2 != 0, wildcardsSeen {
            collect(self.levels.child(of: node, UInt8(ascii: "#")), &buffer)  // `a/#` matches `a` too. [5.0 MQTT-4.7.1-2]
        }
        var rest = levels
        guard let level = rest.next() else {
            collect(node, &buffer)
            return
        }
        let child = self.levels.child(of: node, level.start, level.count)
        if child != 0 { descend(child, rest, wildcardsSeen: true, &buffer) }
        if wildcards & 1 != 0, wildcardsSeen {
            descend(self.levels.child(of: node, UInt8(ascii: "+")), rest, wildcardsSeen: true, &buffer)
        }
    }

    private func collect(_ node: LevelTree.Index, _ buffer: inout MatchBuffer) {
        if let list = list(at: node) { buffer.append(list) }
    }
}
