package import Certificates

/// Something a listener's TLS needs that runs out one day.
package struct DatedDocument: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// `certfile`: the server's own, and those sent along.
        case certificate = "certfile"
        /// `cafile`, or a file of `capath`.
        case authority = "cafile"
        /// `crlfile`.
        case revocationList = "crlfile"
    }

    package let kind: Kind
    package let file: String
    /// Whose it is: a subject, or a CRL's issuer.
    package let name: String
    /// The last moment it counts.
    package let end: Timestamp

    package init(kind: Kind, file: String, name: String, end: Timestamp) {
        (self.kind, self.file, self.name, self.end) = (kind, file, name, end)
    }

    static func certificates(_ certificates: [ParsedCertificate], _ kind: Kind, _ file: String) -> [DatedDocument] {
        certificates.map { DatedDocument(kind: kind, file: file, name: $0.displayName, end: $0.notAfter) }
    }

    /// Of several lists of one issuer the last one counts.
    static func lists(_ lists: [CertificateRevocationList], _ file: String) -> [DatedDocument] {
        var last: [DistinguishedName: Timestamp] = [:]
        var order: [DistinguishedName] = []
        for list in lists {
            guard let end = list.nextUpdate else { continue }
            if let known = last[list.issuer] {
                last[list.issuer] = max(known, end)
            } else {
                last[list.issuer] = end
                order.append(list.issuer)
            }
        }
        return order.map { issuer in
            DatedDocument(
                kind: .revocationList, file: file, name: "\(issuer)", end: last[issuer] ?? Timestamp(seconds: 0))
        }
    }
}
