import MQTTTransport
import NIOCore

/// What the stages before MQTT found out about a connection that had to pass some: not every connection has one.
final class Newcomer: Sendable {
    /// The client's address: the socket's, or what the proxy says.
    let address: SocketAddress?
    /// What `use_identity_as_username` or `use_subject_as_username` makes of its certificate or pre-shared key.
    let identity: String?
    /// What it proved itself with; `nil` where nobody asked.
    let evidence: PeerEvidence?
    /// What it was let in by; `nil` without TLS.
    let judge: TLSSnapshot?
    /// When it was accepted, in the shard's milliseconds: CONNECT's deadline runs from there, through all stages.
    let acceptedAt: Int64

    init(
        address: SocketAddress?, identity: String? = nil, evidence: PeerEvidence? = nil, judge: TLSSnapshot? = nil,
        acceptedAt: Int64
    ) {
        self.address = address
        self.identity = identity
        self.evidence = evidence
        self.judge = judge
        self.acceptedAt = acceptedAt
    }
}
