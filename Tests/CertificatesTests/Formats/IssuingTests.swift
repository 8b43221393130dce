import CertificateTestKit
import Certificates
import Testing

@Suite("What we issue, read by OpenSSL")
struct IssuingTests {
    private struct Authority {
        let lab: CertificateLab
        let key: PrivateKey
        let certificate: ParsedCertificate
        var generator = SystemRandomNumberGenerator()

        init(_ kind: PrivateKey.Kind = .p256) throws {
            lab = try CertificateLab()
            key = try PrivateKey.generate(kind)
            let subject = try DistinguishedName(slashes: "/C=DE/O=Ours \\/ Theirs/CN=Root of Tests")
            let publicKey = try key.publicKey
            certificate = try CertificateDraft(
                subject: subject, publicKey: publicKey, notBefore: lab.now.adding(days: -1),
                notAfter: lab.now.adding(days: 100),
                serialNumber: CertificateDraft.randomSerialNumber(using: &generator),
                extensions: [
                    .basicConstraints(isAuthority: true, pathLength: 0), .keyUsage([.keyCertSign, .cRLSign]),
                    .subjectKeyIdentifier(publicKey), .authorityKeyIdentifier(publicKey.identifier),
                ]
            ).signed(by: subject, with: key)
            try lab.openSSL.write(certificate.pem, to: "ca.crt")
        }

        func leaf(_ names: [GeneralName], _ usage: RawExtension.ExtendedUsage = .serverAuth) throws -> (
            ParsedCertificate, PrivateKey
        ) {
            var generator = SystemRandomNumberGenerator()
            let leafKey = try PrivateKey.generate(.p256)
            let certificate = try CertificateDraft(
                subject: try DistinguishedName([("CN", "leaf")]), publicKey: try leafKey.publicKey,
                notBefore: lab.now.adding(days: -1), notAfter: lab.now.adding(days: 10),
                serialNumber: CertificateDraft.randomSerialNumber(using: &generator),
                extensions: [
                    .basicConstraints(isAuthority: false), .keyUsage([.digitalSignature, .keyEncipherment]),
                    .extendedKeyUsage([usage]), .subjectAlternativeNames(names),
                    .authorityKeyIdentifier(self.certificate.keyIdentifier),
                ]
            ).signed(by: self.certificate.subject, with: key)
            return (certificate, leafKey)
        }
    }

