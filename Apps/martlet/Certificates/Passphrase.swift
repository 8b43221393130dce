import ArgumentParser
import Certificates
import Glibc

/// Where a passphrase comes from: a file, the environment, or a person at the terminal. Never the command line, which
/// every user of the machine can read.
struct PassphraseOptions: ParsableArguments {
    @Option(help: "Read the passphrase of the key from this file (its first line).")
    var passphraseFile: String?

    @Option(help: "Read the passphrase of the key from this environment variable.")
    var passphraseEnv: String?

    /// What the two are called where they are somebody else's: of an authority's key.
    static let authorityNames = "--ca-passphrase-file or --ca-passphrase-env"

    /// `nil` where neither option was given.
    func given() throws -> String? {
        if passphraseFile != nil, passphraseEnv != nil {
            throw ValidationError("Give --passphrase-file or --passphrase-env, not both.")
        }
        if let passphraseFile { return try Passphrase.firstLine(of: passphraseFile) }
        if let passphraseEnv { return try Passphrase.variable(passphraseEnv) }
        return nil
    }

    /// What is in a PKCS#12 file; where no password was given and the empty one is not it, a person is asked.
    func bundle(_ bytes: [UInt8], _ path: String) throws -> PKCS12.Contents {
        if let given = try given() { return try PKCS12.read(bytes, password: given) }
        if let open = try? PKCS12.read(bytes, password: "") { return open }
        return try PKCS12.read(bytes, password: Passphrase.ask("Password of \(path): "))
    }

    /// The key of a file; where it is encrypted and no passphrase was given, a person is asked.
    /// - Parameter names: the options that give it, for where nobody is there to ask.
    func key(_ path: String, names: String = Passphrase.names) throws -> PrivateKey {
        let bytes = try SecureFile.read(path)
        do {
            return try PrivateKey(file: bytes, name: path, passphrase: try given())
        } catch KeyFault.passphraseNeeded {
            let typed = try Passphrase.ask("Passphrase of \(path): ", instead: names)
            return try PrivateKey(file: bytes, name: path, passphrase: typed)
        }
    }
}

/// How a new key is made and kept.
struct NewKeyOptions: ParsableArguments {
    @Option(name: .customLong("key-type"), help: "rsa or p256.")
    var keyType = "rsa"

    @Option(name: .customLong("rsa-bits"), help: "Bits of an RSA key, 2048 or more.")
    var bits = 2048

    @Flag(help: "Encrypt the key; the passphrase is asked for, or comes from one of the options.")
    var encrypt = false

    @OptionGroup var passphrase: PassphraseOptions

    func make() throws -> PrivateKey {
        switch keyType.lowercased() {
        case "rsa": return try PrivateKey.generate(.rsa(bits))
        case "p256", "p-256", "ec", "ecdsa": return try PrivateKey.generate(.p256)
        case "p384", "p-384": return try PrivateKey.generate(.p384)
        default: throw ValidationError("--key-type is rsa, p256 or p384, not \(keyType).")
        }
    }

    /// The key as it goes into its file.
    func pem(_ key: PrivateKey) throws -> String {
        var secret = try passphrase.given()
        if encrypt, secret == nil { secret = try Passphrase.askTwice("Passphrase for the new key: ") }
        guard let secret else { return key.pem }
        let sealed = try EncryptedPKCS8.encrypt(key.pkcs8, passphrase: secret)
        return PEMBundle.text(label: "ENCRYPTED PRIVATE KEY", der: sealed)
    }
}

enum Passphrase {
    static let names = "--passphrase-file or --passphrase-env"

    static func firstLine(of path: String) throws -> String {
        let bytes = try SecureFile.read(path, bytesMax: 4096)
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty else { throw SecureFile.Fault(path: path, reason: "its first line is empty") }
        return String(decoding: line, as: UTF8.self)
    }

    static func variable(_ name: String) throws -> String {
        guard let value = getenv(name), value.pointee != 0 else {
            throw ValidationError("The environment variable \(name) is not set, or empty.")
        }
        return String(cString: value)
    }

    /// - Parameter names: the options that give it instead.
    static func ask(_ prompt: String, instead names: String = names) throws -> String {
        guard let typed = Terminal.askSecretly(prompt) else {
            throw ValidationError("\(prompt)nothing was typed, or nobody is at the terminal; use \(names).")
        }
        return String(decoding: typed, as: UTF8.self)
    }

    static func askTwice(_ prompt: String, instead names: String = names) throws -> String {
        let first = try ask(prompt, instead: names)
        guard try ask("Once more: ", instead: names) == first else {
            throw ValidationError("The two are not the same.")
        }
        return first
    }
}
