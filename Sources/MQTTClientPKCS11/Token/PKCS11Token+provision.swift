import CPKCS11
import Certificates

/// Putting keys and certificates into a token. What was there under the same label goes only when asked to, and only
/// after the new one is in.
extension PKCS11Token {
    public func importCertificate(
        _ certificate: [UInt8], label: String, key: ObjectReference?, replacing: Bool
    ) throws(KeyStoreError) {
        let parsed = try ParsedCertificate(checking: certificate, name: label)
        try inWritableSession { session throws(KeyStoreError) in
            let before = try handles(.certificate, .label(label), in: session)
            try requireFree(before, .certificate, label, replacing)
            var id = parsed.publicKey.identifier
            if let key, let object = try handles(.privateKey, key, in: session).first,
                let known = try attribute(AttributeType.id, of: object, in: session)
            {
                id = known
            }
            var new = AttributeList()
            new.add(AttributeType.objectClass, ObjectClass.certificate)
            new.add(AttributeType.certificateType, CK_ULONG(0))  // CKC_X_509
            new.add(AttributeType.token, true)
            new.add(AttributeType.isPrivate, false)
            new.add(AttributeType.label, label)
            new.add(AttributeType.id, id)
            new.add(AttributeType.subject, parsed.subject.der)
            new.add(AttributeType.issuer, parsed.issuer.der)
            new.add(
                AttributeType.serialNumber, [0x02, UInt8(clamping: parsed.serialNumber.count)] + parsed.serialNumber)
            new.add(AttributeType.value, certificate)
            try create(new, in: session)
            try destroy(before, in: session)
        }
    }

    public func importKey(_ key: [UInt8], labels: KeyLabels, replacing: Bool) throws(KeyStoreError) {
        let numbers: KeyNumbers
        let identifier: [UInt8]
        do {
            let key = try PrivateKey(der: key)
            numbers = try key.numbers
            identifier = try key.publicKey.identifier
        } catch {
            throw .unusable(what: "the private key", reason: "\(error)")
        }
        try inWritableSession { session throws(KeyStoreError) in
            let before = try halves(labels, replacing, in: session)
            var privateHalf = Self.privateHalf(labels, id: identifier)
            var publicHalf = Self.publicHalf(labels, id: identifier)
            privateHalf.add(AttributeType.objectClass, ObjectClass.privateKey)
            publicHalf.add(AttributeType.objectClass, ObjectClass.publicKey)
            switch numbers {
            case .rsa(let numbers):
                for half in [0, 1] {
                    func add(_ type: CK_ULONG, _ bytes: [UInt8]) {
                        half == 0 ? privateHalf.add(type, bytes) : publicHalf.add(type, bytes)
                    }
                    add(AttributeType.modulus, numbers.modulus)
                    add(AttributeType.publicExponent, numbers.publicExponent)
                }
                privateHalf.add(AttributeType.keyType, KeyType.rsa)
                publicHalf.add(AttributeType.keyType, KeyType.rsa)
                privateHalf.add(AttributeType.privateExponent, numbers.privateExponent)
                privateHalf.add(AttributeType.prime1, numbers.prime1)
                privateHalf.add(AttributeType.prime2, numbers.prime2)
                privateHalf.add(AttributeType.exponent1, numbers.exponent1)
                privateHalf.add(AttributeType.exponent2, numbers.exponent2)
                privateHalf.add(AttributeType.coefficient, numbers.coefficient)
            case .elliptic(let curve, let secret, let point):
                privateHalf.add(AttributeType.keyType, KeyType.elliptic)
                publicHalf.add(AttributeType.keyType, KeyType.elliptic)
                privateHalf.add(AttributeType.ecParameters, curve)
                publicHalf.add(AttributeType.ecParameters, curve)
                privateHalf.add(AttributeType.value, secret)
                publicHalf.add(AttributeType.ecPoint, KeyNumbers.octetString(point))
            }
            let new = try create(privateHalf, in: session)
            do throws(KeyStoreError) {
                try create(publicHalf, in: session)
            } catch {
                try destroy([new], in: session)  // not half a pair
                throw error
            }
            try destroy(before, in: session)
        }
    }

