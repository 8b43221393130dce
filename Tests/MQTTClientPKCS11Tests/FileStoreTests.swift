import Certificates
import Glibc
import MQTTClientPKCS11
import Testing

/// The folder for machines without a token.
@Suite("File store")
struct FileStoreTests {
    private func withStore(_ body: (FileKeyStore) async throws -> Void) async throws {
        let folder = SoftHSM.makeFolder()
        defer { SoftHSM.remove(folder) }
        try await body(FileKeyStore("\(folder)/keys"))
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test("corePKCS11's file names; the private key is its owner's alone; OpenSSL reads what we wrote")
    func files() async throws {
        try await withStore { store in
            let client = try Authority.shared.get().client("device", .rsa(2048))
            try await store.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
            try await store.importCertificate(
                client.certificate, label: DeviceLabel.certificate.rawValue, key: nil, replacing: false)
            #expect(mode(store.folder) == 0o700)
            #expect(mode("\(store.folder)/corePKCS11_Key.dat") == 0o600)
            #expect(mode("\(store.folder)/corePKCS11_Certificate.dat") == 0o644)
            #expect(mode("\(store.folder)/corePKCS11_PubKey.dat") == 0o644)
            let ofKey = try SoftHSM.run(
                ["openssl", "pkey", "-inform", "der", "-in", "\(store.folder)/corePKCS11_Key.dat", "-pubout"])
            let ofCertificate = try SoftHSM.run(
                ["openssl", "x509", "-inform", "der", "-in", "\(store.folder)/corePKCS11_Certificate.dat", "-noout", "-pubkey"])
            #expect(ofKey == ofCertificate && ofKey.contains("BEGIN PUBLIC KEY"))
        }
    }

    @Test("every label of corePKCS11 has a file of its own")
    func labels() async throws {
        try await withStore { store in
            for label in DeviceLabel.allCases {
                let error = await #expect(throws: KeyStoreError.self) { try await store.certificate(.label(label)) }
                guard case .missing(_, _, _, let present) = try #require(error) else { continue }
                #expect(present.isEmpty)
            }
            let error = await #expect(throws: KeyStoreError.self) { try await store.certificate(.label("mine")) }
            #expect("\(try #require(error))".contains("has no certificate 'mine'. There is none at all"))
        }
    }

    @Test("nothing is replaced unasked, nor half a pair written")
    func replaces() async throws {
        try await withStore { store in
            _ = try await store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            let first = try await store.publicKey(of: .label(.privateKey))
            await #expect(throws: KeyStoreError.self) {
                try await store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            }
            #expect(try await store.publicKey(of: .label(.privateKey)) == first)
            try await store.remove(.privateKey, .label(.privateKey))
            await #expect(throws: KeyStoreError.self) {
                try await store.generateKey(.p256, labels: KeyLabels(), replacing: false)
            }
            await #expect(throws: KeyStoreError.self) { try await store.publicKey(of: .label(.privateKey)) }
            #expect(try await store.generateKey(.p256, labels: KeyLabels(), replacing: true) != first)
        }
    }

    @Test("what is no key and no certificate is refused before it is written")
    func refuses() async throws {
        try await withStore { store in
            await #expect(throws: KeyStoreError.self) {
                try await store.importKey([1, 2, 3], labels: KeyLabels(), replacing: false)
            }
            await #expect(throws: KeyStoreError.self) {
                try await store.importCertificate([1, 2, 3], label: DeviceLabel.certificate.rawValue, key: nil, replacing: false)
            }
            #expect(access(store.folder, F_OK) != 0)
        }
    }

    @Test("the issuer's certificate goes behind the device's")
    func chain() async throws {
        try await withStore { store in
            let authority = try Authority.shared.get()
            let client = try authority.client("device")
            try await store.importKey(client.key.pkcs8, labels: KeyLabels(), replacing: false)
            for (label, der) in [(DeviceLabel.certificate, client.certificate), (.issuerCertificate, authority.authority.certificate.der)] {
                try await store.importCertificate(der, label: label.rawValue, key: nil, replacing: false)
            }
            #expect(try await store.identity().certificates == [client.certificate, authority.authority.certificate.der])
        }
    }
}
