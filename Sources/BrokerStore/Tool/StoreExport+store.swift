import BrokerCore

extension StoreExport {
    /// Writes all that a store holds.
    package mutating func write(_ store: StoreDialogue, progress: (_ entries: Int) -> Void = { _ in }) throws {
        var failure: (any Error)?
        // One walk for the sessions, whose queues follow; a second for retained messages, which come last.
        var sessions: [RestoredSession] = []
        try store.restore(session: { sessions.append($0) }, retained: { _ in })
        for session in sessions { try add(session) }
        try writeQueues(progress: progress)
        try store.restore(
            session: { _ in },
            retained: { message in
                guard failure == nil else { return }
                do { try addRetained(message) } catch { failure = error }
            })
        if let failure { throw failure }
    }
}
