import Synchronization

/// Counts from any thread.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { number.load(ordering: .relaxed) }
    /// Counts, and says how far it has come.
    func next() -> Int { number.add(1, ordering: .relaxed).newValue }
    func count() { number.add(1, ordering: .relaxed) }
}
