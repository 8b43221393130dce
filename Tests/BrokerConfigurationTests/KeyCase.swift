import BrokerConfiguration
import MQTTProtocol
import Testing

/// What one key does to a configuration: its default, a value that changes it, and values that must be refused.
struct KeyCase: Sendable, CustomTestStringConvertible {
    let key: String
    /// Lines the key needs above it.
    var above = ""
    /// What stands behind the key.
    let valid: [String]
    let invalid: [String]
    /// The default holds; `nil` where the lines above cannot stand without the key.
    let before: (@Sendable (BrokerConfiguration) -> Bool)?
    /// The last of `valid` holds.
    let after: @Sendable (BrokerConfiguration) -> Bool

    /// The line of the key, from 1, below `above`.
    var line: Int { above.utf8.count { $0 == UInt8(ascii: "\n") } + 1 }

    var testDescription: String { key }

    private static let notFlags = ["", "TRUE", "yes", "2", "true\tx", "on"]

    static func flag(
        _ key: String, above: String = "", defaultsTo: Bool, _ field: @escaping @Sendable (BrokerConfiguration) -> Bool
    ) -> KeyCase {
        KeyCase(
            key: key, above: above,
            valid: ["true", "1", "false", "0", "true # text"]
                + (defaultsTo ? ["false", "0 # text"] : ["true", "1 # text"]),
            invalid: notFlags, before: { field($0) == defaultsTo }, after: { field($0) != defaultsTo })
    }

    static func integer<Value: Equatable & Sendable>(
        _ key: String, above: String = "", _ valid: [String], is expected: Value, defaultsTo: Value, invalid: [String],
        _ field: @escaping @Sendable (BrokerConfiguration) -> Value
    ) -> KeyCase {
        KeyCase(
            key: key, above: above, valid: valid,
            invalid: ["", "many", "7x", "0x", "08", "7\t8", "99999999999999999999"] + invalid,
            before: { field($0) == defaultsTo }, after: { field($0) == expected })
    }

    static func text(
        _ key: String, above: String = "", _ value: String = "/a path/ü", defaultsTo: String?, invalid: [String] = [],
        _ field: @escaping @Sendable (BrokerConfiguration) -> String?
    ) -> KeyCase {
        KeyCase(
            key: key, above: above, valid: ["x", "  \t \(value) \t "],
            invalid: ["", "   ", "a\tb", "a\u{85}"] + invalid,
            before: { field($0) == defaultsTo }, after: { field($0) == value })
    }
}

/// Beyond C's `int`, on both sides.
private let noInt = ["2147483648", "-2147483649", "0x80000000"]
private let listener = "listener 1\n"

extension KeyCase {
    static let all: [KeyCase] =
        listeners + sockets + tls + access + limits + messages + log + persistence + plugins + bridges + process
        + martlet

    private static let listeners: [KeyCase] = [
        KeyCase(
            key: "listener", valid: ["1", "65535 # text", "0x75c 10.0.0.1 # text", "0 /run/m.sock # text", "1884 ::1"],
            invalid: [
                "", "65536", "-1", "0", "0 # text", "0 /\(String(repeating: "x", count: 107))", "x", "1883x", "1 \u{1}",
            ],
            before: { $0.isLocalOnly && $0.listeners.count == 2 },
            after: { !$0.isLocalOnly && $0.listeners.map(\.port) == [1884] && $0.listeners[0].host == "::1" }),
        KeyCase(
            key: "port", valid: ["1", "65535", "1884"], invalid: ["", "0", "65536", "x"], before: { $0.isLocalOnly },
            after: { !$0.isLocalOnly && $0.listeners.map(\.port) == [1884] && $0.listeners[0].host == nil }),
        KeyCase(
            key: "bind_address", valid: ["10.0.0.1", "host.example"], invalid: ["", "a\tb"], before: { $0.isLocalOnly },
            after: { !$0.isLocalOnly && $0.listeners.map(\.port) == [1883] && $0.listeners[0].host == "host.example" }),
        .flag("allow_anonymous", above: listener, defaultsTo: false) { $0.listeners[0].security.allowsAnonymous },
        .flag("listener_allow_anonymous", above: listener, defaultsTo: false) {
            $0.listeners[0].security.allowsAnonymous
        },
        KeyCase(
            key: "per_listener_settings", valid: ["false", "true", "1 # text"], invalid: notFlags,
            before: { _ in true },
            after: { _ in true }),
        .flag("allow_zero_length_clientid", defaultsTo: true) { $0.listeners[0].security.allowsEmptyClientID },
        .text("auto_id_prefix", "a b", defaultsTo: "auto-", invalid: [String(repeating: "x", count: 51)]) {
            $0.listeners[0].security.autoIDPrefix
        },
        .text(
            "listener_auto_id_prefix", above: listener, "ü", defaultsTo: "auto-",
            invalid: [String(repeating: "ü", count: 26)]
        ) {
            $0.listeners[0].security.autoIDPrefix
        },
        .integer("max_connections", above: listener, ["-1", "0", "7"], is: 7, defaultsTo: nil, invalid: noInt) {
            $0.listeners[0].connectionsMax
        },
        .integer("max_qos", ["0", "2", "1"], is: QoS.atLeastOnce, defaultsTo: .exactlyOnce, invalid: ["3", "-1"]) {
            $0.listeners[0].qosMax
        },
        .integer(
            "max_topic_alias", above: listener, ["0", "65535"], is: 65535, defaultsTo: 10, invalid: ["65536", "-1"]
        ) {
            $0.listeners[0].topicAliasMax
        },
        .integer(
            "max_topic_alias_broker", above: listener, ["65535", "0"], is: 0, defaultsTo: 10, invalid: ["65536", "-1"]
        ) {
            $0.listeners[0].topicAliasBrokerMax
        },
    ]

