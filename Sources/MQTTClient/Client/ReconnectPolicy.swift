public import MQTTDelivery

/// Where 32 random bits come from; may fail.
public typealias JitterSource = @Sendable () async throws -> UInt32

/// Whether and when a client connects again by itself: exponential backoff with full jitter. It holds for errors that may
/// pass (`ClientError.isTransient`); any other ends the client.
public struct ReconnectPolicy: Sendable, Hashable {
    /// The delays; begun anew after every connection that succeeded. Nil = never.
    public var backoff: Backoff?
    /// Whether the first connection is tried again too. False: a client that never reached its broker fails at once, as
    /// a tool should; true: it waits for the broker, as a service should.
    public var retriesFirstConnection: Bool

    public init(backoff: Backoff?, retriesFirstConnection: Bool = false) {
        self.backoff = backoff
        self.retriesFirstConnection = retriesFirstConnection
    }

    /// One connection, and that is it.
    public static var never: ReconnectPolicy { ReconnectPolicy(backoff: nil) }

    /// Again after a loss, with delays up to a minute, for ever; the first connection must succeed.
    public static var afterLoss: ReconnectPolicy {
        ReconnectPolicy(backoff: Backoff(baseMilliseconds: 500, maximumMilliseconds: 60_000))
    }

    /// For ever, the first connection included, with delays up to a minute.
    public static var always: ReconnectPolicy {
        ReconnectPolicy(
            backoff: Backoff(baseMilliseconds: 500, maximumMilliseconds: 60_000), retriesFirstConnection: true)
    }
}
