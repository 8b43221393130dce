/// TLS: mosquitto's options, and ours beside them.
extension OptionTable {
    static let security: [ToolOption] = [
        ToolOption("--cafile", wants: "file") { $0.tls.caFile = $1.text },
        ToolOption("--capath", wants: "directory") { $0.tls.caPath = $1.text },
        ToolOption("--cert", wants: "file") { $0.tls.certificateFile = $1.text },
        ToolOption("--key", wants: "file") { $0.tls.keyFile = $1.text },
        ToolOption("--key-password-file", wants: "file", ours: "the key's password is the first line of FILE") {
            arguments, given throws(ArgumentFault) in
            arguments.tls.keyPassword = try SecretSource.read(file: given.text, for: given.name)
        },
        ToolOption("--key-password-env", wants: "name", ours: "the key's password is in the environment variable NAME")
        {
            arguments, given throws(ArgumentFault) in
            arguments.tls.keyPassword = try SecretSource.read(variable: given.text, for: given.name)
        },
        ToolOption("--p12", wants: "file", ours: "certificate and key from a PKCS#12 file") {
            $0.tls.pkcs12File = $1.text
        },
        ToolOption("--p12-password-file", wants: "file", ours: "its password is the first line of FILE") {
            arguments, given throws(ArgumentFault) in
            arguments.tls.pkcs12Password = try SecretSource.read(file: given.text, for: given.name)
        },
        ToolOption("--p12-password-env", wants: "name", ours: "its password is in the environment variable NAME") {
            arguments, given throws(ArgumentFault) in
            arguments.tls.pkcs12Password = try SecretSource.read(variable: given.text, for: given.name)
        },
        ToolOption("--ciphers", wants: "ciphers") { $0.tls.ciphers = $1.text },
        ToolOption("--insecure") { arguments, _ in arguments.tls.skipsName = true },
        ToolOption("--insecure-no-verify", ours: "believe any server: for a look at one, never for more") {
            arguments, _ in
            arguments.tls.skipsEverything = true
        },
        ToolOption("--keyform", wants: "keyform") { $0.tls.keyForm = $1.text },
        ToolOption("--tls-alpn", wants: "protocol") { $0.tls.alpn = $1.text },
        ToolOption("--tls-engine", wants: "engine_id") { $0.tls.engine = $1.text },
        ToolOption("--tls-engine-kpass-sha1", wants: "kpass sha1") { $0.tls.enginePassword = $1.text },
        ToolOption("--tls-keylog", wants: "file", ours: "write the connection's secrets there, for Wireshark") {
            $0.tls.keyLogFile = $1.text
        },
        ToolOption("--tls-use-os-certs") { arguments, _ in arguments.tls.usesSystemTrust = true },
        ToolOption("--tls-version", wants: "version") { $0.tls.version = $1.text },
        ToolOption("--psk", wants: "key") { $0.tls.psk = $1.text },
        ToolOption("--psk-identity", wants: "identity") { $0.tls.pskIdentity = $1.text },
    ]

    // MARK: Keys in tokens

    static let tokens: [ToolOption] = [
        ToolOption(
            "--pkcs11-module", wants: "file", ours: "a key in a token: its PKCS#11 module, as .../libsofthsm2.so"
        ) { $0.token.module = $1.text },
        ToolOption(
            "--pkcs11-uri", wants: "URI", ours: "token, key, module and PIN file in one: pkcs11:token=...;object=..."
        ) { $0.token.uri = $1.text },
        ToolOption("--token", wants: "label", ours: "the token's label, where there are several") {
            $0.token.token = $1.text
        },
        ToolOption(
            "--pin-file", wants: "file", ours: "its PIN is the first line of FILE; without, it is asked for"
        ) { $0.token.pinFile = $1.text },
        ToolOption("--pin-env", wants: "name", ours: "its PIN is in the environment variable NAME") {
            $0.token.pinVariable = $1.text
        },
        ToolOption("--key-label", wants: "label", ours: "the private key's label (Device Priv TLS Key)") {
            $0.token.keyLabel = $1.text
        },
        ToolOption(
            "--cert-label", wants: "label", ours: "its certificate's label (Device Cert), where --cert names no file"
        ) { $0.token.certificateLabel = $1.text },
    ]
}
