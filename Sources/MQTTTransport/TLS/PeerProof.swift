import Certificates
import NIOConcurrencyHelpers
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What one peer has shown of itself during its handshake. Touched on its connection's event loop only; the lock is for the
/// compiler, which cannot know that BoringSSL calls back on it.
final class PeerProof: Sendable {
    struct UnknownIdentity: Error {}

    private struct State {
        var identity: PeerIdentity?
        var evidence: PeerEvidence?
        var refusal: String?
    }

    private let snapshot: TLSSnapshot
    private let state = NIOLockedValueBox(State())

    init(_ snapshot: TLSSnapshot) { self.snapshot = snapshot }

    /// Why the certificate was refused, if it was.
    var refusal: String? { state.withLockedValue { $0.refusal } }

    func comesWith(identity: String, key: [UInt8]) {
        state.withLockedValue {
            $0.identity = .preSharedKey(identity)
            $0.evidence = .preSharedKey(identity: identity, key: key)
        }
    }

    /// What it proved itself with; `nil` where nobody asked.
    var evidence: PeerEvidence? { state.withLockedValue { $0.evidence } }

    /// The verdict over the chain that was shown, the peer's own certificate first.
    func judge(_ chain: [NIOSSLCertificate]) -> Bool {
        let chain = chain.compactMap { try? $0.toDERBytes() }
        guard judge(chain) else { return false }
        snapshot.remember(chain)
        return true
    }

    private func judge(_ chain: [[UInt8]]) -> Bool {
        guard let verifier = snapshot.verifier else { return true }
        switch verifier.verify(chain: chain, at: Timestamp(seconds: Int64(time(nil)))) {
        case .success(let trusted):
            let subject = trusted.leaf.subject
            state.withLockedValue {
                $0.identity = .certificate(commonName: subject.commonName, subject: subject.rfc2253)
                $0.evidence = .chain(chain)
            }
            return true
        case .failure(let refusal):
            state.withLockedValue { $0.refusal = "\(refusal)" }
            return false
        }
    }

    /// After the handshake: who it is, or `nil` where nobody asked. Throws where a resumed session's certificate is good no
    /// longer: the ticket proves only that it once was.
    func identity(after handler: NIOSSLServerHandler) throws(Refused) -> PeerIdentity? {
        if let identity = state.withLockedValue({ $0.identity }) { return identity }
        guard snapshot.verifier != nil else { return nil }
        guard let leaf = try? handler.peerCertificate?.toDERBytes(), judge(snapshot.remembered(leaf: leaf)) else {
            throw Refused(reason: refusal ?? "the client showed no certificate")
        }
        return state.withLockedValue { $0.identity }
    }

    struct Refused: Error { let reason: String }
}
