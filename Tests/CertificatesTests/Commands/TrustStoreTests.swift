import CertificateTestKit
import Certificates
import Foundation
import Testing

/// `--system`, with programs of our own in the place of sudo and certutil: nothing of this machine is changed.
@Suite("mkcert -install -system [MK-6]")
struct TrustStoreTests {
    /// Writes what it was called with, and does what else is asked.
    private static func script(_ openSSL: OpenSSL, _ name: String, _ rest: String = "exit 0") throws {
        try openSSL.write("#!/bin/sh\necho \(name) \"$@\" >>\"$CALLS\"\n\(rest)\n", to: "bin/\(name)")
        chmod(openSSL.path("bin/\(name)"), 0o755)
    }

    /// Runs mkcert as somebody who is not root.
    private static func run(
        _ openSSL: OpenSSL, _ arguments: String..., stores: String? = nil
    ) throws -> OpenSSL.Outcome {
        let settings =
            (stores.map { ["TRUST_STORES=\($0)"] } ?? []) + [
                "PATH=\(openSSL.path("bin")):/usr/bin:/bin", "CALLS=\(openSSL.path("calls"))",
                "HOME=\(openSSL.path("home"))",
                "CAROOT=\(openSSL.path("caroot"))",
            ]
        let unprivileged = geteuid() == 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : []
        return try openSSL.attempt(
            settings + unprivileged + [OpenSSL.martlet, "certs", "mkcert"] + arguments, program: "env")
    }

    private static func lab() throws -> OpenSSL {
        let openSSL = try OpenSSL()
        for folder in ["bin", "caroot", "home/.pki/nssdb", "home/.mozilla/firefox/abc.default"] {
            try FileManager.default.createDirectory(atPath: openSSL.path(folder), withIntermediateDirectories: true)
        }
        for name in ["home/.pki/nssdb/cert9.db", "home/.mozilla/firefox/abc.default/cert8.db", "calls"] {
            try openSSL.write("", to: name)
            chmod(openSSL.path(name), 0o666)
        }
        for name in ["", "caroot", "home"] { chmod(openSSL.path(name), 0o777) }
        return openSSL
    }

    private static func calls(_ openSSL: OpenSSL) throws -> [String] {
        String(decoding: try openSSL.read("calls"), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test(
        "sudo puts one file into the system's folder and has it noticed; browsers by certutil",
        .enabled(if: TrustStore.system()?.directory == "/usr/local/share/ca-certificates"))
    func install() throws {
        let openSSL = try Self.lab()
        try Self.script(openSSL, "sudo")
        try Self.script(openSSL, "certutil", "[ \"$1\" = -V ] && exit 1\nexit 0")
        let outcome = try Self.run(openSSL, "-install", "-system")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.text.contains("is now installed in the system trust store"))
        #expect(outcome.text.contains("Firefox and/or Chrome/Chromium"))
        let authority = try PEMBundle.certificates(in: openSSL.read("caroot/rootCA.pem"), file: "rootCA.pem")[0]
        let calls = try Self.calls(openSSL)
        let number = SerialNumber.decimal(authority.serialNumber)
        let target = "/usr/local/share/ca-certificates/mkcert_development_CA_\(number).crt"
        let system = calls.filter { $0.hasPrefix("sudo") }
        #expect(system.count == 2)
        #expect(system.first?.hasPrefix("sudo --prompt=Sudo password: -- install -m 0644 /tmp/martlet-trust-") == true)
        #expect(system.first?.hasSuffix(target) == true)
        #expect(system.last == "sudo --prompt=Sudo password: -- update-ca-certificates")
        let added = calls.filter { $0.hasPrefix("certutil -A") }
        #expect(added.count == 2)
        #expect(added.allSatisfy { $0.contains("-t C,, -n mkcert development CA \(number) -i /tmp/martlet-trust-") })
        #expect(added.contains { $0.contains("sql:\(openSSL.path("home/.pki/nssdb"))") })
        #expect(added.contains { $0.contains("dbm:\(openSSL.path("home/.mozilla/firefox/abc.default"))") })
    }

    @Test("without sudo, and where sudo fails, it says so; TRUST_STORES leaves stores out")
    func refusals() throws {
        let openSSL = try Self.lab()
        try Self.script(openSSL, "sudo", "exit 1")
        try Self.script(openSSL, "certutil")
        let failed = try Self.run(openSSL, "-install", "-system")
        #expect(failed.status == 1)
        #expect(failed.errors.contains("install: failed with exit status 1"))
        let browsers = try Self.run(openSSL, "-uninstall", "-system", stores: "nss")
        #expect(browsers.status == 0)
        #expect(try Self.calls(openSSL).filter { $0.hasPrefix("certutil -D") }.count == 2)
        #expect(browsers.text.contains("uninstalled from the Firefox"))
    }
}
