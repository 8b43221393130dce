import CertificateTestKit
import Certificates
import Crypto
import CryptoExtras
import Foundation
import MQTTClient
import MQTTTestKit
import Synchronization
import Testing

/// Who a client is: each form of key and certificate against `openssl s_server` and brokers, and each that must not pass.
@Suite("Who a client is", .timeLimit(.minutes(10)))
struct IdentityTests {
    typealias Broker = TransportWorld.Broker
    let world: TransportWorld
    private var openSSL: OpenSSL { world.lab.openSSL }

    init() throws { world = try TransportWorld.made.get() }

    private func mutual(_ broker: Broker, _ identity: ClientIdentity?, _ change: (inout ClientTLS) -> Void = { _ in })
        throws -> Endpoint
    {
        var tls = ClientTLS(trust: world.trust, identity: identity)
        change(&tls)
        return .tls("localhost", port: try world.port(broker, .mutual), tls)
    }

    private func failure(_ endpoint: Endpoint) async -> ConnectFailure? {
        guard case .connectFailed(let failure)? = await TransportWorld.failure(endpoint) else { return nil }
        return failure
    }

    @Test("PEM, DER, PKCS#8, PKCS#1, SEC1, encrypted in each way, PKCS#12 old and new: in", arguments: Broker.present)
    func formats(_ broker: Broker) async throws {
        let tag = broker.rawValue
        let p = { (name: String) in openSSL.path("\(tag)-\(name)") }
        try openSSL.run("x509", "-in", "alice.crt", "-outform", "der", "-out", p("alice.der"))
        try openSSL.run("rsa", "-in", "alice.key", "-traditional", "-out", p("pkcs1.pem"))
        try openSSL.run("rsa", "-in", "alice.key", "-traditional", "-outform", "der", "-out", p("pkcs1.der"))
        try openSSL.run("pkcs8", "-topk8", "-nocrypt", "-in", "alice.key", "-outform", "der", "-out", p("pkcs8.der"))
        try openSSL.run(
            "pkcs8", "-topk8", "-in", "alice.key", "-passout", "pass:secret", "-out", p("encrypted.pem"))
        try openSSL.run(
            "pkcs8", "-topk8", "-in", "alice.key", "-passout", "pass:secret", "-outform", "der", "-out",
            p("encrypted.der"))
        try openSSL.run(
            "rsa", "-aes128", "-traditional", "-in", "alice.key", "-passout", "pass:secret", "-out", p("old.pem"))
        try openSSL.run(
            "pkcs12", "-export", "-in", "alice.crt", "-inkey", "alice.key", "-passout", "pass:secret", "-out",
            p("new.p12"))
        try openSSL.run(
            "pkcs12", "-export", "-legacy", "-in", "alice.crt", "-inkey", "alice.key", "-passout", "pass:secret",
            "-out", p("old.p12"))
        try openSSL.write(try openSSL.read("alice.key") + openSSL.read("alice.crt"), to: "\(tag)-both.pem")
        let certificate = openSSL.path("alice.crt")
        let identities: [ClientIdentity] = [
            world.identity("alice"), .files(certificate: p("alice.der"), key: p("pkcs1.pem")),
            .files(certificate: certificate, key: p("pkcs1.der")),
            .files(certificate: certificate, key: p("pkcs8.der")),
            .files(certificate: certificate, key: p("encrypted.pem"), password: "secret"),
            .files(certificate: certificate, key: p("encrypted.der"), password: "secret"),
            .files(certificate: certificate, key: p("old.pem"), password: "secret"),
            .files(certificate: p("both.pem"), key: p("both.pem")), .pkcs12(file: p("new.p12"), password: "secret"),
            .pkcs12(file: p("old.p12"), password: "secret"),
            .pkcs12(try openSSL.read("\(tag)-new.p12"), password: "secret"),
            .bytes(certificate: try openSSL.read("alice.crt"), key: try openSSL.read("alice.key")),
        ]
        for identity in identities {
            #expect(await TransportWorld.failure(try mutual(broker, identity)) == nil, "\(identity)")
        }
    }

