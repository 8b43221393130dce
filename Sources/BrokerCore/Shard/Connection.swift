import MQTTDelivery
import MQTTProtocol

/// Names a connection of one shard; a number that is used again carries a new generation.
package struct ConnectionID: Hashable, Sendable {
    package let slot: UInt32
    package let generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// The state of one network connection, from accept to close: how far it got, what waits to be written, whether its
/// reader keeps up. What outlives it is in `Session`.
struct Connection: ~Copyable {
    enum Phase: UInt8 {
        /// Accepted; nothing but CONNECT is welcome. [5.0 MQTT-3.1.0-1]
        case awaitingConnect
        /// CONNECT is being checked elsewhere; nothing is read.
        case awaitingVerdict
        /// CONNECT is accepted; CONNACK waits until storage has forgotten the client's session before, and nothing is read.
        case answering
        case open
        /// Told to close; whatever still comes is ignored.
        case closing
    }

    /// Whether the peer reads what we write.
    enum Flow: UInt8 {
        case flowing
        /// Its output is full: publishers that fill it are paused, for at most `slowReaderWait`.
        case blocked
        /// It did not read for that long: QoS 0 to it is dropped and nobody waits, until its output has drained.
        case stalled
    }

    // What a delivery touches comes first.
    var outputBase: UnsafeMutableRawPointer?
    var outputCount = 0
    var outputCapacity = 0
    /// Bytes of shared payloads that stand between those in the run.
    var outputShared = 0
    /// The peer's Maximum Packet Size in bytes.
    var maximumPacketSize = Int.max
    /// Ours, as CONNACK said it, or as it was when the connection was accepted.
    var packetSizeMax = Int.max
    var session: UInt32 = SlotTable<Session>.none
    /// Messages that may be in flight toward the peer: the smaller of its Receive Maximum and our own limit.
    var sendLimit = 0
    var version = ProtocolVersion.v311
    var phase = Phase.awaitingConnect
    var flow = Flow.flowing
    var isDirty = false
    var isWritable = true
    /// It has topic aliases to send, or a mount point to take off: packets to it are encoded one by one.
    var encodesEach = false
    /// It may publish wherever a client may: no policy restricts it, no mount point moves it.
    var isFree = true
    /// Its listener's `mount_point` stands before every topic of its: `extras` has it.
    var isMounted = false

    /// Replies to it wait for storage, or for their turn behind one that does.
    var hasWaitingReplies = false
    /// Topic aliases the peer may use.
    var receivedAliasMaximum: UInt16 = 0
    /// Its own output is full: it is not read until that drains.
    var holdsOwnReading = false
    var requestsProblemInformation = true
    /// What CONNACK said of retained messages: `retain_available` at that moment.
    var mayRetain = true
    /// Counts the times it was blocked, so that a deadline of an earlier one is known.
    var blockings: UInt32 = 0
    /// How many stalled readers, and other causes, its reading is paused for.
    var pauses = 0
    /// The highest QoS it may publish with: its listener's `max_qos`.
    var qosMax: UInt8 = 2
    /// QoS 1 and 2 messages it may send before we have acknowledged.
    var receiveMaximum = Int.max
    /// Replies that wait for storage, oldest first, are in `extras`; this is how many count against `receiveMaximum`.
    var unacknowledged = 0
    /// Milliseconds, 1.5 times what CONNECT asked for; 0 = off. [5.0 MQTT-3.1.2-22]
    var keepAlive: Int64 = 0
    var lastReceived: Int64
    let generation: UInt32
    let listener: Int
    /// Where it may publish, as far as it has been asked.
    var permissions = PermissionCache()
    var extras: ConnectionExtras?

    init(generation: UInt32, listener: Int, at now: Int64) {
        self.generation = generation
        self.listener = listener
        lastReceived = now
    }
}

/// What few connections have.
final class ConnectionExtras {
    /// Made when the client sets its first alias.
    var received = ReceivedTopicAliases(maximum: 0)
    var sent = SentTopicAliases(maximum: 0)
    /// Large payloads that stand between the bytes of the output: offset in the output, and the message.
    var shared: [(offset: Int, message: Message)] = []
    /// Publishers paused because this connection's output is full.
    var waiters = Waiters()
    /// Messages dropped since it stalled; said once in the log.
    var droppedSinceStall: UInt64 = 0
    var replies = PendingReplies()
    /// CONNECT while it is being checked.
    var knocking: Visitor?
    /// What its certificate or PSK says who it is.
    var identity: MQTTString?
    /// Stands for the password that let it in; 0 = none was asked for. `Shard.dismiss`
    var credential: UInt64 = 0
    var mountPoint: [UInt8] = []
    /// Denials that the log has said in words.
    var denialsTold = 0
    /// What is said when storage has forgotten the session before.
    var connack: Connack?
    /// Its reading is paused until a queue has room.
    var waitsForRoom = false
    /// When that has taken too long, in milliseconds since 1970; nil = it has not waited since it last got room.
    var roomWaitEndsAt: Int64?
}
