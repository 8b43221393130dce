/// Longest a test waits for something that must come, in milliseconds. Generous: it is only spent where a test fails.
package let patienceMilliseconds = 60_000

/// For what has to happen in so much time: a busy machine may hold the test or the broker up, so it is tried up to five times.
/// The last try's `Mismatch` is thrown; a rule that is broken is broken each time.
package func persistently<Result>(_ body: () throws -> Result) throws -> Result {
    for _ in 1..<5 {
        do { return try body() } catch is Mismatch { continue }
    }
    return try body()
}
