import CertificateTestKit
import Certificates
import Testing

@Suite("International host names become punycode [MK-3]")
struct InternationalNameTests {
    /// The examples of RFC 3492 §7.1 that are words, and host names as people type them.
    @Test(arguments: [
        ("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("*.münchen.example", "*.xn--mnchen-3ya.example"), ("faß.example", "xn--fa-hia.example"),
        ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
        ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
        ("προιόντα。example", "xn--mxapmgegy6d.example"), ("tiếngviệt", "xn--tingvit-5t4cyc"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("broker.example", "broker.example"),
    ])
    func names(_ written: String, _ expected: String) throws {
        #expect(InternationalName.ascii(written) == expected)
        #expect(try GeneralName(written) == .dns(expected))
    }

    @Test(
        "what is no host name stays none",
        arguments: ["ü ü", "ü/..", String(repeating: "ü", count: 64), "a..ü", "ü@", ""])
    func nonsense(_ written: String) {
        #expect(throws: Malformed.self) { try GeneralName(written) }
    }

    @Test("mkcert and ours name files and certificates alike")
    func mkcert() throws {
        let openSSL = try OpenSSL()
        try openSSL.mkcert("bücher.example")
        let ours = try openSSL.run("x509", "-in", "xn--bcher-kva.example.pem", "-noout", "-ext", "subjectAltName").text
        try openSSL.debianMkcert("bücher.example")
        let theirs = try openSSL.run("x509", "-in", "xn--bcher-kva.example.pem", "-noout", "-ext", "subjectAltName")
            .text
        #expect(ours == theirs)
        #expect(ours.contains("DNS:xn--bcher-kva.example"))
        try openSSL.certs("ca")
        try openSSL.certs("server", "bücher.example", "--out", "s.crt")
        try openSSL.certs("verify", "s.crt", "--cafile", "ca.crt", "--host", "xn--bcher-kva.example")
    }
}
