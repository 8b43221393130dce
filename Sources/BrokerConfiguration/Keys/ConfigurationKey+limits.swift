/// The rows about how much of everything there may be, and about messages.
extension ConfigurationKey {
    static let limitRows: [ConfigurationKey] = [
        .integer(
            "max_keepalive", .limits, 0...65535, value: "seconds, 0–65535; 0: no limit", default: "0",
            "Longest keep-alive. A 5.0 client that asks for more is told this one; an older client is refused.",
            into: .broker { $0.keepAliveSecondsMax = limit($1) }),
        .integer(
            "max_packet_size", .limits, 20...Int(Int32.max), value: "bytes, at least 20", default: "2000000",
            "Largest packet taken from a client; 5.0 clients are told.",
            into: .broker { $0.packetBytesMax = $1 }),
        .integer(
            "message_size_limit", .limits, 0...268_435_455, value: "bytes, 0–268435455; 0: no limit", default: "0",
            "Largest payload of a PUBLISH.",
            standing: .deprecated("write `max_packet_size`, which counts the whole packet"),
            into: .broker { $0.payloadBytesMax = limit($1) }),
        .integer(
            "max_inflight_messages", .limits, Int(Int32.min)...65535,
            value: "messages, up to 65534; 0, less or 65535: no limit",
            default: "20",
            "QoS 1 and 2 messages on their way to one client at once; 1 keeps strict order. 5.0 clients are "
                + "told the same as Receive Maximum.",
            into: .broker { $0.inflightMessagesMax = $1 == 65535 ? nil : limit($1) }),
        .integer(
            "max_inflight_bytes", .limits, .cInt, value: "bytes; 0 or less: no limit", default: "0",
            "Payload bytes of those messages.",
            into: .broker { $0.inflightBytesMax = limit($1) }),
        .integer(
            "max_queued_messages", .limits, .cInt, value: "messages; 0 or less: no limit", default: "1000",
            "Messages that wait for one client beyond those in flight; more are dropped and counted.",
            into: .broker { $0.queuedMessagesMax = limit($1) }),
        .integer(
            "max_queued_bytes", .limits, .cInt, value: "bytes; 0 or less: no limit", default: "0",
            "Payload bytes of those messages.",
            into: .broker { $0.queuedBytesMax = limit($1) }),
        .integer(
            "global_max_clients", .limits, .cInt, value: "sessions; 0 or less: no limit", default: "-1",
            "Sessions in the whole broker, connected or kept for later.",
            into: .broker { $0.sessionsMax = limit($1) }),
        .integer(
            "global_max_connections", .limits, .cInt, value: "clients; 0 or less: no limit", default: "-1",
            "Connected clients in the whole broker.",
            into: .broker { $0.connectionsMax = limit($1) }),
        .statement(
            "persistent_client_expiration", .limits, value: "N and one of `s h d w m y`, such as `14d`",
            default: "never",
            "How long a session outlives its connection at most; `m` is 30 days, `y` 365.",
            .sessionExpiry),
        .integer(
            "memory_limit", .limits, 0...Int.max, value: "bytes; 0: no limit", default: "0",
            "The heap mosquitto would allow itself.",
            standing: .ignored(
                "Martlet does not count its heap; bound it with `max_queued_messages`, `max_queued_bytes`, "
                    + "`max_packet_size` and `output_buffer_bytes`, or from outside with systemd's "
                    + "`MemoryMax`"
            ),
            into: .broker { $0.memoryBytesMax = limit($1) }),
    ]

    static let messageRows: [ConfigurationKey] = [
        .flag(
            "retain_available", .messages, default: "`true`",
            "Whether retained messages exist; if not, 5.0 clients are told and a client that sends one is "
                + "disconnected.",
            into: .broker { $0.retainAvailable = $1 }),
        .integer(
            "retain_expiry_interval", .messages, 1...Int(Int32.max),
            value: "minutes, at least 1; more than 10000000 count as that",
            default: "0, when somebody looks",
            "How often expired retained messages are swept.",
            into: .broker { $0.retainSweepMinutes = min($1, 10_000_000) }),
        .flag(
            "upgrade_outgoing_qos", .messages, default: "`false`",
            "Deliver at the subscription's QoS even above the publisher's. Not what the standard says.",
            into: .broker { $0.upgradesOutgoingQoS = $1 }),
        .flag(
            "queue_qos0_messages", .messages, default: "`false`",
            "Also queue QoS 0 messages for sessions that are offline.",
            into: .broker { $0.queuesQoS0 = $1 }),
        .flag(
            "allow_duplicate_messages", .messages, default: "`true`",
            "Whether overlapping subscriptions of one client may each get a copy.",
            standing: .deprecated(
                "leave it out: one copy is sent, at the highest QoS and with all subscription identifiers, which "
                    + "either value allows"
            ),
            into: .broker { $0.allowsDuplicateMessages = $1 }),
        .integer(
            "sys_interval", .messages, 0...65535, value: "seconds, 0–65535; 0: none", default: "10",
            "How often `$SYS` is brought up to date.",
            into: .broker { $0.sysIntervalSeconds = limit($1) }),
        .statement(
            "retry_interval", .messages, value: "anything", default: "none",
            "How often mosquitto once sent unacknowledged messages again.",
            standing: .ignored("messages are sent again only after a reconnect, as the standard asks; delete the line"),
            .anything),
    ]
}
