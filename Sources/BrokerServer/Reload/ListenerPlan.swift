import BrokerConfiguration

/// What becomes of the listeners: which go on, which begin anew, which come and go. Only numbers; nothing is done yet.
///
/// A listener's number names it in shards and in access, where it stays for as long as a connection of it is there.
struct ListenerPlan: Equatable {
    enum Step: Equatable {
        /// Goes on by the new rules, and its clients stay.
        case keep(position: Int)
        /// The socket stays open; its clients go, and who comes next meets another listener.
        case replace(position: Int, number: Int)
        /// A new socket.
        case add(number: Int)
    }

    /// One for each listener of the new configuration, in its order.
    private(set) var steps: [Step] = []
    /// Positions in the old configuration of those that go, socket and all.
    private(set) var removed: [Int] = []
    /// Numbers given out, those that nobody uses any more among them.
    private(set) var count: Int

    /// - Parameters:
    ///   - free: numbers that nobody uses any more.
    ///   - count: numbers given out so far.
    init(from old: [ListenerConfiguration], to new: [ListenerConfiguration], free: [Int], count: Int) {
        self.count = count
        var free = free
        var left = Set(old.indices)
        for listener in new {
            let identity = ConfigurationChange.Socket(listener)
            let position = left.sorted().first { ConfigurationChange.Socket(old[$0]) == identity }
            if let position { left.remove(position) }
            if let position, ConfigurationChange.Listener(old: old[position], new: listener).keepsClients {
                steps.append(.keep(position: position))
                continue
            }
            let number = free.popLast() ?? self.count
            self.count = max(self.count, number + 1)
            steps.append(position.map { .replace(position: $0, number: number) } ?? .add(number: number))
        }
        removed = left.sorted()
    }
}
