/// The fuzzer's bytes as choices, one after another. When they run out, every choice is 0 and `isEmpty` says so.
struct FuzzBytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) { rest = Array(bytes)[...] }

    init(_ data: UnsafePointer<UInt8>?, _ size: Int) { self.init(UnsafeBufferPointer(start: data, count: size)) }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func take(_ count: Int) -> [UInt8] {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(taken)
    }

    mutating func takeAll() -> [UInt8] { take(rest.count) }

    /// One of `choices`, by one byte.
    mutating func pick<T>(_ choices: [T]) -> T { choices[Int(byte()) % choices.count] }
}

/// Stops the run: libFuzzer keeps the input.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { preconditionFailure(message()) }
}

/// Chance out of the fuzzer's bytes, two a draw, so that it can steer `RandomPacket`; from a fixed seed when they run out.
/// It has the name of the tests' generator, because `RandomPacket.swift` is theirs.
struct SeededGenerator: RandomNumberGenerator {
    private var bytes = FuzzBytes([])
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    init(_ bytes: FuzzBytes) {
        self.bytes = bytes
        state = 1
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        guard !bytes.isEmpty else { return z }
        // Ranges are drawn from the high bits; the low ones stay random, or drawing might never end.
        return UInt64(bytes.byte()) << 56 | UInt64(bytes.byte()) << 48 | z >> 16
    }
}

/// A two-byte length before the bytes, for `RandomPacket`.
func prefixed(_ content: [UInt8]) -> [UInt8] { [UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content }
