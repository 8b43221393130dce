extension ChainVerifier {
    /// The first rule that a complete path breaks; `nil` when it may be trusted. RFC 5280 §6.1
    func objection(to path: [ParsedCertificate], at now: Timestamp, hostName: HostName?) -> Refusal? {
        for (depth, certificate) in path.enumerated() {
            let isAnchor = depth == path.count - 1
            let reason =
                objectionToStrength(of: certificate, isAnchor: isAnchor)
                ?? objectionToDates(of: certificate, at: now)
                ?? certificate.extensions.unknownCritical.first.map { .unknownCriticalExtension($0) }
                ?? (depth > 0 ? objectionToAuthority(certificate, at: depth, in: path) : nil)
                ?? objectionToPurpose(of: certificate, isLeaf: depth == 0)
            if let reason { return Refusal(reason: reason, subject: certificate.displayName, depth: depth) }
        }
        if let refusal = objectionToNames(in: path) { return refusal }
        let leaf = path[0]
        if let hostName, !hostName.matches(leaf) {
            let reason = Refusal.Reason.wrongHost(wanted: hostName.description, found: HostName.names(of: leaf))
            return Refusal(reason: reason, subject: leaf.displayName, depth: 0)
        }
        return objectionToRevocation(of: path, at: now)
    }

    /// Who put an old root into the CA file meant it; everybody else needs today's strength.
    private func objectionToStrength(of certificate: ParsedCertificate, isAnchor: Bool) -> Refusal.Reason? {
        if isAnchor { return nil }
        if let weakness = certificate.publicKey.weakness { return .weakKey(weakness) }
        return certificate.publicKey.isUsable ? nil : .unsupportedKey(certificate.publicKey.description)
    }

    private func objectionToDates(of certificate: ParsedCertificate, at now: Timestamp) -> Refusal.Reason? {
        guard options.checksDates else { return nil }
        if now < certificate.notBefore { return .notYetValid(from: certificate.notBefore) }
        if now > certificate.notAfter { return .expired(at: certificate.notAfter) }
        return nil
    }

    /// Whether this one may sign others, and so many of them. RFC 5280 §6.1.4 (k)–(n)
    private func objectionToAuthority(
        _ certificate: ParsedCertificate, at depth: Int, in path: [ParsedCertificate]
    ) -> Refusal.Reason? {
        let extensions = certificate.extensions
        if let usage = extensions.keyUsage, !usage.contains(.keyCertSign) { return .notAnAuthority }
        if let constraints = extensions.basicConstraints {
            guard constraints.isAuthority else { return .notAnAuthority }
            // Self-issued ones in between, as in a change of keys, do not count.
            let below = path[1..<depth].count { !$0.isSelfIssued }
            if let limit = constraints.pathLength, below > limit { return .pathTooLong(limit: limit) }
            return nil
        }
        // A version 1 root has no way to say so; it was trusted by hand. So has a root with key usage alone.
        let isRoot = depth == path.count - 1 && certificate.isSelfIssued
        return isRoot && (certificate.version < 3 || extensions.keyUsage != nil) ? nil : .notAnAuthority
    }

    /// Extended key usage binds authorities as well, as OpenSSL has it: one that is limited to clients makes no
    /// servers. RFC 5280 §4.2.1.12
    private func objectionToPurpose(of certificate: ParsedCertificate, isLeaf: Bool) -> Refusal.Reason? {
        let wanted: String
        let usages: KeyUsage
        switch options.purpose {
        case .any: return nil
        case .client: (wanted, usages) = ("1.3.6.1.5.5.7.3.2", [.digitalSignature, .keyAgreement])
        case .server: (wanted, usages) = ("1.3.6.1.5.5.7.3.1", [.digitalSignature, .keyEncipherment, .keyAgreement])
        }
        if let purposes = certificate.extensions.extendedKeyUsage, !purposes.contains(wanted) {
            return .wrongPurpose(options.purpose)
        }
        if isLeaf, let usage = certificate.extensions.keyUsage, usage.isDisjoint(with: usages) {
            return .wrongPurpose(options.purpose)
        }
        return nil
    }

    // MARK: - Name constraints

    /// Every authority's constraints hold for everything below it. RFC 5280 §6.1.3 (b), (c)
    private func objectionToNames(in path: [ParsedCertificate]) -> Refusal? {
        for (depth, authority) in path.enumerated().dropFirst() {
            guard let constraints = authority.extensions.nameConstraints else { continue }
            for (below, certificate) in path[..<depth].enumerated() where below == 0 || !certificate.isSelfIssued {
                let names = Self.constrainedNames(of: certificate, isLeaf: below == 0)
                guard names.count * (constraints.permitted.count + constraints.excluded.count) <= Self.comparisonsMax
                else {
                    return Refusal(
                        reason: .nameNotPermitted("too many names to compare"), subject: certificate.displayName,
                        depth: below)
                }
                if let why = names.lazy.compactMap({ constraints.objection(to: $0) }).first {
                    return Refusal(reason: .nameNotPermitted(why), subject: certificate.displayName, depth: below)
                }
            }
        }
        return nil
    }

    /// Names times constraints; beyond it somebody wants to keep us busy.
    private static let comparisonsMax = 1 << 16

    private static func constrainedNames(of certificate: ParsedCertificate, isLeaf: Bool) -> [GeneralName] {
        var names = certificate.extensions.subjectAlternativeNames ?? []
        if !certificate.subject.isEmpty { names.append(.directory(certificate.subject)) }
        if let mailbox = certificate.subject.last("1.2.840.113549.1.9.1") { names.append(.email(mailbox)) }
        let hasHost = names.contains { if case .dns = $0 { true } else { false } }
        // Where the common name serves as host name, it is bound like one.
        if isLeaf, !hasHost, let commonName = certificate.subject.commonName, Self.looksLikeHost(commonName) {
            names.append(.dns(commonName))
        }
        return names
    }

    private static func looksLikeHost(_ text: String) -> Bool {
        text.contains(".") && IPAddress(text) == nil
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20)
                    || [0x2D, 0x2E, 0x2A, 0x5F].contains($0)
            }
    }
}
