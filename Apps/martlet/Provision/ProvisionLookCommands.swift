import ArgumentParser
import Certificates
import MQTTClientPKCS11

/// `martlet provision csr`: asks for a certificate for a key of the store, which signs the request itself.
struct ProvisionRequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "csr", abstract: "Make a request for a certificate; the store signs it.",
        discussion: """
            The common name is best the device's identifier: the demo and brokers with use_identity_as_username go by it.

            Example:    martlet provision csr --subject /CN=device-7 --store keys --out device.csr
            """)

    @Option(help: "Who asks, as OpenSSL writes names: /O=Ours/CN=device-7.")
    var subject: String

    @Option(help: "The file to write; without it standard output.")
    var out: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var place: StoreOptions
    @OptionGroup var labels: LabelOptions

    func run() async throws {
        try await StoreOptions.reporting {
            let (store, named) = try place.open()
            let key = labels.key(named)
            let publicKey = try PublicKey(der: try await store.publicKey(of: key))
            let request = try UnsignedRequest(
                subject: DistinguishedName(slashes: subject), publicKey: publicKey, extensions: [])
            let signed = try request.signed(try await store.sign(request.bytes, with: key))
            guard let out else {
                print(signed.pem, terminator: "")
                return
            }
            try CertsCommand.write(signed.pem, to: out, mode: SecureFile.open, force: force)
            print("\(out): a request for \(signed.subject)")
        }
    }
}

/// `martlet provision show`: what is there under the device's labels.
struct ProvisionShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the public key, and whose certificates are there.",
        discussion: "Example:    martlet provision show --store keys")

    @OptionGroup var place: StoreOptions
    @OptionGroup var labels: LabelOptions

    func run() async throws {
        try await StoreOptions.reporting {
            let (store, named) = try place.open()
            let key = labels.key(named)
            let der = try await store.publicKey(of: key)
            print("private key \(key): \(try PublicKey(der: der))")
            for label in [labels.certLabel, labels.issuerLabel, labels.rootLabel] {
                do throws(KeyStoreError) {
                    let der = try await store.certificate(.label(label))
                    if let certificate = try? ParsedCertificate(der: der) {
                        print("certificate '\(label)': \(certificate.displayName), until \(certificate.notAfter)")
                    }
                } catch {
                    guard case .missing = error else { throw error }
                }
            }
            print(PEMBundle.text(label: "PUBLIC KEY", der: der), terminator: "")
        }
    }
}

/// `martlet provision tokens`: which there are.
struct ProvisionTokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens", abstract: "List the tokens of a PKCS#11 module.",
        discussion: "Example:    martlet provision tokens /usr/lib/softhsm/libsofthsm2.so")

    @Argument(help: "The module.")
    var module: String

    func run() async throws {
        try await StoreOptions.reporting {
            for token in try PKCS11Module.load(module).tokens() {
                print(
                    "'\(token.label)': \(token.manufacturer) \(token.model), serial number \(token.serialNumber), slot \(token.slot)"
                )
            }
        }
    }
}
