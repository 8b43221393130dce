import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A message on its way to one subscriber.
struct Outgoing {
    var message: Message
    /// The one Subscription Identifier, 0 = none or several (then they are in the message).
    var subscriptionIdentifier: UInt32
    var qos: UInt8
    var retain: Bool
    /// Where it stands in the log; `.start` where it is only in memory.
    var position: LogPosition
    /// The shared subscription it came by, 0 = none: when this member's session ends, another gets it.
    var group: UInt32 = 0
}

/// What the server keeps of a client between connections, §4.1: subscriptions, messages in flight and queued, QoS 2
/// identifiers, the will, and when it ends. It knows no bytes and no other sessions.
/// Before: `Shard+connect` makes or resumes it. After: `Session+deliver` decides what a message to it becomes.
struct Session: ~Copyable {
    let clientIdentifier: MQTTString
    /// Stands for the client identifier where a word must do.
    let clientKey: UInt64
    let generation: UInt32
    /// The connection it is attached to, or none.
    var connection = SlotTable<Connection>.none
    /// §3.1.2.11.2: seconds it outlives its connection; `UInt32.max` = for ever.
    var expiryIntervalSeconds: UInt32
    /// Counts attachments, so that a deadline of an earlier one is known.
    var attachment: UInt32 = 0
    var version = ProtocolVersion.v311
    /// Who it last said it was, and `ListenerSettings.name` of where it came in: what rights go by.
    var userName: MQTTString?
    var listener: UInt32 = 0
    /// Rights have changed while something waited: it is asked about once more before it goes out.
    var rechecks = false

    /// Where its subscriptions stand in the tree.
    var subscriptions: [SubscriptionPlace] = []
    /// Groups it is a member of.
    var shared: [SharedMembership] = []

    /// Sent at QoS 1 and 2, not yet acknowledged.
    var window = InflightWindow<Outgoing>()
    /// Waits for room in the window, or for the connection.
    var queue = Deque<Outgoing>()
    var queuedBytes = 0
    /// QoS 2 messages received and not yet released.
    var received = ReceivedIdentifiers()

    /// What few sessions have: will, storage, retained messages under way.
    var details: SessionDetails?

    init(clientIdentifier: MQTTString, clientKey: UInt64, generation: UInt32, expiryIntervalSeconds: UInt32) {
        self.clientIdentifier = clientIdentifier
        self.clientKey = clientKey
        self.generation = generation
        self.expiryIntervalSeconds = expiryIntervalSeconds
    }

    /// It outlives its connection.
    var isPersistent: Bool { expiryIntervalSeconds > 0 }
    var isOnline: Bool { connection != SlotTable<Connection>.none }
}

/// What few sessions have.
final class SessionDetails {
    var will: Will?
    /// The will waits for this moment, in milliseconds. §3.1.3.2.2
    var willDueAt: Int64?
    var storage: SessionStorage?
    /// QoS 2 messages whose identifiers are being kept: others wait behind them, so that order holds.
    var sends = OpenSteps()
    /// Identifiers that were kept after their connection had gone: their PUBLISH has not left yet.
    var unsent: Set<UInt16> = []
    /// PUBRECs that are being kept before their PUBRELs leave.
    var releases = OpenSteps()
    /// Its record was refused and is asked for again in a while.
    var recordIsDue = false
    /// What SUBSCRIBEs and UNSUBSCRIBEs that are not kept yet have changed, oldest first.
    var subscriptionChanges: Deque<SubscriptionChanges> = []
    /// When its connection was lost, milliseconds since 1970.
    var disconnectedAt: Int64?
    /// Publishers that wait until its queue has room.
    var publishersWaiting: [ConnectionID] = []
    /// Groups it was a member of, by their numbers, while it may have messages of theirs.
    var groupsLeft: [UInt32: MQTTString] = [:]
    /// Positions that were in flight when the server last stopped: reading the queue back passes over them.
    var restored: Set<LogPosition> = []
    /// Messages on their way into the log, and their bytes.
    var arriving = 0
    var arrivingBytes = 0
    /// PUBRECs of received QoS 2 messages that are not kept yet, by identifier, and what they wait for.
    var unkept: [UInt16: PendingReplies.Reply] = [:]
    /// Retained messages still to be sent for new subscriptions, in the order of subscribing.
    var retained: Deque<RetainedDelivery> = []
    /// The queue was full before, and the log has said so.
    var hasReportedDrops = false
    /// QoS 0 messages that are leaving the log before they are sent.
    var leaving = LeavingMessages()
    /// Sent on an earlier connection and not yet again on this one, oldest first.
    var resends: Deque<UInt16> = []

    /// Something waits besides the queue in memory.
    var hasMore: Bool { !retained.isEmpty || !resends.isEmpty || storage?.hasBeyond == true }
}

/// The part of a session that lives in the log.
struct SessionStorage {
    let queue: QueueID
    /// Messages in the log behind those that `Session.queue` holds, and their bytes, as far as they were counted: for
    /// the limits.
    var beyond = 0
    var beyondBytes = 0
    /// The newest position that `Session.queue` or the window has seen.
    var readUpTo = LogPosition.start
    /// The newest position that the log may hold for this queue; the largest = unknown, after a restart.
    var newest = LogPosition.start
    var isReading = false

    /// The log holds more than `Session.queue` does. Positions say so, not counts: an append whose answer was wrong cannot
    /// make messages be forgotten.
    var hasBeyond: Bool { newest > readUpTo }
}
