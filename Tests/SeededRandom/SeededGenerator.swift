/// SplitMix64: small, and the same everywhere, so that a failing seed fails again. (Steele, Lea & Flood, 2014.)
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0..<below.
    package mutating func below(_ below: Int) -> Int { Int(next() % UInt64(below)) }

    /// True `percent` times of a hundred.
    package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// One of a list that is not empty.
    package mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }
}
