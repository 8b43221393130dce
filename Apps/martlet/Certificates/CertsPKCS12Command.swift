import ArgumentParser
import Certificates

/// `martlet certs p12`: key and certificates in one file, for phones and Java.
struct CertsPKCS12Command: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "p12",
        abstract: "Put a key and its certificate into one PKCS#12 file behind a password.",
        discussion: """
            As OpenSSL 3 writes it: AES-256-CBC, HMAC-SHA-256. --legacy is for Android before 11 and old Java: 3DES and
            SHA-1, which today's OpenSSL opens with -legacy.

            Example:    martlet certs p12 client.crt --ca ca.crt --out client.p12
            """)

    @Argument(help: "The certificate, with those between it and the root after it if there are any.")
    var file: String

    @Option(help: "Its key; by default the file beside it, with .key.")
    var key: String?

    @Option(help: "The authority's certificate, to be put in too.")
    var ca: String?

    @Option(help: "The name that is shown.")
    var name: String?

    @Option(help: "The file to write; by default beside the certificate, with .p12.")
    var out: String?

    @Option(help: "Read the password of the new file from this file.")
    var passwordFile: String?

    @Option(help: "Read the password of the new file from this environment variable.")
    var passwordEnv: String?

    @Flag(help: "For programs that cannot read today's kind.")
    var legacy = false

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var passphrase: PassphraseOptions

    func run() throws {
        try CertsCommand.reporting {
            let target = out ?? AuthorityOptions.replacing(file, with: ".p12")
            try CertsCommand.requireFree(target, force: force)
            let certificates = try CertsCommand.certificates(file)
            let privateKey = try passphrase.key(key ?? AuthorityOptions.keyPath(for: file))
            guard try privateKey.publicKey == certificates[0].publicKey else {
                throw SecureFile.Fault(path: file, reason: "the key is not the one of this certificate")
            }
            let password =
                try passwordFile.map { try Passphrase.firstLine(of: $0) }
                ?? passwordEnv.map { try Passphrase.variable($0) }
                ?? Passphrase.askTwice("Password for \(target): ", instead: "--password-file or --password-env")
            var generator = SystemRandomNumberGenerator()
            let bytes = try PKCS12(
                certificate: certificates[0], key: privateKey,
                authorities: Array(certificates.dropFirst()) + (ca.map { try CertsCommand.certificates($0) } ?? []),
                friendlyName: name
            ).encoded(password: password, strength: legacy ? .legacy : .current, using: &generator)
            try SecureFile.write(bytes, to: target, mode: SecureFile.secret)
            print("\(target): \(certificates[0].displayName) with its key")
        }
    }
}
