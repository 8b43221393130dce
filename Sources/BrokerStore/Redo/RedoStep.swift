import BrokerCore

/// One step of a redo record. A record says what one group did to the index, so that it can be done again after a crash;
/// the engine itself learns what a group did from the same bytes, so that there is one way only.
enum RedoStep {
    /// A queue entry for a message of the group.
    case entry(queue: UInt64, message: Int, Claim)
    /// Entries of a queue are done with: this many positions in a row.
    case acknowledged(queue: UInt64, position: UInt64, count: Int)
    case sent(queue: UInt64, position: UInt64, identifier: UInt16)
    case pubrec(queue: UInt64, position: UInt64)
    case received(queue: UInt64, identifier: UInt16)
    case released(queue: UInt64, identifier: UInt16)
    case share(queue: UInt64, KeptShare)
    case dropped(queue: UInt64)
    /// A message of the group is its topic's from now on.
    case retained(message: Int, TopicHash)
    /// The topic's retained message is gone, if it came before this message of the group.
    case retainedRemoved(before: Int, TopicHash)
    /// The retained message at this position has passed its time.
    case retainedExpired(position: UInt64)
}

/// How a queue wants a message: what stands beside the position.
struct Claim: Equatable {
    var qos: UInt8
    var retain: Bool
    /// 0 = none; `several` = in the reader's list.
    var identifier: UInt32
    var group: UInt32

    static let several = UInt32.max
}

/// The steps' codes. A byte from `entry` up is an entry, with its flags in the low bits.
enum RedoCode {
    static let queue: UInt8 = 1
    static let acknowledged: UInt8 = 2
    static let sent: UInt8 = 3
    static let pubrec: UInt8 = 4
    static let received: UInt8 = 5
    static let released: UInt8 = 6
    static let dropped: UInt8 = 7
    static let retained: UInt8 = 8
    static let retainedRemoved: UInt8 = 9
    static let retainedExpired: UInt8 = 10
    static let share: UInt8 = 11

    static let entry: UInt8 = 0x80
    static let entryQoSMask: UInt8 = 0x03
    static let entryRetain: UInt8 = 0x04
    static let entryNamesMessage: UInt8 = 0x08
    static let entryHasIdentifiers: UInt8 = 0x10
    static let entryHasGroup: UInt8 = 0x20
    /// The message after the entry's before, else the same.
    static let entryIsNext: UInt8 = 0x40
}
