import Synchronization

/// Where a client stands. The stream of these tells everything that happens to its connections: nothing dies silently.
public enum ConnectionState: Sendable, Hashable {
    /// Not begun: `run` has not been called.
    case idle
    /// A transport is being opened, then CONNECT sent. Counts attempts since the last success, from 1.
    case connecting(attempt: Int)
    /// CONNACK was favourable.
    case connected(ServerInformation)
    /// The connection failed or was lost; the next attempt follows after the delay.
    case waiting(Duration, after: ClientError)
    /// The end: nil when the program wanted it.
    case closed(ClientError?)
}

/// Hands each state to everybody who listens. A listener begins with the present state; one that does not keep up
/// loses the oldest.
final class StateStreams: Sendable {
    private struct Listeners {
        var current = ConnectionState.idle
        var next = 0
        var open: [Int: AsyncStream<ConnectionState>.Continuation] = [:]
    }

    /// States a listener may lag behind.
    private static let laggingMax = 64

    private let listeners = Mutex(Listeners())

    var current: ConnectionState { listeners.withLock { $0.current } }

    func send(_ state: ConnectionState) {
        let open = listeners.withLock { listeners in
            listeners.current = state
            defer {
                if case .closed = state { listeners.open = [:] }
            }
            return listeners.open.values.map(\.self)
        }
        for continuation in open {
            continuation.yield(state)
            if case .closed = state { continuation.finish() }
        }
    }

    func listen() -> AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ConnectionState.self, bufferingPolicy: .bufferingNewest(Self.laggingMax))
        let key: Int? = listeners.withLock { listeners in
            continuation.yield(listeners.current)
            if case .closed = listeners.current { return nil }
            listeners.next += 1
            listeners.open[listeners.next] = continuation
            return listeners.next
        }
        guard let key else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.listeners.withLock { $0.open.removeValue(forKey: key) }
        }
        return stream
    }
}
