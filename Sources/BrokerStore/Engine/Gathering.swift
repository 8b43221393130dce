import BrokerCore

/// Requests that have come and are not taken up, in their order. Decides what goes into the next group: whatever the
/// order of one shard's requests allows.
struct Gathering {
    private var requests: [(shard: Int, request: StorageRequest)] = []
    /// Acknowledgements that were answered and wait to be written with the next group, or when their time is up.
    private var owed = Group()
    /// When they must be written at the latest.
    private(set) var owedUntil: ContinuousClock.Instant?
    private var mustWriteOwed = false

    var isEmpty: Bool { requests.isEmpty }
    var isOwing: Bool { !owed.writes.isEmpty }

    /// Acknowledgements at most before they are written whatever the time.
    private static var owedMax: Int { 1 << 14 }

    /// The next group to be written, those that are owed first; nil where what there is can wait. `answer` is told of
    /// the acknowledgements that wait.
    ///
    /// Nobody waits for an acknowledgement to be kept: one that a crash takes away has the message delivered again, or
    /// PUBREL said again, as if the crash had come before it. So one sync serves many of them, and a reader that drains
    /// its queue never waits for the disk.
    mutating func group(
        bytesMax: Int, linger: Duration, now: ContinuousClock.Instant, isLast: Bool,
        read: (Int, StorageRequest) -> Void,
        answer: (Int, StorageRequest) -> Void
    ) -> (group: Group, owed: Int)? {
        var next = take(bytesMax: bytesMax, read: read)
        let canWait = linger > .zero && !mustWriteOwed && !isLast && next.writes.allSatisfy { $0.request.canWait }
        if canWait {
            if owed.writes.isEmpty, !next.writes.isEmpty { owedUntil = now + linger }
            for write in next.writes {
                answer(write.shard, write.request)
                owed.append(write.request, from: write.shard)
            }
            guard let owedUntil, now >= owedUntil || owed.changes > Gathering.owedMax else { return nil }
            next = Group()
        }
        mustWriteOwed = false
        let count = owed.writes.count
        for write in next.writes { owed.append(write.request, from: write.shard) }
        let whole = owed
        owed = Group()
        owedUntil = nil
        return whole.writes.isEmpty ? nil : (whole, count)
    }

    /// They could not be written: they are owed still.
    mutating func owe(_ writes: ArraySlice<(shard: Int, request: StorageRequest)>, until: ContinuousClock.Instant) {
        guard !writes.isEmpty else { return }
        var again = Group()
        for write in writes { again.append(write.request, from: write.shard) }
        for write in owed.writes { again.append(write.request, from: write.shard) }
        owed = again
        owedUntil = until
    }

    mutating func append(_ more: [(shard: Int, request: StorageRequest)]) {
        if requests.isEmpty { requests = more } else { requests += more }
    }

    /// Takes the next group. Reads are done at once, before it, unless the same shard wrote to the queue just before:
    /// then they, and what that shard asked for after them, wait for the next.
    private mutating func take(bytesMax: Int, read: (Int, StorageRequest) -> Void) -> Group {
        var group = Group()
        var rest: [(shard: Int, request: StorageRequest)] = []
        var waiting: Set<Int> = []
        for (at, next) in requests.enumerated() {
            if group.bytes >= bytesMax {
                rest += requests[at...]
                break
            }
            if waiting.contains(next.shard) {
                rest.append(next)
                continue
            }
            guard case .read(_, let queue, let after, _, _) = next.request else {
                group.append(next.request, from: next.shard)
                continue
            }
            let isOwed = owed.writes.contains { $0.shard == next.shard && $0.request.touches(queue, after: after) }
            if isOwed { mustWriteOwed = true }
            if isOwed
                || group.writes.contains(where: { $0.shard == next.shard && $0.request.touches(queue, after: after) })
            {
                waiting.insert(next.shard)
                rest.append(next)
            } else {
                read(next.shard, next.request)
            }
        }
        requests = rest
        return group
    }
}

extension StorageRequest {
    /// It says nothing but that subscribers are done with messages.
    fileprivate var canWait: Bool {
        guard case .append(_, let batch) = self, batch.messageCount == 0, batch.entries.isEmpty, batch.retained.isEmpty,
            batch.retainedRemoved.isEmpty
        else { return false }
        return batch.changes.allSatisfy { change in
            if case .acknowledged = change { return true }
            return false
        }
    }

    /// Whether a reader of the queue from this position on would see what this writes.
    fileprivate func touches(_ queue: QueueID, after: LogPosition) -> Bool {
        guard case .append(_, let batch) = self else { return false }
        let adds = batch.entries.withUnsafeBufferPointer { entries in
            entries.indices.contains { entries[$0].queue == queue }
        }
        if adds { return true }
        return batch.changes.withUnsafeBufferPointer { changes in
            changes.indices.contains { at in
                switch changes[at] {
                case .acknowledged(queue, let position): position > after
                case .dropped(queue): true
                default: false
                }
            }
        }
    }
}
