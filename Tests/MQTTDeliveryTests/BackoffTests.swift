import MQTTDelivery
import SeededRandom
import Testing

/// The vectors of the original algorithm (SEED_SYSTEMS §1.3, BO-1 … BO-6).
@Suite("Backoff")
struct BackoffTests {
    private struct NoEntropy: Error, Equatable {}

    @Test("random 0 never waits")
    func zero() {
        var backoff = Backoff(retriesMax: 5)
        for _ in 0..<5 { #expect(backoff.next(random: 0) == .retry(after: .zero)) }
    }

    @Test("random FFFFFFFF, base 500: 6 ms, then a ceiling of 1,000 ms")
    func vector() {
        var backoff = Backoff(baseMilliseconds: 500, maximumMilliseconds: 5_000, retriesMax: 5)
        #expect(backoff.next(random: .max) == .retry(after: .milliseconds(6)))
        #expect(backoff.ceilingMilliseconds == 1_000)
    }

    @Test("ceilings are 500, 1000, 2000, 4000, 5000, 5000 …, and 10,000 draws stay below them")
    func ceilings() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<1_000 {
            var backoff = Backoff(retriesMax: Backoff.forever)
            for ceiling: UInt16 in [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000] {
                #expect(backoff.ceilingMilliseconds == ceiling)
                guard case .retry(let delay) = backoff.next(using: &random) else {
                    Issue.record("forever ended")
                    return
                }
                #expect(delay >= .zero && delay <= .milliseconds(Int(ceiling)))
            }
        }
    }

    @Test("the ceiling itself can be drawn")
    func inclusive() {
        var backoff = Backoff(retriesMax: 1)
        #expect(backoff.next(random: 500) == .retry(after: .milliseconds(500)))
    }

    @Test("the sixth of five is exhausted, changes nothing and draws nothing")
    func exhausted() {
        var backoff = Backoff(retriesMax: 5)
        for _ in 0..<5 { _ = backoff.next(random: 1) }
        let before = backoff
        var drawn = false
        let next = backoff.next {
            drawn = true
            return 7
        }
        #expect(next == .exhausted)
        #expect(!drawn)
        #expect(backoff == before)
    }

    @Test("a source that fails stops the retry and changes nothing")
    func failingSource() {
        var backoff = Backoff(retriesMax: 5)
        let before = backoff
        #expect(throws: NoEntropy()) { try backoff.next { () throws(NoEntropy) in throw NoEntropy() } }
        #expect(backoff == before)
    }

    @Test("the largest values do not overflow")
    func extremes() {
        var backoff = Backoff(baseMilliseconds: .max, maximumMilliseconds: .max, retriesMax: Backoff.forever)
        #expect(backoff.next(random: 65_535) == .retry(after: .milliseconds(65_535)))
        #expect(backoff.next(random: 65_536) == .retry(after: .zero))
        #expect(backoff.ceilingMilliseconds == .max)
        var none = Backoff(baseMilliseconds: 0, maximumMilliseconds: 0, retriesMax: 1)
        #expect(none.next(random: .max) == .retry(after: .zero))
    }
}
