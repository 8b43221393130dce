import CertificateTestKit
import Certificates
import Testing

@Suite("Files of others: keys encrypted the old way, PKCS#12")
struct ForeignFileTests {
    @Test(
        "DEK-Info: we open OpenSSL's keys of old",
        arguments: ["-aes128", "-aes192", "-aes256", "-des3"], ["RSA-2048", "P-256"])
    func oldEncryption(_ cipher: String, _ kind: String) throws {
        let lab = try CertificateLab()
        try lab.key("one", kind)
        let program = kind == "P-256" ? "ec" : "rsa"
        let traditional = kind == "P-256" ? [] : ["-traditional"]
        try lab.openSSL.run(
            [program, "-in", "one.key", cipher] + traditional + ["-passout", "pass:größer", "-out", "old.key"])
        let old = try lab.openSSL.read("old.key")
        #expect(String(decoding: old, as: UTF8.self).contains("DEK-Info: "))
        let plain = try PrivateKey(file: lab.openSSL.read("one.key"), name: "one.key")
        #expect(try PrivateKey(file: old, name: "old.key", passphrase: "größer").pkcs8 == plain.pkcs8)
        #expect(throws: KeyFault.passphraseNeeded) { try PrivateKey(file: old, name: "old.key") }
        #expect(throws: KeyFault.wrongPassphrase) { try PrivateKey(file: old, name: "old.key", passphrase: "x") }
    }

    /// `-legacy` locks certificates with 40 bits of RC2, `-nomac` leaves the seal out.
    @Test(
        "PKCS#12: we open OpenSSL's",
        arguments: [
            [], ["-legacy"], ["-nomac"], ["-macalg", "sha512", "-iter", "5000"],
            ["-certpbe", "NONE", "-keypbe", "NONE"],
            ["-legacy", "-certpbe", "PBE-SHA1-RC2-128"],
        ])
    func bundles(_ options: [String]) throws {
        let lab = try CertificateLab()
        let openSSL = lab.openSSL
        try openSSL.certs("demo-set", "set")
        let files = [
            "-in", "set/client.crt", "-inkey", "set/client.key", "-certfile", "set/ca.crt", "-name", "Gerät 7",
        ]
        try openSSL.run(["pkcs12", "-export", "-out", "one.p12", "-passout", "pass:änderes"] + files + options)
        let bytes = try openSSL.read("one.p12")
        #expect(PKCS12.isOne(bytes))
        let contents = try PKCS12.read(bytes, password: "änderes")
        let key = try PrivateKey(file: openSSL.read("set/client.key"), name: "client.key")
        #expect(contents.key?.pkcs8 == key.pkcs8)
        let expected = try ["client", "ca"].map { name in
            try #require(PEMBundle.certificates(in: openSSL.read("set/\(name).crt"), file: name).first)
        }
        #expect(contents.certificates == expected)
        if options != ["-nomac"] {
            #expect(throws: KeyFault.wrongPassphrase) { try PKCS12.read(bytes, password: "anderes") }
        }
        // Nobody has to wait for a forged count of rounds.
        if options.contains("5000") {
            #expect(throws: KeyFault.self) { try PKCS12.read(bytes, password: "änderes", roundsMax: 4999) }
        }
    }

    @Test("PKCS#12: we open our own, of both kinds", arguments: [PKCS12.Strength.current, .legacy])
    func own(_ strength: PKCS12.Strength) throws {
        let lab = try CertificateLab()
        try lab.openSSL.certs("demo-set", "set")
        let leaf = try #require(
            PEMBundle.certificates(in: lab.openSSL.read("set/client.crt"), file: "client.crt").first)
        let key = try PrivateKey(file: lab.openSSL.read("set/client.key"), name: "client.key")
        var generator = SystemRandomNumberGenerator()
        let bytes = try PKCS12(certificate: leaf, key: key).encoded(
            password: "", strength: strength, using: &generator)
        let contents = try PKCS12.read(bytes, password: "")
        #expect(contents.key?.pkcs8 == key.pkcs8)
        #expect(contents.certificates == [leaf])
    }

    @Test("inspect and convert: a PKCS#12 file becomes what OpenSSL makes of it")
    func commands() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", "set")
        try openSSL.write("changeit", to: "pass")
        let shown = try openSSL.certs("inspect", "set/client.p12", "--passphrase-file", "pass").text
        #expect(shown.contains("Private key: RSA"))
        #expect(shown.split(separator: "\n").filter { $0.contains("Serial number:") }.count == 2)
        try openSSL.certs(
            "convert", "set/client.p12", "--to", "pem", "--passphrase-file", "pass", "--out", "client.pem")
        #expect(try openSSL.mode("client.pem") == 0o600)
        try openSSL.run("verify", "-CAfile", "set/ca.crt", "client.pem")
        let key = try openSSL.run("pkey", "-in", "client.pem").output
        #expect(try key == openSSL.read("set/client.key"))
        try openSSL.write("wrong", to: "wrong")
        let refused = try openSSL.certs("inspect", "set/client.p12", "--passphrase-file", "wrong", status: 1)
        #expect(refused.errors.contains("passphrase"))
        let hint = try openSSL.certs(
            "convert", "set/client.p12", "--to", "der", "--passphrase-file", "pass", status: 64)
        #expect(hint.errors.contains("--to pem"))
    }

    @Test("damaged PKCS#12 files: an error each, never a crash")
    func damage() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", "set")
        let whole = try openSSL.read("set/client.p12")
        var state: UInt64 = 7
        for round in 0..<300 {
            var bytes = whole
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // The seal would hide most of it: the first bytes are those that say how long things are.
            bytes[Int(state >> 33) % (round % 2 == 0 ? 120 : bytes.count)] ^= UInt8(truncatingIfNeeded: state >> 20) | 1
            _ = try? PKCS12.read(bytes, password: "changeit", roundsMax: 2048)
            _ = try? PKCS12.read(Array(bytes.prefix(Int(state >> 35) % bytes.count)), password: "changeit")
        }
    }
}
