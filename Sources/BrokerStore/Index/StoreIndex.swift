import BrokerCore

/// What the engine knows of a store without reading it: queues as segments, rows with their claims, where each topic's
/// retained message stands. Changed by redo records only, after they are durable or when they are read at the start;
/// knows no file. What it has to have written is in `dirty`. See Docs/decisions/0011-the-store.md.
struct StoreIndex {
    /// Entries of a segment in memory, at most; and when a segment that is written takes no more.
    var segmentEntriesMax = 2048
    var segmentClosesAt = 128

    private(set) var queues = QueueTable()
    /// The retained messages are a queue of their own, in which a topic's new message replaces its old one.
    let retainedQueue = Queue(id: 0)
    private(set) var retained = RetainedTable()
    var rows = RowIndex()
    var dirty = DirtyList()
    /// Segments whose entries are not in memory.
    var evictedCount = 0
    /// Evicted segments of queues that are void: their claims are to be given back.
    var voided: [Segment] = []
    /// The last record that took effect.
    private(set) var sequence: UInt64 = 0
    /// Where the next message will stand.
    private(set) var nextPosition: UInt64 = 1
    /// Bytes of redo records that were ever applied: tells how much a restart would replay.
    private(set) var redoBytes = 0
    /// Entries of all queues, retained messages not among them, and their messages' bytes.
    private(set) var queued = 0
    private(set) var queuedBytes = 0

    private var lengths: ContiguousArray<UInt32> = []
    private var recent: Queue?

    // MARK: Records

    /// The segments that a record changes and whose entries are not in memory: to be loaded before it is applied.
    func missing(for record: UnsafeRawBufferPointer) -> [Segment] {
        guard evictedCount > 0 else { return [] }
        var segments: [Segment] = []
        var lengths: ContiguousArray<UInt32> = []
        var reader = RedoReader(record, lengths: &lengths)
        func add(_ id: UInt64, _ first: UInt64, _ last: UInt64) {
            guard let queue = queues[id], queue.evicted > 0 else { return }
            var at = queue.firstSegment(endingAtOrAfter: first)
            while at < queue.segments.count, queue.segments[at].first <= last {
                let segment = queue.segments[at]
                if segment.isEvicted, segments.last !== segment { segments.append(segment) }
                at += 1
            }
        }
        while let step = reader.next() {
            switch step {
            case .acknowledged(let queue, let position, let count): add(queue, position, position &+ UInt64(count - 1))
            case .sent(let queue, let position, _), .pubrec(let queue, let position): add(queue, position, position)
            default: break
            }
        }
        return segments
    }

    /// Takes a record's steps. Steps that were taken before change nothing in the end, if all that follow are taken too.
    /// False where the record is damaged.
    mutating func apply(_ record: UnsafeRawBufferPointer, sequence: UInt64, first: UInt64) -> Bool {
        var reader = RedoReader(record, lengths: &lengths)
        guard !reader.isDamaged else { return false }
        self.sequence = sequence
        nextPosition = max(nextPosition, first + UInt64(lengths.count))
        while let step = reader.next() {
            switch step {
            case .entry(let queue, let message, let claim):
                guard message >= 0, message < lengths.count else { return false }
                append(
                    claim, to: queue, at: first &+ UInt64(message), bytes: lengths[message],
                    identifiers: claim.identifier == Claim.several ? reader.identifiers : nil)
            case .acknowledged(let queue, let position, let count): acknowledge(queue, position, count)
            case .sent(let queue, let position, let identifier):
                change(queue, position) { $0.markSent(position, identifier) }
            case .pubrec(let queue, let position): change(queue, position) { $0.markPubrec(position) }
            case .received(let queue, let identifier): receive(queue, identifier)
            case .released(let queue, let identifier): release(queue, identifier)
            case .share(let queue, let share): keep(share, queue)
            case .dropped(let queue): drop(queue)
            case .retained(let message, let topic):
                guard message >= 0, message < lengths.count else { return false }
                retain(topic, first + UInt64(message), lengths[message])
            case .retainedRemoved(let before, let topic):
                if let position = retained[topic], position < first + UInt64(before) {
                    forgetRetained(topic, position)
                }
            case .retainedExpired(let position):
                guard let at = retainedQueue.segment(position),
                    let topic = retainedQueue.segments[at].topic(position)
                else { break }
                forgetRetained(topic, position)
            }
        }
        redoBytes += record.count + 64
        recent = nil
        return !reader.isDamaged
    }