    private static let limits: [KeyCase] = [
        .integer(
            "max_keepalive", ["0", "65535", "0x10", "010", "+5", "60"], is: 60, defaultsTo: nil,
            invalid: ["65536", "-1"]
        ) {
            $0.keepAliveSecondsMax
        },
        .integer(
            "max_packet_size", ["2147483647", "20"], is: 20, defaultsTo: 2_000_000, invalid: ["19", "-1"] + noInt
        ) {
            $0.packetBytesMax
        },
        .integer(
            "message_size_limit", ["0", "268435455"], is: 268_435_455, defaultsTo: nil, invalid: ["268435456", "-1"]
        ) {
            $0.payloadBytesMax
        },
        .integer(
            "max_inflight_messages", ["-5", "0", "1", "65534"], is: 65534, defaultsTo: 20, invalid: ["65536"] + noInt
        ) {
            $0.inflightMessagesMax
        },
        .integer("max_inflight_bytes", ["0", "-1", "4096"], is: 4096, defaultsTo: nil, invalid: noInt) {
            $0.inflightBytesMax
        },
        .integer("max_queued_messages", ["-1", "2147483647", "0"], is: nil, defaultsTo: 1000, invalid: noInt) {
            $0.queuedMessagesMax
        },
        .integer("max_queued_bytes", ["0", "-1", "1"], is: 1, defaultsTo: nil, invalid: noInt) { $0.queuedBytesMax },
        .integer("global_max_clients", ["-1", "0", "5"], is: 5, defaultsTo: nil, invalid: noInt) { $0.sessionsMax },
        .integer("global_max_connections", ["-1", "0", "6"], is: 6, defaultsTo: nil, invalid: noInt) {
            $0.connectionsMax
        },
        KeyCase(
            key: "persistent_client_expiration", valid: ["1s", "010h", "2d", "2w", "1y", "2m # text"],
            invalid: ["", "d", "7", "0d", "-1d", "3xd", "3dx", "3 d", "2147483648s", "99999999999999999999y"],
            before: { $0.sessionExpirySecondsMax == nil }, after: { $0.sessionExpirySecondsMax == 60 * 86_400 }),
        .integer("memory_limit", ["0", "8589934592"], is: 8_589_934_592, defaultsTo: nil, invalid: ["-1", "1G"]) {
            $0.memoryBytesMax
        },
    ]

    private static let messages: [KeyCase] = [
        .flag("retain_available", defaultsTo: true) { $0.retainAvailable },
        .integer(
            "retain_expiry_interval", ["1", "10000001"], is: 10_000_000, defaultsTo: nil, invalid: ["0", "-1"] + noInt
        ) {
            $0.retainSweepMinutes
        },
        .flag("upgrade_outgoing_qos", defaultsTo: false) { $0.upgradesOutgoingQoS },
        .flag("queue_qos0_messages", defaultsTo: false) { $0.queuesQoS0 },
        .flag("allow_duplicate_messages", defaultsTo: true) { $0.allowsDuplicateMessages },
        .integer("sys_interval", ["0", "65535", "3"], is: 3, defaultsTo: 10, invalid: ["-1", "65536"]) {
            $0.sysIntervalSeconds
        },
        KeyCase(
            key: "retry_interval", valid: ["", "20", "x y z"], invalid: [], before: { _ in true }, after: { _ in true }),
    ]

