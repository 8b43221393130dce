/// Who may come in through a listener, and what they may do there: what mosquitto calls security options. The file sets them
/// once for all listeners, or for each under `per_listener_settings true`; here every listener has its own, complete.
package struct SecurityConfiguration: Sendable, Equatable {
    /// Whether CONNECT may come without a user name. mosquitto: `allow_anonymous`, `listener_allow_anonymous`.
    package var allowsAnonymous = true
    /// Whether the broker makes up an identifier for a client that sends none. Default true.
    /// mosquitto: `allow_zero_length_clientid`.
    package var allowsEmptyClientID = true
    /// What such an identifier begins with, 1…50 bytes. Default `auto-`.
    /// mosquitto: `auto_id_prefix`, `listener_auto_id_prefix`.
    package var autoIDPrefix = "auto-"
    /// User names and hashes of their passwords. Default `nil`: no opinion on passwords. mosquitto: `password_file`, or its
    /// password-file plugin.
    package var passwordFile: String?
    /// Who may read and write which topics. Default `nil`: everybody everything. mosquitto: `acl_file`, or its acl-file plugin.
    package var aclFile: String?
    /// Identities and pre-shared keys for listeners with a `psk_hint`. Default `nil`: none. mosquitto: `psk_file`.
    package var pskFile: String?
    /// Roles, groups and clients of the dynamic security plugin. Where this is set and cannot be asked, nobody may do anything:
    /// leaving it out would open what the operator has closed. Default `nil`.
    package var dynamicSecurity: DynamicSecurityConfiguration?

    package init() {}
}

/// A line for mosquitto's dynamic security plugin, and its options.
package struct DynamicSecurityConfiguration: Sendable, Equatable {
    /// mosquitto: `plugin_opt_config_file`.
    package var file: String
    /// Whose first line is the first administrator's password. mosquitto: `plugin_opt_password_init_file`.
    package var passwordInitFile: String?

    package init(file: String, passwordInitFile: String? = nil) {
        self.file = file
        self.passwordInitFile = passwordInitFile
    }
}
