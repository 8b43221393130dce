/// Keys mosquitto 2.1 knows and this version of Martlet does not honour yet. They stop the start: to leave out a password
/// file, a certificate or a bridge in silence would be worse than not to run. A key leaves this list for the table when it works.
package enum FutureKey {
    /// Names by what they are about.
    package static let names: [(subject: String, keys: [String])] = [
        (
            "who may do what",
            [
                "acl_file", "password_file", "psk_file", "check_retain_source", "clientid_prefixes",
                "use_username_as_clientid",
                "auth_plugin", "auth_plugin_deny_special_chars", "plugin_load", "plugin_use",
                "enable_control_api",
            ]
        ),
        (
            "TLS",
            [
                "cafile", "capath", "certfile", "keyfile", "ciphers", "ciphers_tls1.3", "crlfile", "dhparamfile",
                "disable_client_cert_date_checks", "require_certificate", "tls_version", "use_identity_as_username",
                "use_subject_as_username", "psk_hint", "tls_engine", "tls_engine_kpass_sha1", "tls_keyform",
            ]
        ),
        (
            "listeners",
            [
                "accept_protocol_versions", "bind_interface", "enable_proxy_protocol", "proxy_protocol_v2_require_tls",
                "http_dir", "mount_point", "protocol", "socket_domain", "websockets_origin", "websockets_log_level",
                "websockets_headers_size", "packet_buffer_size",
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

    /// Beginnings of keys whose end is free: options for plugins.
    package static let prefixes = ["auth_opt_", "plugin_opt_"]

    private static let all = Set(names.flatMap(\.keys))

    /// Every name, in no order.
    static var allNames: Set<String> { all }

    static func contains(_ name: String) -> Bool {
        all.contains(name) || prefixes.contains { name.hasPrefix($0) }
    }
}
