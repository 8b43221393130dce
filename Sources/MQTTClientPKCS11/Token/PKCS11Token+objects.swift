import CPKCS11
import Certificates

/// Looking for objects in a token, and reading them.
extension PKCS11Token {
    private static let foundMax = 64
    /// Larger than any certificate we take.
    private static let attributeBytesMax = 64 * 1024

    /// The handles of all that fit.
    func handles(
        _ kind: ObjectKind, _ reference: ObjectReference, in session: CK_ULONG
    ) throws(KeyStoreError) -> [CK_ULONG] {
        var wanted = AttributeList()
        wanted.add(AttributeType.objectClass, kind.number)
        wanted.add(AttributeType.token, true)
        if let label = reference.label { wanted.add(AttributeType.label, label) }
        if let id = reference.id { wanted.add(AttributeType.id, id) }
        let functions = module.functions.pointee
        try check("C_FindObjectsInit", wanted.withAttributes { functions.C_FindObjectsInit(session, $0, $1) })
        defer { _ = functions.C_FindObjectsFinal(session) }
        var found = [CK_ULONG](repeating: 0, count: Self.foundMax)
        var count: CK_ULONG = 0
        try check("C_FindObjects", functions.C_FindObjects(session, &found, CK_ULONG(found.count), &count))
        return Array(found.prefix(Int(count)))
    }

    /// The one that is meant.
    /// - Throws: `missing`, `several`.
    func handle(
        _ kind: ObjectKind, _ reference: ObjectReference, in session: CK_ULONG
    ) throws(KeyStoreError) -> CK_ULONG {
        let found = try handles(kind, reference, in: session)
        guard let first = found.first else {
            throw .missing(
                kind: kind, wanted: "\(reference)", store: description, present: try labels(kind, in: session))
        }
        guard found.count == 1 else { throw .several(kind: kind, wanted: "\(reference)", store: description) }
        return first
    }

    private func labels(_ kind: ObjectKind, in session: CK_ULONG) throws(KeyStoreError) -> [String] {
        var names: [String] = []
        for object in try handles(kind, ObjectReference(), in: session) {
            names.append(
                String(decoding: try attribute(AttributeType.label, of: object, in: session) ?? [], as: UTF8.self))
        }
        return names
    }

    /// Nil where the object has no such attribute, or does not show it.
    func attribute(
        _ type: CK_ULONG, of object: CK_ULONG, in session: CK_ULONG
    ) throws(KeyStoreError) -> [UInt8]? {
        let functions = module.functions.pointee
        var attribute = CK_ATTRIBUTE(type: type, value: nil, length: 0)
        let result = functions.C_GetAttributeValue(session, object, &attribute, 1)
        if result == ReturnValue.attributeTypeInvalid || result == ReturnValue.attributeSensitive { return nil }
        try check("C_GetAttributeValue", result)
        guard attribute.length > 0, attribute.length <= Self.attributeBytesMax else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(attribute.length))
        let second = bytes.withUnsafeMutableBytes { buffer in
            attribute.value = buffer.baseAddress
            return functions.C_GetAttributeValue(session, object, &attribute, 1)
        }
        try check("C_GetAttributeValue", second)
        return Array(bytes.prefix(Int(clamping: attribute.length)))
    }

    /// The public half of a private key: from the private object, which for RSA knows it, or from the public object of the
    /// same id or label.
    func publicKey(of key: CK_ULONG, _ reference: ObjectReference, in session: CK_ULONG) throws(KeyStoreError)
        -> PublicKey
    {
        let type = try attribute(AttributeType.keyType, of: key, in: session).flatMap(attributeNumber)
        do {
            if type == KeyType.rsa, let modulus = try attribute(AttributeType.modulus, of: key, in: session),
                let exponent = try attribute(AttributeType.publicExponent, of: key, in: session)
            {
                return try PublicKey(modulus: modulus, exponent: exponent)
            }
            for other in try publicObjects(of: key, reference, in: session) {
                if let modulus = try attribute(AttributeType.modulus, of: other, in: session),
                    let exponent = try attribute(AttributeType.publicExponent, of: other, in: session)
                {
                    return try PublicKey(modulus: modulus, exponent: exponent)
                }
                if let curve = try attribute(AttributeType.ecParameters, of: other, in: session),
                    let point = try attribute(AttributeType.ecPoint, of: other, in: session)
                {
                    return try PublicKey(curve: curve, point: point)
                }
            }
        } catch let error as KeyStoreError {
            throw error
        } catch {
            throw .unusable(what: "the public key of \(reference) in \(description)", reason: "\(error)")
        }
        throw .missing(kind: .publicKey, wanted: "of the private key \(reference)", store: description, present: [])
    }

    private func publicObjects(
        of key: CK_ULONG, _ reference: ObjectReference, in session: CK_ULONG
    ) throws(KeyStoreError) -> [CK_ULONG] {
        var found: [CK_ULONG] = []
        if let id = try attribute(AttributeType.id, of: key, in: session), !id.isEmpty {
            found += try handles(.publicKey, .id(id), in: session)
        }
        if let label = reference.label {
            let pair = label == DeviceLabel.privateKey.rawValue ? DeviceLabel.publicKey.rawValue : label
            found += try handles(.publicKey, .label(pair), in: session)
        }
        return found
    }
}

extension PKCS11Token: KeyStore {
    public func certificate(_ reference: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        try inSession { session throws(KeyStoreError) in
            let object = try handle(.certificate, reference, in: session.handle)
            guard let value = try attribute(AttributeType.value, of: object, in: session.handle) else {
                throw .unusable(what: "the certificate \(reference) in \(description)", reason: "it has no value")
            }
            return value
        }
    }

    public func publicKey(of key: ObjectReference) throws(KeyStoreError) -> [UInt8] {
        try inSession { session throws(KeyStoreError) in
            let object = try handle(.privateKey, key, in: session.handle)
            return try publicKey(of: object, key, in: session.handle).der
        }
    }

    public func remove(_ kind: ObjectKind, _ reference: ObjectReference) throws(KeyStoreError) {
        try inWritableSession { session throws(KeyStoreError) in
            let object = try handle(kind, reference, in: session)
            try check("C_DestroyObject", module.functions.pointee.C_DestroyObject(session, object))
        }
    }

    public func random() throws(KeyStoreError) -> UInt32 {
        try randomBytes(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
}
