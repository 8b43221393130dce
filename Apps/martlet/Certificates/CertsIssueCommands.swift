import ArgumentParser
import Certificates

/// What `server` and `client` share: a new key, and a certificate for it.
struct IssueOptions: ParsableArguments {
    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var newKey: NewKeyOptions

    @Option(help: "How long it is valid; never longer than the authority.")
    var days = 825

    @Option(help: "The certificate to write; the key lies beside it, with .key.")
    var out: String?

    @Flag(help: "Replace files that are there.")
    var force = false

    func issue(
        subject: DistinguishedName, names: [GeneralName], usages: [RawExtension.ExtendedUsage], defaultOut: String
    ) throws {
        try CertsCommand.requireDays(days)
        let path = out ?? defaultOut
        let keyPath = AuthorityOptions.keyPath(for: path)
        for one in [path, keyPath] { try CertsCommand.requireFree(one, force: force) }
        let loaded = try authority.load()
        let key = try newKey.make()
        var generator = SystemRandomNumberGenerator()
        let now = CertsCommand.now
        let certificate = try loaded.issue(
            .init(
                subject: subject, publicKey: try key.publicKey, names: names, usages: usages, from: now,
                until: now.adding(days: days),
                serialNumber: try SerialFile.take(SerialFile.path(forAuthority: authority.ca), using: &generator)))
        try SecureFile.write(newKey.pem(key), to: keyPath, mode: SecureFile.secret)
        try SecureFile.write(certificate.pem, to: path, mode: SecureFile.open)
        let what = names.isEmpty ? certificate.displayName : names.map(\.description).joined(separator: ", ")
        print("\(path): for \(what), valid until \(certificate.notAfter)")
        print("\(keyPath): its key")
    }
}

/// `martlet certs server`: a certificate for a broker.
struct CertsServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Make a key and a certificate for a server.",
        discussion: """
            Every name and address by which clients reach it belongs in the certificate. *.example.org stands for one
            level of names.

            Example:    martlet certs server broker.example.org localhost 127.0.0.1 --out broker.crt
            """)

    @Argument(help: "Host names and addresses; the first one becomes the common name too.")
    var names: [String]

    @OptionGroup var issue: IssueOptions

    func run() throws {
        try CertsCommand.reporting {
            try issue.issue(
                subject: DistinguishedName([("CN", names[0])]),
                names: try names.map { text throws(Malformed) in try GeneralName(text) }, usages: [.serverAuth],
                defaultOut: "server.crt")
        }
    }
}

/// `martlet certs client`: a certificate for somebody who connects.
struct CertsClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Make a key and a certificate for a client.",
        discussion: """
            The name becomes the common name: with `use_identity_as_username true` it is the user of the ACLs.

            Example:    martlet certs client sensor1
            """)

    @Argument(help: "The client's name.")
    var name: String

    @Option(help: "Its whole subject instead, as OpenSSL writes names: /O=Ours/CN=sensor1.")
    var subject: String?

    @OptionGroup var issue: IssueOptions

    func run() throws {
        try CertsCommand.reporting {
            let file = name.map { $0.isLetter || $0.isNumber || "._-@".contains($0) ? $0 : "_" }
            try issue.issue(
                subject: try subject.map { text throws(Malformed) in try DistinguishedName(slashes: text) }
                    ?? DistinguishedName([("CN", name)]), names: [], usages: [.clientAuth],
                defaultOut: String(file) + ".crt")
        }
    }
}
