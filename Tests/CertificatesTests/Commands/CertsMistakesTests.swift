import CertificateTestKit
import Certificates
import Foundation
import Testing

/// What people do to `martlet certs` that its pages do not show.
@Suite("martlet certs, used otherwise than it was meant")
struct CertsMistakesTests {
    /// Several at the same time, as `make -j` and `xargs -P` start them.
    private func together(_ openSSL: OpenSSL, _ commands: [String]) throws {
        let lines = Array((commands.joined(separator: "\n") + "\n").utf8)
        let outcome = try openSSL.attempt(
            ["-P", "\(commands.count)", "-L", "1", OpenSSL.martlet, "certs"], program: "xargs", input: lines)
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test("many that sign and revoke at the same time: every number once, nobody's revocation lost")
    func together() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("ca", "--key-type", "p256")
        let names = (0..<10).map { "c\($0)" }
        try together(openSSL, names.map { "client \($0) --key-type p256" })
        let numbers = try names.map {
            try PEMBundle.certificates(in: openSSL.read("\($0).crt"), file: $0)[0].serialNumber
        }
        #expect(Set(numbers).count == names.count)
        try together(openSSL, names.map { "revoke \($0).crt" })
        let list = try PEMBundle.revocationLists(in: openSSL.read("ca.crl"), file: "ca.crl")[0]
        for number in numbers { #expect(list.entry(forSerialNumber: number) != nil) }
    }

    @Test("a file with the lists of several authorities keeps the others'")
    func severalLists() throws {
        let openSSL = try OpenSSL()
        for name in ["one", "two"] {
            try openSSL.certs("ca", "--key-type", "p256", "--subject", "/CN=\(name)", "--out", "\(name).crt")
            try openSSL.certs("client", "\(name)-c", "--key-type", "p256", "--ca", "\(name).crt")
            try openSSL.certs("revoke", "--ca", "\(name).crt")
        }
        try openSSL.write(openSSL.read("one.crl") + openSSL.read("two.crl"), to: "both.crl")
        for name in ["two", "one"] {
            try openSSL.certs("revoke", "\(name)-c.crt", "--ca", "\(name).crt", "--crl", "both.crl")
        }
        let lists = try PEMBundle.revocationLists(in: openSSL.read("both.crl"), file: "both.crl")
        #expect(lists.map(\.entries.count) == [1, 1])
        let foreign = try openSSL.certs("revoke", "--ca", "one.crt", "--crl", "two.crl", status: 1)
        #expect(foreign.errors.contains("another authority"))
        let itself = try openSSL.certs("revoke", "one.crt", "--ca", "one.crt", status: 1)
        #expect(itself.errors.contains("is the authority itself"))
    }

    @Test("days beyond the calendar are refused, not crashed on", arguments: ["0", "1000001", "9223372036854775807"])
    func days(_ days: String) throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("ca", "--key-type", "p256")
        try openSSL.certs("key", "k", "--key-type", "p256")
        try openSSL.certs("csr", "--key", "k", "--subject", "/CN=x", "--out", "k.csr")
        for command in [
            ["ca", "--out", "b.crt"], ["client", "x"], ["sign", "k.csr", "--out", "x.crt"], ["revoke"],
            ["demo-set", "d"],
        ] {
            let outcome = try openSSL.attempt([OpenSSL.martlet, "certs"] + command + ["--days", days], program: "env")
            #expect(outcome.status == 64 && outcome.errors.contains("--days is 1 to"), "\(command)")
        }
        try openSSL.certs("ca", "--key-type", "p256", "--days", "1000000", "--out", "long.crt")
        try openSSL.run("x509", "-in", "long.crt", "-noout", "-enddate")
    }

    @Test("a key among certificates: nothing is left out unsaid")
    func combined() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", ".")
        try openSSL.run("pkey", "-in", "client.key", "-traditional", "-out", "old.key")
        let all = try ["client.key", "client.crt", "ca.crt"].flatMap { try openSSL.read($0) }
        try openSSL.write(try ["old.key", "client.crt", "ca.crt"].flatMap { try openSSL.read($0) }, to: "all.pem")
        #expect(try openSSL.certs("convert", "all.pem", "--to", "pem").output == all)
        try openSSL.certs("convert", "all.pem", "--to", "pem", "--out", "new.pem")
        #expect(try openSSL.mode("new.pem") == 0o600)
        #expect(try openSSL.certs("convert", "all.pem", "--to", "der", status: 64).errors.contains("--to pem"))
        try openSSL.write(try ["client.key", "server.key"].flatMap { try openSSL.read($0) }, to: "keys.pem")
        #expect(try openSSL.certs("convert", "keys.pem", "--to", "pem", status: 1).errors.contains("2 private keys"))
    }

    @Test("a PKCS#12 file behind the empty password opens without a question")
    func emptyPassword() throws {
        let openSSL = try OpenSSL()
        try openSSL.certs("demo-set", ".")
        for more in [[], ["-legacy"]] {
            try openSSL.run(
                ["pkcs12", "-export", "-in", "client.crt", "-inkey", "client.key", "-passout", "pass:"] + more
                    + ["-out", "e.p12"])
            let opened = try openSSL.certs("convert", "e.p12", "--to", "pem").output
            #expect(try opened == openSSL.read("client.key") + openSSL.read("client.crt"))
        }
    }

    @Test("where nobody can be asked, the option that helps is named")
    func unasked() throws {
        let openSSL = try OpenSSL()
        try openSSL.write("secret", to: "pass")
        try openSSL.certs("ca", "--passphrase-file", "pass")
        #expect(try openSSL.certs("client", "x", status: 64).errors.contains("use --ca-passphrase-file or"))
        #expect(try openSSL.certs("key", "k", "--encrypt", status: 64).errors.contains("use --passphrase-file or"))
        try openSSL.certs("demo-set", "d")
        #expect(
            try openSSL.certs("p12", "d/client.crt", "--out", "n.p12", status: 64).errors.contains(
                "use --password-file or"))
        #expect(
            try openSSL.certs("convert", "d/client.key", "--to", "pem", "--encrypt", status: 64).errors.contains(
                "use --new-passphrase-file"))
    }
}
