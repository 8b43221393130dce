import CertificateTestKit
import Certificates
import Foundation
import Testing

@Suite("martlet certs, beside OpenSSL")
struct CertsCommandTests {
    @Test("authority, server, client: OpenSSL verifies them, keys are readable by their owner alone")
    func fromNothing() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("ca")
        try openSSL.certs("server", "broker.example", "127.0.0.1")
        try openSSL.certs("client", "sensor1", "--key-type", "p256")
        try openSSL.run(
            "verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose", "sslserver", "-verify_ip", "127.0.0.1",
            "server.crt")
        try openSSL.run("verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose", "sslclient", "sensor1.crt")
        for key in ["ca.key", "server.key", "sensor1.key"] { #expect(try openSSL.mode(key) == 0o600) }
        #expect(try openSSL.certs("verify", "server.crt", "--host", "broker.example").text.hasPrefix("server.crt: OK"))
        let wrong = try openSSL.certs("verify", "server.crt", "--host", "other.example", status: 1)
        #expect(wrong.errors.contains("Error: host name verification failed."))
        #expect(
            try openSSL.certs("verify", "sensor1.crt", "--purpose", "server", status: 1).text.contains(
                "may not be used"))
        // Nothing is overwritten by mistake.
        #expect(try openSSL.certs("ca", status: 1).errors.contains("--force"))
        #expect(try openSSL.certs("inspect", "ca.crt").text.contains("Basic constraints (critical): CA:TRUE"))
    }

    @Test("an encrypted authority key; passphrases from file and environment [E38]")
    func encryptedAuthority() throws {
        let openSSL = try OpenSSL()
        try openSSL.write("secret\nsecond line\n", to: "pass")
        try openSSL.certs("ca", "--passphrase-file", "pass")
        #expect(
            String(decoding: try openSSL.read("ca.key"), as: UTF8.self).hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY"))
        try openSSL.run("pkey", "-in", "ca.key", "-passin", "pass:secret", "-noout")
        try openSSL.certs("server", "a.example", "--ca-passphrase-file", "pass")
        #expect(try openSSL.certs("server", "b.example", "--out", "b.crt", status: 1 + 63).status == 64)
    }

    @Test("request and signature, ours and OpenSSL's in turn; ca.srl counts on [D27] [E41]")
    func requests() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("ca")
        try openSSL.certs("key", "one.key")
        try openSSL.certs(
            "csr", "--key", "one.key", "--subject", "/O=Ours/CN=one", "--name", "one.example", "--out", "one.csr")
        try openSSL.run("req", "-in", "one.csr", "-verify", "-noout")
        try openSSL.certs("sign", "one.csr", "--server", "--out", "one.crt")
        let first = try #require(SerialNumber.parse(String(decoding: try openSSL.read("ca.srl"), as: UTF8.self)))
        #expect(try PEMBundle.certificates(in: openSSL.read("one.crt"), file: "one.crt")[0].serialNumber == first)
        try openSSL.run(
            "x509", "-req", "-in", "one.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAserial", "ca.srl", "-out",
            "theirs.crt")
        try openSSL.certs("sign", "one.csr", "--out", "two.crt")
        let second = SerialNumber.next(after: SerialNumber.next(after: first))
        #expect(try PEMBundle.certificates(in: openSSL.read("two.crt"), file: "two.crt")[0].serialNumber == second)
        #expect(
            try openSSL.run("x509", "-in", "one.crt", "-noout", "-ext", "subjectAltName").text.contains(
                "DNS:one.example"))
        // OpenSSL's plain recipe: version 1, no names; accepted by its common name. [TLS-3]
        #expect(try openSSL.certs("verify", "theirs.crt", "--host", "one", status: 0).text.contains("OK"))
    }

    @Test("what OpenSSL made goes on with us: its authority, its request")
    func openSSLFirst() throws {
        let openSSL = try OpenSSL()
        try openSSL.run(
            "req", "-new", "-x509", "-days", "365", "-extensions", "v3_ca", "-keyout", "ca.key", "-out", "ca.crt",
            "-subj",
            "/CN=Their CA", "-passout", "pass:secret", "-newkey", "rsa:2048")
        try openSSL.run(
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "s.key", "-subj", "/CN=liot.com", "-out", "s.csr"
        )
        try openSSL.write("secret", to: "pass")
        try openSSL.certs("sign", "s.csr", "--server", "--ca-passphrase-file", "pass", "--out", "s.crt")
        try openSSL.run("verify", "-CAfile", "ca.crt", "-verify_hostname", "liot.com", "s.crt")
        for fact in ["CA:TRUE", "Subject key identifier", "Authority key identifier"] {
            #expect(try openSSL.certs("inspect", "ca.crt").text.contains(fact))  // [E39] [E40]
        }
    }

    @Test("revoked: OpenSSL and we refuse, the others stay in; a new CRL goes on with the old one")
    func revocation() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("ca")
        for name in ["one", "two"] { try openSSL.certs("client", name, "--key-type", "p256") }
        try openSSL.certs("revoke")
        try openSSL.certs("revoke", "one.crt", "--reason", "keyCompromise")
        try openSSL.certs("revoke")
        let check = ["verify", "-crl_check", "-CAfile", "ca.crt", "-CRLfile", "ca.crl"]
        #expect(try openSSL.attempt(check + ["one.crt"]).errors.contains("certificate revoked"))
        try openSSL.run(check + ["two.crt"])
        #expect(try openSSL.certs("verify", "one.crt", "--crlfile", "ca.crl", status: 1).text.contains("revoked"))
        try openSSL.certs("verify", "two.crt", "--crlfile", "ca.crl")
        #expect(try openSSL.certs("inspect", "ca.crl").text.contains("Number:         03"))
        try openSSL.certs("ca", "--out", "other.crt")
        #expect(
            try openSSL.certs("revoke", "one.crt", "--ca", "other.crt", status: 1).errors.contains("was not issued by"))
    }

    @Test("convert: byte for byte OpenSSL's, chains included [B8] [B9] [E57]")
    func convert() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", ".", "--host", "broker.example")
        try openSSL.certs("convert", "ca.crt", "--to", "der", "--out", "ca.der")
        #expect(try openSSL.read("ca.der") == openSSL.run("x509", "-in", "ca.crt", "-outform", "DER").output)
        #expect(try openSSL.certs("convert", "ca.der", "--to", "pem").output == openSSL.read("ca.crt"))
        try openSSL.write(openSSL.read("server.crt") + openSSL.read("ca.crt"), to: "chain.pem")
        try openSSL.certs("convert", "chain.pem", "--to", "der", "--out", "chain.der")
        let parts = try ["server.crt", "ca.crt"].flatMap {
            try openSSL.run("x509", "-in", $0, "-outform", "DER").output
        }
        #expect(try openSSL.read("chain.der") == parts)
        #expect(try openSSL.certs("convert", "chain.der", "--to", "pem").output == openSSL.read("chain.pem"))
        try openSSL.run("pkey", "-in", "client.key", "-traditional", "-out", "old.key")
        let pkcs8 = try openSSL.run("pkcs8", "-topk8", "-nocrypt", "-in", "old.key", "-outform", "DER").output
        #expect(try openSSL.certs("convert", "old.key", "--to", "der").output == pkcs8)
        #expect(
            try openSSL.certs("convert", "client.key", "--to", "pem", "--traditional").output == openSSL.read("old.key")
        )
        try openSSL.certs("convert", "old.key", "--to", "der", "--out", "k.p8")
        #expect(try openSSL.mode("k.p8") == 0o600)
        try openSSL.certs("convert", "server.csr", "--to", "der", "--out", "csr.der")
        #expect(try openSSL.read("csr.der") == openSSL.run("req", "-in", "server.csr", "-outform", "DER").output)
    }

    @Test("hex: the same as hexdump's [B20]")
    func hex() throws {
        let openSSL = try OpenSSL()
        try openSSL.write((0...255).map { UInt8($0) } + [0, 10, 13], to: "bytes")
        let witness = try openSSL.attempt(["-v", "-e", "1/1 \"%02x\"", "bytes"], program: "hexdump")
        #expect(witness.status == 0)
        #expect(try openSSL.certs("hex", "bytes").output == witness.output)
    }

    @Test("demo-set: the tutorial's folder in one go [E44], and its PKCS#12 opens [E43]")
    func demoSet() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", "set", "--host", "broker.example", "--client", "DSN000001")
        for name in ["ca", "server", "client"] {
            #expect(try openSSL.mode("set/\(name).crt") == 0o644)
            #expect(try openSSL.mode("set/\(name).key") == 0o600)
        }
        for name in ["set/ca.srl", "set/server.csr", "set/client.csr"] { _ = try openSSL.read(name) }
        try openSSL.run(
            "verify", "-CAfile", "set/ca.crt", "-purpose", "sslserver", "-verify_hostname", "broker.example",
            "set/server.crt")
        try openSSL.run("verify", "-CAfile", "set/ca.crt", "-purpose", "sslclient", "set/client.crt")
        try openSSL.run("pkcs12", "-in", "set/client.p12", "-nodes", "-passin", "pass:changeit")
        try openSSL.write("changeit", to: "pass")
        try openSSL.certs(
            "p12", "set/client.crt", "--ca", "set/ca.crt", "--password-file", "pass", "--legacy", "--out", "old.p12")
        try openSSL.run("pkcs12", "-legacy", "-in", "old.p12", "-nodes", "-passin", "pass:changeit")
        #expect(try openSSL.certs("demo-set", "set", status: 1).errors.contains("--force"))
    }

    @Test("RSA 1024 is refused everywhere [CT-3] [D26]")
    func weak() throws {
        let openSSL = try OpenSSL()
        #expect(try openSSL.certs("key", "k", "--rsa-bits", "1024", status: 1).errors.contains("too short"))
        try openSSL.certs("ca")
        try openSSL.run(
            "req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "w.key", "-subj", "/CN=w", "-out", "w.csr")
        #expect(try openSSL.certs("sign", "w.csr", "--out", "w.crt", status: 1).errors.contains("too short"))
    }
}
