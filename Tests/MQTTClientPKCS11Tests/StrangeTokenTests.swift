import Foundation
import MQTTClient
import MQTTClientPKCS11
import Testing

/// Tokens that SoftHSM cannot play: locked, pulled out, without randomness, without PSS, asking for the PIN each time.
@Suite("Strange tokens", .timeLimit(.minutes(10)))
struct StrangeTokenTests {
    static let key = ObjectReference.label(.privateKey)

    /// Compiles the module with these macros and hands its token to `body`.
    private func withToken(_ macros: [String], _ body: (PKCS11Token) async throws -> Void) async throws {
        let folder = SoftHSM.makeFolder()
        defer { SoftHSM.remove(folder) }
        let source = try #require(Bundle.module.path(forResource: "Resources/strange_token", ofType: "c"))
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let module = "\(folder)/strange.so"
        try SoftHSM.run(
            ["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", "\(root.path)/Sources/CPKCS11/include"]
                + macros.map { "-D\($0)" } + ["-o", module, source])
        try await body(
            PKCS11Token(TokenReference(label: "strange"), in: try PKCS11Module.load(module), pin: .value("1234")))
    }

    private func trouble(_ macros: [String]) async throws -> KeyStoreError? {
        var trouble: KeyStoreError?
        try await withToken(macros) { token in
            do throws(KeyStoreError) { _ = try await token.sign([1], with: Self.key) } catch { trouble = error }
        }
        return trouble
    }

    @Test("a locked PIN, told at login or before it")
    func locked() async throws {
        #expect(try await trouble(["LOGIN=0xA4"]) == .pinLocked(token: "strange"))
        #expect(try await trouble(["FLAGS=0x40000"]) == .pinLocked(token: "strange"))
        #expect("\(KeyStoreError.pinLocked(token: "strange"))".contains("security officer"))
    }

    @Test("a wrong PIN with one try left")
    func lastTry() async throws {
        let error = try #require(try await trouble(["LOGIN=0xA0", "FLAGS=0x20000"]))
        #expect(error == .wrongPIN(token: "strange", source: "the program", remaining: .one))
        #expect("\(error)".hasSuffix("It is not tried again: the next wrong one locks the token."))
    }

    @Test("a token that is pulled out while it signs, and one that fails")
    func gone() async throws {
        #expect(try await trouble(["SIGN=0x32"]) == .tokenGone(token: "strange"))
        #expect(
            try await trouble(["SIGN=0x6"])
                == .tokenRefused(call: "C_Sign", code: "CKR_FUNCTION_FAILED", token: "strange"))
    }

    @Test("a token that was taken out is missed, looked for, and found again when it is back")
    func comesBack() async throws {
        try await withToken(["PULLED_OUT"]) { token in
            await #expect(throws: KeyStoreError.tokenGone(token: "strange")) {
                try await token.sign([1], with: Self.key)
            }
            await #expect(
                throws: KeyStoreError.noSuchToken(wanted: "the label 'strange'", module: token.module.path, present: [])
            ) {
                try await token.sign([1], with: Self.key)
            }
            let signature = try await token.sign([1], with: Self.key)
            #expect(signature == [51])
        }
    }

    @Test("without PSS the key serves TLS 1.2, by PKCS#1")
    func noPSS() async throws {
        try await withToken([]) { token in
            let schemes = try await token.schemes(of: Self.key)
            #expect(schemes == [.rsaPKCS1SHA256, .rsaPKCS1SHA384, .rsaPKCS1SHA512])
            // The signature is the length of what was signed: a DigestInfo with SHA-256.
            let signature = try await token.sign([1], with: Self.key, by: .rsaPKCS1SHA256)
            #expect(signature == [51])
        }
    }

    @Test("a key that wants the PIN for each signature, and a module that cannot lock")
    func asksEachTime() async throws {
        try await withToken(["ALWAYS=1", "CANNOT_LOCK"]) { token in
            for _ in 0..<3 {
                let signature = try await token.sign([1], with: Self.key)
                #expect(signature == [51])
            }
        }
    }

    @Test("a token without randomness says so, and nothing else is taken")
    func noRandomness() async throws {
        try await withToken([]) { token in
            await #expect(
                throws: KeyStoreError.noRandomness(
                    store: "the token 'strange'",
                    reason: "the token strange failed in C_GenerateRandom: CKR_RANDOM_NO_RNG")
            ) { try await token.random() }
        }
    }
}
