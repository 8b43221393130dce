import ArgumentParser
import Certificates

/// `martlet certs revoke`: takes certificates back.
struct CertsRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take certificates back: write the authority's CRL.",
        discussion: """
            A broker whose configuration names the CRL as crlfile refuses who is on it, once it has read it. A
            CRL has an end, so that nobody can hide a newer one: renew it in time, without naming a certificate.

            Reasons: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation,
            certificateHold, privilegeWithdrawn.

            Examples:    martlet certs revoke sensor1.crt --reason keyCompromise
                         martlet certs revoke                        (a new CRL, nobody added)
            """)

    @Argument(help: "Certificates of this authority; none only renews the CRL.")
    var files: [String] = []

    @OptionGroup var authority: AuthorityOptions

    @Option(help: "The CRL to write or to go on with; by default beside the authority's certificate, with .crl.")
    var crl: String?

    @Option(help: "Why.")
    var reason: String?

    @Option(help: "How long the CRL is valid.")
    var days = 30

    func run() throws {
        try CertsCommand.reporting {
            guard days > 0 else { throw ValidationError("--days must be 1 or more.") }
            let why = try reason.map(Self.reason)
            let path = crl ?? AuthorityOptions.replacing(authority.ca, with: ".crl")
            let loaded = try authority.load()
            let now = CertsCommand.now
            var list = try current(path, loaded, now)
            for file in files {
                let certificate = try CertsCommand.certificates(file)[0]
                guard certificate.issuer == loaded.certificate.subject,
                    certificate.isSigned(by: loaded.certificate.publicKey)
                else { throw SecureFile.Fault(path: file, reason: "was not issued by \(authority.ca)") }
                let isNew = list.entry(forSerialNumber: certificate.serialNumber) == nil
                list = try list.adding(
                    .init(serialNumber: certificate.serialNumber, revokedAt: now, reason: why),
                    issuer: loaded.certificate, key: loaded.key, thisUpdate: now, nextUpdate: now.adding(days: days))
                print("\(file): \(certificate.displayName) \(isNew ? "is revoked" : "was revoked already")")
            }
            if files.isEmpty {
                list = try list.adding(
                    nil, issuer: loaded.certificate, key: loaded.key, thisUpdate: now,
                    nextUpdate: now.adding(days: days))
            }
            try SecureFile.write(list.pem, to: path, mode: SecureFile.open)
            print("\(path): \(list.entries.count) revoked, valid until \(now.adding(days: days))")
        }
    }

    /// What was revoked before; it must be this authority's own word, or it would be signed anew unseen.
    private func current(_ path: String, _ authority: CertificateAuthority, _ now: Timestamp) throws
        -> CertificateRevocationList
    {
        guard SecureFile.exists(path) else {
            return try CertificateRevocationList(
                issuer: authority.certificate, key: authority.key, entries: [], thisUpdate: now,
                nextUpdate: now.adding(days: days), number: [0])
        }
        let list = try PEMBundle.revocationLists(in: try SecureFile.read(path), file: path)[0]
        guard list.issuer == authority.certificate.subject, list.isSigned(by: authority.certificate.publicKey) else {
            throw SecureFile.Fault(path: path, reason: "is the CRL of another authority")
        }
        return list
    }

    private static func reason(_ text: String) throws -> RevocationReason {
        guard let found = RevocationReason.allCases.first(where: { "\($0)".lowercased() == text.lowercased() }),
            found != .removeFromCRL
        else { throw ValidationError("\(text) is no reason; see --help.") }
        return found
    }
}
