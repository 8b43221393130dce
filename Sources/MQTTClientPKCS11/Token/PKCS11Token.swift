import CPKCS11

/// A token, and our session with it. Its methods run on a thread of the token's own, one at a time, and make nobody's event
/// loop wait. A session is begun when it is needed, with the PIN; one that was lost is begun anew by the next call, and
/// so is one with a token that was taken out and put in again.
public actor PKCS11Token {
    public nonisolated let module: PKCS11Module
    public nonisolated let reference: TokenReference
    private let pin: PINSource?
    private nonisolated let thread: TokenThread
    private nonisolated let name: String

    private var session: Session?
    /// The PIN that the token has refused: not tried again, since a few wrong ones lock it.
    private var refused: (pin: [UInt8], error: KeyStoreError)?
    /// What somebody typed, once the token has taken it.
    private var typed: [UInt8]?

    /// An open session. The handles of its objects die with it.
    struct Session {
        let handle: CK_ULONG
        let slot: CK_ULONG
        let flags: CK_ULONG
        var keys: [ObjectReference: TokenPrivateKey] = [:]
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Names a token; nothing is asked of it yet.
    /// - Parameter pin: nil for a token that asks by itself, or lets everybody sign.
    public init(_ reference: TokenReference, in module: PKCS11Module, pin: PINSource?) {
        self.module = module
        self.reference = reference
        self.pin = pin
        thread = module.sharedThread ?? TokenThread("pkcs11 \(reference)")
        name = reference.label ?? "\(reference)"
    }

    /// The token of a URI.
    /// - Parameters:
    ///   - modulePath: where the URI has no `module-path`.
    ///   - pin: where the URI has none.
    /// - Throws: `invalidURI` where no module is named; what loading it throws.
    public init(_ uri: PKCS11URI, modulePath: String? = nil, pin: PINSource? = nil) throws(KeyStoreError) {
        guard let path = uri.modulePath ?? modulePath else {
            throw .invalidURI(reason: "no module is named; add ?module-path=… or give its path beside it")
        }
        self.init(uri.token, in: try PKCS11Module.load(path), pin: uri.pin ?? pin)
    }

    deinit {
        if let session { _ = module.functions.pointee.C_CloseSession(session.handle) }
    }

    // MARK: Sessions

    /// Does something in a session. Where the session turns out to be dead, it is begun anew once.
    func inSession<Result>(
        _ body: (inout Session) throws(KeyStoreError) -> Result
    ) throws(KeyStoreError) -> Result {
        let wasOpen = session != nil
        do throws(KeyStoreError) {
            return try attempt(body)
        } catch {
            guard session == nil, wasOpen, Self.mayHelp(error) else { throw error }
            let first = error
            do throws(KeyStoreError) {
                return try attempt(body)
            } catch {
                // That it is not there now is what the first error says.
                if case .noSuchToken = error, case .tokenGone = first { throw first }
                throw error
            }
        }
    }

    private func attempt<Result>(
        _ body: (inout Session) throws(KeyStoreError) -> Result
    ) throws(KeyStoreError) -> Result {
        var current: Session
        if let session { current = session } else { current = try open() }
        session = current
        do throws(KeyStoreError) {
            let result = try body(&current)
            session = current
            return result
        } catch {
            // A failed call may leave an operation behind that the next would stumble over.
            if case .tokenRefused = error { end() }
            if case .tokenGone = error { end() }
            throw error
        }
    }

    private static func mayHelp(_ error: KeyStoreError) -> Bool {
        switch error {
        case .tokenGone: true
        case .tokenRefused(_, let code, _): ReturnValue.endsSession.contains { ReturnValue.name($0) == code }
        default: false
        }
    }

    private func end() {
        guard let session else { return }
        self.session = nil
        _ = module.functions.pointee.C_CloseSession(session.handle)
    }

    /// A session beside ours that may write.
    func inWritableSession<Result>(
        _ body: (CK_ULONG) throws(KeyStoreError) -> Result
    ) throws(KeyStoreError) -> Result {
        try inSession { session throws(KeyStoreError) in
            var handle: CK_ULONG = 0
            try check(
                "C_OpenSession",
                module.functions.pointee.C_OpenSession(
                    session.slot, SessionFlag.serial | SessionFlag.writable, nil, nil, &handle))
            defer { _ = module.functions.pointee.C_CloseSession(handle) }
            session.keys = [:]
            return try body(handle)
        }
    }

    private func open() throws(KeyStoreError) -> Session {
        module.restart()  // no harm where it runs
        let token = try module.token(reference)
        var handle: CK_ULONG = 0
        try check(
            "C_OpenSession",
            module.functions.pointee.C_OpenSession(CK_ULONG(token.slot), SessionFlag.serial, nil, nil, &handle))
        do throws(KeyStoreError) {
            if token.flags & TokenFlag.loginRequired != 0 { try login(handle, token) }
        } catch {
            _ = module.functions.pointee.C_CloseSession(handle)
            throw error
        }
        return Session(handle: handle, slot: CK_ULONG(token.slot), flags: token.flags)
    }

    private func login(_ handle: CK_ULONG, _ token: TokenDescription) throws(KeyStoreError) {
        if token.flags & TokenFlag.ownPINPad != 0 {
            return try conclude(module.functions.pointee.C_Login(handle, UserType.user, nil, 0), token, [])
        }
        guard token.flags & TokenFlag.pinLocked == 0 else { throw .pinLocked(token: token.label) }
        let pin = try readPIN(token.label)
        if let refused, refused.pin == pin { throw refused.error }
        let result = module.functions.pointee.C_Login(handle, UserType.user, pin, CK_ULONG(pin.count))
        try conclude(result, token, pin)
        if case .question = self.pin?.origin { typed = pin }
    }

    private func readPIN(_ token: String) throws(KeyStoreError) -> [UInt8] {
        if let typed { return typed }
        guard let pin else { throw .pinNeeded(token: token) }
        return try pin.read(token: token)
    }

    private func conclude(_ result: CK_RV, _ token: TokenDescription, _ pin: [UInt8]) throws(KeyStoreError) {
        switch result {
        case ReturnValue.ok, ReturnValue.userAlreadyLoggedIn:
            refused = nil
        case _ where ReturnValue.wrongPIN.contains(result):
            typed = nil
            let flags = module.description(slot: CK_ULONG(token.slot))?.flags ?? 0
            let left: KeyStoreError.PINsLeft =
                flags & TokenFlag.pinFinalTry != 0 ? .one : flags & TokenFlag.pinCountLow != 0 ? .few : .several
            let error =
                flags & TokenFlag.pinLocked != 0
                ? KeyStoreError.pinLocked(token: token.label)
                : .wrongPIN(
                    token: token.label, source: self.pin.map(\.description) ?? "its own keys", remaining: left)
            refused = (pin, error)
            throw error
        case ReturnValue.pinLocked: throw .pinLocked(token: token.label)
        default: try check("C_Login", result)
        }
    }

    /// Signing with a key that wants the PIN each time: after `C_SignInit`.
    func loginForOneSignature(_ session: Session) throws(KeyStoreError) {
        let pin = session.flags & TokenFlag.ownPINPad == 0 ? try readPIN(name) : []
        try check(
            "C_Login",
            module.functions.pointee.C_Login(
                session.handle, UserType.contextSpecific, pin.isEmpty ? nil : pin, CK_ULONG(pin.count)))
    }

    /// - Throws: `tokenGone`, `tokenRefused`.
    func check(_ call: String, _ result: CK_RV) throws(KeyStoreError) {
        guard result != ReturnValue.ok else { return }
        if ReturnValue.tokenGone.contains(result) { throw .tokenGone(token: name) }
        throw .tokenRefused(call: call, code: ReturnValue.name(result), token: name)
    }

    /// What the token says of itself. Its PIN is not needed.
    public func about() throws(KeyStoreError) -> TokenDescription { try module.token(reference) }

    /// Ends every session that this process has with the token, as a reset does.
    package func closeAllSessions() throws(KeyStoreError) {
        let token = try module.token(reference)
        _ = module.functions.pointee.C_CloseAllSessions(CK_ULONG(token.slot))
    }

    // MARK: Chance

    /// Random bytes from the token's own source, `C_GenerateRandom`.
    /// - Parameter count: 1 to 65,536.
    /// - Throws: `noRandomness`.
    public func randomBytes(_ count: Int) throws(KeyStoreError) -> [UInt8] {
        precondition(count > 0 && count <= 65_536, "random bytes are asked for in reasonable portions")
        var bytes = [UInt8](repeating: 0, count: count)
        do throws(KeyStoreError) {
            try inSession { session throws(KeyStoreError) in
                try check(
                    "C_GenerateRandom",
                    module.functions.pointee.C_GenerateRandom(session.handle, &bytes, CK_ULONG(count)))
            }
        } catch {
            throw .noRandomness(store: description, reason: "\(error)")
        }
        return bytes
    }
}

extension PKCS11Token: CustomStringConvertible {
    public nonisolated var description: String { "the token '\(name)'" }
}
