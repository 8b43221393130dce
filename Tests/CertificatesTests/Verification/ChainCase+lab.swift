import CertificateTestKit
import Certificates

/// Everything the cases are made of, made once by OpenSSL.
extension CertificateLab {
    static let shared = Result { try CertificateLab.whole() }

    private static func whole() throws -> CertificateLab {
        let lab = try CertificateLab()
        try lab.makeRoots()
        try lab.makeServers()
        try lab.makeAuthorities()
        try lab.makeConstrained()
        try lab.makeLists()
        return lab
    }

    private func makeRoots() throws {
        let authority = Self.authority
        try certificate("root", extensions: authority, days: 100)
        // The same name, another key; without key identifiers only the signature tells them apart.
        try certificate("impostor", subject: "/CN=root", extensions: "basicConstraints=critical,CA:TRUE", days: 100)
        try certificate("old", extensions: authority, days: 10)
        try certificate("version1", kind: "RSA-2048", extensions: nil)
        try certificate("rsa", kind: "RSA-2048", extensions: authority)
        try certificate("rsa1024", kind: "RSA-1024", extensions: authority)
        try certificate("sha1root", kind: "RSA-2048", extensions: authority, digest: "sha1")
        try certificate("p384", kind: "P-384", extensions: authority, digest: "sha384")
        try certificate("p521", kind: "P-521", extensions: authority, digest: "sha512")
        try certificate("ed25519", kind: "ED25519", extensions: authority)
        try certificate("plainroot", extensions: "subjectKeyIdentifier=hash")
        try certificate("usageroot", extensions: "keyUsage=critical,keyCertSign")
        try certificate("noncaroot", extensions: "basicConstraints=critical,CA:FALSE")
    }

