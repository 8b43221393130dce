import BrokerConfiguration
import Certificates
import ConfigurationLint
import Foundation
import Testing

/// Certificates of these tests are made by OpenSSL, so that nothing of ours judges its own work.
@Suite(
    "Advice about certificates",
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "apt install openssl"))
struct CertificateFindingTests {
    private final class Folder {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// A self-signed certificate, `NAME.crt` and `NAME.key`.
        func certificate(_ name: String, _ options: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments =
                ["req", "-x509", "-nodes", "-keyout", "\(path)/\(name).key", "-out", "\(path)/\(name).crt"] + options
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
        }
    }

    private static let p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

    private func rules(_ text: String, _ folder: Folder, daysFromNow: Int = 0) throws -> [String] {
        let text = text.replacing("{}", with: folder.path)
        let report = ConfigurationReport(text: text.utf8, file: "test.conf")
        #expect(report.errors == [])
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970)).adding(days: daysFromNow)
        let around = ConfigurationSurroundings(now: now) { path in
            guard let data = FileManager.default.contents(atPath: path) else {
                return .failure(ConfigurationSurroundings.Unreadable("cannot be read"))
            }
            return .success(Array(data))
        }
        let all = ConfigurationLint.findings(report, surroundings: around)
        let without = ConfigurationLint.findings(report)
        return all.filter { !without.contains($0) }.map { "\($0.rule.rawValue):\($0.remark.line ?? 0)" }
    }

    private func listener(_ host: String, _ name: String) -> String {
        "listener 8883 \(host)\npassword_file /p\ncertfile {}/\(name).crt\nkeyfile {}/\(name).key\n"
    }

    @Test("names: those of the listener's address, in the certificate's list")
    func names() throws {
        let folder = try Folder()
        try folder.certificate(
            "good",
            Self.p256 + ["-days", "90", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        #expect(try rules(listener("127.0.0.1", "good"), folder) == [])
        #expect(try rules(listener("", "good"), folder) == [])
        #expect(try rules(listener("broker.example", "good"), folder) == ["certificate-name:1"])
        try folder.certificate("old", Self.p256 + ["-days", "90", "-subj", "/CN=localhost"])
        #expect(try rules(listener("localhost", "old"), folder) == ["certificate-name:1"])
    }

    @Test("dates: expired, and soon expired")
    func dates() throws {
        let folder = try Folder()
        try folder.certificate(
            "c", Self.p256 + ["-days", "90", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"])
        let text = listener("localhost", "c")
        #expect(try rules(text, folder, daysFromNow: 50) == [])
        #expect(try rules(text, folder, daysFromNow: 80) == ["certificate-dates:1"])
        #expect(try rules(text, folder, daysFromNow: 91) == ["certificate-dates:1"])
        #expect(try rules(text, folder, daysFromNow: -1) == ["certificate-dates:1"])
    }

    @Test("keys and authorities that will not do, files that are none")
    func unfit() throws {
        let folder = try Folder()
        let name = ["-days", "90", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"]
        try folder.certificate("weak", ["-newkey", "rsa:1024"] + name)
        #expect(try rules(listener("localhost", "weak"), folder) == ["certificate-weak:1"])
        try folder.certificate("leaf", Self.p256 + name + ["-addext", "basicConstraints=critical,CA:FALSE"])
        #expect(
            try rules(listener("localhost", "leaf") + "cafile {}/leaf.crt\n", folder) == ["authority-unfit:1"])
        #expect(try rules(listener("localhost", "none"), folder) == ["file-unreadable:1"])
        #expect(
            try rules(listener("localhost", "leaf") + "crlfile {}/leaf.crt\n", folder) == ["file-unreadable:1"])
    }
}
