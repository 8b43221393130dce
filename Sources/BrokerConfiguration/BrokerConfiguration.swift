/// Everything an operator may decide about a broker, as plain values that cannot be wrong any more.
///
/// Owns the settings and their defaults (mosquitto 2.1's where the key is mosquitto's). Reads nothing itself: the way in is
/// `load(file:)`, `parse(text:file:)` or `embeddedDefaults`; the way of a line from its bytes to a field here is
/// `Grammar/ConfigurationLine` → `Keys/ConfigurationKey` → `Reader/ConfigurationReader`.
///
/// An optional limit that is `nil` is off: there is no limit.
package struct BrokerConfiguration: Sendable, Equatable {
    // MARK: Where clients come in

    /// The sockets to open, at least one, in the order of the file. mosquitto: `listener`, `port`, `bind_address`.
    package var listeners: [ListenerConfiguration] = []
    /// No line of the file named a listener: loopback only, anonymous clients allowed unless the file says otherwise.
    package var isLocalOnly = true
    /// TCP_NODELAY on client sockets. Default false. mosquitto: `set_tcp_nodelay`.
    package var setsTCPNoDelay = false
    /// Bytes of the HTTP request that opens a WebSocket, 1024…65535. Default 4096. mosquitto: `packet_buffer_size`,
    /// `websockets_headers_size`.
    package var websocketsRequestBytesMax = 4096

    // MARK: Other brokers

    /// Connections to other brokers, each with a name of its own. Nothing runs them yet. mosquitto: `connection`.
    package var bridges: [BridgeConfiguration] = []

    // MARK: Who may do what (see also `SecurityConfiguration`)

    /// What every client identifier must begin with. Default `nil`: anything. mosquitto: `clientid_prefixes`.
    package var clientIDPrefix: String?
    /// Whether a retained message is held back once its publisher has lost the right to write there. Default true.
    /// mosquitto: `check_retain_source`.
    package var checksRetainSource = true
    /// Whether `$CONTROL/broker/v1` answers. Default false. mosquitto: `enable_control_api`.
    package var enablesControlAPI = false

    // MARK: Limits

    /// Longest keep-alive, seconds, 1…65535. Default off. A 5.0 client that asks for more is told this value, an older one is
    /// refused. mosquitto: `max_keepalive`.
    package var keepAliveSecondsMax: Int?
    /// QoS 1 and 2 messages on their way to one client at once, 1…65534. Default 20; also sent as Receive Maximum.
    /// mosquitto: `max_inflight_messages`.
    package var inflightMessagesMax: Int? = 20
    /// Payload bytes of QoS 1 and 2 messages on their way to one client at once. Default off. mosquitto: `max_inflight_bytes`.
    package var inflightBytesMax: Int?
    /// Messages that wait for one client beyond those in flight. Default 1000. mosquitto: `max_queued_messages`.
    package var queuedMessagesMax: Int? = 1000
    /// Payload bytes that wait for one client beyond those in flight. Default off. mosquitto: `max_queued_bytes`.
    package var queuedBytesMax: Int?
    /// Largest packet taken from a client, whole packet, bytes, 20…2147483647. Default 2000000. mosquitto: `max_packet_size`.
    package var packetBytesMax = 2_000_000
    /// Largest payload of a PUBLISH, bytes, 1…268435455. Default off. mosquitto: `message_size_limit`.
    package var payloadBytesMax: Int?
    /// Sessions, connected or not, in the whole broker. Default off. mosquitto: `global_max_clients`.
    package var sessionsMax: Int?
    /// Connected clients in the whole broker. Default off. mosquitto: `global_max_connections`.
    package var connectionsMax: Int?
    /// Bytes of heap mosquitto would allow itself. Default off. Read, not kept. mosquitto: `memory_limit`.
    package var memoryBytesMax: Int?
    /// How long a session outlives its connection at most, seconds. Default off. mosquitto: `persistent_client_expiration`.
    package var sessionExpirySecondsMax: Int?

    // MARK: Messages

    /// Whether retained messages exist. Default true. mosquitto: `retain_available`.
    package var retainAvailable = true
    /// Minutes between sweeps of expired retained messages, 1…10000000. Default `nil`: they go when somebody looks.
    /// mosquitto: `retain_expiry_interval`.
    package var retainSweepMinutes: Int?
    /// Deliver at the subscription's QoS even above the publisher's, which the standard does not allow. Default false.
    /// mosquitto: `upgrade_outgoing_qos`.
    package var upgradesOutgoingQoS = false
    /// Queue QoS 0 messages for sessions that are offline. Default false. mosquitto: `queue_qos0_messages`.
    package var queuesQoS0 = false
    /// Overlapping subscriptions of one client may each get a copy. Default true. mosquitto: `allow_duplicate_messages`.
    package var allowsDuplicateMessages = true
    /// Seconds between updates of `$SYS`, 1…65535. Default 10; `nil` publishes none. mosquitto: `sys_interval`.
    package var sysIntervalSeconds: Int? = 10

    // MARK: The process

    package var log = LogConfiguration()
    package var persistence = PersistenceConfiguration()
    /// Where to write the process id. Default nowhere. mosquitto: `pid_file`.
    package var pidFile: String?
    /// Whom the process becomes when root started it. Default `nil`: it stays who it is. mosquitto: `user`.
    package var user: String?

    // MARK: Martlet's own

    /// Event loops, 1…256. Default 1; `nil` is one per core. Ours: `event_loops`.
    package var eventLoopCount: Int? = 1
    /// How long a reader with a full buffer may hold up its publishers, milliseconds, 0…60000. Default 1000.
    /// Ours: `slow_reader_wait`.
    package var slowReaderWaitMilliseconds = 1000
    /// From accept to a whole CONNECT, seconds, 1…3600. Default 10. Ours: `connect_timeout`.
    package var connectTimeoutSeconds = 10
    /// Connections of one listener that have not sent CONNECT yet, 1…1000000. Default 1000. Ours: `max_pending_connections`.
    package var pendingConnectionsMax = 1000
    /// The same, of one IPv4 address or one IPv6 /64, 1…1000000. Default 100. Ours: `max_pending_connections_per_address`.
    package var pendingConnectionsPerAddressMax = 100
    /// How often the files of TLS listeners are looked at, seconds, 0…3600. Default 30; `nil`: only on a reload.
    /// Ours: `tls_watch_interval`.
    package var tlsWatchSeconds: Int? = 30
    /// Unsent bytes a connection may hold before the publishers that fill it are paused, 4096…1073741824. Default 1048576.
    /// Ours: `output_buffer_bytes`.
    package var outputBufferBytesMax = 1_048_576
    /// What becomes of a message for a client whose queue is full.
    package enum QueueFullPolicy: String, Sendable, CaseIterable {
        case dropNewest = "drop_newest"
        case dropOldest = "drop_oldest"
        case refusePublisher = "refuse_publisher"
    }

    /// Default drop newest. Ours: `queue_full_policy`.
    package var queueFullPolicy = QueueFullPolicy.dropNewest
    /// How long a 3.x publisher waits for room, seconds, 0…3600. Default 30. Ours: `queue_full_wait`.
    package var queueFullWaitSeconds = 30
    /// How long a message waits for one client, seconds. Default off. Ours: `queue_max_age`.
    package var queueSecondsMax: Int?
    /// Messages in the whole store, each once. Default off. Ours: `store_max_messages`.
    package var storeMessagesMax: Int?
    /// Their bytes. Default off. Ours: `store_max_bytes`.
    package var storeBytesMax: Int?
    /// Topics whose resolved subscribers are remembered, per event loop, 0…16777216. Default 262144. Ours: `route_cache_entries`.
    package var routeCacheEntriesMax = 262_144

    /// The values of an empty file, before its listeners are known.
    init() {}

    /// What runs without any file: 127.0.0.1 and ::1 on port 1883, anonymous clients allowed ("local only mode").
    package static var embeddedDefaults: BrokerConfiguration {
        var configuration = BrokerConfiguration()
        configuration.listeners = ListenerConfiguration.loopback(port: ListenerConfiguration.defaultPort, like: .init())
        return configuration
    }
}

/// What the file says about storage.
package struct PersistenceConfiguration: Sendable, Equatable {
    /// When a message counts as kept.
    package enum Durability: Sendable, Equatable {
        /// When the disk has it.
        case sync
        /// When the operating system has it: survives the end of the process, not of the machine.
        case os
        /// As `os`, and the disk is told every so many seconds, 1…3600.
        case interval(seconds: Int)
    }

    /// Default false. mosquitto: `persistence`, `retained_persistence`, or a line for its SQLite plugin.
    package var isOn = false
    /// Folder. Default `nil`: the current one. mosquitto: `persistence_location`.
    package var location: String?
    /// mosquitto's own file in that folder, imported once. Default `mosquitto.db`. mosquitto: `persistence_file`.
    package var file = "mosquitto.db"
    /// Default `sync`. Ours: `durability`.
    package var durability = Durability.sync
    /// Seconds, or changes where `autosaveCountsChanges`; `nil` saves only at the end. Default 1800. Read, not needed.
    /// mosquitto: `autosave_interval`.
    package var autosaveInterval: Int? = 1800
    /// Default false. Read, not needed. mosquitto: `autosave_on_changes`.
    package var autosaveCountsChanges = false
}