    @Test(
        "the certificates in between are sent along: a server that knows only the root takes the client",
        arguments: ["-tls1_2", "-tls1_3"])
    func wholeChain(version: String) async throws {
        let server = try await OpenSSLServer(
            openSSL,
            [
                "-cert", "server.crt", "-key", "server.key", "-cert_chain", "between.crt", "-Verify", "3",
                "-verify_return_error", "-CAfile", "ca.crt", version,
            ])
        // SEC1, as OpenSSL wrote it.
        try openSSL.run("ec", "-in", "bob.key", "-out", "bob\(version).sec1")
        let identity = ClientIdentity.files(
            certificate: openSSL.path("bob-chain.crt"), key: openSSL.path("bob\(version).sec1"))
        let tls = ClientTLS(trust: world.trust, identity: identity)
        #expect(await OpenSSLServer.visit(.tls("localhost", port: server.port, tls)) == nil)
        let said = await server.process.says("subject=CN = bob")
        #expect(said.contains("subject=CN = bob") && said.contains("depth=1 CN = between"), "\(said)")
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let identity: String?
        let words: [String]
        var testDescription: String { identity ?? "none" }
    }

    static let bad: [Bad] = [
        Bad(identity: nil, words: ["certificate"]), Bad(identity: "mallory", words: ["certificate"]),
        Bad(identity: "old", words: ["certificate"]), Bad(identity: "gone", words: ["certificate"]),
    ]

