/// A segment as its row keeps it: layout (1 byte), checksum of the rest (8), kind (1; bit 0 = with topics), first and last
/// position, number of live entries, then each.
enum SegmentForm {
    static let layout: UInt8 = 1

    private static let hasIdentifiers: UInt8 = 0x08
    private static let hasGroup: UInt8 = 0x40

    /// What a row says; entries only where they were asked for.
    struct Decoded {
        var first: UInt64 = 0
        var last: UInt64 = 0
        var count = 0
        var bytes = 0
        var inflight = 0
        var hasTopics = false
        var entries: ContiguousArray<Entry> = []
        var topics: ContiguousArray<TopicHash> = []
        var lists: [UInt64: [UInt32]] = [:]
    }

    static func encode(_ segment: Segment, into sink: inout ByteSink) {
        let hasTopics = !segment.topics.isEmpty
        sink.removeAll()
        sink.append(layout)
        sink.append(fixed: UInt64(0))
        sink.append(hasTopics ? 1 : 0)
        sink.append(varint: segment.first)
        sink.append(varint: segment.last)
        sink.append(varint: UInt64(segment.live))
        var before = segment.first
        for at in segment.entries.indices where !segment.entries[at].isGone {
            let entry = segment.entries[at]
            var flags = entry.flags & (Entry.qosMask | Entry.retain | Entry.isSent | Entry.isPubrec)
            if entry.identifier != 0 { flags |= hasIdentifiers }
            if entry.group != 0 { flags |= hasGroup }
            sink.append(flags)
            sink.append(varint: entry.position &- before)
            before = entry.position
            sink.append(varint: UInt64(entry.bytes))
            if flags & Entry.isSent != 0 { sink.append(fixed: entry.packet) }
            if entry.identifier != 0 {
                let list =
                    entry.identifier == Claim.several ? segment.lists[entry.position] ?? [] : [entry.identifier]
                sink.append(varint: UInt64(list.count))
                for identifier in list { sink.append(varint: UInt64(identifier)) }
            }
            if entry.group != 0 { sink.append(varint: UInt64(entry.group)) }
            if hasTopics {
                sink.append(fixed: segment.topics[at].low)
                sink.append(fixed: segment.topics[at].high)
            }
        }
        sink.overwrite(at: 1, Checksum.of(UnsafeRawBufferPointer(rebasing: sink.bytes[9...])))
    }

    /// Reads a row, and tells each entry's position; nil where it is damaged.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, keepsEntries: Bool, eachPosition: (UInt64) -> Void = { _ in }
    ) -> Decoded? {
        var source = ByteSource(bytes)
        guard source.byte() == layout, source.fixed(UInt64.self) == checksum(bytes) else { return nil }
        let hasTopics = source.byte() & 1 != 0
        var decoded = Decoded()
        decoded.hasTopics = hasTopics
        decoded.first = source.varint()
        decoded.last = source.varint()
        decoded.count = source.count()
        if keepsEntries {
            decoded.entries.reserveCapacity(decoded.count)
            if hasTopics { decoded.topics.reserveCapacity(decoded.count) }
        }
        guard decoded.last < UInt64(Engine.numberMax), decoded.first <= decoded.last else { return nil }
        var position = decoded.first
        for number in 0..<decoded.count {
            let flags = source.byte()
            // Positions grow, up to the last.
            let step = source.varint()
            guard step > 0 || number == 0, step <= decoded.last &- position else { return nil }
            position &+= step
            let length = UInt32(truncatingIfNeeded: source.varint())
            decoded.bytes += Int(length)
            var packet: UInt16 = 0
            if flags & Entry.isSent != 0 {
                packet = source.fixed()
                decoded.inflight += 1
            }
            var identifier: UInt32 = 0
            if flags & hasIdentifiers != 0 {
                let list = (0..<source.count()).map { _ in UInt32(truncatingIfNeeded: source.varint()) }
                identifier = list.count == 1 ? list[0] : Claim.several
                if keepsEntries, list.count != 1 { decoded.lists[position] = list }
            }
            let group = flags & hasGroup != 0 ? UInt32(truncatingIfNeeded: source.varint()) : 0
            let topic = hasTopics ? TopicHash(low: source.fixed(), high: source.fixed()) : nil
            if source.isDamaged { return nil }
            eachPosition(position)
            guard keepsEntries else { continue }
            decoded.entries.append(
                Entry(
                    position: position, bytes: length, identifier: identifier, group: group, packet: packet,
                    flags: flags & (Entry.qosMask | Entry.retain | Entry.isSent | Entry.isPubrec)))
            if let topic { decoded.topics.append(topic) }
        }
        return source.isDamaged || !source.isAtEnd ? nil : decoded
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.count > 9 ? Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[9...])) : 0
    }
}
