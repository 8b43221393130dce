import MQTTProtocol

/// The rows about sockets, and about who may come in through them.
extension ConfigurationKey {
    static let listenerRows: [ConfigurationKey] = [
        .statement(
            "listener", .listeners, value: "PORT, optionally HOST; 0 PATH for a Unix socket",
            default: "127.0.0.1 and ::1, port 1883",
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
            "Makes `allow_anonymous`, `allow_zero_length_clientid`, `auto_id_prefix`, `password_file`, `acl_file`, "
                + "`psk_file` and `plugin` belong to the listener above them. Must stand before them, and cannot be taken back.",
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
        .choice(
            "protocol", .listeners, scope: .listener, ["mqtt", "websockets", "http_api"], off: "mqtt",
            default: "`mqtt`", "What is spoken there. `http_api` is refused: Martlet has its own.",
            into: .listener { $0.applicationProtocol = $1 }),
        .text(
            "websockets_origin", .listeners, scope: .listener, mayRepeat: true, value: "ORIGIN", default: "any",
            "A value of the HTTP header Origin, such as `https://example.org`, that may open a WebSocket. Repeatable.",
            into: .listener { $0.values.websocketsOrigins.append($1) }),
        .statement(
            "accept_protocol_versions", .listeners, scope: .listener, value: "`3`, `4` and `5`, with commas between",
            default: "all", "Versions that may connect: 3 is 3.1, 4 is 3.1.1, 5 is 5.0.", .acceptedVersions),
        .flag(
            "use_username_as_clientid", .listeners, scope: .listener, default: "`false`",
            "The user name replaces the client identifier; a client without one is refused.",
            into: .listener { $0.values.usesUsernameAsClientID = $1 }),
        .statement(
            "mount_point", .listeners, scope: .listener, value: "text without `+` and `#`", default: "none",
            "Put before every topic of the listener's clients, and taken away on delivery.",
            .mountPoint),
        .text(
            "bind_interface", .listeners, scope: .listener, value: "DEVICE", default: "any",
            "The network device that alone may bring connections.",
            into: .listener { $0.values.bindInterface = $1 }),
        .choice(
            "socket_domain", .listeners, scope: .listener, ["ipv4", "ipv6"], default: "both",
            "The only address family to listen on.",
            into: .listener { $0.values.socketDomain = ListenerConfiguration.SocketDomain(rawValue: $1) }),
        .integer(
            "enable_proxy_protocol", .listeners, scope: .listener, 1...2, value: "1 or 2", default: "off",
            "Every connection must begin with HAProxy's PROXY header of this version, which says who the client is.",
            into: .listener { $0.values.proxyProtocol = ListenerConfiguration.ProxyProtocol(rawValue: $1) }),
        .flag(
            "proxy_protocol_v2_require_tls", .listeners, scope: .listener, default: "`false`",
            "That header must say that the client came by TLS.",
            into: .listener { $0.values.proxyRequiresTLS = $1 }),
        .text(
            "http_dir", .listeners, scope: .listener, value: "FOLDER", default: "none",
            "Files mosquitto serves over HTTP.",
            standing: .ignored("Martlet's listeners serve no files; put a web server beside it"),
            into: .listener { _, _ in }),
        .integer(
            "packet_buffer_size", aliases: ["websockets_headers_size"], .listeners, 0...65535, value: "bytes, 0–65535",
            default: "4096",
            "How large the HTTP request that opens a WebSocket may be; less than 1024 counts as 1024. Buffers of mosquitto's "
                + "that it also sets do not exist here.",
            into: .broker { $0.websocketsRequestBytesMax = max($1, 1024) }),
        .integer(
            "websockets_log_level", .listeners, .cInt, value: "number", default: "0",
            "What libwebsockets logs.",
            standing: .ignored("Martlet does not use libwebsockets; write `log_type websockets`"),
            into: .broker { _, _ in }),
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
