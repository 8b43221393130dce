/// What can go wrong with keys that somebody else keeps, in words for whoever has to act: what, where, and what to do.
/// No case carries a PIN.
public enum KeyStoreError: Error, Sendable, Hashable {
    // MARK: Tokens

    /// The module's file cannot be loaded.
    case moduleMissing(path: String, reason: String)
    /// It can be loaded, and is no PKCS#11 module, or cannot be started.
    case notAModule(path: String, reason: String)
    /// No token of the module fits; `present` names those there are.
    case noSuchToken(wanted: String, module: String, present: [String])
    /// Several tokens fit.
    case severalTokens(wanted: String, present: [String])
    /// The token was there and is not any more.
    case tokenGone(token: String)
    /// The token wants a PIN and none was given.
    case pinNeeded(token: String)
    /// The token refused the PIN, which is not tried again: a few wrong ones lock a token.
    case wrongPIN(token: String, source: String, remaining: PINsLeft)
    case pinLocked(token: String)
    /// The PIN of a file or variable cannot be read.
    case pinUnavailable(source: String, reason: String)
    /// A call of the module failed; `code` is the standard's name for why.
    case tokenRefused(call: String, code: String, token: String)
    case invalidURI(reason: String)

    // MARK: Objects, in tokens and in files

    /// `present` names what is there of its kind.
    case missing(kind: ObjectKind, wanted: String, store: String, present: [String])
    case several(kind: ObjectKind, wanted: String, store: String)
    case alreadyThere(kind: ObjectKind, name: String, store: String)
    case unusable(what: String, reason: String)
    /// The certificate is not for this key.
    case mismatch(certificate: String, key: String, store: String)
    case fileFailed(path: String, reason: String)
    /// There is no random number to be had. There is no weaker source to fall back to.
    case noRandomness(store: String, reason: String)

    /// What a token says of the tries that are left.
    public enum PINsLeft: Sendable, Hashable { case several, few, one }
}

/// What an object of a store is.
public enum ObjectKind: String, Sendable, Hashable, CustomStringConvertible {
    case certificate
    case privateKey = "private key"
    case publicKey = "public key"

    public var description: String { rawValue }
}

extension KeyStoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .moduleMissing(let path, let reason):
            "the PKCS#11 module \(path) cannot be loaded: \(reason). Is it installed, and is this its path?"
        case .notAModule(let path, let reason): "\(path) does not work as a PKCS#11 module: \(reason)"
        case .noSuchToken(let wanted, let module, let present):
            present.isEmpty
                ? "\(module) has no token at all (wanted: \(wanted)). Is it plugged in and initialized?"
                : "\(module) has no token with \(wanted). There \(Self.list(present))."
        case .severalTokens(let wanted, let present):
            "several tokens fit \(wanted): \(present.joined(separator: ", ")). Name one by its label or serial number."
        case .tokenGone(let token):
            "the token \(token) is not there any more. Plug it in again; the next connection looks for it."
        case .pinNeeded(let token):
            "the token \(token) wants a PIN. Give it by a file, an environment variable or at the terminal."
        case .wrongPIN(let token, let source, let remaining):
            "the token \(token) refused the PIN from \(source). It is not tried again"
                + (remaining == .several ? "." : ": \(Self.warning(remaining)).")
        case .pinLocked(let token):
            "the PIN of the token \(token) is locked after too many wrong ones. Its security officer can set a new one."
        case .pinUnavailable(let source, let reason): "no PIN from \(source): \(reason)"
        case .tokenRefused(let call, let code, let token): "the token \(token) failed in \(call): \(code)"
        case .invalidURI(let reason): "not a pkcs11: URI: \(reason)"
        case .missing(let kind, let wanted, let store, let present):
            "\(store) has no \(kind) \(wanted). "
                + (present.isEmpty ? "There is none at all" : "There \(Self.list(present))")
                + "; martlet provision puts one in."
        case .several(let kind, let wanted, let store):
            "\(store) has several objects of the kind \(kind) that are \(wanted). Name one by its id."
        case .alreadyThere(let kind, let name, let store):
            "\(store) has a \(kind) '\(name)' already. It is replaced only when you ask for it."
        case .unusable(let what, let reason): "\(what) cannot be used: \(reason)"
        case .mismatch(let certificate, let key, let store):
            "\(store): the certificate \(certificate) is not for the private key \(key)"
        case .fileFailed(let path, let reason): "\(path): \(reason)"
        case .noRandomness(let store, let reason): "\(store) gives no random numbers: \(reason)"
        }
    }

    private static func list(_ names: [String]) -> String {
        (names.count == 1 ? "is " : "are ") + names.map { "'\($0)'" }.joined(separator: ", ")
    }

    private static func warning(_ left: PINsLeft) -> String {
        left == .one ? "the next wrong one locks the token" : "few tries are left before the token is locked"
    }
}
