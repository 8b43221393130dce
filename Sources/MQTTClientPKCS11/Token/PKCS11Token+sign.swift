import CPKCS11
import Certificates
public import MQTTTransport

/// A private key of an open session.
struct TokenPrivateKey {
    let object: CK_ULONG
    /// It wants the PIN for every signature.
    let asksEachTime: Bool
}

/// Signing. The hash is computed here, so that a token need only know the bare operation.
extension PKCS11Token {
    /// Larger than RSA 8192's.
    private static let signatureBytesMax = 2048

    /// The schemes that the token can sign with this key, the best first.
    /// - Throws: `unusable` for keys that TLS has no use for.
    public func schemes(of key: ObjectReference) throws(KeyStoreError) -> [SignatureScheme] {
        try inSession { session throws(KeyStoreError) in
            let object = try handle(.privateKey, key, in: session.handle)
            let type = try attribute(AttributeType.keyType, of: object, in: session.handle).flatMap(attributeNumber)
            switch type {
            case KeyType.rsa:
                let pss = hasMechanism(MechanismType.rsaPSS, session.slot) ? SignatureScheme.rsaPSS : []
                return pss + SignatureScheme.rsaPKCS1
            case KeyType.elliptic:
                switch try attribute(AttributeType.ecParameters, of: object, in: session.handle) {
                case KeyNumbers.p256: return [.ecdsaP256SHA256]
                case KeyNumbers.p384: return [.ecdsaP384SHA384]
                case KeyNumbers.p521: return [.ecdsaP521SHA512]
                default: throw unusable(key, "its curve is none of P-256, P-384 and P-521")
                }
            default: throw unusable(key, "it is neither RSA nor on an elliptic curve")
            }
        }
    }

    private func unusable(_ key: ObjectReference, _ reason: String) -> KeyStoreError {
        .unusable(what: "the private key \(key) in \(description)", reason: reason)
    }

    private func hasMechanism(_ mechanism: CK_ULONG, _ slot: CK_ULONG) -> Bool {
        var information = CK_MECHANISM_INFO()
        return module.functions.pointee.C_GetMechanismInfo(slot, mechanism, &information) == ReturnValue.ok
    }

    /// Signs by a scheme of TLS.
    public func sign(
        _ bytes: [UInt8], with key: ObjectReference, by scheme: SignatureScheme
    ) throws(KeyStoreError) -> [UInt8] {
        guard let (operation, hash) = scheme.parts else { throw unusable(key, "it does not sign by \(scheme)") }
        let digest = hash.digest(bytes)
        let raw = try inSession { session throws(KeyStoreError) in
            let key = try privateKey(key, &session)
            return try sign(
                operation == .pkcs1 ? hash.digestInfo(digest) : digest, with: key, operation, hash, in: session)
        }
        guard operation == .ecdsa else { return raw }
        guard let der = hash.der(rawSignature: raw) else {
            throw unusable(key, "its signature has \(raw.count) bytes")
        }
        return der
    }

    private func privateKey(
        _ reference: ObjectReference, _ session: inout Session
    ) throws(KeyStoreError) -> TokenPrivateKey {
        if let known = session.keys[reference] { return known }
        let object = try handle(.privateKey, reference, in: session.handle)
        let asks = try attribute(AttributeType.alwaysAuthenticate, of: object, in: session.handle)
        let key = TokenPrivateKey(object: object, asksEachTime: asks?.first == 1)
        session.keys[reference] = key
        return key
    }

    private func sign(
        _ input: [UInt8], with key: TokenPrivateKey, _ operation: SignatureScheme.Operation,
        _ hash: SignatureScheme.Hash, in session: Session
    ) throws(KeyStoreError) -> [UInt8] {
        let functions = module.functions.pointee
        var parameters = hash.pssParameters
        let begun = withUnsafePointer(to: &parameters) { pointer in
            var mechanism = CK_MECHANISM(mechanism: operation.mechanism, parameter: nil, length: 0)
            if operation == .pss {
                mechanism.parameter = UnsafeRawPointer(pointer)
                mechanism.length = CK_ULONG(MemoryLayout<CK_RSA_PKCS_PSS_PARAMS>.size)
            }
            return functions.C_SignInit(session.handle, &mechanism, key.object)
        }
        try check("C_SignInit", begun)
        if key.asksEachTime { try loginForOneSignature(session) }
        var signature = [UInt8](repeating: 0, count: Self.signatureBytesMax)
        var count = CK_ULONG(signature.count)
        try check("C_Sign", functions.C_Sign(session.handle, input, CK_ULONG(input.count), &signature, &count))
        return Array(signature.prefix(Int(clamping: count)))
    }

    public func sign(_ bytes: [UInt8], with key: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        guard let scheme = try schemes(of: key).first(where: { $0.parts?.operation != .pss }) else {
            throw unusable(key, "it signs no documents")
        }
        return try sign(bytes, with: key, by: scheme)
    }
}

extension SignatureScheme.Operation {
    var mechanism: CK_ULONG {
        switch self {
        case .pkcs1: MechanismType.rsaPKCS1
        case .pss: MechanismType.rsaPSS
        case .ecdsa: MechanismType.ecdsa
        }
    }
}

extension SignatureScheme.Hash {
    /// The salt is as long as the hash, RFC 8446 §4.2.3.
    var pssParameters: CK_RSA_PKCS_PSS_PARAMS {
        switch self {
        case .sha256: CK_RSA_PKCS_PSS_PARAMS(hash: MechanismType.sha256, mask: 2, saltLength: 32)
        case .sha384: CK_RSA_PKCS_PSS_PARAMS(hash: MechanismType.sha384, mask: 3, saltLength: 48)
        case .sha512: CK_RSA_PKCS_PSS_PARAMS(hash: MechanismType.sha512, mask: 4, saltLength: 64)
        }
    }
}
