import SeededRandom

/// The crash test's dice: the same seed, the same decisions. When the broker's process runs is not ours to decide, so a seed
/// gives the same plan, not the same run.
extension SeededGenerator {
    /// True once in so many times.
    mutating func once(in times: Int) -> Bool { Int.random(in: 0..<times, using: &self) == 0 }
}
