import BrokerConfiguration
import MQTTProtocol

private let listener = "listener 1\n"
/// A listener with all of TLS that the other keys need.
private let encrypted = "listener 1\ncertfile /c\nkeyfile /k\n"

/// As a file opens it that says nothing about who may come in.
private func closed(_ listener: ListenerConfiguration) -> ListenerConfiguration {
    var listener = listener
    listener.security.allowsAnonymous = false
    return listener
}

/// The keys about sockets, TLS, who may do what, and plugins.
extension KeyCase {
    static let sockets: [KeyCase] = [
        KeyCase(
            key: "protocol", above: listener, valid: ["mqtt", "websockets # text"],
            invalid: ["", "MQTT", "ws"],
            before: { $0.listeners[0].applicationProtocol == .mqtt },
            after: { $0.listeners[0].applicationProtocol == .websockets }),
        KeyCase(
            key: "websockets_origin", above: "listener 1\nprotocol websockets\n",
            valid: ["https://a.example", "https://b.example:8443"], invalid: ["", "a\tb"],
            before: { $0.listeners[0].websocketsOrigins == [] },
            after: { $0.listeners[0].websocketsOrigins == ["https://b.example:8443"] }),
        KeyCase(
            key: "accept_protocol_versions", above: listener, valid: ["3", "5", "3 4 5", "5,3,4", "3, 4"],
            invalid: ["", ",", "2", "6", "3;4", "34", "v5", "3 # text"],
            before: { $0.listeners[0].acceptedVersions == [.v31, .v311, .v5] },
            after: { $0.listeners[0].acceptedVersions == [.v31, .v311] }),
        .flag("use_username_as_clientid", above: listener, defaultsTo: false) {
            $0.listeners[0].usesUsernameAsClientID
        },
        .text("mount_point", above: listener, "site a/", defaultsTo: nil, invalid: ["a/+", "#"]) {
            $0.listeners[0].mountPoint
        },
        .text("bind_interface", above: listener, "eth0", defaultsTo: nil) { $0.listeners[0].bindInterface },
        KeyCase(
            key: "socket_domain", above: listener, valid: ["ipv4", "ipv6 # text"], invalid: ["", "IPv6", "inet", "4"],
            before: { $0.listeners[0].socketDomain == nil }, after: { $0.listeners[0].socketDomain == .ipv6 }),
        .integer("enable_proxy_protocol", above: listener, ["1", "2"], is: .v2, defaultsTo: nil, invalid: ["0", "3"]) {
            $0.listeners[0].proxyProtocol
        },
        .flag("proxy_protocol_v2_require_tls", above: "listener 1\nenable_proxy_protocol 2\n", defaultsTo: false) {
            $0.listeners[0].proxyRequiresTLS
        },
        .ineffective("http_dir"),
        .integer("packet_buffer_size", ["0", "65535"], is: 65535, defaultsTo: 4096, invalid: ["65536", "-1"]) {
            $0.websocketsRequestBytesMax
        },
        .integer("websockets_log_level", ["0", "255"], is: 0, defaultsTo: 0, invalid: ["2147483648"]) { _ in 0 },
        .flag("set_tcp_nodelay", defaultsTo: false) { $0.setsTCPNoDelay },
    ]

    static let tls: [KeyCase] = [
        KeyCase(
            key: "certfile", above: "listener 1\nkeyfile /k\n", valid: ["x", "  \t /a path/ü \t "],
            invalid: ["", "a\tb"], before: nil, after: { $0.listeners[0].tls?.certificateFile == "/a path/ü" }),
        KeyCase(
            key: "keyfile", above: "listener 1\ncertfile /c\n", valid: ["x", "/a key"],
            invalid: ["", "a\tb"], before: nil, after: { $0.listeners[0].tls?.keyFile == "/a key" }),
        .text("keyfile_password_file", above: encrypted, defaultsTo: nil) { $0.listeners[0].tls?.keyPasswordFile },
        .text("cafile", above: encrypted, defaultsTo: nil) { $0.listeners[0].tls?.authorityFile },
        .text("capath", above: encrypted, defaultsTo: nil) { $0.listeners[0].tls?.authorityFolder },
        .text("crlfile", above: encrypted, defaultsTo: nil) { $0.listeners[0].tls?.revocationListFile },
        .flag("require_certificate", above: "\(encrypted)cafile /ca\n", defaultsTo: false) {
            $0.listeners[0].tls?.requiresCertificate == true
        },
        .flag("use_identity_as_username", above: encrypted, defaultsTo: false) {
            $0.listeners[0].certificateIdentity == .commonName
        },
        .flag("use_subject_as_username", above: encrypted, defaultsTo: false) {
            $0.listeners[0].certificateIdentity == .subject
        },
        KeyCase(
            key: "tls_version", above: encrypted, valid: ["tlsv1.2", "tlsv1.1", "tlsv1", "tlsv1.3"],
            invalid: ["", "1.3", "TLSv1.3", "tlsv1.3 # text", "sslv3"],
            before: { $0.listeners[0].tls?.minimumVersion == .v1_2 },
            after: { $0.listeners[0].tls?.minimumVersion == .v1_3 }),
        .text("ciphers", above: encrypted, "ECDHE+AESGCM:!aNULL", defaultsTo: nil) { $0.listeners[0].tls?.ciphers },
        .text("ciphers_tls1.3", above: encrypted, "TLS_AES_128_GCM_SHA256", defaultsTo: nil) {
            $0.listeners[0].tls?.ciphersTLS13
        },
        .flag("disable_client_cert_date_checks", above: encrypted, defaultsTo: false) {
            $0.listeners[0].tls?.checksClientDates == false
        },
        .text("psk_hint", above: listener, "a hint", defaultsTo: nil) { $0.listeners[0].tls?.pskHint },
        .ineffective("dhparamfile"),
        .ineffective("tls_engine"),
        .ineffective("tls_engine_kpass_sha1"),
        KeyCase(
            key: "tls_keyform", above: listener, valid: ["pem"], invalid: ["", "engine", "der"], before: { _ in true },
            after: { $0.listeners[0].tls == nil }),
    ]

