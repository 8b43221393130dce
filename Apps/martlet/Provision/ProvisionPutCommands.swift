import ArgumentParser
import Certificates
import MQTTClientPKCS11

/// `martlet provision import`: what was made elsewhere.
struct ProvisionImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Put a certificate, a key or both in.",
        discussion: """
            A certificate for a key that is there already needs no --key: the two must belong together.

            Example:    martlet provision import --cert device.crt --key device.key --root ca.crt --store keys
            """)

    @Option(help: "The device's certificate, PEM or DER; a second one in the file is taken as its issuer's.")
    var cert: String?

    @Option(help: "The device's private key, PEM or DER.")
    var key: String?

    @Option(help: "The certificate that servers are to be trusted by.")
    var root: String?

    @Flag(help: "Replace what is there under the same labels.")
    var force = false

    @OptionGroup var place: StoreOptions
    @OptionGroup var labels: LabelOptions
    @OptionGroup var passphrase: PassphraseOptions

    func validate() throws {
        guard cert != nil || key != nil || root != nil else {
            throw ValidationError("Give --cert, --key or --root.")
        }
    }

    func run() async throws {
        try await StoreOptions.reporting {
            let (store, named) = try place.open()
            let chain = try cert.map { try CertsCommand.certificates($0) } ?? []
            let secret = try key.map { try passphrase.key($0) }
            try await belongTogether(chain.first, secret, store, labels.key(named))
            if let secret {
                try await store.importKey(secret.pkcs8, labels: labels.pair(named), replacing: force)
                print("\(store): private key '\(labels.pair(named).privateKey)'")
            }
            let roots = try root.map { try CertsCommand.certificates($0) } ?? []
            for (certificate, label) in zip(chain, [labels.certLabel, labels.issuerLabel]) {
                try await put(certificate, label, store, labels.key(named))
            }
            for certificate in roots.prefix(1) { try await put(certificate, labels.rootLabel, store, nil) }
        }
    }

    /// Before anything is written.
    private func belongTogether(
        _ certificate: ParsedCertificate?, _ key: PrivateKey?, _ store: any KeyStore, _ reference: ObjectReference
    ) async throws {
        guard let certificate else { return }
        let publicKey =
            if let key { try key.publicKey.der } else { try await store.publicKey(of: reference) }
        guard publicKey == certificate.publicKey.der else {
            throw KeyStoreError.mismatch(
                certificate: certificate.displayName, key: key == nil ? "\(reference)" : self.key ?? "",
                store: "\(store)")
        }
    }

    private func put(
        _ certificate: ParsedCertificate, _ label: String, _ store: any KeyStore, _ key: ObjectReference?
    ) async throws {
        let isOwn = label == labels.certLabel
        try await store.importCertificate(
            certificate.der, label: label, key: isOwn ? key : nil, replacing: force)
        print("\(store): certificate '\(label)' of \(certificate.displayName)")
    }
}

/// `martlet provision generate`: a key that is made where it stays.
struct ProvisionGenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Make a key pair there, and print its public half.",
        discussion: """
            The private key is made in the token and never leaves it. Ask for its certificate with: martlet provision csr

            Example:    martlet provision generate --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --token device
            """)

    @Option(name: .customLong("key-type"), help: "rsa (2048 bits), rsa3072, p256 or p384.")
    var keyType = "rsa"

    @Flag(help: "Replace what is there under the same labels.")
    var force = false

    @OptionGroup var place: StoreOptions
    @OptionGroup var labels: LabelOptions

    func run() async throws {
        let kinds: [String: KeyKind] = ["rsa": .rsa2048, "rsa3072": .rsa3072, "p256": .p256, "p384": .p384]
        guard let kind = kinds[keyType.lowercased()] else {
            throw ValidationError("--key-type is rsa, rsa3072, p256 or p384, not \(keyType).")
        }
        try await StoreOptions.reporting {
            let (store, named) = try place.open()
            let publicKey = try await store.generateKey(kind, labels: labels.pair(named), replacing: force)
            print(PEMBundle.text(label: "PUBLIC KEY", der: publicKey), terminator: "")
        }
    }
}

/// `martlet provision delete`: takes something away.
struct ProvisionDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Take an object away, for good.",
        discussion: "Example:    martlet provision delete certificate 'Device Cert' --store keys")

    @Argument(help: "certificate, private or public.")
    var kind: String

    @Argument(help: "Its label.")
    var label: String

    @OptionGroup var place: StoreOptions

    func run() async throws {
        let kinds: [String: ObjectKind] = ["certificate": .certificate, "private": .privateKey, "public": .publicKey]
        guard let object = kinds[kind] else {
            throw ValidationError("The kind is certificate, private or public, not \(kind).")
        }
        try await StoreOptions.reporting {
            let (store, _) = try place.open()
            try await store.remove(object, .label(label))
            print("\(store): the \(object) '\(label)' is gone")
        }
    }
}
