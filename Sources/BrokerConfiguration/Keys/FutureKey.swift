/// Keys that are read, checked and kept in the configuration, and that the server does not act on yet. They stop the start: to
/// leave out a password file, a certificate or a bridge in silence would be worse than not to run.
///
/// **Whoever makes the server act on a key takes its line out of `names`; that is all.** Its row in the table
/// (`ConfigurationKey+…`), its value's way into the configuration and its tests are there already.
package enum FutureKey {
    /// Names by what they are about.
    package static let names: [(subject: String, keys: [String])] = [
        (
            "who may do what",
            [
                "acl_file",
                "password_file",
                "psk_file",
                "check_retain_source",
                "clientid_prefixes",
                "use_username_as_clientid",
                "mount_point",
                "accept_protocol_versions",
                "enable_control_api",
                "plugin_opt_acl_file",
                "plugin_opt_password_file",
                "plugin_opt_config_file",
            ]
        ),
        (
            "TLS",
            [
                "cafile",
                "capath",
                "certfile",
                "keyfile",
                "keyfile_password_file",
                "ciphers",
                "ciphers_tls1.3",
                "crlfile",
                "disable_client_cert_date_checks",
                "require_certificate",
                "tls_version",
                "use_identity_as_username",
                "use_subject_as_username",
                "psk_hint",
            ]
        ),
        (
            "listeners",
            [
                "bind_interface",
                "enable_proxy_protocol",
                "proxy_protocol_v2_require_tls",
                "protocol",
                "socket_domain",
                "websockets_origin",
            ]
        ),
        (
            "bridges",
            [
                "connection", "address", "addresses", "topic", "round_robin", "bridge_attempt_unsubscribe",
                "bridge_bind_address", "bridge_max_packet_size", "bridge_max_topic_alias", "bridge_outgoing_retain",
                "bridge_protocol_version", "bridge_receive_maximum", "bridge_session_expiry_interval",
                "bridge_reload_type",
                "bridge_tcp_keepalive", "bridge_tcp_user_timeout", "cleansession", "local_cleansession", "clientid",
                "remote_clientid", "local_clientid", "username", "remote_username", "password", "remote_password",
                "local_username", "local_password", "idle_timeout", "keepalive_interval", "notifications",
                "notifications_local_only", "notification_topic", "restart_timeout", "start_type", "threshold",
                "try_private",
                "bridge_alpn", "bridge_cafile", "bridge_capath", "bridge_certfile", "bridge_keyfile", "bridge_ciphers",
                "bridge_ciphers_tls1.3", "bridge_insecure", "bridge_require_ocsp", "bridge_tls_use_os_certs",
                "bridge_tls_version", "bridge_identity", "bridge_psk",
            ]
        ),
    ]

    /// `listener 0 PATH` is no key of its own: this, and the line that uses it, go when Unix sockets are opened.
    static let unixSocket = "a Unix socket"

    private static let all = Set(names.flatMap(\.keys))

    /// Every name, in no order.
    static var allNames: Set<String> { all }

    static func contains(_ name: String) -> Bool { all.contains(name) }
}
