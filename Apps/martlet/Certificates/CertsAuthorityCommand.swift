import ArgumentParser
import Certificates

/// `martlet certs ca`: an authority of one's own.
struct CertsAuthorityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Make a certificate authority: ca.crt and ca.key.",
        discussion: """
            The certificate goes to everybody who is to trust what the authority issues. The key stays with you: whoever
            has it can make certificates that all of them believe. --encrypt puts it behind a passphrase.

            Examples:    martlet certs ca
                         martlet certs ca --subject "/C=DE/O=Ours/CN=Our MQTT CA" --days 365 --encrypt
            """)

    @Option(help: "Its name, as OpenSSL writes names.")
    var subject = "/O=Martlet/CN=Martlet CA"

    @Option(help: "How long it is valid.")
    var days = 3650

    @Option(help: "The certificate to write; the key lies beside it, with .key.")
    var out = "ca.crt"

    @Flag(help: "Replace files that are there.")
    var force = false

    @OptionGroup var newKey: NewKeyOptions

    func run() throws {
        try CertsCommand.reporting {
            try CertsCommand.requireDays(days)
            let keyPath = AuthorityOptions.keyPath(for: out)
            for path in [out, keyPath] { try CertsCommand.requireFree(path, force: force) }
            var generator = SystemRandomNumberGenerator()
            let authority = try CertificateAuthority.make(
                subject: DistinguishedName(slashes: subject), key: newKey.make(), from: CertsCommand.now, days: days,
                using: &generator)
            try SecureFile.write(newKey.pem(authority.key), to: keyPath, mode: SecureFile.secret)
            try SecureFile.write(authority.certificate.pem, to: out, mode: SecureFile.open)
            print(
                "\(out): the authority's certificate, valid until \(authority.certificate.notAfter). Give it to everybody."
            )
            print("\(keyPath): its key. Keep it to yourself.")
        }
    }
}

/// Which authority issues.
struct AuthorityOptions: ParsableArguments {
    @Option(help: "The authority's certificate.")
    var ca = "ca.crt"

    @Option(help: "Its key; by default the file beside it, with .key.")
    var caKey: String?

    @Option(help: "Read the passphrase of the authority's key from this file.")
    var caPassphraseFile: String?

    @Option(help: "Read the passphrase of the authority's key from this environment variable.")
    var caPassphraseEnv: String?

    func load() throws -> CertificateAuthority {
        guard SecureFile.exists(ca) else {
            throw SecureFile.Fault(
                path: ca, reason: "no such file; make an authority first: martlet certs ca --out \(ca)")
        }
        var passphrase = PassphraseOptions()
        passphrase.passphraseFile = caPassphraseFile
        passphrase.passphraseEnv = caPassphraseEnv
        let certificate = try CertsCommand.certificates(ca)[0]
        let key = try passphrase.key(caKey ?? Self.keyPath(for: ca), names: PassphraseOptions.authorityNames)
        return try CertificateAuthority(certificate: certificate, key: key)
    }

    /// `ca.crt` → `ca.key`
    static func keyPath(for certificate: String) -> String { replacing(certificate, with: ".key") }

    static func replacing(_ path: String, with suffix: String) -> String {
        for known in [".crt", ".pem", ".cer", ".cert"] where path.hasSuffix(known) {
            return path.dropLast(known.count) + suffix
        }
        return path + suffix
    }
}
