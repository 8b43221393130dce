import BrokerCore

/// Retained messages that have an end leave the store when it comes: with the next group, or with the chores.
extension Engine {
    /// Some are over and not yet gone.
    var hasExpired: Bool { expiring.next.map { $0 <= clock() } ?? false }

    /// When the next one is over, in milliseconds from now; nil = there is none.
    var millisecondsToExpiry: Int64? { expiring.next.map { max(0, $0 &- clock()) } }

    func findEnds(_ batch: LogBatch, at start: UInt64, _ ending: inout [ExpiryHeap.Item]) {
        for message in batch.retained {
            let end = batch.bytes.withUnsafeBytes {
                Int64(littleEndian: $0.loadUnaligned(fromByteOffset: batch.offsets[message] + 11, as: Int64.self))
            }
            if end != .max { ending.append(.init(at: end, position: start + UInt64(message))) }
        }
    }

    func noteEnds(_ ending: [ExpiryHeap.Item]) {
        for item in ending { expiring.insert(item) }
        // Topics that are published again and again leave theirs behind.
        guard !ending.isEmpty, expiring.count > 1024 + 2 * index.retained.count else { return }
        expiring.keep { position in
            index.retainedQueue.segment(position).map {
                index.retainedQueue.segments[$0].topic(position) != nil
            } ?? false
        }
    }

    func takeExpired() -> [ExpiryHeap.Item] { hasExpired ? expiring.take(until: clock()) : [] }
}
