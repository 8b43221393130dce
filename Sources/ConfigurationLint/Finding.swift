package import BrokerConfiguration

/// One piece of advice about a configuration: legal, and probably not what its writer wants.
package struct Finding: Sendable, Equatable {
    /// Names are stable: scripts look for them.
    package enum Rule: String, Sendable, CaseIterable {
        /// Anybody on the network may come in without a name.
        case anonymousOnNetwork = "anonymous-on-network"
        /// Passwords travel in clear.
        case passwordsInClear = "passwords-in-clear"
        /// A queue that nothing bounds.
        case unlimitedQueue = "unlimited-queue"
        /// Sessions that are kept for ever.
        case endlessSessions = "endless-sessions"
        /// Whoever has come in may read and write everything.
        case everythingAllowed = "everything-allowed"
        /// Certificates are asked for, and one may come in without.
        case certificateOptional = "certificate-optional"
        /// Any web page may connect in its visitor's name.
        case anyOrigin = "any-origin"
        /// Expired certificates are admitted.
        case datesUnchecked = "dates-unchecked"
        /// A listener nobody can come in through.
        case nobodyAdmitted = "nobody-admitted"
        /// A file that TLS needs cannot be read, or holds something else.
        case fileUnreadable = "file-unreadable"
        /// The certificate is not for the name clients ask for.
        case certificateName = "certificate-name"
        /// Expired, not valid yet, or soon expired.
        case certificateDates = "certificate-dates"
        /// A key or signature that clients refuse.
        case certificateWeak = "certificate-weak"
        /// What stands in `cafile` cannot sign certificates.
        case authorityUnfit = "authority-unfit"
        /// A list of revoked certificates that was to be renewed.
        case revocationListOld = "revocation-list-old"
        /// A line of an ACL file that can never decide anything.
        case aclLineDead = "acl-line-dead"
        /// One that another makes superfluous.
        case aclLineRedundant = "acl-line-redundant"
        /// Rights for a user who has no password.
        case aclUserUnknown = "acl-user-unknown"
    }

    package let rule: Rule
    /// Always a warning or a note.
    package let remark: Diagnostic

    package init(_ rule: Rule, _ severity: Diagnostic.Severity, _ place: ConfigurationReport.Place, _ message: String) {
        precondition(severity != .error, "a finding never stops a start")
        self.rule = rule
        remark = Diagnostic(severity: severity, file: place.file, line: place.line, message: message)
    }
}
