import MQTTProtocol

/// The rows about bridges. Their order is that of mosquitto's manual, by subject; what they come to together:
/// `ConfigurationReader+bridges`.
extension ConfigurationKey {
    static let bridgeRows: [ConfigurationKey] = bridgeConnectionRows + bridgeMannerRows + bridgeTLSRows

    private static let bridgeConnectionRows: [ConfigurationKey] = [
        .statement(
            "connection", .bridges, value: "NAME", default: "none",
            "Begins a bridge, a connection to another broker; the keys below it are about it. Bridges are read and checked whole; "
                + "running them is a later version's, so a file with one stops the start.", .connection),
        .statement(
            "address", aliases: ["addresses"], .bridges, scope: .bridge, value: "HOST[:PORT], repeated with spaces",
            default: "none", "Where the other broker is; port 1883 if none is said. An IPv6 address needs its port.",
            .bridgeAddress),
        .statement(
            "topic", .bridges, scope: .bridge,
            value: "PATTERN [`out`, `in` or `both` [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]",
            default: "none",
            "Which messages go over the bridge, and under which names. `\"\"` is an empty prefix; as a pattern it only maps the "
                + "prefixes. Repeatable.",
            .bridgeTopic),
        .flag(
            "round_robin", .bridges, scope: .bridge, default: "`false`",
            "Whether the next address is tried after each connection; otherwise the first is gone back to.",
            into: .bridge { $0.values.usesRoundRobin = $1 }),
        .choice(
            "bridge_protocol_version", .bridges, scope: .bridge, ["mqttv31", "mqttv311", "mqttv50"],
            default: "`mqttv311`", "The version the bridge speaks.",
            into: .bridge { $0.values.version = $1 == "mqttv31" ? .v31 : $1 == "mqttv311" ? .v311 : .v5 }),
        .text(
            "remote_clientid", aliases: ["clientid"], .bridges, scope: .bridge, value: "text",
            default: "host name, `.` and NAME", "Its client identifier at the other broker.",
            into: .bridge { $0.values.remoteClientID = $1 }),
        .text(
            "local_clientid", .bridges, scope: .bridge, value: "text", default: "`local.` and the remote one",
            "Its client identifier here, no other bridge's.", into: .bridge { $0.values.localClientID = $1 }),
        .text(
            "remote_username", aliases: ["username"], .bridges, scope: .bridge, value: "text", default: "none",
            "Its user name at the other broker.", into: .bridge { $0.values.remoteUsername = $1 }),
        .text(
            "remote_password", aliases: ["password"], .bridges, scope: .bridge, value: "text", default: "none",
            "Its password there.", into: .bridge { $0.values.remotePassword = $1 }),
        .text(
            "local_username", .bridges, scope: .bridge, value: "text", default: "none",
            "Who it is to our own access rules.", into: .bridge { $0.values.localUsername = $1 }),
        .text(
            "local_password", .bridges, scope: .bridge, value: "text", default: "none", "The password for that.",
            into: .bridge { $0.values.localPassword = $1 }),
        .flag(
            "cleansession", .bridges, scope: .bridge, default: "`false`",
            "Whether the other broker forgets the bridge when it goes.",
            into: .bridge { $0.values.cleansRemoteSession = $1 }
        ),
        .flag(
            "local_cleansession", .bridges, scope: .bridge, default: "as `cleansession`", "Whether we do.",
            into: .bridge { $0.values.cleansLocalSession = $1 }),
        .integer(
            "keepalive_interval", .bridges, scope: .bridge, Int(Int32.min)...65535, value: "seconds, 5–65535",
            default: "60", "Keep-alive; less than 5 counts as 5.",
            into: .bridge { $0.values.keepAliveSeconds = max(5, $1) }),
        .choice(
            "start_type", .bridges, scope: .bridge, ["automatic", "lazy", "once"], default: "`automatic`",
            "When it connects: always, when messages wait, or once.",
            into: .bridge { $0.values.startType = BridgeConfiguration.StartType(rawValue: $1) ?? .automatic }),
        .integer(
            "threshold", .bridges, scope: .bridge, .cInt, value: "messages, at least 1", default: "10",
            "How many waiting messages wake a lazy bridge.", into: .bridge { $0.values.threshold = max(1, $1) }),
        .integer(
            "idle_timeout", .bridges, scope: .bridge, .cInt, value: "seconds, at least 1", default: "60",
            "How long a lazy bridge stays without messages.", into: .bridge { $0.values.idleSeconds = max(1, $1) }),
        .statement(
            "restart_timeout", .bridges, scope: .bridge, value: "SECONDS, or BASE CAP [STABLE]", default: "5 30",
            "How long it waits before it connects again: always as long, 1–3600, or by chance from BASE to CAP, at most 7200, "
                + "beginning anew after STABLE seconds of connection.",
            .bridgeRestart),
        .choice(
            "bridge_reload_type", .bridges, scope: .bridge, ["lazy", "immediate"], default: "`lazy`",
            "Whether a changed configuration waits for the next connection.",
            into: .bridge { $0.values.reloadsImmediately = $1 == "immediate" }),
    ]

