public import MQTTTransport

/// Where a device's keys and certificates are: a token (``PKCS11Token``), or a folder for machines without one
/// (``FileKeyStore``). A private key goes in and never comes out: the store signs with it.
///
/// Certificates and public keys are in DER; a public key is its SubjectPublicKeyInfo.
public protocol KeyStore: Sendable, CustomStringConvertible {
    /// A certificate.
    /// - Throws: `missing`, `several`, and what ails the store.
    func certificate(_ reference: ObjectReference) async throws(KeyStoreError) -> [UInt8]

    /// The public half of a private key.
    func publicKey(of key: ObjectReference) async throws(KeyStoreError) -> [UInt8]

    /// Puts a certificate in.
    /// - Parameters:
    ///   - key: where the private key that it is for is known: both get the same id.
    ///   - replacing: take the one of this label away once the new one is in.
    /// - Throws: `alreadyThere`; `unusable` where it is no certificate.
    func importCertificate(
        _ certificate: [UInt8], label: String, key: ObjectReference?, replacing: Bool
    ) async throws(KeyStoreError)

    /// Puts a private key in, and its public half beside it.
    /// - Parameter key: PKCS#8, PKCS#1 or SEC1 in DER, not encrypted.
    func importKey(_ key: [UInt8], labels: KeyLabels, replacing: Bool) async throws(KeyStoreError)

    /// Makes a key pair there.
    /// - Returns: the public half.
    func generateKey(_ kind: KeyKind, labels: KeyLabels, replacing: Bool) async throws(KeyStoreError) -> [UInt8]

    /// Takes an object away.
    /// - Throws: `missing` where there is none.
    func remove(_ kind: ObjectKind, _ reference: ObjectReference) async throws(KeyStoreError)

    /// Signs with a private key, as documents are signed: RSASSA-PKCS1-v1_5 or ECDSA (in DER), with SHA-256, for P-384 SHA-384.
    func sign(_ bytes: [UInt8], with key: ObjectReference) async throws(KeyStoreError) -> [UInt8]

    /// What TLS may ask of a private key, the best first.
    /// - Throws: `unusable` for keys that TLS has no use for.
    func schemes(of key: ObjectReference) async throws(KeyStoreError) -> [SignatureScheme]

    /// Signs by a scheme of TLS.
    /// - Returns: ECDSA in DER, RSA as long as its modulus.
    func sign(
        _ bytes: [UInt8], with key: ObjectReference, by scheme: SignatureScheme
    ) async throws(KeyStoreError) -> [UInt8]

    /// 32 random bits from the store's own source.
    /// - Throws: `noRandomness`. There is no weaker source to fall back to. [PK-4]
    func random() async throws(KeyStoreError) -> UInt32
}

/// The labels of a key's two halves.
public struct KeyLabels: Sendable, Hashable {
    public var privateKey: String
    public var publicKey: String

    public init(
        privateKey: String = DeviceLabel.privateKey.rawValue, publicKey: String = DeviceLabel.publicKey.rawValue
    ) {
        self.privateKey = privateKey
        self.publicKey = publicKey
    }
}
