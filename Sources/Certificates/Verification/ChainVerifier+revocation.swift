extension ChainVerifier {
    /// Where CRLs are configured, the leaf must be covered by a valid one of its issuer, as with mosquitto's
    /// `crlfile`. Authorities in between are refused if a valid list names them, but need none.
    /// RFC 5280 §6.3, for complete lists signed by the issuer itself
    func objectionToRevocation(of path: [ParsedCertificate], at now: Timestamp) -> Refusal? {
        guard let revocationLists else { return nil }
        for (depth, certificate) in path.enumerated() {
            let isLast = depth == path.count - 1
            if isLast, depth > 0 { break }  // nobody but its owner takes a trusted root back
            let issuer = isLast ? (certificate.isSelfIssued ? certificate : nil) : path[depth + 1]
            let lists = revocationLists[certificate.issuer] ?? []
            let reason: Refusal.Reason?
            switch newest(of: lists, by: issuer, named: "\(certificate.issuer)", at: now) {
            case .success(let list):
                reason = list.entry(forSerialNumber: certificate.serialNumber).flatMap { entry in
                    entry.reason == .removeFromCRL ? nil : .revoked(at: entry.revokedAt, reason: entry.reason)
                }
            case .failure(let missing): reason = depth == 0 && options.needsValidLists ? missing.reason : nil
            }
            if let reason { return Refusal(reason: reason, subject: certificate.displayName, depth: depth) }
        }
        return nil
    }

    private struct Missing: Error { let reason: Refusal.Reason }

    /// The newest list that this issuer signed and that is valid now, or the nearest thing to it.
    private func newest(
        of lists: [CheckedList], by issuer: ParsedCertificate?, named name: String, at now: Timestamp
    ) -> Result<CertificateRevocationList, Missing> {
        guard let issuer, !lists.isEmpty else { return .failure(Missing(reason: .noRevocationList(issuer: name))) }
        if let usage = issuer.extensions.keyUsage, !usage.contains(.cRLSign) {
            // RFC 5280 §6.3.3 (f)
            return .failure(Missing(reason: .revocationListBadSignature(issuer: name)))
        }
        var missing = Missing(reason: .revocationListBadSignature(issuer: name))
        for checked in lists.sorted(by: { $0.list.thisUpdate > $1.list.thisUpdate })
        where checked.isSigned(by: issuer.publicKey) {
            let list = checked.list
            if !options.needsValidLists { return .success(list) }
            if now < list.thisUpdate {
                missing = Missing(reason: .revocationListNotYetValid(issuer: name, from: list.thisUpdate))
                continue
            }
            guard let nextUpdate = list.nextUpdate, now > nextUpdate else { return .success(list) }
            missing = Missing(reason: .revocationListExpired(issuer: name, at: nextUpdate))
        }
        return .failure(missing)
    }
}
