package import MQTTProtocol

/// Which lines the log wants, so that the rest costs nothing.
package struct LogInterest: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let error = LogInterest(rawValue: 1)
    package static let warning = LogInterest(rawValue: 2)
    package static let notice = LogInterest(rawValue: 4)
    package static let information = LogInterest(rawValue: 8)
    package static let debug = LogInterest(rawValue: 16)
    package static let subscribe = LogInterest(rawValue: 32)
    package static let unsubscribe = LogInterest(rawValue: 64)
}

/// What the operator decided, for all connections. Defaults are mosquitto 2.1's.
package struct ShardSettings: Sendable {
    /// Messages in flight toward a client, at most: `max_inflight_messages`, 1…65,535. Also our Receive Maximum;
    /// 65,535 is said by absence.
    package var inflightMessagesMax = 20
    /// Bytes in flight toward a client, at most: `max_inflight_bytes`; 0 = no limit.
    package var inflightBytesMax = 0
    /// Messages queued for a client beyond those in flight: `max_queued_messages`; 0 = no limit.
    package var queuedMessagesMax = 1000
    /// Bytes queued for a client beyond those in flight, as the log counts them: `max_queued_bytes`; 0 = no limit.
    package var queuedBytesMax = 0
    /// How long a message waits in a client's queue, in seconds: `queue_max_age`; 0 = for ever.
    package var queueSecondsMax = 0
    /// What becomes of a message that a queue has no room for: `queue_full_policy`.
    package var queueFullPolicy = QueueFullPolicy.dropNewest
    /// How long a publisher that cannot be told no is held for want of room, in milliseconds: `queue_full_wait`.
    package var queueFullWait: Int64 = 30_000
    /// The largest packet accepted, in bytes: `max_packet_size`; 0 = no limit but the standard's.
    package var packetSizeMax = 2_000_000
    /// The largest payload accepted, in bytes: `message_size_limit`; 0 = no limit.
    package var payloadSizeMax = 0
    /// The longest keep-alive in seconds: `max_keepalive`; 0 = no limit.
    package var keepAliveSecondsMax: UInt16 = 0
    /// `retain_available`.
    package var retainAvailable = true
    /// `check_retain_source`: new subscribers hear a retained message only while its publisher may publish there.
    package var checksRetainSource = true
    /// `upgrade_outgoing_qos`: deliver at the subscription's QoS even above the publisher's.
    package var upgradesOutgoingQoS = false
    /// `queue_qos0_messages`: keep QoS 0 for offline persistent sessions too.
    package var queuesQoS0 = false
    /// `persistent_client_expiration`, seconds; nil = never.
    package var persistentSessionSecondsMax: UInt32?
    /// `connection_messages`.
    package var logsConnections = true
    package var logInterest: LogInterest = [.error, .warning, .notice, .information]
    /// `global_max_clients`: sessions of the whole broker, connected or not; nil = no limit.
    package var sessionsMax: Int?
    /// `global_max_connections`: connected clients of the whole broker; nil = no limit.
    package var connectionsMax: Int?
    /// How often expired retained messages are looked for, in milliseconds: `retain_expiry_interval`; nil = they go when
    /// somebody comes upon them.
    package var retainedSweepInterval: Int64?
    /// How long a reader with a full buffer pauses its publishers, in milliseconds: `slow_reader_wait`.
    package var slowReaderWait: Int64 = 1000
    /// How long after the accept CONNECT may take, in milliseconds: `connect_timeout`.
    package var connectTimeout: Int64 = 10_000
    /// `enable_control_api`: who answers what is published to `$CONTROL/broker/v1`; nil = that is a topic like others.
    package var control: (any ControlAnswers)?
    /// Unsent bytes a connection may hold before its publishers are paused: `output_buffer_bytes`.
    package var outputBytesMax = 1 << 20
    /// Bytes of messages that may be on the way from one shard to another before their publishers are paused. Some thirty
    /// publishers' reads: it bounds memory, and is not to favour those whose readers are at home.
    package var neighbourBytesMax = 4 << 20
    /// Topics whose receivers are remembered: `route_cache_entries`.
    package var routeCacheEntries = 262_144

    package init() {}
}

/// What becomes of a message for a client whose queue is full.
package enum QueueFullPolicy: UInt8, Sendable {
    /// It is dropped, as mosquitto does.
    case dropNewest
    /// The oldest that is not in flight makes room.
    case dropOldest
    /// Its publisher keeps it: 5.0 is told no, 3.x waits.
    case refusePublisher
}

/// What the operator decided for one listener.
package struct ListenerSettings: Sendable {
    /// Names it in sessions that outlive the server: the same after a restart.
    package var name: UInt32 = 0
    /// `allow_anonymous`.
    package var allowsAnonymous = true
    /// Somebody has passwords to check a user name against: `Effect.authenticate`.
    package var checksPasswords = false
    /// `use_identity_as_username`, `use_subject_as_username`: who has no certificate or PSK is sent away.
    package var takesUserNameFromIdentity = false
    /// `use_username_as_clientid`.
    package var takesClientIdentifierFromUserName = false
    /// `clientid_prefixes`; empty = any.
    package var clientIdentifierPrefix: [UInt8] = []
    /// `accept_protocol_versions`.
    package var acceptedVersions: Set<ProtocolVersion> = [.v31, .v311, .v5]
    /// `mount_point`: stands before every topic of the listener's clients. A valid beginning of a topic, or empty.
    package var mountPoint: [UInt8] = []
    /// `allow_zero_length_clientid`.
    package var allowsEmptyClientIdentifier = true
    /// `max_qos`, 0…2.
    package var qosMax: UInt8 = 2
    /// Aliases a client may use: `max_topic_alias`.
    package var topicAliasMaximum: UInt16 = 10
    /// Aliases the broker may use: `max_topic_alias_broker`.
    package var topicAliasMaximumSent: UInt16 = 10
    /// `listener_auto_id_prefix`.
    package var assignedIdentifierPrefix = "auto-"

    package init() {}
}