    private static let bridgeMannerRows: [ConfigurationKey] = [
        .text(
            "bridge_bind_address", .bridges, scope: .bridge, value: "ADDRESS", default: "the system's choice",
            "The local address to connect from.", into: .bridge { $0.values.bindAddress = $1 }),
        .integer(
            "bridge_max_packet_size", .bridges, scope: .bridge, .cInt, value: "bytes; 0 or less: no limit",
            default: "0",
            "Largest packet over the bridge.", into: .bridge { $0.values.packetBytesMax = limit($1) }),
        .integer(
            "bridge_max_topic_alias", .bridges, scope: .bridge, 0...65535, value: "aliases, 0–65535", default: "10",
            "Topic aliases the other broker may define, 5.0.", into: .bridge { $0.values.topicAliasMax = $1 }),
        .integer(
            "bridge_receive_maximum", .bridges, scope: .bridge, 0...65535, value: "messages, 1–65535; 0: the default",
            default: "as `max_inflight_messages`", "Receive Maximum, 5.0.",
            into: .bridge { $0.values.receiveMaximum = limit($1) }),
        .integer(
            "bridge_session_expiry_interval", .bridges, scope: .bridge, 0...Int(UInt32.max), value: "seconds",
            default: "0", "Session expiry at the other broker, 5.0.",
            into: .bridge { $0.values.sessionExpirySeconds = $1 }),
        .statement(
            "bridge_tcp_keepalive", .bridges, scope: .bridge, value: "IDLE INTERVAL COUNT", default: "off",
            "The kernel's own probes: after IDLE seconds, every INTERVAL seconds, COUNT times.", .bridgeTCPKeepAlive),
        .integer(
            "bridge_tcp_user_timeout", .bridges, scope: .bridge, 0...Int(Int32.max), value: "milliseconds",
            default: "the system's", "How long sent bytes may stay unacknowledged.",
            into: .bridge { $0.values.tcpUserTimeoutMilliseconds = $1 }),
        .flag(
            "try_private", .bridges, scope: .bridge, default: "`true`",
            "Whether the other broker is told that this is a bridge, so that nothing comes back.",
            into: .bridge { $0.values.announcesItself = $1 }),
        .flag(
            "bridge_attempt_unsubscribe", .bridges, scope: .bridge, default: "`true`",
            "Whether `out` topics are unsubscribed at the other broker on connecting.",
            into: .bridge { $0.values.attemptsUnsubscribe = $1 }),
        .flag(
            "bridge_outgoing_retain", .bridges, scope: .bridge, default: "`true`",
            "Whether messages keep their retain bit on the way out.", into: .bridge { $0.values.keepsRetain = $1 }),
        .flag(
            "notifications", .bridges, scope: .bridge, default: "`true`",
            "Whether the bridge's state is published, retained, as `1` and `0`.",
            into: .bridge { $0.values.notifies = $1 }),
        .flag(
            "notifications_local_only", .bridges, scope: .bridge, default: "`false`", "Only at this broker.",
            into: .bridge { $0.values.notifiesLocallyOnly = $1 }),
        .statement(
            "notification_topic", .bridges, scope: .bridge, value: "TOPIC",
            default: "`$SYS/broker/connection/CLIENTID/state`", "Where.", .bridgeNotificationTopic),
    ]

    private static let bridgeTLSRows: [ConfigurationKey] = [
        .text(
            "bridge_cafile", .bridges, scope: .bridge, value: "PATH", default: "none",
            "Certificate authorities the other broker is trusted by; switches TLS on.",
            into: .bridge { $0.tls.authorityFile = $1 }),
        .text(
            "bridge_capath", .bridges, scope: .bridge, value: "FOLDER", default: "none", "A folder of such files.",
            into: .bridge { $0.tls.authorityFolder = $1 }),
        .flag(
            "bridge_tls_use_os_certs", .bridges, scope: .bridge, default: "`false`", "Those of the system.",
            into: .bridge { $0.tls.usesSystemAuthorities = $1 }),
        .text(
            "bridge_certfile", .bridges, scope: .bridge, value: "PATH", default: "none",
            "The certificate shown to the other broker.", into: .bridge { $0.tls.certificateFile = $1 }),
        .text(
            "bridge_keyfile", .bridges, scope: .bridge, value: "PATH", default: "none", "Its key.",
            into: .bridge { $0.tls.keyFile = $1 }),
        .text(
            "bridge_ciphers", .bridges, scope: .bridge, value: "names, joined by `:`", default: "the library's",
            "Cipher suites of TLS 1.2.", into: .bridge { $0.tls.ciphers = $1 }),
        .text(
            "bridge_ciphers_tls1.3", .bridges, scope: .bridge, value: "names, joined by `:`", default: "the library's",
            "Cipher suites of TLS 1.3.", into: .bridge { $0.tls.ciphersTLS13 = $1 }),
        .text(
            "bridge_alpn", .bridges, scope: .bridge, value: "text", default: "none",
            "Application protocol to ask for, such as `mqtt`.", into: .bridge { $0.tls.applicationProtocol = $1 }),
        .flag(
            "bridge_insecure", .bridges, scope: .bridge, default: "`false`",
            "Do not compare the other broker's name with its certificate.", into: .bridge { $0.tls.skipsNameCheck = $1 }
        ),
        .flag(
            "bridge_require_ocsp", .bridges, scope: .bridge, default: "`false`",
            "The other broker must prove that its certificate is not revoked.",
            into: .bridge { $0.tls.requiresOCSP = $1 }),
        .choice(
            "bridge_tls_version", .bridges, scope: .bridge, ["tlsv1.2", "tlsv1.3"], default: "`tlsv1.2`",
            "The lowest version spoken.",
            into: .bridge { $0.tls.minimumVersion = TLSConfiguration.Version(rawValue: $1) ?? .v1_2 }),
        .text(
            "bridge_identity", .bridges, scope: .bridge, value: "text", default: "none",
            "With `bridge_psk`: who we are to the other broker.", into: .bridge { $0.tls.pskIdentity = $1 }),
        .statement(
            "bridge_psk", .bridges, scope: .bridge, value: "hexadecimal digits", default: "none",
            "A pre-shared key instead of certificates.", .bridgePSK),
    ]
}
