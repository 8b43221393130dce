import Synchronization

/// Messages between the event loop and the task that reads them. The loop puts a batch in once a tick, the task takes all
/// there is at once: one lock and one wake-up a batch, however many messages. When it holds more than its limits, the loop
/// stops reading the socket until the task has taken them.
final class DeliveryBuffer: Sendable {
    private struct State {
        var messages: [Message] = []
        var bytes = 0
        var isOverfull = false
        /// Nil while messages may come.
        var end: Result<Void, ClientError>?
        var waiters: [(key: Int, continuation: CheckedContinuation<Batch, Never>)] = []
        var nextKey = 0
    }

    /// What a reader gets.
    enum Batch: Sendable {
        case messages([Message])
        case end(Result<Void, ClientError>)
        case cancelled
    }

    let messagesMax: Int
    let bytesMax: Int
    private let state = Mutex(State())
    /// Called by the reader when a buffer that was overfull has been emptied.
    private let drained: @Sendable () -> Void

    init(messagesMax: Int, bytesMax: Int, drained: @escaping @Sendable () -> Void) {
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        self.drained = drained
    }

    // MARK: The loop's side

    /// Puts messages in; true where the buffer is overfull now.
    func put(_ batch: [Message]) -> Bool {
        let (waiter, isOverfull) = state.withLock { state -> (CheckedContinuation<Batch, Never>?, Bool) in
            guard state.end == nil else { return (nil, false) }
            if !state.waiters.isEmpty { return (state.waiters.removeFirst().continuation, false) }
            state.messages.append(contentsOf: batch)
            state.bytes += batch.reduce(0) { $0 + $1.queuedBytes }
            state.isOverfull = state.messages.count >= messagesMax || state.bytes >= bytesMax
            return (nil, state.isOverfull)
        }
        waiter?.resume(returning: .messages(batch))
        return isOverfull
    }

    /// No more will come; what is there may still be taken.
    func finish(_ end: Result<Void, ClientError>) {
        let waiters = state.withLock { state in
            guard state.end == nil else { return [CheckedContinuation<Batch, Never>]() }
            state.end = end
            state.isOverfull = false
            defer { state.waiters = [] }
            return state.waiters.map(\.continuation)
        }
        for waiter in waiters { waiter.resume(returning: .end(end)) }
    }

    /// Messages that wait.
    var count: Int { state.withLock { $0.messages.count } }

    /// Whether the reader has not caught up yet.
    var isOverfull: Bool { state.withLock { $0.isOverfull } }

    // MARK: The reader's side

    /// All that is there; waits for at least one message or the end.
    func take(isolation: isolated (any Actor)? = #isolation) async -> Batch {
        let key = state.withLock { state in
            state.nextKey += 1
            return state.nextKey
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (batch, wasOverfull) = state.withLock { state -> (Batch?, Bool) in
                    if !state.messages.isEmpty {
                        defer {
                            state.messages = []
                            state.bytes = 0
                            state.isOverfull = false
                        }
                        return (.messages(state.messages), state.isOverfull)
                    }
                    if let end = state.end { return (.end(end), false) }
                    if Task.isCancelled { return (.cancelled, false) }
                    state.waiters.append((key, continuation))
                    return (nil, false)
                }
                if let batch { continuation.resume(returning: batch) }
                if wasOverfull { drained() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.key == key }.map { state.waiters.remove(at: $0).continuation }
            }
            waiter?.resume(returning: .cancelled)
        }
    }
}
