import Glibc
package import MQTTProtocol

/// How a subscriber wants its messages, in one byte: §3.8.3.1.
package struct DeliveryOptions: RawRepresentable, Equatable, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package init(qos: QoS, noLocal: Bool = false, retainAsPublished: Bool = false) {
        rawValue = qos.rawValue | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0)
    }

    package var qos: UInt8 { rawValue & 3 }
    package var noLocal: Bool { rawValue & 4 != 0 }
    package var retainAsPublished: Bool { rawValue & 8 != 0 }
}

/// Who a message goes to, as plain integers.
package struct Subscriber: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        /// A session of this shard; `slot` is its slot.
        case session
        /// A shared subscription homed here; `slot` is the group's slot.
        case group
        /// A neighbour with interest; `slot` is its number.
        case shard
    }

    package var slot: UInt32
    /// Where the owner keeps its record of this subscription; see `SubscriptionTree.subscribe`.
    package var record: UInt32
    /// Subscription Identifier, 0 = none.
    package var identifier: UInt32
    package var options: DeliveryOptions
    package var kind: Kind

    package init(kind: Kind, slot: UInt32, record: UInt32 = 0, identifier: UInt32 = 0, options: DeliveryOptions) {
        self.slot = slot
        self.record = record
        self.identifier = identifier
        self.options = options
        self.kind = kind
    }
}

/// Where a subscription stands: its filter's node and the place in that node's list.
package struct SubscriptionPlace: Equatable, Sendable {
    package var node: UInt32
    package var index: UInt32
}

/// Topic filters and who subscribed to them. Owns the filters; knows no sessions.
/// After: `SubscriptionTree+match`, which fills the plans that `RouteCache` keeps.
struct SubscriptionTree: ~Copyable {
    private(set) var levels: LevelTree
    /// Subscriptions in all lists.
    private(set) var count = 0

    init(key: UInt64) { levels = LevelTree(key: key) }

    deinit {
        // The lists hang on payload words: walk the arena once more.
        forEachList { free($0) }
    }

    /// The subscribers of one filter, in one allocation.
    struct List {
        var count: UInt32
        var capacity: UInt32

        static func entries(_ list: UnsafeMutablePointer<List>) -> UnsafeMutablePointer<Subscriber> {
            UnsafeMutableRawPointer(list + 1).assumingMemoryBound(to: Subscriber.self)
        }
    }

    @inline(__always)
    func list(at node: LevelTree.Index) -> UnsafeMutablePointer<List>? {
        UnsafeMutablePointer(bitPattern: levels.nodes[Int(node)].payload)
    }

    /// The node of exactly this filter, or nil.
    func find(_ filter: UnsafeRawBufferPointer) -> LevelTree.Index? {
        var node = LevelTree.root
        var rest = Levels(filter)
        while let level = rest.next() {
            node = levels.child(of: node, level.start, level.count)
            if node == 0 { return nil }
        }
        return node
    }

    /// Adds a subscriber to a filter; the caller has made sure that it is not there yet (`update` changes one).
    mutating func subscribe(_ filter: UnsafeRawBufferPointer, _ subscriber: Subscriber) -> SubscriptionPlace {
        var node = LevelTree.root
        var rest = Levels(filter)
        while let level = rest.next() { node = levels.insertChild(of: node, level.start, level.count) }
        let list = roomyList(at: node)
        let index = list.pointee.count
        (List.entries(list) + Int(index)).initialize(to: subscriber)
        list.pointee.count += 1
        count += 1
        return SubscriptionPlace(node: node, index: index)
    }

    func subscriber(at place: SubscriptionPlace) -> Subscriber {
        List.entries(existingList(place))[Int(place.index)]
    }

    /// Replaces options and identifier in place: no message is lost in between. [5.0 MQTT-3.8.4-3]
    mutating func update(at place: SubscriptionPlace, identifier: UInt32, options: DeliveryOptions) {
        let entry = List.entries(existingList(place)) + Int(place.index)
        entry.pointee.identifier = identifier
        entry.pointee.options = options
    }

    mutating func setRecord(_ record: UInt32, at place: SubscriptionPlace) {
        List.entries(existingList(place))[Int(place.index)].record = record
    }

    /// Takes a subscriber out. The last of the list moves into its place: it is returned, so that its owner can
    /// correct the place it remembers.
    mutating func remove(at place: SubscriptionPlace) -> Subscriber? {
        let list = existingList(place)
        let entries = List.entries(list)
        let last = list.pointee.count - 1
        list.pointee.count = last
        count -= 1
        var moved: Subscriber?
        if place.index != last {
            entries[Int(place.index)] = entries[Int(last)]
            moved = entries[Int(last)]
        }
        if last == 0 {
            free(list)
            levels.setPayload(0, at: place.node)
            levels.prune(place.node)
            levels.forgetDepartures()
        }
        return moved
    }

    private func existingList(_ place: SubscriptionPlace) -> UnsafeMutablePointer<List> {
        guard let list = list(at: place.node) else { preconditionFailure("a subscription's node has a list") }
        precondition(place.index < list.pointee.count, "a subscription's place is in its list")
        return list
    }

    /// The filter's list with room for one more.
    private mutating func roomyList(at node: LevelTree.Index) -> UnsafeMutablePointer<List> {
        let old = list(at: node)
        if let old, old.pointee.count < old.pointee.capacity { return old }
        let capacity = old.map { $0.pointee.capacity * 2 } ?? 1
        let bytes = MemoryLayout<List>.stride + Int(capacity) * MemoryLayout<Subscriber>.stride
        let list = realloc(old, bytes).assumingMemoryBound(to: List.self)
        if old == nil { list.initialize(to: List(count: 0, capacity: capacity)) }
        list.pointee.capacity = capacity
        levels.setPayload(UInt(bitPattern: list), at: node)
        return list
    }

    private func forEachList(_ body: (UnsafeMutablePointer<List>) -> Void) {
        var pending = [LevelTree.root]
        while let node = pending.popLast() {
            if let list = list(at: node) { body(list) }
            var child = levels.nodes[Int(node)].firstChild
            while child != 0 {
                pending.append(child)
                child = levels.nodes[Int(child)].nextSibling
            }
        }
    }
}

/// The levels of a topic or filter, one by one. An empty topic has one empty level.
struct Levels {
    private var at: UnsafePointer<UInt8>
    private var rest: Int

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        at = bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
        rest = bytes.count
    }

    var isAtEnd: Bool { rest < 0 }

    @inline(__always)
    mutating func next() -> (start: UnsafePointer<UInt8>, count: Int)? {
        if rest < 0 { return nil }
        var length = 0
        while length < rest, at[length] != UInt8(ascii: "/") { length &+= 1 }
        let level = (at, length)
        at += length &+ 1
        rest &-= length &+ 1
        return level
    }
}
