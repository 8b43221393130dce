import NIOCore

/// The shards' time: milliseconds since 1970 that never step back. The wall is read once, at start.
struct ServerClock: Sendable {
    private let startMilliseconds: Int64
    private let startUptime: UInt64

    init(wallSeconds: Double) {
        startMilliseconds = Int64(wallSeconds * 1000)
        startUptime = NIODeadline.now().uptimeNanoseconds
    }

    func now() -> Int64 {
        startMilliseconds + Int64((NIODeadline.now().uptimeNanoseconds - startUptime) / 1_000_000)
    }

    /// When `moment` is, for the event loop's own timers; never before it.
    func deadline(_ moment: Int64) -> NIODeadline {
        let elapsed = max(0, moment - startMilliseconds)
        return .uptimeNanoseconds(startUptime + UInt64(elapsed) * 1_000_000 + 999_999)
    }
}
