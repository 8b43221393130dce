/// A listener while its lines are still being read: what the file left open is `nil` until the whole file is known.
struct ListenerDraft {
    var values = ListenerConfiguration()
    var security = SecurityDraft()
    var tls = TLSConfiguration()
    /// `use_identity_as_username` and `use_subject_as_username`.
    var usesIdentity = false
    var usesSubject = false
    /// The word behind `protocol`.
    var applicationProtocol = "mqtt"
    /// Where the `listener` line stands.
    var place: (file: String, line: Int)?
    /// The option that made the default listener appear, if it was not `port` or `bind_address`.
    var impliedBy: (option: String, file: String, line: Int)?
}

/// The settings that are global, or per listener under `per_listener_settings true`.
struct SecurityDraft {
    var allowsAnonymous: Bool?
    var allowsEmptyClientID: Bool?
    var autoIDPrefix: String?
    var passwordFile: String?
    var aclFile: String?
    var pskFile: String?
    var dynamicSecurity: DynamicSecurityConfiguration?
}
