/// The rows about who may do what. Lines for plugins end up in the same fields: `ConfigurationReader+plugins`.
extension ConfigurationKey {
    static let accessRows: [ConfigurationKey] = [
        .text(
            "password_file", .access, scope: .security, value: "PATH", default: "none",
            "User names and hashes of passwords, as `martlet passwd` and `mosquitto_passwd` write them. With it, a client "
                + "that names itself needs its password.",
            into: .security { $0.passwordFile = $1 }),
        .text(
            "acl_file", .access, scope: .security, value: "PATH", default: "none: everything is allowed",
            "Who may read and write which topics.",
            into: .security { $0.aclFile = $1 }),
        .text(
            "psk_file", .access, scope: .security, value: "PATH", default: "none",
            "Identities and pre-shared keys, `identity:hexkey` a line, for listeners with a `psk_hint`.",
            into: .security { $0.pskFile = $1 }),
        .text(
            "clientid_prefixes", .access, value: "text", default: "none",
            "What every client identifier must begin with.",
            standing: .deprecated("a client may send any identifier, so this keeps nobody out; use user names"),
            into: .broker { $0.clientIDPrefix = $1 }),
        .flag(
            "check_retain_source", .access, default: "`true`",
            "Whether a retained message is held back once its publisher has lost the right to write there.",
            into: .broker { $0.checksRetainSource = $1 }),
        .flag(
            "enable_control_api", .access, default: "`false`", "Whether `$CONTROL/broker/v1` answers.",
            into: .broker { $0.enablesControlAPI = $1 }),
    ]
}
