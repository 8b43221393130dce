/// Names one request to a port, so that its answer finds whoever waits.
package struct StorageToken: Hashable, Sendable, Comparable {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// Names the queue of one persistent session. Never used twice.
package struct QueueID: Hashable, Sendable {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
}

/// Where a message stands in the log. Positions only grow.
package struct LogPosition: Hashable, Sendable, Comparable {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
    /// Before the first message.
    package static let start = LogPosition(0)
    package static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// One session's claim on a message of the same batch.
package struct QueueEntry: Equatable, Sendable {
    package var queue: QueueID
    /// Index into the batch's messages.
    package var message: Int
    /// The QoS and RETAIN flag it is delivered with.
    package var qos: UInt8
    package var retain: Bool
    package var subscriptionIdentifiers: [UInt32]
    /// The shared subscription it came by, 0 = none: a number that engines keep and do not interpret.
    package var group: UInt32

    package init(
        queue: QueueID, message: Int, qos: UInt8, retain: Bool, subscriptionIdentifiers: [UInt32], group: UInt32 = 0
    ) {
        self.group = group
        self.queue = queue
        self.message = message
        self.qos = qos
        self.retain = retain
        self.subscriptionIdentifiers = subscriptionIdentifiers
    }
}

/// A step of a persistent session that must survive a crash, §4.1. A step that was kept before may come again, and one
/// may name a position, identifier or queue that is gone: neither is an error.
package enum QueueChange: Equatable, Sendable {
    /// A QoS 2 message was received under this identifier; PUBREC follows when this is kept.
    case received(QueueID, identifier: UInt16)
    /// Its PUBREL came; PUBCOMP follows when this is kept. Its shares go with it.
    case released(QueueID, identifier: UInt16)
    /// One part of the receivers of a QoS 2 message has it, and its identifier is not kept yet: with several shards that
    /// comes later. It goes with `released` and with `dropped`.
    case share(QueueID, KeptShare)
    /// A QoS 2 message goes out under this identifier; PUBLISH follows when this is kept.
    case sent(QueueID, LogPosition, identifier: UInt16)
    /// Its PUBREC came; PUBREL follows when this is kept.
    case pubrec(QueueID, LogPosition)
    /// The subscriber is done with the message, or a limit dropped it: it leaves the queue.
    case acknowledged(QueueID, LogPosition)
    /// The session ended: its queue is void.
    case dropped(QueueID)
}

/// Some receivers of a QoS 2 message that came under this identifier have it. Whoever sends the message again after a crash
/// gives it to the others only.
package struct KeptShare: Hashable, Sendable {
    package var identifier: UInt16
    /// Which: a number that engines keep and do not interpret.
    package var part: UInt64

    package init(identifier: UInt16, part: UInt64) {
        self.identifier = identifier
        self.part = part
    }
}

/// A retained message was deleted.
package struct RetainedRemoval: Equatable, Sendable {
    package var topic: [UInt8]
    /// How many of the batch's messages came before.
    package var after: Int

    package init(topic: [UInt8], after: Int) {
        self.topic = topic
        self.after = after
    }
}

/// What one shard wants kept, gathered over a tick and made durable as one: either all of it is kept, or nothing.
package struct LogBatch: Equatable, Sendable {
    /// The messages, one after another, each as `LoggedMessage` says: an engine keeps them as they are.
    package private(set) var bytes: [UInt8] = []
    /// Where each message begins in `bytes`.
    package private(set) var offsets: [Int] = []
    package var entries: [QueueEntry] = []
    package var changes: [QueueChange] = []
    /// Messages, by index, that are their topic's retained message from now on.
    package var retained: [Int] = []
    /// Topics whose retained message was deleted, and before which of the batch's messages: a later one stands again.
    package var retainedRemoved: [RetainedRemoval] = []

    package init() {}

    package var messageCount: Int { offsets.count }

    /// The message at an index, copied out.
    package func message(_ index: Int) -> LoggedMessage {
        let end = index + 1 < offsets.count ? offsets[index + 1] : bytes.count
        return LoggedMessage(bytes: Array(bytes[offsets[index]..<end]))
    }

    /// Adds a message and returns its index.
    /// - Parameter source: who published it, where that is to be kept.
    mutating func append(_ parts: MessageParts, by source: AccessSubject? = nil) -> Int {
        offsets.append(bytes.count)
        LoggedMessage.encode(parts, by: source, into: &bytes)
        return offsets.count - 1
    }

    /// Adds a message that is in the log's form already and returns its index: for whoever fills a store from elsewhere.
    package mutating func append(_ message: LoggedMessage) -> Int {
        offsets.append(bytes.count)
        bytes.append(contentsOf: message.bytes)
        return offsets.count - 1
    }

    /// Room for about so much, so that it need not grow step by step.
    mutating func reserve(messages: Int, bytes count: Int) {
        bytes.reserveCapacity(count)
        offsets.reserveCapacity(messages)
        entries.reserveCapacity(messages)
        changes.reserveCapacity(messages)
    }

    package var isEmpty: Bool {
        offsets.isEmpty && entries.isEmpty && changes.isEmpty && retainedRemoved.isEmpty
    }
}

/// A queued message read back.
package struct QueuedRecord: Equatable, Sendable {
    package var position: LogPosition
    package var message: LoggedMessage
    package var qos: UInt8
    package var retain: Bool
    package var subscriptionIdentifiers: [UInt32]
    /// As in `QueueEntry`.
    package var group: UInt32

    package init(
        position: LogPosition, message: LoggedMessage, qos: UInt8, retain: Bool, subscriptionIdentifiers: [UInt32],
        group: UInt32 = 0
    ) {
        self.group = group
        self.position = position
        self.message = message
        self.qos = qos
        self.retain = retain
        self.subscriptionIdentifiers = subscriptionIdentifiers
    }
}
