import ArgumentParser
import Certificates
import Glibc

/// `martlet certs demo-set`: the whole folder of the MQTT tutorial in one go. [E44]
struct CertsDemoSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-set",
        abstract: "Make the certificates of a tutorial in one go: authority, server, client, requests, PKCS#12.",
        discussion: """
            ca.crt ca.key ca.srl · server.crt server.key server.csr · client.crt client.key client.csr client.p12
            The password of client.p12 is "changeit". For trying things out: the keys are not encrypted.

            Example:    martlet certs demo-set certs --host broker.example --client DSN000001
            """)

    @Argument(help: "The folder; it is made where there is none.")
    var directory: String

    @Option(help: "The server's name.")
    var host = "localhost"

    @Option(help: "The client's common name.")
    var client = "client"

    @Option(help: "How long they are valid.")
    var days = 365

    @Flag(help: "Replace files that are there.")
    var force = false

    func run() throws {
        try CertsCommand.reporting {
            try CertsCommand.requireDays(days)
            if mkdir(directory, 0o755) != 0, errno != EEXIST {
                throw SecureFile.Fault(path: directory, reason: String(cString: strerror(errno)))
            }
            let names =
                ["ca.crt", "ca.key"] + ["server", "client"].flatMap { ["\($0).crt", "\($0).key", "\($0).csr"] }
            for name in names + ["client.p12"] { try CertsCommand.requireFree("\(directory)/\(name)", force: force) }
            var generator = SystemRandomNumberGenerator()
            let now = CertsCommand.now
            let authority = try CertificateAuthority.make(
                subject: DistinguishedName(slashes: "/O=Martlet demo/CN=Martlet demo CA"),
                key: PrivateKey.generate(.rsa(2048)), from: now, days: days, using: &generator)
            try write(authority.certificate.pem, "ca.crt")
            try write(authority.key.pem, "ca.key", SecureFile.secret)
            var hosts = [try GeneralName(host)]
            for local in ["localhost", "127.0.0.1", "::1"] where local != host { hosts.append(try GeneralName(local)) }
            _ = try leaf("server", host, hosts, [.serverAuth], authority, now)
            let (certificate, key) = try leaf("client", client, [], [.clientAuth], authority, now)
            let store = try PKCS12(
                certificate: certificate, key: key, authorities: [authority.certificate], friendlyName: client
            ).encoded(password: "changeit", using: &generator)
            try SecureFile.write(store, to: "\(directory)/client.p12", mode: SecureFile.secret)
            print("\(directory): \((names + ["ca.srl", "client.p12"]).joined(separator: " "))")
            print("The server is \(host), the client \(client); all valid until \(authority.certificate.notAfter).")
        }
    }

    private func leaf(
        _ file: String, _ commonName: String, _ names: [GeneralName], _ usages: [RawExtension.ExtendedUsage],
        _ authority: CertificateAuthority, _ now: Timestamp
    ) throws -> (ParsedCertificate, PrivateKey) {
        var generator = SystemRandomNumberGenerator()
        let key = try PrivateKey.generate(.rsa(2048))
        let request = try CertificateRequest(
            subject: DistinguishedName([("CN", commonName)]), key: key,
            extensions: names.isEmpty ? [] : [.subjectAlternativeNames(names)])
        let serial = try SerialFile.take("\(directory)/ca.srl", using: &generator)
        let certificate = try authority.sign(
            request, names: [], usages: usages, from: now, until: now.adding(days: days), serialNumber: serial)
        try write(key.pem, "\(file).key", SecureFile.secret)
        try write(request.pem, "\(file).csr")
        try write(certificate.pem, "\(file).crt")
        return (certificate, key)
    }

    private func write(_ text: String, _ name: String, _ mode: UInt32 = SecureFile.open) throws {
        try SecureFile.write(text, to: "\(directory)/\(name)", mode: mode)
    }
}
