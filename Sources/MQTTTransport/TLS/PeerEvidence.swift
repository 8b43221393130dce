package import Certificates

/// What a peer proved itself with, kept while it is connected, so that it can be judged once more when others are trusted, or
/// its own certificate was taken back. Costs the bytes of its certificate; those in between are shared with its snapshot.
package enum PeerEvidence: Sendable, Hashable {
    /// In DER, the peer's own first.
    case chain([[UInt8]])
    case preSharedKey(identity: String, key: [UInt8])
}

extension TLSSnapshot {
    /// Why somebody who came in by an earlier snapshot would not be let in by this one; `nil`: may stay. Dates do not count:
    /// nobody loses a connection because a certificate or a CRL has run out meanwhile. Not for an event loop where there are
    /// many: it checks signatures.
    /// - Parameter evidence: `nil` where none was asked for then.
    package func objection(to evidence: PeerEvidence?, at now: Timestamp) -> String? {
        switch evidence {
        case .preSharedKey(let identity, let key):
            guard let keys = preSharedKeys else { return "pre-shared keys are not taken any more" }
            guard let known = keys[identity] else { return "its identity '\(identity)' is not in psk_file any more" }
            return known == key ? nil : "the pre-shared key of '\(identity)' is another now"
        case .chain(let chain):
            guard let secondLook else { return nil }
            guard case .failure(let refusal) = secondLook.verify(chain: chain, at: now) else { return nil }
            return "\(refusal)"
        case nil:
            return secondLook == nil ? nil : "it showed no certificate, and require_certificate asks for one now"
        }
    }
}
