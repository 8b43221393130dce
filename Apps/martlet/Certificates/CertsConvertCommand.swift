import ArgumentParser
import Certificates
import Glibc

/// `martlet certs convert`: between PEM and DER, and between the formats of keys.
struct CertsConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert certificates, CRLs, requests and keys between PEM and DER, PKCS#1, SEC1 and PKCS#8.",
        discussion: """
            Byte for byte what OpenSSL writes. Several certificates become several DER documents one after the other,
            and back. A key becomes PKCS#8 unless --traditional; with a passphrase option and --encrypt it is encrypted.
            A PKCS#12 file becomes its key, its certificate and the others of the chain, one after the other.

            Examples:    martlet certs convert server.crt --to der --out server.der
                         martlet certs convert old.key --to der --out key.p8
                         martlet certs convert chain.der --to pem
                         martlet certs convert client.p12 --to pem --out client.pem
            """)

    @Argument(help: "The file: PEM, DER or PKCS#12.")
    var file: String

    @Option(help: "pem or der.")
    var to: String

    @Option(help: "The file to write; without it standard output.")
    var out: String?

    @Flag(help: "A key in its older format: PKCS#1 (RSA PRIVATE KEY) or SEC1 (EC PRIVATE KEY).")
    var traditional = false

    @Flag(help: "Encrypt the key that is written (PKCS#8); its new passphrase is asked for or read.")
    var encrypt = false

    @Option(help: "Read the passphrase for the key that is written from this file.")
    var newPassphraseFile: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var passphrase: PassphraseOptions

    func run() throws {
        try CertsCommand.reporting {
            guard ["pem", "der"].contains(to.lowercased()) else {
                throw ValidationError("--to is pem or der, not \(to).")
            }
            guard !(traditional && encrypt) else {
                throw ValidationError("The older formats are not encrypted; leave --traditional or --encrypt out.")
            }
            let bytes = try SecureFile.read(file)
            let (documents, isSecret) = try read(bytes)
            let isPEM = to.lowercased() == "pem"
            let output = documents.flatMap { document in
                isPEM ? Array(PEMBundle.text(label: document.label, der: document.der).utf8) : document.der
            }
            guard let out else {
                _ = output.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
                return
            }
            try CertsCommand.requireFree(out, force: force)
            try SecureFile.write(output, to: out, mode: isSecret ? SecureFile.secret : SecureFile.open)
        }
    }

    private typealias Document = (label: String, der: [UInt8])

    private func read(_ bytes: [UInt8]) throws -> (documents: [Document], isSecret: Bool) {
        if PEMBundle.isPEM(bytes) {
            let blocks = try PEMBundle(bytes, file: file).blocks
            let keys = blocks.filter { $0.label.hasSuffix("PRIVATE KEY") }
            if !keys.isEmpty { return (try withKey(blocks, keys: keys.count), true) }
            guard !blocks.isEmpty else { throw PEMBundle.Fault(file: file, reason: "neither PEM nor DER") }
            return (blocks.map { ($0.label, $0.der) }, false)
        }
        let parts = try DERSplit.documents(in: bytes, file: file)
        if let first = parts.first, parts.count == 1, let label = Self.label(of: first) {
            return ([(label, first)], false)
        }
        if parts.count > 1 {
            return (
                try parts.enumerated().map { index, part in
                    guard let label = Self.label(of: part) else {
                        throw PEMBundle.Fault(file: file, block: index + 1, reason: "not a certificate")
                    }
                    return (label, part)
                }, false
            )
        }
        if PKCS12.isOne(bytes) {
            guard to.lowercased() == "pem" else {
                throw ValidationError(
                    "A PKCS#12 file holds a key and certificates, which only PEM keeps apart: --to pem.")
            }
            let contents = try passphrase.bundle(bytes, file)
            let key = try contents.key.map { [try document(of: $0)] } ?? []
            return (key + contents.certificates.map { ("CERTIFICATE", $0.der) }, contents.key != nil)
        }
        return ([try key()], true)
    }

    /// A key alone, or among certificates: none of them is left out unsaid.
    private func withKey(_ blocks: [PEMBundle.Block], keys: Int) throws -> [Document] {
        guard keys == 1 else {
            throw PEMBundle.Fault(file: file, reason: "holds \(keys) private keys: put each into a file of its own")
        }
        let all = blocks.filter { $0.label != "EC PARAMETERS" }
        guard all.count == 1 || to.lowercased() == "pem" else {
            throw ValidationError("\(file) holds a key and certificates, which only PEM keeps apart: --to pem.")
        }
        let key = try key()
        return all.map { block -> Document in
            block.label.hasSuffix("PRIVATE KEY") ? key : (label: block.label, der: block.der)
        }
    }

    private static func label(of der: [UInt8]) -> String? {
        if (try? ParsedCertificate(der: der)) != nil { return "CERTIFICATE" }
        if (try? CertificateRevocationList(der: der)) != nil { return "X509 CRL" }
        return (try? CertificateRequest(der: der)) != nil ? "CERTIFICATE REQUEST" : nil
    }

    private func key() throws -> Document { try document(of: try passphrase.key(file)) }

    private func document(of key: PrivateKey) throws -> Document {
        if traditional {
            guard let older = key.traditional else { throw KeyFault.unsupported("Ed25519 has no older format") }
            return older
        }
        guard encrypt || newPassphraseFile != nil else { return ("PRIVATE KEY", key.pkcs8) }
        let secret =
            try newPassphraseFile.map { try Passphrase.firstLine(of: $0) }
            ?? Passphrase.askTwice("New passphrase: ", instead: "--new-passphrase-file")
        return ("ENCRYPTED PRIVATE KEY", try EncryptedPKCS8.encrypt(key.pkcs8, passphrase: secret))
    }
}
