import BrokerCore

/// Gathers the redo record of a group: batches of all shards, one after another, as steps.
struct RedoWriter: ~Copyable {
    /// Lengths of the group's messages.
    private var lengths = ByteSink()
    private var steps = ByteSink()
    private var record = ByteSink()
    private(set) var messageCount = 0
    private var queue: UInt64?
    private var message = -1
    /// Wraps: the difference to the position before is what is written.
    private var position: UInt64 = 0

    var isEmpty: Bool { messageCount == 0 && steps.count == 0 }

    mutating func removeAll() {
        lengths.removeAll()
        steps.removeAll()
        record.removeAll()
        messageCount = 0
        queue = nil
        message = -1
        position = 0
    }

    /// Adds a batch. Its first message stands at `messageCount` in the group.
    mutating func append(_ batch: LogBatch, hasher: TopicHasher) {
        let base = messageCount
        appendLengths(batch)
        batch.entries.withUnsafeBufferPointer { entries in
            for i in entries.indices { append(entries, i, base) }
        }
        batch.changes.withUnsafeBufferPointer { changes in
            var i = 0
            while i < changes.count { i &+= append(changes, i) }
        }
        if !batch.retained.isEmpty || !batch.retainedRemoved.isEmpty { appendRetained(batch, base, hasher) }
    }

    mutating func appendExpired(position: UInt64) {
        steps.append(RedoCode.retainedExpired)
        steps.append(varint: position)
    }

    /// The record as its row keeps it; borrowed.
    mutating func finish() -> UnsafeRawBufferPointer {
        record.removeAll()
        record.append(RedoReader.layout)
        record.append(fixed: UInt64(0))
        record.append(varint: UInt64(messageCount))
        record.append(lengths.bytes)
        record.append(steps.bytes)
        record.overwrite(at: 1, Checksum.of(UnsafeRawBufferPointer(rebasing: record.bytes[9...])))
        return record.bytes
    }

    private mutating func appendLengths(_ batch: LogBatch) {
        let count = batch.messageCount
        guard count > 0 else { return }
        let end = batch.bytes.count
        batch.offsets.withUnsafeBufferPointer { offsets in
            for i in 0..<(count &- 1) { lengths.append(varint: UInt64(offsets[i &+ 1] &- offsets[i])) }
            lengths.append(varint: UInt64(end - offsets[count - 1]))
        }
        messageCount += count
    }

    @inline(__always)
    private mutating func select(_ id: UInt64) {
        guard queue != id else { return }
        queue = id
        steps.append(RedoCode.queue)
        steps.append(fixed: id)
    }

    @inline(__always)
    private mutating func append(_ entries: UnsafeBufferPointer<QueueEntry>, _ i: Int, _ base: Int) {
        select(entries[i].queue.value)
        let index = base &+ entries[i].message
        var flags = RedoCode.entry | (entries[i].qos & RedoCode.entryQoSMask)
        if entries[i].retain { flags |= RedoCode.entryRetain }
        if index == message &+ 1 {
            flags |= RedoCode.entryIsNext
        } else if index != message {
            flags |= RedoCode.entryNamesMessage
        }
        let identifiers = entries[i].subscriptionIdentifiers.count
        if identifiers > 0 { flags |= RedoCode.entryHasIdentifiers }
        if entries[i].group != 0 { flags |= RedoCode.entryHasGroup }
        steps.append(flags)
        if flags & RedoCode.entryNamesMessage != 0 { steps.append(varint: UInt64(index)) }
        message = index
        if identifiers > 0 {
            steps.append(varint: UInt64(identifiers))
            for identifier in entries[i].subscriptionIdentifiers { steps.append(varint: UInt64(identifier)) }
        }
        if entries[i].group != 0 { steps.append(varint: UInt64(entries[i].group)) }
    }

    /// Writes the change at an index and returns how many it took: acknowledgements in a row are one step.
    @inline(__always)
    private mutating func append(_ changes: UnsafeBufferPointer<QueueChange>, _ i: Int) -> Int {
        switch changes[i] {
        case .acknowledged(let queue, let position):
            var count = 1
            while i &+ count < changes.count,
                case .acknowledged(queue, LogPosition(position.value &+ UInt64(count))) = changes[i &+ count]
            { count &+= 1 }
            select(queue.value)
            steps.append(RedoCode.acknowledged)
            append(position)
            steps.append(varint: UInt64(count))
            return count
        case .sent(let queue, let position, let identifier):
            select(queue.value)
            steps.append(RedoCode.sent)
            append(position)
            steps.append(fixed: identifier)
        case .pubrec(let queue, let position):
            select(queue.value)
            steps.append(RedoCode.pubrec)
            append(position)
        case .received(let queue, let identifier):
            select(queue.value)
            steps.append(RedoCode.received)
            steps.append(fixed: identifier)
        case .released(let queue, let identifier):
            select(queue.value)
            steps.append(RedoCode.released)
            steps.append(fixed: identifier)
        case .share(let queue, let share):
            select(queue.value)
            steps.append(RedoCode.share)
            steps.append(fixed: share.identifier)
            steps.append(fixed: share.part)
        case .dropped(let queue):
            select(queue.value)
            steps.append(RedoCode.dropped)
        }
        return 1
    }

    @inline(__always)
    private mutating func append(_ next: LogPosition) {
        steps.append(varint: next.value &- position)
        position = next.value
    }

    /// Retained messages and removals in the order in which they came.
    private mutating func appendRetained(_ batch: LogBatch, _ base: Int, _ hasher: TopicHasher) {
        var removals = batch.retainedRemoved[...]
        batch.bytes.withUnsafeBytes { bytes in
            for index in batch.retained {
                while let removal = removals.first, removal.after <= index {
                    append(removal, base, hasher)
                    removals = removals.dropFirst()
                }
                // The topic stands behind the head, its length in bytes 1 and 2: see `LoggedMessage`.
                let offset = batch.offsets[index]
                let length = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 1, as: UInt16.self)))
                let start = offset + LoggedMessage.headerLength
                steps.append(RedoCode.retained)
                steps.append(varint: UInt64(base + index))
                append(hasher.hash(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])))
            }
        }
        for removal in removals { append(removal, base, hasher) }
    }

    private mutating func append(_ removal: RetainedRemoval, _ base: Int, _ hasher: TopicHasher) {
        steps.append(RedoCode.retainedRemoved)
        steps.append(varint: UInt64(base + removal.after))
        append(removal.topic.withUnsafeBytes { hasher.hash($0) })
    }

    private mutating func append(_ hash: TopicHash) {
        steps.append(fixed: hash.low)
        steps.append(fixed: hash.high)
    }
}
