import Certificates
public import MQTTTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A store for machines without a token: a folder with a file for each label, under the names that corePKCS11's own file store
/// gives them, in DER. Private keys are readable by their owner alone, and files are replaced whole or not at all. [PK-2]
///
/// It keeps keys from the network and from other users, not from whoever has the disk: that is what tokens are for.
public struct FileKeyStore: KeyStore {
    public let folder: String

    /// Names a folder; it is made when something is put in.
    public init(_ folder: String) { self.folder = folder }

    public var description: String { "the key store \(folder)" }

    // MARK: Files

    /// The labels that have a file, and its name.
    static let names: [DeviceLabel: String] = [
        .certificate: "corePKCS11_Certificate.dat", .privateKey: "corePKCS11_Key.dat",
        .publicKey: "corePKCS11_PubKey.dat", .codeVerificationKey: "corePKCS11_CodeSignKey.dat",
        .claimCertificate: "corePKCS11_Claim_Certificate.dat", .claimPrivateKey: "corePKCS11_Claim_Key.dat",
        .hmacKey: "corePKCS11_HMACKey.dat", .cmacKey: "corePKCS11_CMACKey.dat",
        // corePKCS11 has no files for these two.
        .rootCertificate: "corePKCS11_Root_Certificate.dat", .issuerCertificate: "corePKCS11_JITP_Certificate.dat",
    ]

    private func path(_ kind: ObjectKind, _ reference: ObjectReference) throws(KeyStoreError) -> String {
        guard reference.id == nil, let label = reference.label.flatMap(DeviceLabel.init), let name = Self.names[label]
        else {
            throw .missing(
                kind: kind, wanted: "\(reference)", store: description,
                present: DeviceLabel.allCases.filter { exists($0) }.map(\.rawValue))
        }
        return "\(folder)/\(name)"
    }

    private func exists(_ label: DeviceLabel) -> Bool {
        Self.names[label].map { SecureFile.exists("\(folder)/\($0)") } ?? false
    }

    private func read(_ kind: ObjectKind, _ reference: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        let path = try path(kind, reference)
        guard SecureFile.exists(path) else {
            throw .missing(
                kind: kind, wanted: "\(reference)", store: description,
                present: DeviceLabel.allCases.filter { exists($0) }.map(\.rawValue))
        }
        do {
            return try SecureFile.read(path, bytesMax: ParsedCertificate.bytesMax)
        } catch {
            throw .fileFailed(path: path, reason: error.reason)
        }
    }

    private func write(
        _ bytes: [UInt8], _ kind: ObjectKind, _ label: String, replacing: Bool
    ) throws(KeyStoreError) {
        let path = try path(kind, .label(label))
        guard replacing || !SecureFile.exists(path) else {
            throw .alreadyThere(kind: kind, name: label, store: description)
        }
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw .fileFailed(path: folder, reason: String(cString: strerror(errno)))
        }
        do {
            try SecureFile.write(bytes, to: path, mode: kind == .privateKey ? SecureFile.secret : SecureFile.open)
        } catch {
            throw .fileFailed(path: path, reason: error.reason)
        }
    }

    // MARK: Objects

    public func certificate(_ reference: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        try read(.certificate, reference)
    }

    private func key(_ reference: ObjectReference) throws(KeyStoreError) -> PrivateKey {
        let bytes = try read(.privateKey, reference)
        do {
            return try PrivateKey(der: bytes)
        } catch {
            throw .unusable(what: "the private key \(reference) in \(description)", reason: "\(error)")
        }
    }

    public func publicKey(of key: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        do { return try self.key(key).publicKey.der } catch let error as KeyStoreError { throw error } catch {
            throw .unusable(what: "the private key \(key) in \(description)", reason: "\(error)")
        }
    }

    public func importCertificate(
        _ certificate: [UInt8], label: String, key: ObjectReference?, replacing: Bool
    ) throws(KeyStoreError) {
        _ = try ParsedCertificate(checking: certificate, name: label)
        try write(certificate, .certificate, label, replacing: replacing)
    }

    public func importKey(_ key: [UInt8], labels: KeyLabels, replacing: Bool) throws(KeyStoreError) {
        do {
            _ = try put(try PrivateKey(der: key), labels, replacing)
        } catch let error as KeyStoreError { throw error } catch {
            throw .unusable(what: "the private key", reason: "\(error)")
        }
    }

    public func generateKey(
        _ kind: KeyKind, labels: KeyLabels, replacing: Bool
    ) throws(KeyStoreError) -> [UInt8] {
        do {
            let key: PrivateKey =
                switch kind {
                case .rsa2048: try .generate(.rsa(2048))
                case .rsa3072: try .generate(.rsa(3072))
                case .p256: try .generate(.p256)
                case .p384: try .generate(.p384)
                }
            return try put(key, labels, replacing)
        } catch let error as KeyStoreError { throw error } catch {
            throw .unusable(what: "a new \(kind) key", reason: "\(error)")
        }
    }

    /// Both halves, or none where the second is in the way.
    private func put(_ key: PrivateKey, _ labels: KeyLabels, _ replacing: Bool) throws -> [UInt8] {
        let publicHalf = try key.publicKey.der
        for (kind, label) in [(ObjectKind.privateKey, labels.privateKey), (.publicKey, labels.publicKey)] {
            let path = try path(kind, .label(label))
            guard replacing || !SecureFile.exists(path) else {
                throw KeyStoreError.alreadyThere(kind: kind, name: label, store: description)
            }
        }
        try write(key.traditional?.der ?? key.pkcs8, .privateKey, labels.privateKey, replacing: replacing)
        try write(publicHalf, .publicKey, labels.publicKey, replacing: true)
        return publicHalf
    }

    public func remove(_ kind: ObjectKind, _ reference: ObjectReference) throws(KeyStoreError) {
        _ = try read(kind, reference)
        let path = try path(kind, reference)
        guard unlink(path) == 0 else { throw .fileFailed(path: path, reason: String(cString: strerror(errno))) }
    }

    // MARK: Signing

    public func schemes(of key: ObjectReference) throws(KeyStoreError) -> [SignatureScheme] {
        switch try self.key(key).kindOfSignature {
        case .rsa: return SignatureScheme.rsaPSS + SignatureScheme.rsaPKCS1
        case .p256: return [.ecdsaP256SHA256]
        case .p384: return [.ecdsaP384SHA384]
        case nil:
            throw .unusable(
                what: "the private key \(key) in \(description)", reason: "it is neither RSA, P-256 nor P-384")
        }
    }

    public func sign(_ bytes: [UInt8], with key: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        try signing(key) { try $0.naturalSignature(over: bytes) }
    }

    public func sign(
        _ bytes: [UInt8], with key: ObjectReference, by scheme: SignatureScheme
    ) throws(KeyStoreError) -> [UInt8] {
        try signing(key) { try $0.signature(over: bytes, tlsScheme: scheme.rawValue) }
    }

    private func signing(
        _ reference: ObjectReference, _ body: (PrivateKey) throws -> [UInt8]
    ) throws(KeyStoreError) -> [UInt8] {
        let key = try key(reference)
        do {
            return try body(key)
        } catch {
            throw .unusable(what: "the private key \(reference) in \(description)", reason: "\(error)")
        }
    }

    public func random() throws(KeyStoreError) -> UInt32 {
        var generator = SystemRandomNumberGenerator()  // the system's own; it ends the process where it fails
        return UInt32.random(in: 0...UInt32.max, using: &generator)
    }
}
