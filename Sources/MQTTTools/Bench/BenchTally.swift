import Histogram
import Synchronization

/// How often and in which order the messages of one publisher came: a value, fed with numbers that begin at 0.
package struct ArrivalCheck: Sendable {
    private var seen: [UInt64] = []
    private var highest: UInt64?
    package private(set) var distinct = 0
    package private(set) var duplicates = 0
    /// First arrivals that came after a later number.
    package private(set) var late = 0

    /// Beyond it numbers are none of ours: 2³².
    private static let numbersMax: UInt64 = 4_294_967_296

    package init() {}

    package mutating func arrived(_ number: UInt64) {
        guard number < Self.numbersMax else { return }
        let word = Int(number / 64)
        if word >= seen.count { seen += [UInt64](repeating: 0, count: max(word + 1 - seen.count, seen.count)) }
        let bit: UInt64 = 1 << (number % 64)
        guard seen[word] & bit == 0 else {
            duplicates += 1
            return
        }
        seen[word] |= bit
        distinct += 1
        if let highest, number < highest { late += 1 } else { highest = number }
    }
}

/// What has happened so far, counted from every task at once.
final class BenchTally: Sendable {
    let sent = Atomic<Int>(0)
    let received = Atomic<Int>(0)
    let connected = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    private let failures = Mutex<[String: Int]>([:])
    /// Microseconds, to three digits, up to an hour.
    private let histogram = Mutex(Histogram<UInt64>(highestTrackableValue: 3_600_000_000))
    private let begin = ContinuousClock.now

    var microseconds: UInt64 { UInt64(max(0, (ContinuousClock.now - begin).inMilliseconds * 1_000)) }

    func took(_ microseconds: UInt64) { histogram.withLock { _ = $0.record(min(microseconds, 3_600_000_000)) } }

    func took(since begin: ContinuousClock.Instant) { took(UInt64(max(0, begin.milliseconds * 1_000))) }

    func fail(_ error: any Error) {
        failed.wrappingAdd(1, ordering: .relaxed)
        failures.withLock { $0["\(error)", default: 0] += 1 }
    }

    /// The most frequent first.
    var failuresInWords: [(String, Int)] {
        failures.withLock { $0.sorted { ($1.value, $0.key) < ($0.value, $1.key) } }
    }

    var latency: BenchReport.Latency? {
        histogram.withLock { histogram in
            guard histogram.totalCount > 0 else { return nil }
            func at(_ percentile: Double) -> Double { Double(histogram.valueAtPercentile(percentile)) / 1_000 }
            return BenchReport.Latency(
                count: Int(histogram.totalCount), minimum: Double(histogram.min) / 1_000, p50: at(50), p90: at(90),
                p95: at(95), p99: at(99), p999: at(99.9), maximum: Double(histogram.max) / 1_000)
        }
    }
}
