import Certificates
import Glibc
import MQTTClientPKCS11
import Testing

/// The folder for machines without a token.
@Suite("File store")
struct FileStoreTests {
    private func withStore(_ body: (FileKeyStore) throws -> Void) throws {
        let folder = SoftHSM.makeFolder()
        defer { SoftHSM.remove(folder) }
        try body(FileKeyStore("\(folder)/keys"))
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test("corePKCS11's file names; the private key is its owner's alone; OpenSSL reads what we wrote")
    func files() throws {
        try withStore { store in
            let client = try Authority.shared.get().client("device", .rsa(2048))
            try store.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
            try store.importCertificate(
                client.certificate, label: DeviceLabel.certificate.rawValue, key: nil, replacing: false)
            #expect(mode(store.folder) == 0o700)
            #expect(mode("\(store.folder)/corePKCS11_Key.dat") == 0o600)
            #expect(mode("\(store.folder)/corePKCS11_Certificate.dat") == 0o644)
            #expect(mode("\(store.folder)/corePKCS11_PubKey.dat") == 0o644)
            let ofKey = try SoftHSM.run(
                ["openssl", "pkey", "-inform", "der", "-in", "\(store.folder)/corePKCS11_Key.dat", "-pubout"])
            let ofCertificate = try SoftHSM.run(
                [
                    "openssl", "x509", "-inform", "der", "-in", "\(store.folder)/corePKCS11_Certificate.dat", "-noout",
                    "-pubkey",
                ])
            #expect(ofKey == ofCertificate && ofKey.contains("BEGIN PUBLIC KEY"))
        }
    }

    @Test("every label of corePKCS11 has a file of its own")
    func labels() throws {
        try withStore { store in
            for label in DeviceLabel.allCases {
                let error = #expect(throws: KeyStoreError.self) { try store.certificate(.label(label)) }
                guard case .missing(_, _, _, let present) = try #require(error) else { continue }
                #expect(present.isEmpty)
            }
            let error = #expect(throws: KeyStoreError.self) { try store.certificate(.label("mine")) }
            #expect("\(try #require(error))".contains("has no certificate 'mine'. There is none at all"))
        }
    }

    @Test("nothing is replaced unasked, nor half a pair written")
    func replaces() throws {
        try withStore { store in
            _ = try store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            let first = try store.publicKey(of: .label(.privateKey))
            #expect(throws: KeyStoreError.self) {
                try store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            }
            #expect(try store.publicKey(of: .label(.privateKey)) == first)
            try store.remove(.privateKey, .label(.privateKey))
            #expect(throws: KeyStoreError.self) {
                try store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            }
            #expect(throws: KeyStoreError.self) { try store.publicKey(of: .label(.privateKey)) }
            #expect(try store.generateKey(.p256, labels: KeyLabels(), replacing: true) != first)
        }
    }

    @Test("what is no key and no certificate is refused before it is written")
    func refuses() throws {
        try withStore { store in
            #expect(throws: KeyStoreError.self) {
                try store.importKey([1, 2, 3], labels: KeyLabels(), replacing: false)
            }
            #expect(throws: KeyStoreError.self) {
                try store.importCertificate(
                    [1, 2, 3], label: DeviceLabel.certificate.rawValue, key: nil, replacing: false)
            }
            #expect(access(store.folder, F_OK) != 0)
        }
    }

    @Test("the issuer's certificate goes behind the device's")
    func chain() async throws {
        let folder = SoftHSM.makeFolder()
        defer { SoftHSM.remove(folder) }
        let store = FileKeyStore("\(folder)/keys")
        let authority = try Authority.shared.get()
        let client = try authority.client("device")
        try store.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
        for (label, der) in [
            (DeviceLabel.certificate, client.certificate), (.issuerCertificate, authority.authority.certificate.der),
        ] {
            try store.importCertificate(der, label: label.rawValue, key: nil, replacing: false)
        }
        #expect(try await store.identity().certificates == [client.certificate, authority.authority.certificate.der])
    }
}