    static let access: [KeyCase] = [
        .text("password_file", defaultsTo: nil) { $0.listeners[0].security.passwordFile },
        .text("acl_file", defaultsTo: nil) { $0.listeners[1].security.aclFile },
        .text("psk_file", defaultsTo: nil) { $0.listeners[0].security.pskFile },
        .text("clientid_prefixes", "dev-", defaultsTo: nil) { $0.clientIDPrefix },
        .flag("check_retain_source", defaultsTo: true) { $0.checksRetainSource },
        .flag("enable_control_api", defaultsTo: false) { $0.enablesControlAPI },
    ]

    /// The line of mosquitto's SQLite plugin.
    private static let sqlite = "plugin /usr/lib/mosquitto_persist_sqlite.so\n"
    private static let dynamicSecurity = "plugin /usr/lib/mosquitto_dynamic_security.so\n"

    static let plugins: [KeyCase] = [
        plugin("plugin"),
        plugin("global_plugin"),
        KeyCase(
            key: "plugin_load", valid: ["a persist-sqlite.so", "b /usr/lib/mosquitto_persist_sqlite.so"],
            invalid: ["", "a", "a   ", "a /usr/lib/other.so"], before: { !$0.persistence.isOn },
            after: { $0.persistence.isOn }),
        KeyCase(
            key: "plugin_use",
            above: "plugin_load a acl-file.so\nplugin_opt_acl_file /acl\nlistener 1\nlistener 2\n", valid: ["a"],
            invalid: ["", "b", "a b"], before: { $0.listeners.allSatisfy { $0.security.aclFile == nil } },
            after: { $0.listeners.map(\.security.aclFile) == [nil, "/acl"] }),
        KeyCase(
            key: "auth_plugin_deny_special_chars", above: sqlite, valid: ["true", "1 # text", "false"],
            invalid: ["", "yes"], before: { _ in true }, after: { _ in true }),
        KeyCase(
            key: "plugin_opt_acl_file", above: "plugin mosquitto_acl_file.so\n", valid: ["/acl", "/an acl"],
            invalid: ["", "a\tb"], before: nil, after: { $0.listeners[1].security.aclFile == "/an acl" }),
        KeyCase(
            key: "plugin_opt_password_file", above: "plugin mosquitto_password_file.so\n", valid: ["/p", "/a p"],
            invalid: ["", "a\tb"], before: nil, after: { $0.listeners[1].security.passwordFile == "/a p" }),
        KeyCase(
            key: "plugin_opt_config_file", above: dynamicSecurity, valid: ["/roles.json"], invalid: ["", "a\tb"],
            before: nil,
            after: { $0.listeners.allSatisfy { $0.security.dynamicSecurity?.file == "/roles.json" } }),
        KeyCase(
            key: "plugin_opt_password_init_file", above: dynamicSecurity + "plugin_opt_config_file /r\n",
            valid: ["/first"], invalid: ["", "a\tb"],
            before: { $0.listeners[0].security.dynamicSecurity?.passwordInitFile == nil },
            after: { $0.listeners[0].security.dynamicSecurity?.passwordInitFile == "/first" }),
        KeyCase(
            key: "plugin_opt_db_file", above: sqlite, valid: ["x.db", "/x.db", "/a folder/mosquitto.sqlite3"],
            invalid: ["", "a\tb"], before: { $0.persistence.location == nil },
            after: { $0.persistence.location == "/a folder" }),
        KeyCase(
            key: "plugin_opt_flush_period", above: sqlite, valid: ["0", "5 # text"], invalid: ["", "-1", "x"],
            before: { _ in true }, after: { $0.persistence.durability == .sync }),
        KeyCase(
            key: "plugin_opt_sync", above: sqlite, valid: ["off", "normal", "full", "extra # text"],
            invalid: ["", "FULL", "1"], before: { _ in true }, after: { $0.persistence.durability == .sync }),
        KeyCase(
            key: "plugin_opt_page_size", above: sqlite, valid: ["4096"], invalid: ["", "-1", "x"],
            before: { _ in true }, after: { _ in true }),
    ]

    /// Text that is checked and changes nothing.
    private static func ineffective(_ key: String) -> KeyCase {
        KeyCase(
            key: key, above: listener, valid: ["/a path"], invalid: ["", "a\tb"], before: { _ in true },
            after: { $0.listeners == [ListenerConfiguration(port: 1)].map { closed($0) } })
    }

    private static func plugin(_ key: String) -> KeyCase {
        KeyCase(
            key: key, valid: ["/usr/lib/mosquitto_persist_sqlite.so", "persist-sqlite.so"],
            invalid: ["", "/usr/lib/mosquitto_dynamic_security.so", "acl_file.so", "/persist_sqlite/other.so"],
            before: { !$0.persistence.isOn }, after: { $0.persistence.isOn })
    }
}