    @Test(
        "an authority and a server: OpenSSL verifies them strictly",
        arguments: [PrivateKey.Kind.p256, .p384, .rsa(2048)])
    func verified(_ kind: PrivateKey.Kind) throws {
        let authority = try Authority(kind)
        let names = try ["broker.example", "*.lan.example", "127.0.0.1", "::1", "a@b.example", "https://x.example/"]
            .map { text throws(Malformed) in try GeneralName(text) }
        let (leaf, _) = try authority.leaf(names)
        let openSSL = authority.lab.openSSL
        try openSSL.write(leaf.pem, to: "leaf.crt")
        try openSSL.run(
            "verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose", "sslserver", "-verify_hostname",
            "broker.example",
            "leaf.crt")
        let text = try openSSL.run("x509", "-in", "leaf.crt", "-text", "-noout").text
        #expect(
            text.contains(
                "DNS:broker.example, DNS:*.lan.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, "
                    + "email:a@b.example, URI:https://x.example/"
            ))
        #expect(text.contains("Digital Signature, Key Encipherment"))
        let subject = try openSSL.run("x509", "-in", "ca.crt", "-noout", "-subject", "-nameopt", "RFC2253").text
        #expect(subject == "subject=\(authority.certificate.subject.rfc2253)\n")
        let verifier = ChainVerifier(anchors: [authority.certificate], options: .init(purpose: .server))
        #expect(throws: Never.self) { try verifier.verify([leaf], at: authority.lab.now).get() }
    }

    @Test("a CRL of ours: OpenSSL believes it, and both refuse the revoked one")
    func revocation() throws {
        let authority = try Authority()
        let openSSL = authority.lab.openSSL
        let (leaf, _) = try authority.leaf([.dns("a.example")], .clientAuth)
        let (other, _) = try authority.leaf([.dns("b.example")], .clientAuth)
        let now = authority.lab.now
        let empty = try CertificateRevocationList(
            issuer: authority.certificate, key: authority.key, entries: [], thisUpdate: now.adding(days: -1),
            nextUpdate: now.adding(days: 7), number: [1])
        let list = try empty.adding(
            .init(serialNumber: leaf.serialNumber, revokedAt: now.adding(days: -1), reason: .keyCompromise),
            issuer: authority.certificate, key: authority.key, thisUpdate: now.adding(seconds: -7200),
            nextUpdate: now.adding(days: 7))
        #expect(list.number == [2])
        try openSSL.write(list.pem, to: "ca.crl")
        try openSSL.write(leaf.pem, to: "leaf.crt")
        try openSSL.write(other.pem, to: "other.crt")
        let text = try openSSL.run("crl", "-in", "ca.crl", "-CAfile", "ca.crt", "-noout", "-text")
        #expect(text.errors.contains("verify OK"))
        #expect(text.text.contains("Key Compromise"))
        let check = ["verify", "-crl_check", "-CAfile", "ca.crt", "-CRLfile", "ca.crl"]
        #expect(try openSSL.attempt(check + ["leaf.crt"]).errors.contains("certificate revoked"))
        #expect(try openSSL.attempt(check + ["other.crt"]).status == 0)
        let verifier = ChainVerifier(
            anchors: [authority.certificate], revocationLists: [list], options: .init(purpose: .client))
        #expect(throws: Refusal.self) { try verifier.verify([leaf], at: now).get() }
        #expect(throws: Never.self) { try verifier.verify([other], at: now).get() }
    }

    @Test("requests: OpenSSL reads ours, we read OpenSSL's")
    func requests() throws {
        let lab = try CertificateLab()
        let key = try PrivateKey.generate(.p256)
        let request = try CertificateRequest(
            subject: try DistinguishedName(slashes: "/O=Ours/CN=device 7"), key: key,
            extensions: [.subjectAlternativeNames([.dns("device7.example")])])
        try lab.openSSL.write(request.pem, to: "ours.csr")
        let text = try lab.openSSL.run("req", "-in", "ours.csr", "-verify", "-noout", "-text")
        #expect((text.errors + text.text).contains("verify OK"))
        #expect(text.text.contains("DNS:device7.example"))

        try lab.key("theirs", "RSA-2048")
        try lab.openSSL.run(
            "req", "-new", "-key", "theirs.key", "-subj", "/CN=theirs", "-addext", "subjectAltName=DNS:t.example",
            "-out",
            "theirs.csr")
        let theirs = try CertificateRequest(file: lab.openSSL.read("theirs.csr"), name: "theirs.csr")
        #expect(theirs.isSignedByItsKey)
        #expect(theirs.subject.commonName == "theirs")
        #expect(theirs.extensions.map(\.type) == [CertificateExtensions.subjectAlternativeNameType])
        var damaged = theirs.der
        damaged[damaged.count - 2] ^= 1
        #expect(try !CertificateRequest(der: damaged).isSignedByItsKey)
    }

    @Test("PKCS#12: OpenSSL opens both kinds, and finds key, certificate and authority", arguments: [false, true])
    func pkcs12(_ isLegacy: Bool) throws {
        var generator = SystemRandomNumberGenerator()
        let authority = try Authority()
        let openSSL = authority.lab.openSSL
        let (leaf, key) = try authority.leaf([.dns("a.example")], .clientAuth)
        let bytes = try PKCS12(
            certificate: leaf, key: key, authorities: [authority.certificate], friendlyName: "Gerät 7"
        ).encoded(password: "änderes", strength: isLegacy ? .legacy : .current, using: &generator)
        try openSSL.write(bytes, to: "one.p12")
        let legacy = isLegacy ? ["-legacy"] : []
        let open = ["pkcs12", "-in", "one.p12", "-nodes"] + legacy
        let outcome = try openSSL.run(open + ["-info", "-passin", "pass:änderes"])
        #expect(outcome.text.contains(PEMBundle.text(label: "PRIVATE KEY", der: key.pkcs8)))
        #expect(outcome.text.contains(leaf.pem))
        #expect(outcome.text.contains(authority.certificate.pem))
        #expect(outcome.errors.contains(isLegacy ? "pbeWithSHA1And3-KeyTripleDES-CBC" : "AES-256-CBC"))
        #expect(outcome.errors.contains(isLegacy ? "MAC: sha1, Iteration 2048" : "MAC: sha256, Iteration 2048"))
        #expect(!outcome.errors.contains("RC2"))
        #expect(try openSSL.attempt(open + ["-passin", "pass:anderes"]).status != 0)
    }
}