    @Test(
        "none, a foreign one, an expired one, one that was taken back: out, and the client says what it was about",
        arguments: Broker.present, bad)
    func refused(_ broker: Broker, _ bad: Bad) async throws {
        for version in [ClientTLS.Version.tls12, .tls13] {
            let endpoint = try mutual(broker, bad.identity.map { world.identity($0) }) {
                $0.minimumVersion = version
                $0.maximumVersion = version
            }
            let error = await TransportWorld.failure(endpoint)
            guard case .connectFailed(let failure)? = error else {
                Issue.record("\(version): \(String(describing: error))")
                continue
            }
            #expect(failure.stage == .tls)
            for word in bad.words { #expect(failure.description.contains(word), "\(version): \(failure)") }
            #expect(failure.remedy != nil, "\(failure)")
            #expect(failure.certificateProblem == nil, "that is the server's certificate, not ours")
        }
    }

    /// The server knows that it refuses us only when we are through, and then resets the connection because of our CONNECT,
    /// which it never reads: its alert comes in whatever order the kernel and we see all that.
    @Test("TLS 1.3: the server's own words arrive, each time", arguments: [true, false])
    func refusedAfterwards(byOpenSSL: Bool) async throws {
        var port = try world.port(.martlet, .mutual)
        var server: OpenSSLServer?
        if byOpenSSL {
            server = try await OpenSSLServer(
                openSSL,
                [
                    "-cert", "server.crt", "-key", "server.key", "-cert_chain", "between.crt", "-Verify", "3",
                    "-verify_return_error", "-CAfile", "ca.crt", "-tls1_3",
                ])
            port = server?.port ?? 0
        }
        for round in 1...50 {
            var tls = ClientTLS(trust: world.trust, identity: round.isMultiple(of: 2) ? world.identity("mallory") : nil)
            tls.minimumVersion = .tls13
            let failure = await failure(.tls("localhost", port: port, tls))
            let said = failure?.reason ?? "nothing"
            let words =
                round.isMultiple(of: 2) ? ["'unknown ca'", "'certificate unknown'"] : ["'certificate required'"]
            #expect(words.contains { said.hasPrefix("the server said \($0)") }, "round \(round): \(said)")
        }
        withExtendedLifetime(server) {}
    }

    @Test("files and passwords that cannot be used are named, before anything is tried")
    func files() async throws {
        try openSSL.run("pkcs8", "-topk8", "-in", "alice.key", "-passout", "pass:secret", "-out", "locked.key")
        try openSSL.run(
            "pkcs12", "-export", "-in", "alice.crt", "-inkey", "alice.key", "-passout", "pass:secret", "-out", "id.p12")
        try openSSL.run("pkcs12", "-export", "-in", "ca.crt", "-nokeys", "-passout", "pass:secret", "-out", "bare.p12")
        let p = openSSL.path
        let certificate = p("alice.crt")
        let cases: [(ClientIdentity, [String])] = [
            (
                .files(certificate: "/no/me.crt", key: p("alice.key")),
                ["client certificate /no/me.crt: there is no such file"]
            ),
            (.files(certificate: certificate, key: "/no/me.key"), ["client key /no/me.key: there is no such file"]),
            (
                .files(certificate: certificate, key: p("mallory.key")),
                ["client key", "mallory.key", "not the key of", "alice.crt"]
            ),
            (
                .files(certificate: certificate, key: p("locked.key")),
                ["locked.key", "it is encrypted, and no password was given"]
            ),
            (
                .files(certificate: certificate, key: p("locked.key"), password: "wrong"),
                ["locked.key", "the password is wrong"]
            ),
            (.files(certificate: p("alice.key"), key: p("alice.key")), ["client certificate", "no certificate in it"]),
            (.files(certificate: certificate, key: certificate), ["client key", "PRIVATE KEY"]),
            (.files(certificate: p("id.p12"), key: p("alice.key")), ["id.p12", "it is PKCS#12"]),
            (.pkcs12(file: p("id.p12"), password: "wrong"), ["PKCS#12 file", "id.p12", "the password is wrong"]),
            (.pkcs12(file: p("bare.p12"), password: "secret"), ["bare.p12", "no private key in it"]),
            (.pkcs12(file: p("alice.crt"), password: "x"), ["PKCS#12 file", "alice.crt"]),
            (.signer(TestSigner.failing, certificates: []), ["client certificate", "there is none"]),
        ]
        for (identity, words) in cases {
            let failure = try #require(await failure(try mutual(.martlet, identity)), "\(words)")
            #expect(failure.stage == .settings)
            for word in words { #expect(failure.description.contains(word), "\(failure)") }
            #expect(!failure.description.contains("secret") && !failure.description.contains("wrong\""))
        }
    }

    // MARK: A key of the program's own

    @Test("a key that only signs: ECDSA and RSA, TLS 1.2 and 1.3", arguments: Broker.present)
    func signers(_ broker: Broker) async throws {
        let rsa = try _RSA.Signing.PrivateKey(
            pemRepresentation: String(decoding: try openSSL.read("alice.key"), as: UTF8.self))
        try world.lab.certificate("signer-\(broker.rawValue)", by: "ca", extensions: CertificateLab.client)
        let own = try P256.Signing.PrivateKey(
            pemRepresentation: String(decoding: try openSSL.read("signer-\(broker.rawValue).key"), as: UTF8.self))
        let cases: [(TestSigner, String)] = [
            (
                TestSigner([.ecdsaP256SHA256]) { bytes, _ in Array(try own.signature(for: bytes).derRepresentation) },
                "signer-\(broker.rawValue)"
            ),
            (
                TestSigner([.rsaPSSSHA256, .rsaPKCS1SHA256]) { bytes, scheme in
                    let padding: _RSA.Signing.Padding = scheme == .rsaPSSSHA256 ? .PSS : .insecurePKCS1v1_5
                    return Array(try rsa.signature(for: SHA256.hash(data: bytes), padding: padding).rawRepresentation)
                }, "alice"
            ),
        ]
        for (signer, name) in cases {
            let der = try world.lab.load([name]).map(\.der)
            for version in [ClientTLS.Version.tls12, .tls13] {
                let endpoint = try mutual(broker, .signer(signer, certificates: der)) {
                    $0.minimumVersion = version
                    $0.maximumVersion = version
                }
                #expect(await TransportWorld.failure(endpoint) == nil, "\(name) \(version)")
            }
            #expect(signer.signatures.load(ordering: .relaxed) == 2)
        }
    }

    @Test("a key that does not sign: its own words arrive")
    func failingSigner() async throws {
        let der = try world.lab.load(["alice"]).map(\.der)
        let failure = try #require(
            await failure(try mutual(.martlet, .signer(TestSigner.failing, certificates: der))))
        #expect(failure.stage == .tls)
        #expect(failure.description.contains("our key did not sign: the token was pulled out"), "\(failure)")
    }
}

final class TestSigner: KeySigner {
    struct Pulled: Error, CustomStringConvertible { let description = "the token was pulled out" }

    static let failing = TestSigner([.rsaPSSSHA256, .rsaPKCS1SHA256]) { _, _ in throw Pulled() }

    let schemes: [SignatureScheme]
    let signatures = Atomic<Int>(0)
    private let body: @Sendable ([UInt8], SignatureScheme) throws -> [UInt8]

    init(_ schemes: [SignatureScheme], _ body: @escaping @Sendable ([UInt8], SignatureScheme) throws -> [UInt8]) {
        (self.schemes, self.body) = (schemes, body)
    }

    func signature(over bytes: [UInt8], with scheme: SignatureScheme) async throws -> [UInt8] {
        signatures.wrappingAdd(1, ordering: .relaxed)
        return try body(bytes, scheme)
    }
}
