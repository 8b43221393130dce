import BrokerCore
import BrokerStore
import NIOCore

/// Where one loop's requests to storage go: into the store that all loops share, or, without persistence, into memory.
/// Requests gather while effects are carried out and are asked together.
/// Before: `ShardLoop.perform`. After: the answers come back through the loop's mailbox, or in its next turn.
struct LoopStorage {
    private let store: Store?
    private var memory = MemoryStorage()
    private var gathered: [StorageRequest] = []

    init(_ store: Store?) { self.store = store }

    /// Messages that wait in this loop's memory, and their bytes: none where there is a store.
    var waitingHere: (count: Int, bytes: Int) { (memory.messageCount, memory.messageBytes) }

    mutating func ask(_ request: StorageRequest) { gathered.append(request) }

    /// Hands on what has gathered. What memory answers is returned, and must not be heard before the next turn: a disk would
    /// not be faster.
    mutating func send(from shard: Int) -> [StorageEvent] {
        guard !gathered.isEmpty else { return [] }
        defer { gathered.removeAll(keepingCapacity: true) }
        guard let store else { return gathered.map { memory.perform($0) } }
        store.submit(gathered, from: shard)
        return []
    }
}
