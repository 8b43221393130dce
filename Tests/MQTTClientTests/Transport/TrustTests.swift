import CertificateTestKit
import Foundation
import MQTTClient
import MQTTTestKit
import Testing

/// Whom a client trusts: each way to say it, and each certificate that must not pass, with what is said about it.
@Suite("Whom a client trusts", .timeLimit(.minutes(10)))
struct TrustTests {
    typealias Broker = TransportWorld.Broker
    let world: TransportWorld

    init() throws { world = try TransportWorld.made.get() }

    private func failure(_ endpoint: Endpoint) async -> ConnectFailure? {
        guard case .connectFailed(let failure)? = await TransportWorld.failure(endpoint) else { return nil }
        return failure
    }

    @Test(
        "PEM, DER, many in one file, a folder, text in memory; a server's own certificate, pinned",
        arguments: Broker.present)
    func trusted(_ broker: Broker) async throws {
        let openSSL = world.lab.openSSL
        let port = try world.port(broker, .tls)
        let folder = openSSL.path("authorities-\(broker.rawValue)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try openSSL.run("x509", "-in", "ca.crt", "-outform", "der", "-out", "\(folder)/ca.der")
        let pem = String(decoding: try openSSL.read("ca.crt"), as: UTF8.self)
        try openSSL.write(
            try ["foreign", "between", "ca"].flatMap { try openSSL.read("\($0).crt") }, to: "\(broker.rawValue)-all.pem"
        )
        try FileManager.default.copyItem(atPath: openSSL.path("ca.crt"), toPath: "\(folder)/5a3f0c1e.0")
        let trusts: [TrustRoots] = [
            .file(openSSL.path("ca.crt")), .file("\(folder)/ca.der"), .file(openSSL.path("\(broker.rawValue)-all.pem")),
            .folder(folder), .pem(pem), .bytes(Array(try openSSL.read("ca.crt"))),
            .system.and(.file(openSSL.path("ca.crt"))),
            .file(openSSL.path("server.crt")),  // [TLS-4]
        ]
        for trust in trusts {
            #expect(await TransportWorld.failure(.tls("localhost", port: port, trust: trust)) == nil, "\(trust)")
        }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let listener: TransportWorld.Listener
        var host = "localhost"
        var authority = "ca"
        let problem: ConnectFailure.CertificateProblem
        let words: [String]
        var testDescription: String { "\(listener.rawValue) as \(host), \(authority): \(problem)" }
    }

    static let bad: [Bad] = [
        Bad(
            listener: .tls, authority: "foreign", problem: .untrusted,
            words: ["unable to get local issuer certificate", "CN=ca", "add that authority to the CA file"]),
        Bad(listener: .tls, authority: "self", problem: .untrusted, words: ["nobody trusted"]),
        Bad(
            listener: .other, problem: .wrongName,
            words: ["host name verification failed", "asked for localhost", "is for other.example"]),
        Bad(listener: .tls, host: "127.0.0.2", problem: .wrongName, words: ["127.0.0.2", "localhost, broker.example"]),
        Bad(listener: .commonName, host: "127.0.0.1", problem: .wrongName, words: ["is for localhost"]),
        Bad(listener: .expired, problem: .expired, words: ["certificate has expired on 2021-01-01", "CN=expired"]),
        Bad(listener: .future, problem: .notYetValid, words: ["begins on 2045-01-01", "clocks"]),
        Bad(listener: .webSocketTLS, authority: "foreign", problem: .untrusted, words: ["unable to get local issuer"]),
    ]

    @Test("a certificate that must not pass", arguments: Broker.present, bad)
    func refused(_ broker: Broker, _ bad: Bad) async throws {
        let port = try world.port(broker, bad.listener)
        let tls = ClientTLS(trust: .file(world.path("\(bad.authority).crt")))
        let endpoint: Endpoint =
            bad.listener == .webSocketTLS
            ? .webSocket(bad.host, port: port, tls: tls) : .tls(bad.host, port: port, tls)
        let failure = try #require(await failure(endpoint.resolving(to: "127.0.0.1")))
        #expect(failure.stage == .tls)
        #expect(failure.certificateProblem == bad.problem)
        for word in bad.words { #expect(failure.description.contains(word), "\(failure)") }
        #expect(!failure.details.isEmpty)
    }

    @Test("the name may be left out by an API that says so, and all of it by another", arguments: Broker.present)
    func insecure(_ broker: Broker) async throws {
        let other = try world.port(broker, .other)
        let tls = ClientTLS(trust: world.trust)
        #expect(
            await TransportWorld.failure(.tls("localhost", port: other, tls.insecurelyAcceptingAnyHostName())) == nil)
        #expect(
            await failure(
                .tls("localhost", port: try world.port(broker, .expired), tls.insecurelyAcceptingAnyHostName()))?
                .certificateProblem == .expired)
        #expect(
            await TransportWorld.failure(
                .tls("localhost", port: other, ClientTLS(trust: .none).insecurelyAcceptingAnyServer())) == nil)
        #expect(tls.verification == .full)
    }

    @Test("the name to verify is another than the one to call, where the program says so", arguments: Broker.present)
    func serverName(_ broker: Broker) async throws {
        var tls = ClientTLS(trust: world.trust)
        tls.serverName = "other.example"
        #expect(await TransportWorld.failure(.tls("127.0.0.1", port: try world.port(broker, .other), tls)) == nil)
    }

    @Test("a server's certificate that was taken back", arguments: Broker.present)
    func revoked(_ broker: Broker) async throws {
        let lab = world.lab
        try lab.revocationList("\(broker.rawValue)-good", by: "between")
        try lab.revocationList("\(broker.rawValue)-bad", by: "between", revoking: ["server"], reason: "keyCompromise")
        var tls = ClientTLS(trust: world.trust)
        let port = try world.port(broker, .tls)
        tls.revocationListFile = world.path("\(broker.rawValue)-good.crl")
        #expect(await TransportWorld.failure(.tls("localhost", port: port, tls)) == nil)
        tls.revocationListFile = world.path("\(broker.rawValue)-bad.crl")
        let failure = try #require(await failure(.tls("localhost", port: port, tls)))
        #expect(failure.certificateProblem == .revoked)
        #expect(failure.reason.contains("CN=server"))
        #expect(failure.reason.contains("was revoked on"))
    }

    @Test("files that cannot be used are named, before anything is tried")
    func files() async throws {
        let openSSL = world.lab.openSSL
        try openSSL.write("nothing", to: "empty.pem")
        try openSSL.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: "broken.pem")
        try FileManager.default.createDirectory(atPath: openSSL.path("bare"), withIntermediateDirectories: true)
        let port = try world.port(.martlet, .tls)
        let cases: [(TrustRoots, [String])] = [
            (.file("/no/such.crt"), ["CA file /no/such.crt: there is no such file"]),
            (.file(openSSL.path("empty.pem")), ["CA file", "empty.pem", "no certificate in it"]),
            (.file(openSSL.path("broken.pem")), ["CA file", "broken.pem", "line 1"]),
            (.file(openSSL.path("server.key")), ["no certificate in it", "PRIVATE KEY"]),
            (.folder("/no/such"), ["CA folder /no/such"]), (.folder(openSSL.path("bare")), ["no certificate in it"]),
            (.pem("nonsense"), ["CA certificates"]),
        ]
        for (trust, words) in cases {
            let failure = try #require(await failure(.tls("localhost", port: port, trust: trust)))
            #expect(failure.stage == .settings)
            for word in words { #expect(failure.description.contains(word), "\(failure)") }
        }
    }
}
