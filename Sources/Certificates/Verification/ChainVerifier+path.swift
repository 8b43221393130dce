/// The search for a way from the leaf to something trusted. Trusted candidates are tried before those the peer sent,
/// and the first way on which every rule holds wins; if there is none, the refusal that came nearest is told.
struct PathSearch {
    let verifier: ChainVerifier
    let presented: [ParsedCertificate]
    let now: Timestamp
    let hostName: HostName?
    /// The refusal that says most.
    private(set) var worst: Refusal?
    private var worstRank = -1
    private var signatureChecks = 0

    init(verifier: ChainVerifier, presented: [ParsedCertificate], now: Timestamp, hostName: HostName?) {
        (self.verifier, self.presented, self.now, self.hostName) = (verifier, presented, now, hostName)
    }

    mutating func find(from leaf: ParsedCertificate) -> [ParsedCertificate]? {
        if verifier.options.pinsLeaf, verifier.anchorSet.contains(leaf), let path = judge([leaf]) { return path }
        return extend([leaf])
    }

    private mutating func extend(_ path: [ParsedCertificate]) -> [ParsedCertificate]? {
        guard let last = path.last else { return nil }
        let isTrusted = verifier.anchorSet.contains(last)
        if isTrusted, last.isSelfIssued || verifier.options.acceptsPartialChain {
            return judge(path)
        }
        guard path.count < ChainVerifier.pathMax else {
            return fail(.tooManyCertificates(limit: ChainVerifier.pathMax), path, rank: 1)
        }
        var found = false
        for candidate in candidates(for: last) where !path.contains(candidate) {
            found = true
            signatureChecks += 1
            guard signatureChecks <= ChainVerifier.signatureChecksMax else { return nil }
            if let reason = objectionToSignature(of: last, by: candidate) {
                fail(reason, path, rank: 2)
                continue
            }
            if let complete = extend(path + [candidate]) { return complete }
        }
        if !found {
            if last.isSelfIssued {
                return fail(path.count == 1 ? .selfSigned : .untrustedRoot, path, rank: 1)
            }
            return fail(.unknownIssuer("\(last.issuer)"), path, rank: 0)
        }
        return nil
    }

    /// Those who bear the issuer's name and do not contradict its key identifier; the trusted ones first, and among
    /// equals those that are valid now, the longest validity first.
    private func candidates(for certificate: ParsedCertificate) -> [ParsedCertificate] {
        let trusted = verifier.anchorsBySubject[certificate.issuer] ?? []
        let sent = presented.filter { $0.subject == certificate.issuer && !verifier.anchorSet.contains($0) }
        func ordered(_ list: [ParsedCertificate]) -> [ParsedCertificate] {
            list.filter { isPossibleIssuer($0, of: certificate) }.sorted { left, right in
                let (leftValid, rightValid) = (isCurrent(left), isCurrent(right))
                if leftValid != rightValid { return leftValid }
                return left.notAfter > right.notAfter
            }
        }
        return ordered(trusted) + ordered(sent)
    }

    private func isCurrent(_ certificate: ParsedCertificate) -> Bool {
        certificate.notBefore <= now && now <= certificate.notAfter
    }

    /// Key identifiers are hints, but where both sides give one and they differ, the key is another one.
    private func isPossibleIssuer(_ issuer: ParsedCertificate, of certificate: ParsedCertificate) -> Bool {
        guard let hint = certificate.extensions.authorityKeyIdentifier else { return true }
        if let wanted = hint.keyIdentifier, let actual = issuer.extensions.subjectKeyIdentifier, wanted != actual {
            return false
        }
        if let serial = hint.serialNumber, serial != issuer.serialNumber { return false }
        let names = hint.issuer.compactMap { if case .directory(let name) = $0 { name } else { nil } }
        return names.isEmpty || names.contains(issuer.issuer)
    }

    private func objectionToSignature(of certificate: ParsedCertificate, by issuer: ParsedCertificate) -> Refusal
        .Reason?
    {
        let algorithm = certificate.signatureAlgorithm
        if algorithm.isWeak { return .weakSignature(algorithm.name) }
        guard algorithm.isKnown else { return .unsupportedSignature(algorithm.name) }
        return certificate.isSigned(by: issuer.publicKey) ? nil : .badSignature(issuer: "\(issuer.subject)")
    }

    private mutating func judge(_ path: [ParsedCertificate]) -> [ParsedCertificate]? {
        guard let refusal = verifier.objection(to: path, at: now, hostName: hostName) else { return path }
        keep(refusal, rank: 3)
        return nil
    }

    @discardableResult
    private mutating func fail(_ reason: Refusal.Reason, _ path: [ParsedCertificate], rank: Int)
        -> [ParsedCertificate]?
    {
        keep(Refusal(reason: reason, subject: path.last?.displayName ?? "", depth: path.count - 1), rank: rank)
        return nil
    }

    private mutating func keep(_ refusal: Refusal, rank: Int) {
        if rank > worstRank { (worst, worstRank) = (refusal, rank) }
    }
}