    // MARK: Queues

    @inline(__always)
    private mutating func queue(_ id: UInt64) -> Queue? {
        if let recent, recent.id == id { return recent }
        recent = queues[id]
        return recent
    }

    private mutating func queueMade(_ id: UInt64) -> Queue {
        if let queue = queue(id) { return queue }
        let queue = Queue(id: id)
        queues.insert(queue)
        recent = queue
        return queue
    }

    private mutating func append(
        _ claim: Claim, to id: UInt64, at position: UInt64, bytes: UInt32, identifiers: [UInt32]?
    ) {
        let queue = queueMade(id)
        guard position > queue.last else { return }  // replayed, and written before
        var flags = claim.qos
        if claim.retain { flags |= Entry.retain }
        append(
            Entry(position: position, bytes: bytes, identifier: claim.identifier, group: claim.group, flags: flags),
            identifiers, nil, to: queue)
        queued &+= 1
        queuedBytes &+= Int(bytes)
    }

    private mutating func append(_ entry: Entry, _ identifiers: [UInt32]?, _ topic: TopicHash?, to queue: Queue) {
        let segment: Segment
        if let last = queue.segments.last, !last.isClosed {
            segment = last
        } else {
            segment = Segment(queue: queue)
            queue.segments.append(segment)
        }
        segment.append(entry, identifiers: identifiers, topic: topic)
        if segment.count >= segmentEntriesMax { segment.isClosed = true }
        mark(segment)
        queue.live &+= 1
        queue.liveBytes &+= Int(entry.bytes)
        rows.claim(entry.position)
    }

    @inline(__always)
    private mutating func mark(_ segment: Segment) {
        guard !segment.isDirty else { return }
        segment.isDirty = true
        dirty.append(.segment(segment), sequence, redoBytes)
    }

    private mutating func acknowledge(_ id: UInt64, _ first: UInt64, _ count: Int) {
        guard let queue = queue(id), let last = queue.segments.last?.last else { return }
        var position = first
        let end = min(first &+ UInt64(count), last &+ 1)
        while position < end {
            guard let at = queue.segment(position) else {
                let next = queue.firstSegment(endingAtOrAfter: position)
                guard next < queue.segments.count else { return }
                position = max(position + 1, queue.segments[next].first)
                continue
            }
            let segment = queue.segments[at]
            let stop = min(end, segment.last &+ 1)
            while position < stop {
                remove(position, from: segment, of: queue)
                position &+= 1
            }
            if segment.live == 0 { bury(segment, at, of: queue) }
        }
    }

    @inline(__always)
    private mutating func remove(_ position: UInt64, from segment: Segment, of queue: Queue) {
        guard let bytes = segment.remove(position) else { return }
        mark(segment)
        queue.live &-= 1
        queue.liveBytes &-= bytes
        if queue !== retainedQueue {
            queued &-= 1
            queuedBytes &-= bytes
        }
        rows.release(position)
    }

    /// A segment that holds nothing any more. In the list of what is to be written it stays: its row has to go.
    private mutating func bury(_ segment: Segment, _ at: Int, of queue: Queue) {
        segment.bury()
        queue.segments.remove(at: at)
    }

    private mutating func change(_ id: UInt64, _ position: UInt64, _ body: (Segment) -> Bool) {
        guard let queue = queue(id), let at = queue.segment(position) else { return }
        if body(queue.segments[at]) { mark(queue.segments[at]) }
    }

    private mutating func receive(_ id: UInt64, _ identifier: UInt16) {
        let queue = queueMade(id)
        guard !queue.received.contains(identifier) else { return }
        queue.received.append(identifier)
        markReceived(queue)
    }

    private mutating func release(_ id: UInt64, _ identifier: UInt16) {
        guard let queue = queue(id) else { return }
        let shares = queue.shares.removeValue(forKey: identifier)
        let at = queue.received.firstIndex(of: identifier)
        if let at { queue.received.remove(at: at) }
        if shares != nil || at != nil { markReceived(queue) }
    }

    private mutating func keep(_ share: KeptShare, _ id: UInt64) {
        let queue = queueMade(id)
        if queue.shares[share.identifier, default: []].insert(share.part).inserted { markReceived(queue) }
    }

