import BrokerConfiguration
import MQTTProtocol

/// A bridge that is whole.
private let bridge = "connection b\naddress a\ntopic #\n"
private let other = "connection b\ntopic #\n"

/// The keys about bridges.
extension KeyCase {
    static let bridges: [KeyCase] = connections + manners + bridgeTLS

    private static func field<Value>(
        _ configuration: BrokerConfiguration, _ path: KeyPath<BridgeConfiguration, Value>
    ) -> Value { configuration.bridges[0][keyPath: path] }

    private static func flag(
        _ key: String, _ field: @escaping @Sendable (BridgeConfiguration) -> Bool, defaultsTo: Bool
    ) -> KeyCase {
        .flag(key, above: bridge, defaultsTo: defaultsTo) { field($0.bridges[0]) }
    }

    private static func text(
        _ key: String, _ value: String, _ field: @escaping @Sendable (BridgeConfiguration) -> String?
    ) -> KeyCase {
        .text(key, above: bridge, value, defaultsTo: nil) { field($0.bridges[0]) }
    }

    /// Text of a bridge that speaks TLS.
    private static func tls(
        _ key: String, _ value: String, above: String = "bridge_capath /ca\n",
        _ field: @escaping @Sendable (BridgeTLSConfiguration) -> String?
    ) -> KeyCase {
        .text(key, above: bridge + above, value, defaultsTo: nil) { $0.bridges[0].tls.flatMap(field) }
    }

    private static let connections: [KeyCase] = [
        KeyCase(
            key: "connection", valid: ["b\naddress a\ntopic #", "a bridge\naddress a\ntopic #"], invalid: ["", "a\tb"],
            before: { $0.bridges == [] }, after: { $0.bridges.map(\.name) == ["a bridge"] }),
        KeyCase(
            key: "address", above: other, valid: ["a", "10.0.0.1:1 ::1:8883", "[::1]:1884  b"],
            invalid: ["", "a:x", "a:0", "a:65536", ":1883", "a:", "a:+5"], before: nil,
            after: { $0.bridges[0].addresses == [.init(host: "::1", port: 1884), .init(host: "b", port: 1883)] }),
        KeyCase(
            key: "topic", above: "connection b\naddress a\n",
            valid: [
                "#", "a out", "a in 1", "a both 2 l/ r/ x", "\"\" out 0 l/ r/", "a out 0 \"\" r/", "a # in",
                "\"a b/+\" in 1 l/ # r/",
            ],
            invalid: ["", "a+b", "a/#/b", "a up", "a out 3", "a out x", "a out 0 l/+", "a out 0 l/ r/#", "\"\" out 0"],
            before: nil,
            after: {
                $0.bridges[0].topics == [
                    .init(
                        pattern: "a b/+", direction: .incoming, qos: .atLeastOnce, localPrefix: "l/", remotePrefix: nil)
                ]
            }),
        flag("round_robin", \.usesRoundRobin, defaultsTo: false),
        KeyCase(
            key: "bridge_protocol_version", above: bridge, valid: ["mqttv31", "mqttv311", "mqttv50 # text"],
            invalid: ["", "5", "mqttv5"], before: { $0.bridges[0].version == .v311 },
            after: { $0.bridges[0].version == .v5 }),
        text("remote_clientid", "an id", \.remoteClientID),
        text("local_clientid", "an id", \.localClientID),
        text("remote_username", "a user", \.remoteUsername),
        text("remote_password", "a # password", \.remotePassword),
        text("local_username", "a user", \.localUsername),
        text("local_password", "a password", \.localPassword),
        flag("cleansession", \.cleansRemoteSession, defaultsTo: false),
        flag("local_cleansession", { $0.cleansLocalSession == true }, defaultsTo: false),
        .integer("keepalive_interval", above: bridge, ["-1", "65535", "4"], is: 5, defaultsTo: 60, invalid: ["65536"]) {
            $0.bridges[0].keepAliveSeconds
        },
        KeyCase(
            key: "start_type", above: bridge, valid: ["automatic", "once", "lazy # text"], invalid: ["", "manual"],
            before: { $0.bridges[0].startType == .automatic }, after: { $0.bridges[0].startType == .lazy }),
        .integer("threshold", above: bridge, ["7", "0"], is: 1, defaultsTo: 10, invalid: ["2147483648"]) {
            $0.bridges[0].threshold
        },
        .integer("idle_timeout", above: bridge, ["0", "7"], is: 7, defaultsTo: 60, invalid: ["2147483648"]) {
            $0.bridges[0].idleSeconds
        },
        KeyCase(
            key: "restart_timeout", above: bridge, valid: ["0", "4000", "1 8000", "2 60 600 # text"],
            invalid: ["", "x", "5 3", "5 x", "5 30 x", "99999999999"],
            before: {
                $0.bridges[0].restart == .backoff(baseSeconds: 5, capSeconds: 30, stableSeconds: nil)
            },
            after: { $0.bridges[0].restart == .backoff(baseSeconds: 2, capSeconds: 60, stableSeconds: 600) }),
        KeyCase(
            key: "bridge_reload_type", above: bridge, valid: ["lazy", "immediate"], invalid: ["", "now"],
            before: { !$0.bridges[0].reloadsImmediately }, after: { $0.bridges[0].reloadsImmediately }),
    ]

