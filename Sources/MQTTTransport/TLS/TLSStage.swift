package import NIOSSL

/// The handlers that make one connection TLS, and what they learn of the peer.
package final class TLSStage {
    /// First of the two.
    package let witness = AlertWitness()
    package let handler: NIOSSLServerHandler
    let proof: PeerProof

    init(_ handler: NIOSSLServerHandler, _ proof: PeerProof) {
        self.handler = handler
        self.proof = proof
    }

    /// Why the handshake failed.
    func reason(_ error: any Error) -> String {
        TLSFailure.text(error, refusal: proof.refusal, alert: witness.alert)
    }
}
