/// What memory knows and no row of the index says yet, in the order in which it changed. The redo records since the
/// oldest of it must stay; what is written is taken from the front, so that this tail stays short.
///
/// Entries of a queue are written in this order too: where a segment is in its row, all before it are. A replay may
/// therefore skip what a queue has already seen.
struct DirtyList {
    enum Part {
        case segment(Segment)
        /// The received identifiers of a queue.
        case received(Queue)
    }

    struct Item {
        var part: Part
        /// The record that changed it first.
        var sequence: UInt64
        /// How many bytes of records there had been.
        var redoBytes: Int
    }

    fileprivate var items: ContiguousArray<Item?> = []
    fileprivate var head = 0

    var isEmpty: Bool { head == items.count }
    var count: Int { items.count - head }

    mutating func append(_ part: Part, _ sequence: UInt64, _ redoBytes: Int) {
        items.append(Item(part: part, sequence: sequence, redoBytes: redoBytes))
    }

    /// The oldest; what needs no writing any more is passed over.
    mutating func front() -> Item? {
        while head < items.count {
            if let item = items[head], !DirtyList.isVoid(item.part) { return item }
            pop()
        }
        return nil
    }

    /// Items from the front on, as many as `wants` says.
    func prefix(while wants: (Item) -> Bool) -> ArraySlice<Item?> {
        var end = head
        while end < items.count, let item = items[end], wants(item) { end += 1 }
        return ArraySlice(items[head..<end])
    }

    /// The front ones are written.
    mutating func removeFirst(_ count: Int) {
        for _ in 0..<count { pop() }
    }

    private mutating func pop() {
        if let item = items[head] {
            switch item.part {
            case .segment(let segment): segment.isDirty = false
            case .received(let queue): queue.isReceivedDirty = false
            }
        }
        items[head] = nil
        head += 1
        if head > 1024, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
    }

    /// Came and went without ever being in a row.
    static func isVoid(_ part: Part) -> Bool {
        switch part {
        case .segment(let segment): segment.isDead && segment.id == 0
        case .received(let queue): !queue.hasReceivedRow && (queue.isDropped || queue.hasNoIdentifiers)
        }
    }
}

extension DirtyList {
    /// What is the oldest when so many are written; what needs no writing is passed over.
    func item(after count: Int) -> Item? {
        var at = head + count
        while at < items.count {
            if let item = items[at], !DirtyList.isVoid(item.part) { return item }
            at += 1
        }
        return nil
    }
}
