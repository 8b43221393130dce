import ArgumentParser
import Certificates

/// `martlet certs inspect`: what is in a file.
struct CertsInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show what is in certificates, requests, CRLs, keys and PKCS#12 files.",
        discussion: "Example:    martlet certs inspect server.crt ca.crl")

    @Argument(help: "Files, PEM or DER.")
    var files: [String]

    @OptionGroup var passphrase: PassphraseOptions

    func run() throws {
        try CertsCommand.reporting {
            for file in files {
                let bytes = try SecureFile.read(file)
                print(try text(bytes, file), terminator: "")
            }
        }
    }

    private func text(_ bytes: [UInt8], _ file: String) throws -> String {
        let now = CertsCommand.now
        guard PEMBundle.isPEM(bytes) else {
            if let certificate = try? ParsedCertificate(der: bytes) { return certificate.text(at: now) }
            if let list = try? CertificateRevocationList(der: bytes) { return list.text(at: now) }
            if let request = try? CertificateRequest(der: bytes) { return try request.text() }
            if PKCS12.isOne(bytes) { return try bundle(bytes, file, now) }
            return try key(bytes, file)
        }
        var texts: [String] = []
        for (index, block) in try PEMBundle(bytes, file: file).blocks.enumerated() {
            do {
                switch block.label {
                case "CERTIFICATE", "X509 CERTIFICATE":
                    texts.append(try ParsedCertificate(der: block.der).text(at: now))
                case "X509 CRL": texts.append(try CertificateRevocationList(der: block.der).text(at: now))
                case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
                    texts.append(try CertificateRequest(der: block.der).text())
                case "EC PARAMETERS": break
                case let label where label.hasSuffix("PRIVATE KEY"): texts.append(try key(bytes, file))
                case let label: texts.append("\(label): \(block.der.count) bytes\n")
                }
            } catch let fault as Malformed {
                throw PEMBundle.Fault(file: file, block: index + 1, line: block.line, reason: "\(fault)")
            }
        }
        guard !texts.isEmpty else { throw PEMBundle.Fault(file: file, reason: "neither PEM nor DER") }
        return texts.joined(separator: "\n")
    }

    private func bundle(_ bytes: [UInt8], _ file: String, _ now: Timestamp) throws -> String {
        let contents = try passphrase.bundle(bytes, file)
        let key = try contents.key.map { try Self.text($0) }
        return ([key ?? "No private key\n"] + contents.certificates.map { $0.text(at: now) }).joined(separator: "\n")
    }

    private func key(_ bytes: [UInt8], _ file: String) throws -> String { try Self.text(passphrase.key(file)) }

    private static func text(_ key: PrivateKey) throws -> String {
        let key = try key.publicKey
        return "Private key: \(key), identifier \(Hexadecimal.colons(key.identifier))\n"
    }
}

/// `martlet certs verify`: whether a chain holds, and if not, why.
struct CertsVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check a certificate as the broker and the clients do.",
        discussion: """
            Prints the chain and "OK", or what is wrong with which certificate and what helps. Strict by default, as
            `openssl verify`: --partial-chain lets any certificate of --cafile end the chain, --pin accepts exactly one
            that lies there, such as a server's own.

            Exit status: 0 it holds, 1 it does not.

            Example:    martlet certs verify server.crt --cafile ca.crt --purpose server --host broker.example
            """)

    @Argument(help: "The certificate, with the ones between it and the root after it if there are any.")
    var file: String

    @Option(name: [.customLong("cafile"), .customLong("ca")], help: "What is trusted.")
    var cafile = "ca.crt"

    @Option(help: "More certificates between it and the root.")
    var untrusted: [String] = []

    @Option(help: "CRLs of the authorities; the certificate's issuer must have one.")
    var crlfile: String?

    @Option(help: "server, client or any.")
    var purpose: String?

    @Option(help: "The host name or address it is asked for; implies --purpose server.")
    var host: String?

    @Flag(help: "Any certificate of --cafile ends the chain.")
    var partialChain = false

    @Flag(help: "Accept exactly the certificate itself if it lies in --cafile.")
    var pin = false

    @Flag(help: "Do not look at the dates of certificates.")
    var ignoreDates = false

    func run() throws {
        try CertsCommand.reporting {
            let wanted = purpose ?? (host == nil ? "any" : "server")
            guard let purpose = Purpose(rawValue: wanted) else {
                throw ValidationError("--purpose is server, client or any, not \(wanted).")
            }
            let lists = try crlfile.map { try PEMBundle.revocationLists(in: try SecureFile.read($0), file: $0) }
            let verifier = ChainVerifier(
                anchors: try CertsCommand.certificates(cafile), revocationLists: lists,
                options: .init(
                    purpose: purpose, hostName: host.map { HostName($0) }, checksDates: !ignoreDates,
                    acceptsPartialChain: partialChain, pinsLeaf: pin))
            let chain = try CertsCommand.certificates(file) + untrusted.flatMap { try CertsCommand.certificates($0) }
            switch verifier.verify(chain, at: CertsCommand.now) {
            case .success(let trusted):
                print("\(file): \(Terminal.green("OK"))")
                for (depth, one) in trusted.certificates.enumerated() {
                    print("  \(depth): \(one.displayName), until \(one.notAfter)")
                }
            case .failure(let refusal):
                if case .wrongHost = refusal.reason {
                    Terminal.complain("Error: host name verification failed.")  // [TLS-2]
                }
                print("\(file): \(Terminal.red("refused")): \(refusal)")
                throw CertsCommand.failed
            }
        }
    }
}

/// `martlet certs hex`: a file as hexadecimal digits.
struct CertsHexCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hex", abstract: "Print a file as hexadecimal digits, nothing between them.",
        discussion: """
            The same as hexdump -v -e '1/1 "%02x"' FILE: for configurations that hold certificates as digits.

            Example:    martlet certs hex ca.der
            """)

    @Argument(help: "Any file.")
    var file: String

    func run() throws {
        try CertsCommand.reporting { print(Hexadecimal.lower(try SecureFile.read(file)), terminator: "") }
    }
}
