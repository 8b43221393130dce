import Certificates
public import MQTTTransport
import Synchronization

/// A private key in a store, as TLS signs with it: give it to `ClientTLS` as its identity, with ``KeyStore/identity``. Every
/// handshake asks the store; what it said last is in ``lastFailure``, since TLS only hears that there is no signature.
public final class StoredKey: KeySigner {
    public let store: any KeyStore
    public let reference: ObjectReference
    public let schemes: [SignatureScheme]
    private let failure = Mutex<KeyStoreError?>(nil)

    init(_ store: any KeyStore, _ reference: ObjectReference, _ schemes: [SignatureScheme]) {
        self.store = store
        self.reference = reference
        self.schemes = schemes
    }

    /// Why the last signature was not made; nil once one was.
    public var lastFailure: KeyStoreError? { failure.withLock { $0 } }

    public func signature(over bytes: [UInt8], with scheme: SignatureScheme) async throws -> [UInt8] {
        do throws(KeyStoreError) {
            let signature = try await store.sign(bytes, with: reference, by: scheme)
            failure.withLock { $0 = nil }
            return signature
        } catch {
            failure.withLock { $0 = error }
            throw error
        }
    }
}

/// Who a device is: its key, which stays where it is, and the certificates that go with it.
public struct StoredIdentity: Sendable {
    public let key: StoredKey
    /// In DER: the device's own first, then those of the authorities in between.
    public let certificates: [[UInt8]]

    /// For `ClientTLS.identity`.
    public var client: ClientIdentity { .signer(key, certificates: certificates) }
}

extension KeyStore {
    /// The identity that a store keeps.
    /// - Parameters:
    ///   - key: the private key.
    ///   - certificate: nil = under the key's own label or id, `Device Cert` for `Device Priv TLS Key`.
    ///   - certificates: in DER, where they are not in the store: the device's own first. The store is not asked then.
    ///   - issuer: one more certificate of the store, sent behind; nil = `JITP Cert`, if it is there.
    /// - Throws: `missing`, `several`; `mismatch` where the certificate is not for this key, found out by a trial; what ails the store.
    public func identity(
        key: ObjectReference = .label(.privateKey), certificate: ObjectReference? = nil,
        certificates: [[UInt8]] = [], issuer: ObjectReference? = nil
    ) async throws(KeyStoreError) -> StoredIdentity {
        let schemes = try await schemes(of: key)
        var chain = certificates
        if chain.isEmpty {
            chain = [try await self.certificate(certificate ?? Self.companion(of: key))]
            if let issuer {
                chain.append(try await self.certificate(issuer))
            } else if let known = try await optionalCertificate(.label(.issuerCertificate)) {
                chain.append(known)
            }
        }
        let own = try ParsedCertificate(checking: chain[0], name: "\(key)")
        let trial = Array("Martlet asks whether key and certificate belong together".utf8)
        guard own.publicKey.naturalAlgorithm != nil else {
            throw .unusable(what: "the certificate \(own.displayName)", reason: "its key is \(own.publicKey)")
        }
        guard own.publicKey.isValid(signature: try await sign(trial, with: key), over: trial) else {
            throw .mismatch(certificate: own.displayName, key: "\(key)", store: description)
        }
        return StoredIdentity(key: StoredKey(self, key, schemes), certificates: chain)
    }

    /// Where the certificate of a key is when nobody says.
    private static func companion(of key: ObjectReference) -> ObjectReference {
        switch key.label {
        case DeviceLabel.privateKey.rawValue: .label(.certificate)
        case DeviceLabel.claimPrivateKey.rawValue: .label(.claimCertificate)
        default: key
        }
    }

    private func optionalCertificate(_ reference: ObjectReference) async throws(KeyStoreError) -> [UInt8]? {
        do throws(KeyStoreError) {
            return try await certificate(reference)
        } catch {
            guard case .missing = error else { throw error }
            return nil
        }
    }
}