    private func makeServers() throws {
        let server = Self.server
        for root in ["root", "old", "rsa", "p384", "p521", "ed25519", "rsa1024", "sha1root", "plainroot", "usageroot"] {
            let digest = ["p384": "sha384", "p521": "sha512"][root] ?? "sha256"
            let plain = ["plainroot", "usageroot"].contains(root)
            let extensions = plain ? server.replacing("authorityKeyIdentifier = keyid", with: "") : server
            try certificate("server-\(root)", by: root, extensions: extensions, days: 50, digest: digest)
        }
        try certificate("server-noncaroot", by: "noncaroot", extensions: "subjectAltName=DNS:a.example")
        for hash in ["256", "384", "512"] {
            let salt = ["256": "32", "384": "48", "512": "64"][hash] ?? ""
            try certificate(
                "server-pss\(hash)", by: "rsa", extensions: server, digest: "sha\(hash)",
                options: ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:\(salt)"])
        }
        try certificate(
            "server-psssalt", by: "rsa", extensions: server,
            options: ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"])
        try certificate("server-v1", subject: "/CN=broker.example", by: "root", extensions: nil)
        try certificate("server-v1v1", subject: "/CN=broker.example", by: "version1", extensions: nil)
        try certificate(
            "server-nosan", subject: "/O=x/CN=broker.example", by: "root", extensions: "keyUsage=digitalSignature")
        try certificate("server-cnwild", subject: "/CN=*.lan.example", by: "root", extensions: nil)
        try certificate("server-cnip", subject: "/CN=192.0.2.7", by: "root", extensions: nil)
        try certificate(
            "server-cnother", subject: "/CN=broker.example", by: "root", extensions: "subjectAltName=DNS:other.example")
        try certificate("server-tld", by: "root", extensions: "subjectAltName=DNS:*.example")
        try certificate("server-bare", by: "root", extensions: "subjectAltName=DNS:*")
        try certificate("server-ipdns", by: "root", extensions: "subjectAltName=DNS:127.0.0.1")
        try certificate("client", by: "root", extensions: Self.client)
        try certificate("client2", by: "root", extensions: Self.client)
        try certificate("both", by: "root", extensions: "extendedKeyUsage=serverAuth,clientAuth")
        try certificate("anyusage", by: "root", extensions: "extendedKeyUsage=anyExtendedKeyUsage")
        try certificate("mailonly", by: "root", extensions: "extendedKeyUsage=emailProtection")
        try certificate("signonly", by: "root", extensions: "keyUsage=keyCertSign")
        try certificate("nonrepudiation", by: "root", extensions: "keyUsage=nonRepudiation")
        try certificate("encipher", by: "root", extensions: "keyUsage=keyEncipherment")
        try certificate(
            "selfsigned", kind: "RSA-2048", extensions: server.replacing("authorityKeyIdentifier = keyid", with: ""))
        try certificate("weak1024", kind: "RSA-1024", by: "root", extensions: server)
        try certificate("weaksha1", by: "rsa", extensions: server, digest: "sha1")
        try certificate("weakmd5", by: "rsa", extensions: server, digest: "md5")
        try certificate("critical", by: "root", extensions: "1.2.3.4.5=critical,ASN1:UTF8String:what")
        try certificate("uncritical", by: "root", extensions: "1.2.3.4.5=ASN1:UTF8String:what")
        try certificate("policies", by: "root", extensions: "certificatePolicies=critical,1.2.3.4")
        try certificate(
            "forged", by: "impostor", extensions: server.replacing("authorityKeyIdentifier = keyid", with: ""))
        var bytes = try load(["server-root"])[0].der
        bytes[bytes.count - 3] ^= 1
        try openSSL.write(PEMBundle.text(label: "CERTIFICATE", der: bytes), to: "damaged.crt")
    }

    private func makeAuthorities() throws {
        let (authority, server) = (Self.authority + "\nauthorityKeyIdentifier = keyid", Self.server)
        try certificate("inter", by: "root", extensions: authority, days: 60)
        try certificate("deep", by: "inter", extensions: authority, days: 60)
        try certificate("server-inter", by: "inter", extensions: server)
        try certificate("server-deep", by: "deep", extensions: server)
        try certificate("short", by: "root", extensions: authority, days: 5)
        try certificate("server-short", by: "short", extensions: server)
        try certificate(
            "level0", by: "root", extensions: authority.replacing("CA:TRUE", with: "CA:TRUE,pathlen:0"))
        try certificate("below0", by: "level0", extensions: authority)
        try certificate("server-level0", by: "level0", extensions: server)
        try certificate("server-below0", by: "below0", extensions: server)
        // The same name above and below, a change of keys: it does not count for the length.
        try certificate("rollover", subject: "/CN=level0", by: "level0", extensions: authority)
        try certificate("server-rollover", by: "rollover", extensions: server)
        try certificate("inter-v1", by: "root", extensions: nil)
        try certificate(
            "server-interv1", by: "inter-v1", extensions: server.replacing("authorityKeyIdentifier = keyid", with: ""))
        try certificate(
            "nosign", by: "root", extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign")
        try certificate(
            "server-nosign", by: "nosign", extensions: server.replacing("authorityKeyIdentifier = keyid", with: ""))
        try certificate("server-server", by: "server-root", extensions: server)
        try certificate("clientca", by: "root", extensions: authority + "\nextendedKeyUsage=clientAuth")
        try certificate("server-clientca", by: "clientca", extensions: "subjectAltName=DNS:a.example")
        // One key, two certificates: signed by itself, and by the root before it.
        try certificate("new", extensions: Self.authority)
        try openSSL.run("x509", "-in", "new.crt", "-x509toreq", "-signkey", "new.key", "-out", "cross.csr")
        try openSSL.write(authority + "\n", to: "cross.ext")
        try openSSL.run(
            "x509", "-req", "-in", "cross.csr", "-CA", "root.crt", "-CAkey", "root.key", "-set_serial", "77", "-days",
            "30",
            "-extfile", "cross.ext", "-out", "cross.crt")
        try certificate("server-new", by: "new", extensions: server)
    }

    private func makeConstrained() throws {
        func under(_ name: String, _ constraint: String) throws {
            try certificate(name, by: "root", extensions: Self.authority + "\nnameConstraints = critical,\(constraint)")
        }
        try under("only-example", "permitted;DNS:example")
        try under("not-example", "excluded;DNS:example")
        try under("only-net", "permitted;IP:127.0.0.0/255.0.0.0")
        try under("only-mail", "permitted;email:.example")
        try openSSL.write(
            "\(Self.authority)\nnameConstraints=critical,permitted;dirName:here\n[here]\nO=Ours\n", to: "dir.ext")
        try certificate("only-ours", by: "root", extensions: String(decoding: openSSL.read("dir.ext"), as: UTF8.self))
        let names = [
            "in": "DNS:broker.example", "out": "DNS:broker.test", "ipin": "IP:127.0.0.9", "ipout": "IP:10.0.0.1",
        ]
        for (suffix, name) in names {
            for authority in ["only-example", "not-example", "only-net"] {
                try certificate("\(authority)-\(suffix)", by: authority, extensions: "subjectAltName=\(name)")
            }
        }
        try certificate("only-example-cn", subject: "/CN=broker.test", by: "only-example", extensions: nil)
        try certificate("only-mail-in", by: "only-mail", extensions: "subjectAltName=email:a@b.example")
        try certificate("only-mail-out", by: "only-mail", extensions: "subjectAltName=email:a@b.test")
        try certificate("only-ours-in", subject: "/O=Ours/CN=x", by: "only-ours", extensions: nil)
        try certificate("only-ours-out", subject: "/O=Theirs/CN=x", by: "only-ours", extensions: nil)
    }

    private func makeLists() throws {
        try revocationList("fresh", by: "root")
        try revocationList("revoking", by: "root", revoking: ["client"], reason: "keyCompromise")
        try revocationList("holding", by: "root", revoking: ["client"], reason: "certificateHold")
        try revocationList("brief", by: "root", days: 1)
        try revocationList("foreign", by: "rsa")
        try revocationList("imposing", by: "impostor")
        try revocationList("interrevoked", by: "root", revoking: ["inter"])
        try revocationList("interlist", by: "inter")
        try revocationList("later", by: "root", updateIn: 3)
        try revocationList("nosignlist", by: "level0")
        try certificate("nocrlsign", by: "root", extensions: Self.authority.replacing(",cRLSign", with: ""))
        try certificate(
            "client-nocrlsign", by: "nocrlsign",
            extensions: Self.client.replacing("authorityKeyIdentifier = keyid", with: ""))
        try revocationList("nocrlsignlist", by: "nocrlsign")
    }
}
