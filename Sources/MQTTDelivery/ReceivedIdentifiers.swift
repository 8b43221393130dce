/// Packet identifiers of QoS 2 messages that came and were not yet released: the receiver's half of "exactly once",
/// §4.3.3. Peers release in the order they sent, so the search begins at the oldest.
package struct ReceivedIdentifiers: Sendable {
    private var identifiers: [UInt16] = []
    private var head = 0

    package init() {}

    package var count: Int { identifiers.count - head }

    /// Those held, oldest first.
    package var all: ArraySlice<UInt16> { identifiers[head...] }

    @inline(__always)
    package func contains(_ identifier: UInt16) -> Bool {
        if count == 0 { return false }
        return identifiers[head...].contains(identifier)
    }

    /// Holds `identifier`; false where it is held already: a repetition.
    package mutating func insert(_ identifier: UInt16) -> Bool {
        if contains(identifier) { return false }
        if head > 32, head * 2 > identifiers.count {
            identifiers.removeFirst(head)
            head = 0
        }
        identifiers.append(identifier)
        return true
    }

    /// Releases `identifier`; false where it was not held.
    package mutating func remove(_ identifier: UInt16) -> Bool {
        guard let at = identifiers[head...].firstIndex(of: identifier) else { return false }
        if at == head { head += 1 } else { identifiers.remove(at: at) }
        if head == identifiers.count {
            identifiers.removeAll(keepingCapacity: count > 0)
            head = 0
        }
        return true
    }

    package mutating func removeAll() {
        identifiers = []
        head = 0
    }
}
