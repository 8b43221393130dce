import CertificateTestKit
import Certificates
import Foundation
import Testing

@Suite("mkcert, ours and Debian's")
struct MkcertTests {
    private func certificate(_ openSSL: OpenSSL, _ name: String) throws -> ParsedCertificate {
        try PEMBundle.certificates(in: openSSL.read(name), file: name)[0]
    }

    @Test("the authority and the guide's certificate [C17] [C18] [MK-1] [MK-2] [MK-3] [MK-4]")
    func guide() throws {
        let openSSL = try OpenSSL()
        let made = try openSSL.mkcert("-install")
        #expect(made.text.contains("is now installed"))
        #expect(try openSSL.mkcert("-install").text.contains("already installed"))
        #expect(try openSSL.mkcert("-CAROOT").text == openSSL.path("caroot") + "\n")
        #expect(try openSSL.mode("caroot/rootCA.pem") == 0o644)
        #expect(try openSSL.mode("caroot/rootCA-key.pem") == 0o400)
        let root = try certificate(openSSL, "caroot/rootCA.pem")
        #expect(root.publicKey.description == "RSA 3072")
        #expect(root.notAfter.calendar.year == root.notBefore.calendar.year + 10)
        #expect(root.extensions.keyUsage == .keyCertSign)
        #expect(root.extensions.basicConstraints?.isAuthority == true)
        #expect(root.extensions.basicConstraints?.pathLength == 0)
        #expect(root.subject.rfc2253.contains("O=mkcert development CA"))

        try openSSL.mkcert("-cert-file", "c.pem", "-key-file", "k.pem", "localhost")
        let leaf = try certificate(openSSL, "c.pem")
        #expect(leaf.extensions.subjectAlternativeNames == [.dns("localhost")])
        #expect(leaf.extensions.extendedKeyUsage == ["1.3.6.1.5.5.7.3.1"])
        #expect(leaf.notAfter == leaf.notBefore.adding(years: 2, months: 3))
        #expect(leaf.subject.commonName == nil)
        #expect(try openSSL.mode("c.pem") == 0o644)
        #expect(try openSSL.mode("k.pem") == 0o600)
        try openSSL.run(
            "verify", "-CAfile", "caroot/rootCA.pem", "-purpose", "sslserver", "-verify_hostname", "localhost", "c.pem")
        #expect(try openSSL.mkcert("-uninstall").text.contains("uninstalled"))
        _ = try openSSL.read("caroot/rootCA.pem")
    }

    @Test("file names, kinds of names, one file for both, PKCS#12 [MK-3] [MK-4] [MK-7]")
    func files() throws {
        let openSSL = try OpenSSL()
        let told = try openSSL.mkcert("-ecdsa", "*.x.example", "::1", "a@b.example", "https://u.example/")
        #expect(told.text.contains("only go one level deep"))
        let leaf = try certificate(openSSL, "_wildcard.x.example+3.pem")
        #expect(leaf.publicKey.description == "EC P-256")
        #expect(leaf.extensions.extendedKeyUsage == ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4"])
        try openSSL.mkcert("-client", "::1")
        #expect(
            try certificate(openSSL, "__1-client.pem").extensions.extendedKeyUsage == [
                "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1",
            ])
        try openSSL.mkcert("-cert-file=both.pem", "-key-file=both.pem", "both.example")
        #expect(try openSSL.mode("both.pem") == 0o600)
        try openSSL.mkcert("-pkcs12", "p.example")
        #expect(try openSSL.mode("p.example.p12") == 0o644)
        let opened = try openSSL.run("pkcs12", "-in", "p.example.p12", "-nodes", "-passin", "pass:changeit").text
        #expect(opened.contains("CN = p.example"))
        #expect(opened.contains("mkcert development CA"))
        #expect(try openSSL.mkcert("-client", "-csr", "x", status: 2).errors.contains("can only combine"))
        try FileManager.default.removeItem(atPath: openSSL.path("caroot/rootCA-key.pem"))
        #expect(try openSSL.mkcert("n.example", status: 1).errors.contains("the CA key (rootCA-key.pem) is missing"))
        try openSSL.mkcert("-install")
    }

    @Test("a request is signed with what it asks for [MK-5]")
    func request() throws {
        let openSSL = try OpenSSL()
        try openSSL.run(
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "r.key", "-subj", "/CN=r.example", "-out",
            "r.csr")
        try openSSL.mkcert("-csr", "r.csr", "-cert-file", "r.pem")
        let leaf = try certificate(openSSL, "r.pem")
        #expect(leaf.extensions.subjectAlternativeNames == [.dns("r.example")])
        #expect(leaf.extensions.extendedKeyUsage == ["1.3.6.1.5.5.7.3.1"])
        try openSSL.run("verify", "-CAfile", "caroot/rootCA.pem", "r.pem")
    }

    @Test(
        "Debian's goes on where ours stopped, and ours where Debian's stopped",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/mkcert"), "Debian's mkcert is not installed"),
        arguments: [true, false])
    func interchange(_ oursFirst: Bool) throws {
        let openSSL = try OpenSSL()
        if oursFirst { try openSSL.mkcert("first.example") } else { try openSSL.debianMkcert("first.example") }
        if oursFirst { try openSSL.debianMkcert("second.example") } else { try openSSL.mkcert("second.example") }
        let root = try certificate(openSSL, "caroot/rootCA.pem")
        let verifier = ChainVerifier(anchors: [root], options: .init(purpose: .server))
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970) + 1)
        var facts: [String] = []
        for name in ["first.example", "second.example"] {
            let leaf = try certificate(openSSL, "\(name).pem")
            _ = try verifier.verify([leaf], at: now, hostName: HostName(name)).get()
            try openSSL.run("verify", "-CAfile", "caroot/rootCA.pem", "-verify_hostname", name, "\(name).pem")
            facts.append(
                "\(leaf.publicKey) \(leaf.subject) \(leaf.signatureAlgorithm) "
                    + leaf.extensions.all.map { "\($0.type) \($0.isCritical)" }.sorted().joined(separator: " "))
            let key = try PrivateKey(file: openSSL.read("\(name)-key.pem"), name: name)
            #expect(try key.publicKey == leaf.publicKey)
        }
        #expect(facts[0] == facts[1])
    }
}
