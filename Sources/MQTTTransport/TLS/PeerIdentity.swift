/// Who somebody is who has proved it before CONNECT.
package enum PeerIdentity: Sendable, Equatable {
    /// By a certificate: its common name, and its whole subject as RFC 2253 writes it, in mosquitto's order.
    case certificate(commonName: String?, subject: String)
    /// By a pre-shared key.
    case preSharedKey(String)
    /// A proxy says so, of a certificate that it has verified: PROXY v2.
    case proxy(commonName: String)

    /// What `use_identity_as_username` takes.
    package var name: String? {
        switch self {
        case .certificate(let commonName, _): commonName
        case .preSharedKey(let identity): identity
        case .proxy(let commonName): commonName
        }
    }

    /// What `use_subject_as_username` takes.
    package var subject: String? {
        guard case .certificate(_, let subject) = self else { return nil }
        return subject
    }
}
