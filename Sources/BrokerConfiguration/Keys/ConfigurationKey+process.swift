/// The rows about the process, and the keys that are Martlet's own.
extension ConfigurationKey {
    static let processRows: [ConfigurationKey] = [
        .statement(
            "include_dir", .process, value: "FOLDER", default: "none",
            "Reads every `*.conf` of FOLDER at this place, sorted by name, upper case before lower. Only in "
                + "the file that was given to the broker. Repeatable.",
            .includeFolder),
        .text(
            "pid_file", .process, value: "PATH", default: "none", "Where the process id is written.",
            into: .broker { $0.pidFile = $1 }),
        .text(
            "user", .process, mayRepeat: true, value: "NAME", default: "who starts it",
            "Where root starts it: the user it becomes once ports are open and files are read that only root may read. Without "
                + "the line, and for any other user that starts it, it stays who it is.",
            into: .broker { $0.user = $1 }),
    ]

    /// Keys mosquitto does not know: a file with one of them is Martlet's alone.
    static let martletRows: [ConfigurationKey] = [
        .integer(
            "event_loops", .martlet, 0...256, value: "loops, 0–256; 0: one per core", default: "1",
            "Event loops, each a thread, that share the connections.",
            into: .broker { $0.eventLoopCount = limit($1) }),
        .integer(
            "slow_reader_wait", .martlet, 0...60_000, value: "milliseconds, 0–60000", default: "1000",
            "How long a reader whose buffer is full may pause the publishers that fill it. After that QoS 0 "
                + "messages to it are dropped and counted until it has drained.",
            into: .broker { $0.slowReaderWaitMilliseconds = $1 }),
        .integer(
            "connect_timeout", .martlet, 1...3600, value: "seconds, 1–3600", default: "10",
            "How long a connection may take to send its CONNECT.",
            into: .broker { $0.connectTimeoutSeconds = $1 }),
        .integer(
            "max_pending_connections", .martlet, 1...1_000_000, value: "connections, 1–1000000", default: "1000",
            "Connections of one listener that have not sent their CONNECT yet.",
            into: .broker { $0.pendingConnectionsMax = $1 }),
        .integer(
            "max_pending_connections_per_address", .martlet, 1...1_000_000, value: "connections, 1–1000000",
            default: "100",
            "The same for one IPv4 address or one IPv6 /64.",
            into: .broker { $0.pendingConnectionsPerAddressMax = $1 }),
        .integer(
            "tls_watch_interval", .martlet, 0...3600, value: "seconds, 0–3600; 0: only on a reload", default: "30",
            "How often certificates, keys, authorities and CRLs of the listeners are looked at, and taken up where they have "
                + "changed.",
            into: .broker { $0.tlsWatchSeconds = limit($1) }),
        .integer(
            "output_buffer_bytes", .martlet, 4096...1_073_741_824, value: "bytes, 4096–1073741824", default: "1048576",
            "Unsent bytes a connection may hold before the publishers that fill it are paused.",
            into: .broker { $0.outputBufferBytesMax = $1 }),
        .integer(
            "route_cache_entries", .martlet, 0...16_777_216, value: "topics, 0–16777216", default: "262144",
            "Topics whose resolved subscribers each event loop remembers.",
            into: .broker { $0.routeCacheEntriesMax = $1 }),
        .choice(
            "queue_full_policy", .martlet, ["drop_newest", "drop_oldest", "refuse_publisher"], default: "`drop_newest`",
            "What becomes of a message for a client whose queue, or the store, is full. `refuse_publisher`: a 5.0 "
                + "publisher gets reason 0x97, an older one is not read until there is room.",
            into: .broker { $0.queueFullPolicy = BrokerConfiguration.QueueFullPolicy(rawValue: $1) ?? .dropNewest }),
        .integer(
            "queue_full_wait", .martlet, 0...3600, value: "seconds, 0–3600", default: "30",
            "How long an older publisher waits for room under `refuse_publisher`; then its connection is closed.",
            into: .broker { $0.queueFullWaitSeconds = $1 }),
        .integer(
            "queue_max_age", .martlet, .cInt, value: "seconds; 0 or less: no limit", default: "0",
            "How long a message waits for one client; older ones are dropped and counted. Its own expiry, if it has one, "
                + "counts besides.",
            into: .broker { $0.queueSecondsMax = limit($1) }),
        .integer(
            "store_max_messages", .martlet, 0...Int.max, value: "messages; 0: no limit", default: "0",
            "Messages in the whole store, each once, however many clients wait for it. `queue_full_policy` says what "
                + "becomes of more.",
            into: .broker { $0.storeMessagesMax = limit($1) }),
        .integer(
            "store_max_bytes", .martlet, 0...Int.max, value: "bytes; 0: no limit", default: "0",
            "Their bytes.",
            into: .broker { $0.storeBytesMax = limit($1) }),
    ]
}
