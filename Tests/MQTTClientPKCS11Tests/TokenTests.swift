import Certificates
import Glibc
import MQTTClientPKCS11
import MQTTTestKit
import Testing

/// A token of SoftHSM's: keys made there or put there, what they sign, and everything that can be in the way.
@Suite("Tokens", .timeLimit(.minutes(10)))
struct TokenTests {
    static let text = Array("what is to be signed".utf8)

    @Test(
        "a key made in the token: its public half, its request, its signatures",
        arguments: [KeyKind.rsa2048, .p256, .p384])
    func generates(_ kind: KeyKind) async throws {
        let token = try SoftHSM.token()
        let publicKey = try PublicKey(der: try await token.generateKey(kind, labels: KeyLabels(), replacing: false))
        #expect(publicKey.description == kind.description)
        #expect(try await token.publicKey(of: .label(.privateKey)) == publicKey.der)
        let signature = try await token.sign(Self.text, with: .label(.privateKey))
        #expect(publicKey.isValid(signature: signature, over: Self.text))
        let request = try UnsignedRequest(
            subject: DistinguishedName([("CN", "device")]), publicKey: publicKey, extensions: [])
        let signed = try request.signed(try await token.sign(request.bytes, with: .label(.privateKey)))
        #expect(signed.isSignedByItsKey)
    }

    @Test(
        "a key and a certificate put into the token belong together",
        arguments: [PrivateKey.Kind.rsa(2048), .p256, .p384])
    func imports(_ kind: PrivateKey.Kind) async throws {
        let token = try SoftHSM.token()
        let client = try Authority.shared.get().client("device", kind)
        try await token.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
        try await token.importCertificate(
            client.certificate, label: DeviceLabel.certificate.rawValue, key: .label(.privateKey), replacing: false)
        let identity = try await token.identity()
        #expect(identity.certificates == [client.certificate])
        #expect(try await token.publicKey(of: .label(.privateKey)) == client.key.publicKey.der)
        // By id too: the certificate's is the key's.
        let id = try client.key.publicKey.identifier
        #expect(try await token.identity(key: .id(id)).certificates == [client.certificate])
    }

    @Test("every scheme a token names, it signs by", arguments: [KeyKind.rsa2048, .p256])
    func schemes(_ kind: KeyKind) async throws {
        let token = try SoftHSM.token()
        _ = try await token.generateKey(kind, labels: KeyLabels(), replacing: false)
        let schemes = try await token.schemes(of: .label(.privateKey))
        #expect(schemes.count == (kind == .p256 ? 1 : 6))
        for scheme in schemes {
            #expect(try await !token.sign(Self.text, with: .label(.privateKey), by: scheme).isEmpty)
        }
    }

