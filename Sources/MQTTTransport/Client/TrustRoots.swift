import Certificates

/// Which certificate authorities may vouch for a server. PEM or DER, one certificate or many. A server's own certificate may
/// stand among them: then that one, byte for byte, is trusted (pinned), whoever made it.
public struct TrustRoots: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
        case system
        case file(String)
        case folder(String)
        case bytes([UInt8])
    }

    package let sources: [Source]

    /// Those the system trusts.
    public static var system: TrustRoots { TrustRoots(sources: [.system]) }
    /// A file of certificates.
    public static func file(_ path: String) -> TrustRoots { TrustRoots(sources: [.file(path)]) }
    /// A folder of such files: those that end in `.pem`, `.crt` or `.cer`, and links as `openssl rehash` makes them.
    public static func folder(_ path: String) -> TrustRoots { TrustRoots(sources: [.folder(path)]) }
    /// Certificates that the program has.
    public static func bytes(_ bytes: [UInt8]) -> TrustRoots { TrustRoots(sources: [.bytes(bytes)]) }
    /// Certificates that the program has, as text.
    public static func pem(_ text: String) -> TrustRoots { TrustRoots(sources: [.bytes(Array(text.utf8))]) }
    /// Nobody.
    public static var none: TrustRoots { TrustRoots(sources: []) }

    /// These, and `others` too.
    public func and(_ others: TrustRoots) -> TrustRoots { TrustRoots(sources: sources + others.sources) }
}
