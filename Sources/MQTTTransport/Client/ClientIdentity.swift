import Certificates

/// What a client proves itself with: a private key, its certificate, and those between it and the root.
public struct ClientIdentity: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
        case files(certificate: String, key: String, password: Secret?)
        case bytes(certificate: [UInt8], key: [UInt8], password: Secret?)
        case pkcs12File(String, password: Secret)
        case pkcs12([UInt8], password: Secret)
        case signer(SigningKey, certificates: [[UInt8]])
    }

    package let source: Source

    /// Two files, each PEM or DER.
    /// - Parameters:
    ///   - certificate: the client's own first, then those of the authorities in between; all are sent.
    ///   - key: PKCS#8, PKCS#1 or SEC1, encrypted or not. May be the same file.
    ///   - password: of an encrypted key.
    public static func files(certificate: String, key: String, password: String? = nil) -> ClientIdentity {
        ClientIdentity(source: .files(certificate: certificate, key: key, password: password.map { Secret($0) }))
    }

    /// As `files`, of what the program has.
    public static func bytes(certificate: [UInt8], key: [UInt8], password: String? = nil) -> ClientIdentity {
        ClientIdentity(source: .bytes(certificate: certificate, key: key, password: password.map { Secret($0) }))
    }

    /// As `files`, of text.
    public static func pem(certificate: String, key: String, password: String? = nil) -> ClientIdentity {
        .bytes(certificate: Array(certificate.utf8), key: Array(key.utf8), password: password)
    }

    /// A file with all of it behind a password: `.p12`, `.pfx`.
    public static func pkcs12(file: String, password: String) -> ClientIdentity {
        ClientIdentity(source: .pkcs12File(file, password: Secret(password)))
    }

    /// As `pkcs12(file:password:)`, of what the program has.
    public static func pkcs12(_ bytes: [UInt8], password: String) -> ClientIdentity {
        ClientIdentity(source: .pkcs12(bytes, password: Secret(password)))
    }

    /// A key that stays where it is.
    /// - Parameter certificates: in DER, the client's own first.
    public static func signer(_ signer: any KeySigner, certificates: [[UInt8]]) -> ClientIdentity {
        ClientIdentity(source: .signer(SigningKey(signer), certificates: certificates))
    }
}
