import Certificates
import Glibc
import MQTTTestKit

/// An authority, a server's certificate for 127.0.0.1 and localhost, and what clients of it need: made once for all tests.
struct Authority: Sendable {
    let authority: CertificateAuthority
    let serverCertificate: String
    let serverKey: String

    static let shared = Result { try Authority("Test CA") }
    /// One that nobody trusts.
    static let stranger = Result { try Authority("Somebody's CA") }

    init(_ name: String) throws {
        var generator = SystemRandomNumberGenerator()
        authority = try CertificateAuthority.make(
            subject: DistinguishedName([("CN", name)]), key: .generate(.p256), from: Self.now, days: 30,
            using: &generator)
        let key = try PrivateKey.generate(.p256)
        let request = try CertificateRequest(
            subject: DistinguishedName([("CN", "localhost")]), key: key,
            extensions: [.subjectAlternativeNames([try GeneralName("localhost"), try GeneralName("127.0.0.1")])])
        serverCertificate = try authority.sign(
            request, names: [], usages: [.serverAuth], from: Self.now, until: Self.now.adding(days: 20),
            serialNumber: CertificateDraft.randomSerialNumber(using: &generator)
        ).pem
        serverKey = key.pem
    }

    static var now: Timestamp { Timestamp(seconds: Int64(time(nil)) - 60) }

    /// A client's certificate for a request, in DER.
    func sign(_ request: CertificateRequest) throws -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return try authority.sign(
            request, names: [], usages: [.clientAuth], from: Self.now, until: Self.now.adding(days: 20),
            serialNumber: CertificateDraft.randomSerialNumber(using: &generator)
        ).der
    }

    /// A client's key and certificate.
    func client(_ name: String, _ kind: PrivateKey.Kind = .p256) throws -> (key: PrivateKey, certificate: [UInt8]) {
        let key = try PrivateKey.generate(kind)
        let request = try CertificateRequest(
            subject: DistinguishedName([("CN", name)]), key: key, extensions: [])
        return (key, try sign(request))
    }

    /// What a broker with `configuration` needs in its folder.
    var files: [String: String] {
        ["ca.crt": authority.certificate.pem, "server.crt": serverCertificate, "server.key": serverKey]
    }

    /// A listener that wants certificates; both brokers understand it.
    static func mutual(_ more: String = "") -> String {
        """
        listener {port} 127.0.0.1
        cafile {directory}/ca.crt
        certfile {directory}/server.crt
        keyfile {directory}/server.key
        require_certificate true
        allow_anonymous true
        log_type all
        \(more)
        """
    }
}