    @Test("nothing is replaced unasked; when asked, the old one is gone")
    func replaces() async throws {
        let token = try SoftHSM.token()
        let first = try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
        await #expect(
            throws: KeyStoreError.alreadyThere(kind: .privateKey, name: "Device Priv TLS Key", store: "\(token)")
        ) {
            try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
        }
        let second = try await token.generateKey(.p256, labels: KeyLabels(), replacing: true)
        #expect(first != second)
        #expect(try await token.publicKey(of: .label(.privateKey)) == second)
        try await token.remove(.privateKey, .label(.privateKey))
        let error = await #expect(throws: KeyStoreError.self) {
            try await token.sign(Self.text, with: .label(.privateKey))
        }
        #expect("\(try #require(error))".contains("has no private key 'Device Priv TLS Key'"))
    }

    @Test("a label that is not there names those that are")
    func missingLabel() async throws {
        let token = try SoftHSM.token()
        _ = try await token.generateKey(.p256, labels: KeyLabels(privateKey: "one", publicKey: "one"), replacing: false)
        let error = await #expect(throws: KeyStoreError.self) { try await token.identity(key: .label("two")) }
        #expect(
            "\(try #require(error))"
                == "the token '\(token.reference.label ?? "")' has no private key 'two'. There is 'one'; martlet provision puts one in."
        )
    }

    @Test("a certificate of another key is found out before any handshake")
    func mismatch() async throws {
        let token = try SoftHSM.token()
        _ = try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
        try await token.importCertificate(
            Authority.shared.get().client("other").certificate, label: DeviceLabel.certificate.rawValue, key: nil,
            replacing: false)
        let error = await #expect(throws: KeyStoreError.self) { try await token.identity() }
        guard case .mismatch = try #require(error) else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("a wrong PIN says so, and is not tried again until it changes")
    func wrongPIN() async throws {
        let label = try SoftHSM.freshToken()
        let file = "\(SoftHSM.folder)/pin"
        SoftHSM.write("0000\n", to: file)
        let token = PKCS11Token(TokenReference(label: label), in: try SoftHSM.module(), pin: .file(file))
        for _ in 0..<3 {
            let error = await #expect(throws: KeyStoreError.self) { try await token.certificate(.label(.certificate)) }
            #expect(
                error
                    == .wrongPIN(token: label, source: "the file \(file)", remaining: .few))
        }
        SoftHSM.write(SoftHSM.pin + "\n", to: file)
        _ = try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
    }

    @Test("no PIN, an empty file, a variable that is not set")
    func noPIN() async throws {
        let label = try SoftHSM.freshToken()
        for (pin, words): (PINSource?, String) in [
            (nil, "wants a PIN"), (.file("/nowhere/pin"), "No such file"),
            (.environment("MARTLET_NO_SUCH_PIN"), "not set"),
            (.question { _ in nil }, "the terminal: it is empty"),
        ] {
            let token = PKCS11Token(TokenReference(label: label), in: try SoftHSM.module(), pin: pin)
            let error = await #expect(throws: KeyStoreError.self) { try await token.certificate(.label(.certificate)) }
            #expect("\(try #require(error))".contains(words))
        }
    }

    @Test("somebody who is asked is asked once")
    func asksOnce() async throws {
        let asked = Counter()
        let token = try SoftHSM.token(
            pin: .question { _ in
                asked.count()
                return Array(SoftHSM.pin.utf8)
            })
        _ = try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
        try await token.closeAllSessions()
        _ = try await token.sign(Self.text, with: .label(.privateKey))
        #expect(asked.value == 1)
    }

    @Test("no such token: those that are there are named")
    func noSuchToken() async throws {
        let present = try SoftHSM.freshToken()
        let token = PKCS11Token(TokenReference(label: "nobody's"), in: try SoftHSM.module(), pin: .value("1"))
        let error = await #expect(throws: KeyStoreError.self) { try await token.certificate(.label(.certificate)) }
        let words = "\(try #require(error))"
        #expect(words.contains("no token with the label 'nobody's'") && words.contains("'\(present)'"))
    }

    @Test("no such module, and a file that is none")
    func noModule() throws {
        let missing = #expect(throws: KeyStoreError.self) { try PKCS11Module.load("/nowhere/module.so") }
        #expect("\(try #require(missing))".contains("the PKCS#11 module /nowhere/module.so cannot be loaded"))
        #expect(throws: KeyStoreError.notAModule(path: "libm.so.6", reason: "it has no C_GetFunctionList")) {
            try PKCS11Module.load("libm.so.6")
        }
    }

    @Test("sessions that somebody ended are begun anew, while signatures are asked for from all sides")
    func sessionsAreKilled() async throws {
        let token = try SoftHSM.token()
        let der = try await token.generateKey(.p256, labels: KeyLabels(), replacing: false)
        let publicKey = try PublicKey(der: der)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<25 {
                        let signature = try await token.sign(Self.text, with: .label(.privateKey))
                        #expect(publicKey.isValid(signature: signature, over: Self.text))
                    }
                }
            }
            group.addTask {
                for _ in 0..<20 { try await token.closeAllSessions() }
            }
            try await group.waitForAll()
        }
    }

    @Test("random bytes come from the token")
    func random() async throws {
        let token = try SoftHSM.token()
        #expect(try await token.randomBytes(64) != token.randomBytes(64))
        var seen: Set<UInt32> = []
        for _ in 0..<32 { seen.insert(try await token.random()) }
        #expect(seen.count > 30)
    }
}
