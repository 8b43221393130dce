import MQTTProtocol

/// The rows about sockets, and about who may come in through them.
extension ConfigurationKey {
    static let listenerRows: [ConfigurationKey] = [
        .statement(
            "listener", .listeners, value: "PORT, optionally HOST", default: "127.0.0.1 and ::1, port 1883",
            "Opens a listener on PORT, 1–65535: on every interface, IPv4 and IPv6, or only on HOST. The "
                + "listener keys below it are about it. Repeatable, up to 100.",
            .listener),
        .statement(
            "port", .listeners, value: "PORT, 1–65535", default: "none",
            "The default listener's port.", standing: .deprecated("write `listener PORT`"), .port),
        .statement(
            "bind_address", .listeners, value: "HOST", default: "none",
            "The address the default listener binds.", standing: .deprecated("write `listener PORT HOST`"), .bindAddress
        ),
        .flag(
            "allow_anonymous", .listeners, scope: .security,
            default: "`false`; `true` while the file names no listener",
            "Whether a client may connect without a user name.",
            into: .security { $0.allowsAnonymous = $1 }),
        .flag(
            "listener_allow_anonymous", .listeners, scope: .listenerRequired, default: "what `allow_anonymous` says",
            "The same for one listener.",
            into: .listener { $0.security.allowsAnonymous = $1 }),
        .statement(
            "per_listener_settings", .listeners, value: "`true` or `false`", default: "`false`",
            "Makes `allow_anonymous`, `allow_zero_length_clientid` and `auto_id_prefix` belong to the listener "
                + "above them. Must stand before them, and cannot be taken back.",
            standing: .deprecated("the `listener_…` keys do the same"), .perListenerSettings),
        .flag(
            "allow_zero_length_clientid", .listeners, scope: .security, default: "`true`",
            "Whether the broker makes up an identifier for a client that sends an empty one.",
            into: .security { $0.allowsEmptyClientID = $1 }),
        .text(
            "auto_id_prefix", .listeners, scope: .security, bytesMax: 50, value: "text, at most 50 bytes",
            default: "`auto-`",
            "What a made-up client identifier begins with.", standing: .deprecated("write `listener_auto_id_prefix`"),
            into: .security { $0.autoIDPrefix = $1 }),
        .text(
            "listener_auto_id_prefix", .listeners, scope: .listenerRequired, bytesMax: 50,
            value: "text, at most 50 bytes",
            default: "what `auto_id_prefix` says", "The same for one listener.",
            into: .listener { $0.security.autoIDPrefix = $1 }),
        .integer(
            "max_connections", .listeners, scope: .listener, .cInt, value: "clients; 0 or less: no limit",
            default: "-1",
            "Clients connected through the listener at once.",
            into: .listener { $0.values.connectionsMax = limit($1) }),
        .integer(
            "max_qos", aliases: ["maximum_qos"], .listeners, scope: .listener, 0...2, value: "0–2", default: "2",
            "Highest QoS a client may publish with; 5.0 clients are told, one that goes above is disconnected.",
            into: .listener { $0.values.qosMax = QoS(rawValue: UInt8($1)) ?? .exactlyOnce }),
        .integer(
            "max_topic_alias", .listeners, scope: .listener, 0...65535, value: "aliases, 0–65535", default: "10",
            "Topic aliases a 5.0 client may define.",
            into: .listener { $0.values.topicAliasMax = $1 }),
        .integer(
            "max_topic_alias_broker", .listeners, scope: .listener, 0...65535, value: "aliases, 0–65535", default: "10",
            "Topic aliases the broker defines towards a 5.0 client at most.",
            into: .listener { $0.values.topicAliasBrokerMax = $1 }),
        .flag(
            "set_tcp_nodelay", .listeners, default: "`false`",
            "Sets TCP_NODELAY on client sockets: small packets leave at once instead of waiting for company.",
            standing: .ignored(
                "it is always on: Martlet gathers what a client gets and writes it once a turn of the loop, so the "
                    + "kernel has nothing left to wait for"
            ),
            into: .broker { $0.setsTCPNoDelay = $1 }),
    ]
}
