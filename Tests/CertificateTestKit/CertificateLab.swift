package import Certificates
import Foundation

/// Makes certificates of every kind with OpenSSL, good and bad: `NAME.key`, `NAME.crt` in its folder.
package struct CertificateLab {
    package let openSSL: OpenSSL
    /// An hour after everything was made, for verifying before, at and after it.
    package let now: Timestamp

    package init() throws {
        openSSL = try OpenSSL()
        now = Timestamp(seconds: Int64(Date().timeIntervalSince1970) + 3600)
    }

    package static let authority = """
        basicConstraints = critical,CA:TRUE
        keyUsage = critical,keyCertSign,cRLSign
        subjectKeyIdentifier = hash
        """
    package static let server = """
        basicConstraints = CA:FALSE
        keyUsage = digitalSignature,keyEncipherment
        extendedKeyUsage = serverAuth
        subjectAltName = DNS:broker.example,DNS:*.lan.example,IP:127.0.0.1,IP:::1
        subjectKeyIdentifier = hash
        authorityKeyIdentifier = keyid
        """
    package static let client = """
        basicConstraints = CA:FALSE
        keyUsage = digitalSignature
        extendedKeyUsage = clientAuth
        authorityKeyIdentifier = keyid
        """

    package func key(_ name: String, _ kind: String = "P-256") throws {
        let options: [String] =
            switch kind {
            case "P-256", "P-384", "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:\(kind)"]
            case "ED25519": ["-algorithm", "ED25519"]
            default: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:\(kind.dropFirst(4))"]
            }
        try openSSL.run(["genpkey"] + options + ["-out", "\(name).key"])
    }

    /// - Parameters:
    ///   - issuer: another name of this lab; `nil` signs itself.
    ///   - extensions: an OpenSSL section's lines; `nil` gives a version 1 certificate.
    package func certificate(
        _ name: String, subject: String? = nil, kind: String = "P-256", by issuer: String? = nil,
        extensions: String?, days: Int = 30, serial: Int? = nil, digest: String = "sha256", options: [String] = []
    ) throws {
        if !FileManager.default.fileExists(atPath: openSSL.path("\(name).key")) { try key(name, kind) }
        try openSSL.run(
            "req", "-new", "-key", "\(name).key", "-subj", subject ?? "/CN=\(name)", "-out", "\(name).csr")
        var arguments = ["x509", "-req", "-in", "\(name).csr", "-out", "\(name).crt", "-days", "\(days)", "-\(digest)"]
        arguments += ["-set_serial", "\(serial ?? Int.random(in: 1 ... .max))"]
        arguments += issuer.map { ["-CA", "\($0).crt", "-CAkey", "\($0).key"] } ?? ["-signkey", "\(name).key"]
        if let extensions {
            try openSSL.write(extensions + "\n", to: "\(name).ext")
            arguments += ["-extfile", "\(name).ext"]
        }
        try openSSL.run(arguments + options)
    }

    /// `NAME.crl`, listing the serial numbers of `revoked`.
    package func revocationList(
        _ name: String, by issuer: String, revoking revoked: [String] = [], reason: String? = nil, days: Int = 7,
        updateIn delay: Int = 0, extensions: String? = nil
    ) throws {
        try openSSL.write("", to: "\(name).index")
        try openSSL.write("01\n", to: "\(name).number")
        try openSSL.write(
            """
            [ca]
            default_ca = it
            [it]
            database = \(name).index
            crlnumber = \(name).number
            default_md = sha256
            unique_subject = no
            \(extensions == nil ? "" : "crl_extensions = more")
            [more]
            \(extensions ?? "")
            """, to: "\(name).cnf")
        let base = ["ca", "-config", "\(name).cnf", "-cert", "\(issuer).crt", "-keyfile", "\(issuer).key"]
        for one in revoked {
            try openSSL.run(base + ["-revoke", "\(one).crt"] + (reason.map { ["-crl_reason", $0] } ?? []))
        }
        var dates = ["-crldays", "\(days)"]
        if delay > 0 {
            let moments = [now.adding(days: delay), now.adding(days: delay + days)].map { "20\($0.utcTime)" }
            dates = ["-crl_lastupdate", moments[0], "-crl_nextupdate", moments[1]]
        }
        try openSSL.run(base + ["-gencrl", "-out", "\(name).crl"] + dates)
    }

    package func load(_ names: [String]) throws -> [ParsedCertificate] {
        try names.flatMap { try PEMBundle.certificates(in: openSSL.read("\($0).crt"), file: "\($0).crt") }
    }

    package func lists(_ names: [String]) throws -> [CertificateRevocationList] {
        try names.flatMap { try PEMBundle.revocationLists(in: openSSL.read("\($0).crl"), file: "\($0).crl") }
    }

    /// Several files as one: what `-CAfile` and `-untrusted` take.
    package func bundle(_ names: [String], suffix: String = "crt") throws -> String {
        let name = "bundle-\(UUID().uuidString).pem"
        try openSSL.write(try names.flatMap { try openSSL.read("\($0).\(suffix)") }, to: name)
        return name
    }

    /// A server's or client's that is valid between two moments of the calendar, as `20200131000000Z`.
    package func dated(
        _ name: String, subject: String? = nil, by issuer: String, from: String, until: String, extensions: String
    ) throws {
        try key(name)
        try openSSL.run("req", "-new", "-key", "\(name).key", "-subj", subject ?? "/CN=\(name)", "-out", "\(name).csr")
        try openSSL.write("", to: "\(name).index")
        try openSSL.write(extensions + "\n", to: "\(name).ext")
        try openSSL.write(
            """
            [ca]
            default_ca = it
            [it]
            database = \(name).index
            new_certs_dir = .
            rand_serial = yes
            default_md = sha256
            unique_subject = no
            policy = any
            [any]
            commonName = supplied
            """, to: "\(name).cnf")
        try openSSL.run(
            "ca", "-batch", "-notext", "-config", "\(name).cnf", "-cert", "\(issuer).crt", "-keyfile", "\(issuer).key",
            "-in", "\(name).csr", "-out", "\(name).crt", "-startdate", from, "-enddate", until, "-extfile",
            "\(name).ext")
    }
}