    private mutating func markReceived(_ queue: Queue) {
        guard !queue.isReceivedDirty else { return }
        queue.isReceivedDirty = true
        dirty.append(.received(queue), sequence, redoBytes)
    }

    private mutating func drop(_ id: UInt64) {
        guard let queue = queue(id) else { return }
        giveBack(queue)
        queued -= queue.live
        queuedBytes -= queue.liveBytes
        queue.segments = []
        queue.live = 0
        queue.liveBytes = 0
        queue.received = []
        queue.shares = [:]
        queue.isDropped = true
        if queue.hasReceivedRow { markReceived(queue) }
        queues.remove(id)
        recent = nil
    }

    /// Claims of a queue that is void. Those of evicted segments are given back later, from their rows.
    private mutating func giveBack(_ queue: Queue) {
        for segment in queue.segments {
            segment.isDead = true
            mark(segment)
            if segment.isEvicted {
                evictedCount -= 1
                segment.holdsClaims = true
                voided.append(segment)
            } else {
                segment.forEachLive { rows.release($0.position) }
            }
        }
    }

    // MARK: Retained messages

    private mutating func retain(_ topic: TopicHash, _ position: UInt64, _ bytes: UInt32) {
        guard position > retainedQueue.last else {
            // Replayed, and written before; but what it replaced may have been written as it was before that.
            if let old = retained[topic], old < position { forgetRetained(topic, old) }
            return
        }
        if let old = retained[topic] { forgetRetained(topic, old) }
        append(
            Entry(position: position, bytes: bytes, identifier: 0, group: 0, flags: 0), nil, topic, to: retainedQueue)
        retained.set(topic, position)
    }

    private mutating func forgetRetained(_ topic: TopicHash, _ position: UInt64) {
        guard retained[topic] == position else { return }
        retained.remove(topic)
        guard let at = retainedQueue.segment(position) else { return }
        let segment = retainedQueue.segments[at]
        remove(position, from: segment, of: retainedQueue)
        if segment.live == 0 { bury(segment, at, of: retainedQueue) }
    }

    // MARK: Reading a store

    /// Takes up a segment's row, oldest first within its queue. False where it does not fit.
    mutating func take(_ decoded: SegmentForm.Decoded, id: Int64, queue queueID: UInt64) -> Bool {
        let queue = queueID == retainedQueue.id ? retainedQueue : queueMade(queueID)
        guard decoded.count > 0, decoded.first > queue.last else { return false }
        let segment = Segment(queue: queue)
        segment.describe(decoded, id: id)
        queue.segments.append(segment)
        queue.live += decoded.count
        queue.liveBytes += decoded.bytes
        queue.evicted += 1
        evictedCount += 1
        if queue === retainedQueue {
            load(segment, decoded)
            takeRetained(segment)
        } else {
            queued += decoded.count
            queuedBytes += decoded.bytes
            if decoded.inflight > 0 { load(segment, decoded) }
        }
        return true
    }

    private mutating func takeRetained(_ segment: Segment) {
        var entries: [(TopicHash, UInt64)] = []
        segment.forEachLive { entry in
            if let topic = segment.topic(entry.position) { entries.append((topic, entry.position)) }
        }
        for (topic, position) in entries {
            // The older one's row was written before the newer one replaced it.
            if let old = retained[topic] { forgetRetained(topic, old) }
            retained.set(topic, position)
        }
    }

    mutating func takeReceived(_ identifiers: [UInt16], _ shares: [KeptShare], queue id: UInt64) {
        let queue = queueMade(id)
        queue.received = identifiers
        for share in shares { queue.shares[share.identifier, default: []].insert(share.part) }
        queue.hasReceivedRow = true
    }

    /// The newest record has this number, though it needs no replay.
    mutating func resume(sequence: UInt64, nextPosition: UInt64) {
        self.sequence = sequence
        self.nextPosition = max(self.nextPosition, nextPosition)
    }

    /// Entries come back into memory.
    mutating func load(_ segment: Segment, _ decoded: SegmentForm.Decoded) {
        guard segment.isEvicted else { return }
        segment.load(decoded)
        segment.queue.evicted -= 1
        evictedCount -= 1
    }

    mutating func evict(_ segment: Segment) {
        segment.evict()
        segment.queue.evicted += 1
        evictedCount += 1
    }
}