    private static let manners: [KeyCase] = [
        text("bridge_bind_address", "10.0.0.1", \.bindAddress),
        .integer("bridge_max_packet_size", above: bridge, ["-1", "0", "9"], is: 9, defaultsTo: nil, invalid: ["x"]) {
            $0.bridges[0].packetBytesMax
        },
        .integer(
            "bridge_max_topic_alias", above: bridge, ["65535", "0"], is: 0, defaultsTo: 10, invalid: ["65536", "-1"]
        ) {
            $0.bridges[0].topicAliasMax
        },
        .integer(
            "bridge_receive_maximum", above: bridge, ["0", "65535"], is: 65535, defaultsTo: nil, invalid: ["65536"]
        ) {
            $0.bridges[0].receiveMaximum
        },
        .integer(
            "bridge_session_expiry_interval", above: bridge, ["0", "4294967295"], is: 4_294_967_295, defaultsTo: 0,
            invalid: ["4294967296", "-1"]
        ) {
            $0.bridges[0].sessionExpirySeconds
        },
        KeyCase(
            key: "bridge_tcp_keepalive", above: bridge, valid: ["1 2 3", "60 10 5 # text"],
            invalid: ["", "1", "1 2", "0 2 3", "1 2 x"], before: { $0.bridges[0].tcpKeepAlive == nil },
            after: { $0.bridges[0].tcpKeepAlive == .init(idleSeconds: 60, intervalSeconds: 10, count: 5) }),
        .integer("bridge_tcp_user_timeout", above: bridge, ["0", "500"], is: 500, defaultsTo: nil, invalid: ["-1"]) {
            $0.bridges[0].tcpUserTimeoutMilliseconds
        },
        flag("try_private", \.announcesItself, defaultsTo: true),
        flag("bridge_attempt_unsubscribe", \.attemptsUnsubscribe, defaultsTo: true),
        flag("bridge_outgoing_retain", \.keepsRetain, defaultsTo: true),
        flag("notifications", \.notifies, defaultsTo: true),
        flag("notifications_local_only", \.notifiesLocallyOnly, defaultsTo: false),
        .text("notification_topic", above: bridge, "bridges/b", defaultsTo: nil, invalid: ["a/+", "#"]) {
            $0.bridges[0].notificationTopic
        },
    ]

    private static let bridgeTLS: [KeyCase] = [
        tls("bridge_cafile", "/ca", above: "") { $0.authorityFile },
        tls("bridge_capath", "/ca", above: "") { $0.authorityFolder },
        .flag("bridge_tls_use_os_certs", above: bridge, defaultsTo: false) { $0.bridges[0].tls != nil },
        KeyCase(
            key: "bridge_certfile", above: bridge + "bridge_capath /ca\nbridge_keyfile /k\n", valid: ["/c"],
            invalid: ["", "a\tb"], before: nil, after: { $0.bridges[0].tls?.certificateFile == "/c" }),
        KeyCase(
            key: "bridge_keyfile", above: bridge + "bridge_capath /ca\nbridge_certfile /c\n", valid: ["/k"],
            invalid: ["", "a\tb"], before: nil, after: { $0.bridges[0].tls?.keyFile == "/k" }),
        tls("bridge_ciphers", "AES") { $0.ciphers },
        tls("bridge_ciphers_tls1.3", "TLS_AES_128_GCM_SHA256") { $0.ciphersTLS13 },
        tls("bridge_alpn", "mqtt") { $0.applicationProtocol },
        .flag("bridge_insecure", above: bridge + "bridge_capath /ca\n", defaultsTo: false) {
            $0.bridges[0].tls?.skipsNameCheck == true
        },
        .flag("bridge_require_ocsp", above: bridge + "bridge_capath /ca\n", defaultsTo: false) {
            $0.bridges[0].tls?.requiresOCSP == true
        },
        KeyCase(
            key: "bridge_tls_version", above: bridge + "bridge_capath /ca\n", valid: ["tlsv1.2", "tlsv1.3 # text"],
            invalid: ["", "tlsv1.1", "1.3"], before: { $0.bridges[0].tls?.minimumVersion == .v1_2 },
            after: { $0.bridges[0].tls?.minimumVersion == .v1_3 }),
        KeyCase(
            key: "bridge_identity", above: bridge + "bridge_psk aa\n", valid: ["someone"], invalid: ["", "a\tb"],
            before: nil, after: { $0.bridges[0].tls?.pskIdentity == "someone" }),
        KeyCase(
            key: "bridge_psk", above: bridge + "bridge_identity i\n", valid: ["aa", "00fF"],
            invalid: ["", "a", "xx", "0x11", "aa bb"], before: nil, after: { $0.bridges[0].tls?.pskKey == "00fF" }),
    ]
}
