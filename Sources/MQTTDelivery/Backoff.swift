/// How long to wait before trying again: exponential backoff with full jitter, the algorithm of AWS's
/// `backoffAlgorithm`, step for step. The first delay lies between zero and the base; the ceiling doubles until it
/// reaches the maximum. It neither sleeps nor draws chance by itself: the caller does both.
public struct Backoff: Sendable, Hashable {
    /// What to do after a failed attempt.
    public enum Next: Sendable, Hashable {
        /// Wait this long, then try again.
        case retry(after: Duration)
        /// As many retries as were allowed have been made.
        case exhausted
    }

    /// As `retriesMax`: never give up.
    public static let forever = UInt32.max

    /// The longest delay the next retry may draw, in milliseconds.
    public private(set) var ceilingMilliseconds: UInt16
    /// No ceiling grows beyond this, in milliseconds.
    public let maximumMilliseconds: UInt16
    /// Delays handed out so far.
    public private(set) var retries: UInt32 = 0
    /// How many delays are handed out before `exhausted`; `forever` lifts the limit.
    public let retriesMax: UInt32

    /// - Parameters:
    ///   - baseMilliseconds: the ceiling of the first delay, 500 unless told.
    ///   - maximumMilliseconds: what the ceiling grows to, 5,000 unless told.
    ///   - retriesMax: how often to retry; an operation is tried once more than that in all.
    public init(baseMilliseconds: UInt16 = 500, maximumMilliseconds: UInt16 = 5_000, retriesMax: UInt32 = forever) {
        self.ceilingMilliseconds = baseMilliseconds
        self.maximumMilliseconds = maximumMilliseconds
        self.retriesMax = retriesMax
    }

    /// The next delay, drawn with 32 random bits. Once exhausted nothing changes any more: start anew with a new value.
    public mutating func next(random: UInt32) -> Next { next { random } }

    /// The next delay, drawn from a generator.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Next {
        next { UInt32(truncatingIfNeeded: generator.next()) }
    }

    /// The next delay, drawn from a source that may fail, such as a hardware token. A failure leaves the state as it was;
    /// there is no weaker source to fall back to. The source is not asked once retries are exhausted.
    public mutating func next<Failure: Error>(random: () throws(Failure) -> UInt32) throws(Failure) -> Next {
        guard retriesMax == Self.forever || retries < retriesMax else { return .exhausted }
        let milliseconds = try random() % (UInt32(ceilingMilliseconds) + 1)
        if retries < .max { retries += 1 }
        ceilingMilliseconds =
            ceilingMilliseconds < maximumMilliseconds / 2 ? ceilingMilliseconds * 2 : maximumMilliseconds
        return .retry(after: .milliseconds(milliseconds))
    }
}
