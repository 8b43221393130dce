/// Which object of a store is meant: by label, by id, or by both.
public struct ObjectReference: Sendable, Hashable, CustomStringConvertible {
    public var label: String?
    /// `CKA_ID`. The file store has none.
    public var id: [UInt8]?

    public init(label: String? = nil, id: [UInt8]? = nil) {
        self.label = label
        self.id = id
    }

    /// By its label.
    public static func label(_ label: String) -> ObjectReference { ObjectReference(label: label) }
    /// By its id.
    public static func id(_ id: [UInt8]) -> ObjectReference { ObjectReference(id: id) }

    public var description: String {
        let parts = [
            label.map { "'\($0)'" },
            id.map { id in
                "with the id " + id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            },
        ].compactMap(\.self)
        return parts.isEmpty ? "of any label" : parts.joined(separator: " ")
    }
}

/// The labels that corePKCS11 gives the objects of a device; `martlet provision` and the demo go by them. [PK-1]
public enum DeviceLabel: String, Sendable, Hashable, CaseIterable {
    case privateKey = "Device Priv TLS Key"
    case publicKey = "Device Pub TLS Key"
    case certificate = "Device Cert"
    case rootCertificate = "Root Cert"
    case codeVerificationKey = "Code Verify Key"
    /// The authority that vouched for the device at its first connection; sent behind the device's certificate. [PK-5]
    case issuerCertificate = "JITP Cert"
    case claimCertificate = "Claim Cert"
    case claimPrivateKey = "Claim Key"
    case hmacKey = "HMAC Key"
    case cmacKey = "CMAC Key"

    /// The longest label we write, in bytes. corePKCS11 has 32.
    public static let bytesMax = 255
}

extension ObjectReference {
    public static func label(_ label: DeviceLabel) -> ObjectReference { .label(label.rawValue) }
}

/// Kinds of keys that a store makes.
public enum KeyKind: Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case rsa2048
    case rsa3072
    case p256
    case p384

    public var description: String {
        switch self {
        case .rsa2048: "RSA 2048"
        case .rsa3072: "RSA 3072"
        case .p256: "EC P-256"
        case .p384: "EC P-384"
        }
    }
}
