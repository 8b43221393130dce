import ArgumentParser
import Certificates

/// `martlet certs key`: a private key alone.
struct CertsKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make a private key.",
        discussion: "Example:    martlet certs key client.key --rsa-bits 3072 --encrypt")

    @Argument(help: "The file to write.")
    var out: String

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var newKey: NewKeyOptions

    func run() throws {
        try CertsCommand.reporting {
            try CertsCommand.requireFree(out, force: force)
            let key = try newKey.make()
            try SecureFile.write(newKey.pem(key), to: out, mode: SecureFile.secret)
            print("\(out): \(try key.publicKey), readable by you alone")
        }
    }
}

/// `martlet certs csr`: asks an authority for a certificate.
struct CertsRequestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "csr", abstract: "Make a request for a certificate from a key.",
        discussion: """
            The key never leaves your machine: only the request goes to the authority.

            Example:    martlet certs csr --key client.key --subject /CN=foobar --out client.csr
            """)

    @Option(help: "The private key.")
    var key: String

    @Option(help: "Who asks, as OpenSSL writes names: /C=DE/O=Ours/CN=broker.example.")
    var subject: String

    @Option(
        name: .customLong("name"), help: "A host name, address, e-mail or URL it is for; may be given several times.")
    var names: [String] = []

    @Option(help: "The file to write; without it standard output.")
    var out: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var passphrase: PassphraseOptions

    func run() throws {
        try CertsCommand.reporting {
            let names = try names.map { text throws(Malformed) in try GeneralName(text) }
            let request = try CertificateRequest(
                subject: DistinguishedName(slashes: subject), key: passphrase.key(key),
                extensions: names.isEmpty ? [] : [.subjectAlternativeNames(names)])
            guard let out else {
                print(request.pem, terminator: "")
                return
            }
            try CertsCommand.write(request.pem, to: out, mode: SecureFile.open, force: force)
            print("\(out): a request for \(request.subject)")
        }
    }
}

/// `martlet certs sign`: the authority's answer.
struct CertsSignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign a request with an authority.",
        discussion: """
            The names the request asks for are copied, --name adds more; a server without any gets its common name. The
            serial number goes on in ca.srl, as OpenSSL's does: either program may go on where the other stopped.

            Without --server or --client the certificate serves for both.

            Example:    martlet certs sign client.csr --client --out client.crt
            """)

    @Argument(help: "The request, PEM or DER.")
    var request: String

    @OptionGroup var authority: AuthorityOptions

    @Option(help: "The certificate to write.")
    var out: String

    @Option(help: "How long it is valid; never longer than the authority.")
    var days = 365

    @Option(name: .customLong("name"), help: "One more host name, address, e-mail or URL; may be given several times.")
    var names: [String] = []

    @Flag(help: "For a server alone.")
    var server = false

    @Flag(help: "For a client alone.")
    var client = false

    @Flag(help: "Replace a file that is there.")
    var force = false

    func run() throws {
        try CertsCommand.reporting {
            try CertsCommand.requireDays(days)
            try CertsCommand.requireFree(out, force: force)
            let asked = try CertificateRequest(file: SecureFile.read(request), name: request)
            let usages: [RawExtension.ExtendedUsage] =
                server == client ? [.serverAuth, .clientAuth] : server ? [.serverAuth] : [.clientAuth]
            let loaded = try authority.load()
            // Before the serial number is taken: what is refused costs none.
            guard asked.isSignedByItsKey else { throw CertificateAuthority.Fault.requestNotSigned }
            var generator = SystemRandomNumberGenerator()
            let serial = try SerialFile.take(SerialFile.path(forAuthority: authority.ca), using: &generator)
            let now = CertsCommand.now
            let certificate = try loaded.sign(
                asked, names: try names.map { text throws(Malformed) in try GeneralName(text) }, usages: usages,
                from: now, until: now.adding(days: days), serialNumber: serial)
            try SecureFile.write(certificate.pem, to: out, mode: SecureFile.open)
            print(
                "\(out): \(certificate.displayName), serial number \(SerialNumber.text(serial)), until \(certificate.notAfter)"
            )
        }
    }
}
