import BrokerCore

/// Reads a redo record step by step. The form: layout (1 byte), checksum of the rest (8), number of messages and the
/// length of each, then steps until the end. A record that is not that yields nil early and `isDamaged`.
struct RedoReader {
    /// The layout's number; a newer one is refused.
    static let layout: UInt8 = 1

    private var source: ByteSource
    private(set) var isDamaged = false
    private var queue: UInt64 = 0
    private var message = -1
    private var position: UInt64 = 0
    /// Subscription Identifiers of the entry read last, where it has several.
    private(set) var identifiers: [UInt32] = []

    /// Reads the head; `lengths` becomes the messages' lengths.
    init(_ bytes: UnsafeRawBufferPointer, lengths: inout ContiguousArray<UInt32>) {
        lengths.removeAll(keepingCapacity: true)
        source = ByteSource(bytes)
        let layout = source.byte()
        let checksum: UInt64 = source.fixed()
        guard layout == RedoReader.layout, !source.isDamaged,
            checksum == Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[9...]))
        else {
            isDamaged = true
            return
        }
        let count = source.count()
        lengths.reserveCapacity(count)
        for _ in 0..<count { lengths.append(UInt32(truncatingIfNeeded: source.varint())) }
        if source.isDamaged { isDamaged = true }
    }

    mutating func next() -> RedoStep? {
        while !source.isAtEnd, !isDamaged {
            let code = source.byte()
            let step = code >= RedoCode.entry ? entry(code) : step(code)
            if source.isDamaged { isDamaged = true }
            if isDamaged { return nil }
            if let step { return step }
        }
        return nil
    }

    @inline(__always)
    private mutating func entry(_ flags: UInt8) -> RedoStep {
        if queue == 0 { isDamaged = true }
        if flags & RedoCode.entryNamesMessage != 0 {
            message = Int(truncatingIfNeeded: source.varint() & 0x7FFF_FFFF)
        } else if flags & RedoCode.entryIsNext != 0 {
            message &+= 1
        }
        var claim = Claim(
            qos: flags & RedoCode.entryQoSMask, retain: flags & RedoCode.entryRetain != 0, identifier: 0, group: 0)
        if flags & RedoCode.entryHasIdentifiers != 0 {
            let count = source.count()
            if count == 1 {
                claim.identifier = UInt32(truncatingIfNeeded: source.varint())
            } else {
                claim.identifier = Claim.several
                identifiers.removeAll(keepingCapacity: true)
                for _ in 0..<count { identifiers.append(UInt32(truncatingIfNeeded: source.varint())) }
            }
        }
        if flags & RedoCode.entryHasGroup != 0 { claim.group = UInt32(truncatingIfNeeded: source.varint()) }
        return .entry(queue: queue, message: message, claim)
    }

    private mutating func step(_ code: UInt8) -> RedoStep? {
        switch code {
        case RedoCode.queue:
            queue = source.fixed()
            // That is the retained messages' own.
            if queue == 0 { isDamaged = true }
            return nil
        case RedoCode.acknowledged:
            position &+= source.varint()
            let count = Int(truncatingIfNeeded: source.varint() & 0x7FFF_FFFF)
            if count == 0 { isDamaged = true }
            return .acknowledged(queue: queue, position: position, count: count)
        case RedoCode.sent:
            position &+= source.varint()
            return .sent(queue: queue, position: position, identifier: source.fixed())
        case RedoCode.pubrec:
            position &+= source.varint()
            return .pubrec(queue: queue, position: position)
        case RedoCode.received: return .received(queue: queue, identifier: source.fixed())
        case RedoCode.released: return .released(queue: queue, identifier: source.fixed())
        case RedoCode.share:
            return .share(queue: queue, KeptShare(identifier: source.fixed(), part: source.fixed()))
        case RedoCode.dropped: return .dropped(queue: queue)
        case RedoCode.retained:
            let message = Int(truncatingIfNeeded: source.varint() & 0x7FFF_FFFF)
            return .retained(message: message, TopicHash(low: source.fixed(), high: source.fixed()))
        case RedoCode.retainedRemoved:
            let before = Int(truncatingIfNeeded: source.varint() & 0x7FFF_FFFF)
            return .retainedRemoved(before: before, TopicHash(low: source.fixed(), high: source.fixed()))
        case RedoCode.retainedExpired: return .retainedExpired(position: source.varint())
        default:
            isDamaged = true
            return nil
        }
    }
}