    private static let log: [KeyCase] = [
        KeyCase(
            key: "log_dest", valid: ["stderr", "syslog", "topic", "dlt", "file /a b", "none", "stdout unbuffered"],
            invalid: ["", "Stderr", "android", "file", "file  ", "stdout\tx"],
            before: { $0.log.destinations == [.standardError] },
            after: { $0.log.destinations == [.standardOutput(unbuffered: true)] }),
        KeyCase(
            key: "log_type", valid: LogType.allCases.map(\.rawValue) + ["all", "none", "debug # text"],
            invalid: ["", "info", "Debug", "error,warning"],
            before: { $0.log.types == [.error, .warning, .notice, .information] }, after: { $0.log.types == .debug }),
        .flag("log_timestamp", defaultsTo: true) { $0.log.timestamp != LogTimestamp.none },
        .text("log_timestamp_format", "%Y-%m-%dT%H:%M:%S", defaultsTo: nil) { $0.log.timestampFormat },
        KeyCase(
            key: "log_format", valid: ["text", "json # text"], invalid: ["", "JSON", "xml"],
            before: { $0.log.format == .text }, after: { $0.log.format == .json }),
        .integer("log_facility", ["0", "7"], is: 7, defaultsTo: nil, invalid: ["8", "-1"]) {
            $0.log.syslogLocalFacility
        },
        .flag("connection_messages", defaultsTo: true) { $0.log.connectionMessages },
    ]

    private static let process: [KeyCase] = [
        KeyCase(
            key: "include_dir", valid: ["/a folder"], invalid: ["", "a\tb"], before: { _ in true }, after: { _ in true }
        ),
        .text("pid_file", defaultsTo: nil) { $0.pidFile },
        .text("user", defaultsTo: nil) { $0.user },
    ]

    private static let persistence: [KeyCase] = [
        .flag("persistence", defaultsTo: false) { $0.persistence.isOn },
        .text("persistence_location", defaultsTo: nil) { $0.persistence.location },
        .text("persistence_file", defaultsTo: "mosquitto.db") { $0.persistence.file },
        .integer("autosave_interval", ["0", "-7", "60"], is: 60, defaultsTo: 1800, invalid: noInt) {
            $0.persistence.autosaveInterval
        },
        .flag("autosave_on_changes", defaultsTo: false) { $0.persistence.autosaveCountsChanges },
        KeyCase(
            key: "durability", valid: ["sync", "os # text", "interval 3600", "interval 2 # text"],
            invalid: ["", "SYNC", "interval", "interval 0", "interval 3601", "interval x", "5"],
            before: { $0.persistence.durability == .sync },
            after: { $0.persistence.durability == .interval(seconds: 2) }),
    ]

    private static let martlet: [KeyCase] = [
        .integer("event_loops", ["256", "2", "0"], is: nil, defaultsTo: 1, invalid: ["-1", "257"]) {
            $0.eventLoopCount
        },
        .integer("slow_reader_wait", ["0", "60000"], is: 60_000, defaultsTo: 1000, invalid: ["-1", "60001"]) {
            $0.slowReaderWaitMilliseconds
        },
        .integer("connect_timeout", ["3600", "1"], is: 1, defaultsTo: 10, invalid: ["0", "3601"]) {
            $0.connectTimeoutSeconds
        },
        .integer("max_pending_connections", ["1000000", "1"], is: 1, defaultsTo: 1000, invalid: ["0", "1000001"]) {
            $0.pendingConnectionsMax
        },
        .integer(
            "max_pending_connections_per_address", ["1000000", "1"], is: 1, defaultsTo: 100, invalid: ["0", "1000001"]
        ) {
            $0.pendingConnectionsPerAddressMax
        },
        .integer("tls_watch_interval", ["0", "3600"], is: 3600, defaultsTo: 30, invalid: ["-1", "3601"]) {
            $0.tlsWatchSeconds
        },
        .integer(
            "output_buffer_bytes", ["1073741824", "4096"], is: 4096, defaultsTo: 1_048_576,
            invalid: ["4095", "1073741825"]
        ) {
            $0.outputBufferBytesMax
        },
        .integer(
            "route_cache_entries", ["0", "16777216"], is: 16_777_216, defaultsTo: 262_144, invalid: ["-1", "16777217"]
        ) {
            $0.routeCacheEntriesMax
        },
        KeyCase(
            key: "queue_full_policy", valid: ["drop_newest", "refuse_publisher # text", "drop_oldest"],
            invalid: ["", "DROP_OLDEST", "drop_oldes", "drop_oldest_", "1"],
            before: { $0.queueFullPolicy == .dropNewest }, after: { $0.queueFullPolicy == .dropOldest }),
        .integer("queue_full_wait", ["0", "3600"], is: 3600, defaultsTo: 30, invalid: ["-1", "3601"]) {
            $0.queueFullWaitSeconds
        },
        .integer("queue_max_age", ["0", "-1", "60"], is: 60, defaultsTo: nil, invalid: noInt) { $0.queueSecondsMax },
        .integer(
            "store_max_messages", ["0", "9000000000"], is: 9_000_000_000, defaultsTo: nil, invalid: ["-1"]
        ) {
            $0.storeMessagesMax
        },
        .integer("store_max_bytes", ["0", "9000000000"], is: 9_000_000_000, defaultsTo: nil, invalid: ["-1"]) {
            $0.storeBytesMax
        },
    ]
}
