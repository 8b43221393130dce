/// Judges a chain of certificates: who is trusted, what must hold, and what was taken back.
///
/// A value, made when configuration is read and asked at every handshake, on the event loop: no files, no waiting, no
/// clock of its own. NIOSSL's own verification knows neither CRLs nor exceptions for dates nor a pinned leaf, and
/// swift-certificates' verifier is asynchronous, so the walk of RFC 5280 §6 is ours; `CertificatesTests` compares its
/// verdicts with OpenSSL's. The search is in `ChainVerifier+path`, the rules in `ChainVerifier+rules`, revocation in
/// `ChainVerifier+revocation`.
package struct ChainVerifier: Sendable {
    package struct Options: Sendable {
        package var purpose: Purpose
        /// The host a client asked for; `nil` leaves the name unchecked.
        package var hostName: HostName?
        /// False ignores the dates of certificates, for devices without a clock. CRLs grow old all the same.
        package var checksDates = true
        /// A trusted certificate ends the chain even if it is no root, as `openssl verify -partial_chain`.
        package var acceptsPartialChain = false
        /// A trusted certificate that is shown itself, byte for byte, is accepted. [TLS-4]
        package var pinsLeaf = false
        /// False takes a CRL however old it is, and does without where there is none: for a second look at somebody who was
        /// let in before, when only a certificate taken back counts.
        package var needsValidLists = true

        package init(
            purpose: Purpose, hostName: HostName? = nil, checksDates: Bool = true, acceptsPartialChain: Bool = false,
            pinsLeaf: Bool = false
        ) {
            (self.purpose, self.hostName, self.checksDates) = (purpose, hostName, checksDates)
            (self.acceptsPartialChain, self.pinsLeaf) = (acceptsPartialChain, pinsLeaf)
        }
    }

    package var options: Options
    let anchors: [ParsedCertificate]
    let anchorSet: Set<ParsedCertificate>
    let anchorsBySubject: [DistinguishedName: [ParsedCertificate]]
    /// `nil` where no CRL file is configured. An empty list refuses everything, as it should.
    let revocationLists: [DistinguishedName: [CheckedList]]?

    /// A CRL, and the trusted keys that were found to have signed it: a list of megabytes is not hashed again at
    /// every handshake.
    struct CheckedList: Sendable {
        let list: CertificateRevocationList
        let signers: [PublicKey]

        func isSigned(by key: PublicKey) -> Bool { signers.contains(key) || list.isSigned(by: key) }
    }

    /// - Parameters:
    ///   - anchors: what is trusted. Only self-signed ones end a chain unless `acceptsPartialChain`; others serve as
    ///     authorities in between.
    ///   - revocationLists: `nil` when none are configured; otherwise every leaf needs a valid list of its issuer.
    package init(
        anchors: [ParsedCertificate], revocationLists: [CertificateRevocationList]? = nil, options: Options
    ) {
        self.options = options
        self.anchors = anchors
        anchorSet = Set(anchors)
        let bySubject = Dictionary(grouping: anchors, by: \.subject)
        anchorsBySubject = bySubject
        self.revocationLists = revocationLists.map { lists in
            let checked = lists.map { list in
                CheckedList(
                    list: list,
                    signers: (bySubject[list.issuer] ?? []).map(\.publicKey).filter { list.isSigned(by: $0) })
            }
            return Dictionary(grouping: checked, by: \.list.issuer)
        }
    }

    /// From the one that was shown to the one that is trusted.
    package struct TrustedChain: Sendable {
        package let certificates: [ParsedCertificate]
        package var leaf: ParsedCertificate { certificates[0] }
    }

    package typealias Verdict = Result<TrustedChain, Refusal>

    /// As many as a peer may send.
    package static let presentedMax = 16
    /// As many as a path may have, both ends counted.
    static let pathMax = 10
    /// As many signatures as one chain may cost us; cross-signed mazes end here.
    static let signatureChecksMax = 64

    /// - Parameter chain: in DER, the peer's own certificate first, the rest in any order.
    package func verify(chain: [[UInt8]], at now: Timestamp, hostName: HostName? = nil) -> Verdict {
        guard chain.count <= Self.presentedMax else {
            return .failure(
                Refusal(reason: .tooManyCertificates(limit: Self.presentedMax), subject: "", depth: 0))
        }
        var certificates: [ParsedCertificate] = []
        for (depth, der) in chain.enumerated() {
            do { certificates.append(try ParsedCertificate(der: der)) } catch {
                return .failure(Refusal(reason: .malformed("\(error)"), subject: "", depth: depth))
            }
        }
        return verify(certificates, at: now, hostName: hostName)
    }

    package func verify(_ chain: [ParsedCertificate], at now: Timestamp, hostName: HostName? = nil) -> Verdict {
        guard let leaf = chain.first else {
            return .failure(Refusal(reason: .noCertificate, subject: "", depth: 0))
        }
        guard chain.count <= Self.presentedMax else {
            return .failure(
                Refusal(reason: .tooManyCertificates(limit: Self.presentedMax), subject: "", depth: 0))
        }
        var search = PathSearch(
            verifier: self, presented: Array(chain.dropFirst()), now: now, hostName: hostName ?? options.hostName)
        if let path = search.find(from: leaf) { return .success(TrustedChain(certificates: path)) }
        return .failure(
            search.worst
                ?? Refusal(reason: .unknownIssuer("\(leaf.issuer)"), subject: leaf.displayName, depth: 0))
    }
}
