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
            try CertsCommand.requireDays(days)
            let why = try reason.map(Self.reason)
            let path = crl ?? AuthorityOptions.replacing(authority.ca, with: ".crl")
            let loaded = try authority.load()
            // Of two that write the list at the same time, the later would take back what the earlier put on it.
            let lock = try FolderLock(of: path)
            defer { extendLifetime(lock) }
            let now = CertsCommand.now
            var all = try current(path)
            let own = try place(in: all, path, loaded)
            var list =
                try own.map { all[$0] }
                ?? CertificateRevocationList(
                    issuer: loaded.certificate, key: loaded.key, entries: [], thisUpdate: now,
                    nextUpdate: now.adding(days: days), number: [0])
            for file in files {
                let certificate = try CertsCommand.certificates(file)[0]
                guard certificate.issuer == loaded.certificate.subject,
                    certificate.isSigned(by: loaded.certificate.publicKey)
                else { throw SecureFile.Fault(path: file, reason: "was not issued by \(authority.ca)") }
                guard certificate.der != loaded.certificate.der else {
                    throw SecureFile.Fault(
                        path: file, reason: "is the authority itself: to end all of it, take it out of the cafile")
                }
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
            if let own { all[own] = list } else { all.append(list) }
            try SecureFile.write(all.map(\.pem).joined(), to: path, mode: SecureFile.open)
            print("\(path): \(list.entries.count) revoked, valid until \(now.adding(days: days))")
        }
    }

    /// The lists of the file: a listener with several authorities names one file for all of them.
    private func current(_ path: String) throws -> [CertificateRevocationList] {
        guard SecureFile.exists(path) else { return [] }
        return try PEMBundle.revocationLists(in: try SecureFile.read(path), file: path)
    }

    /// Which of them is this authority's; it must be its own word, or it would be signed anew unseen. nil = the file is new.
    private func place(
        in lists: [CertificateRevocationList], _ path: String, _ authority: CertificateAuthority
    ) throws -> Int? {
        guard !lists.isEmpty else { return nil }
        let found = lists.firstIndex {
            $0.issuer == authority.certificate.subject && $0.isSigned(by: authority.certificate.publicKey)
        }
        guard let found else { throw SecureFile.Fault(path: path, reason: "is the CRL of another authority") }
        return found
    }

    private static func reason(_ text: String) throws -> RevocationReason {
        guard let found = RevocationReason.allCases.first(where: { "\($0)".lowercased() == text.lowercased() }),
            found != .removeFromCRL
        else { throw ValidationError("\(text) is no reason; see --help.") }
        return found
    }
}
