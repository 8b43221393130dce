/// Keys that are read, checked and kept in the configuration, and that the server does not act on yet. They stop the start: to
/// leave out a password file or a certificate in silence would be worse than not to run.
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
                "use_identity_as_username",
                "use_subject_as_username",
            ]
        ),
    ]

    private static let all = Set(names.flatMap(\.keys))

    static func contains(_ name: String) -> Bool { all.contains(name) }
}
