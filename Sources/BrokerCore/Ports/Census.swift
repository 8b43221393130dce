import Synchronization

/// What the operator limited for the whole broker, counted over all its shards: sessions and connected clients. The one
/// thing that shards of a machine share; it is touched when a client connects, leaves or ends, never for a message.
///
/// Counting is exact: a place is taken before a client is let in, and given back when what took it has gone. A client
/// that takes over its own connection, or begins its own session anew, keeps the place it has.
package final class Census: Sendable {
    /// Places, taken and given back by any shard.
    package struct Places: ~Copyable, Sendable {
        private let taken = Atomic<Int>(0)
        private let most = Atomic<Int>(0)

        /// How many are taken.
        package var count: Int { taken.load(ordering: .relaxed) }
        /// The most that were taken at once.
        package var peak: Int { most.load(ordering: .relaxed) }

        /// Takes one; false where `limit` are taken. nil = no limit.
        borrowing func enter(limit: Int?) -> Bool {
            var seen = taken.load(ordering: .relaxed)
            while true {
                guard seen < limit ?? .max else { return false }
                let (isTaken, now) = taken.compareExchange(expected: seen, desired: seen + 1, ordering: .relaxed)
                if isTaken { break }
                seen = now
            }
            most.max(seen + 1, ordering: .relaxed)
            return true
        }

        borrowing func leave() {
            let left = taken.wrappingSubtract(1, ordering: .relaxed).newValue
            precondition(left >= 0, "a place is given back once")
        }
    }

    /// `global_max_clients`: connected or not.
    package let sessions = Places()
    /// `global_max_connections`.
    package let connections = Places()

    package init() {}
}
