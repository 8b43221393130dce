/// Retained messages that have an end, the earliest first: a binary heap. Knows times and positions only; one that was
/// replaced meanwhile stays in it until its time comes, or until `keep` is asked.
struct ExpiryHeap {
    struct Item {
        /// Milliseconds since 1970.
        var at: Int64
        var position: UInt64
    }

    private var items: ContiguousArray<Item> = []

    var count: Int { items.count }
    /// When the next one is over; nil = there is none.
    var next: Int64? { items.first?.at }

    mutating func insert(_ item: Item) {
        items.append(item)
        var at = items.count - 1
        while at > 0 {
            let parent = (at - 1) / 2
            if items[parent].at <= items[at].at { return }
            items.swapAt(parent, at)
            at = parent
        }
    }

    /// Takes out what is over.
    mutating func take(until now: Int64) -> [Item] {
        var taken: [Item] = []
        while let first = items.first, first.at <= now {
            taken.append(first)
            items.swapAt(0, items.count - 1)
            items.removeLast()
            sink(0)
        }
        return taken
    }

    /// Forgets those that nobody needs to be told of any more.
    mutating func keep(_ isNeeded: (UInt64) -> Bool) {
        items.removeAll { !isNeeded($0.position) }
        for at in (0..<items.count / 2).reversed() { sink(at) }
    }

    private mutating func sink(_ start: Int) {
        var at = start
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < items.count && items[child].at < items[least].at {
                least = child
            }
            if least == at { return }
            items.swapAt(least, at)
            at = least
        }
    }
}