    public func generateKey(
        _ kind: KeyKind, labels: KeyLabels, replacing: Bool
    ) throws(KeyStoreError) -> [UInt8] {
        let id = try randomBytes(16)
        return try inWritableSession { session throws(KeyStoreError) in
            let before = try halves(labels, replacing, in: session)
            let privateHalf = Self.privateHalf(labels, id: id)
            var publicHalf = Self.publicHalf(labels, id: id)
            var mechanism = CK_MECHANISM(mechanism: MechanismType.ecKeyPair, parameter: nil, length: 0)
            switch kind {
            case .rsa2048, .rsa3072:
                mechanism.mechanism = MechanismType.rsaKeyPair
                publicHalf.add(AttributeType.modulusBits, CK_ULONG(kind == .rsa2048 ? 2048 : 3072))
                publicHalf.add(AttributeType.publicExponent, [1, 0, 1])
            case .p256: publicHalf.add(AttributeType.ecParameters, KeyNumbers.p256)
            case .p384: publicHalf.add(AttributeType.ecParameters, KeyNumbers.p384)
            }
            let functions = module.functions.pointee
            var publicObject: CK_ULONG = 0
            var privateObject: CK_ULONG = 0
            let result = publicHalf.withAttributes { publicList, publicCount in
                privateHalf.withAttributes { privateList, privateCount in
                    functions.C_GenerateKeyPair(
                        session, &mechanism, publicList, publicCount, privateList, privateCount, &publicObject,
                        &privateObject)
                }
            }
            try check("C_GenerateKeyPair", result)
            try destroy(before, in: session)
            return try publicKey(of: privateObject, .id(id), in: session).der
        }
    }

    // MARK: Parts

    private static func privateHalf(_ labels: KeyLabels, id: [UInt8]) -> AttributeList {
        var list = AttributeList()
        list.add(AttributeType.token, true)
        list.add(AttributeType.isPrivate, true)
        list.add(AttributeType.sensitive, true)
        list.add(AttributeType.extractable, false)
        list.add(AttributeType.sign, true)
        list.add(AttributeType.label, labels.privateKey)
        list.add(AttributeType.id, id)
        return list
    }

    private static func publicHalf(_ labels: KeyLabels, id: [UInt8]) -> AttributeList {
        var list = AttributeList()
        list.add(AttributeType.token, true)
        list.add(AttributeType.isPrivate, false)
        list.add(AttributeType.verify, true)
        list.add(AttributeType.label, labels.publicKey)
        list.add(AttributeType.id, id)
        return list
    }

    private func halves(
        _ labels: KeyLabels, _ replacing: Bool, in session: CK_ULONG
    ) throws(KeyStoreError) -> [CK_ULONG] {
        let privateHalves = try handles(.privateKey, .label(labels.privateKey), in: session)
        try requireFree(privateHalves, .privateKey, labels.privateKey, replacing)
        let publicHalves = try handles(.publicKey, .label(labels.publicKey), in: session)
        try requireFree(publicHalves, .publicKey, labels.publicKey, replacing)
        return privateHalves + publicHalves
    }

    private func requireFree(
        _ found: [CK_ULONG], _ kind: ObjectKind, _ label: String, _ replacing: Bool
    ) throws(KeyStoreError) {
        guard !label.isEmpty, label.utf8.count <= DeviceLabel.bytesMax else {
            throw .unusable(what: "the label '\(label)'", reason: "1 to \(DeviceLabel.bytesMax) bytes")
        }
        guard replacing || found.isEmpty else { throw .alreadyThere(kind: kind, name: label, store: description) }
    }

    @discardableResult
    private func create(_ new: AttributeList, in session: CK_ULONG) throws(KeyStoreError) -> CK_ULONG {
        let functions = module.functions.pointee
        var object: CK_ULONG = 0
        try check("C_CreateObject", new.withAttributes { functions.C_CreateObject(session, $0, $1, &object) })
        return object
    }

    private func destroy(_ objects: [CK_ULONG], in session: CK_ULONG) throws(KeyStoreError) {
        for object in objects {
            try check("C_DestroyObject", module.functions.pointee.C_DestroyObject(session, object))
        }
    }
}

extension ParsedCertificate {
    /// - Throws: `unusable`.
    init(checking der: [UInt8], name: String) throws(KeyStoreError) {
        do {
            try self.init(der: der)
        } catch {
            throw .unusable(what: "the certificate for '\(name)'", reason: "\(error)")
        }
    }
}
