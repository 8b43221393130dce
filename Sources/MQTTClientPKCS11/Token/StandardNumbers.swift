import CPKCS11

/// The standard's numbers that are used here, PKCS#11 2.40 §A; and its names for what went wrong.
enum ReturnValue {
    static let ok: CK_RV = 0
    static let cannotLock: CK_RV = 0x0A
    static let attributeTypeInvalid: CK_RV = 0x12
    static let attributeSensitive: CK_RV = 0x11
    static let pinLocked: CK_RV = 0xA4
    static let userAlreadyLoggedIn: CK_RV = 0x100
    static let alreadyInitialized: CK_RV = 0x191

    /// After these a session is of no use; a new one may be.
    static let endsSession: Set<CK_RV> = [
        0x03, 0x30, 0x32, 0x60, 0x82, 0xB0, 0xB3, 0xE0, 0xE1, 0x101, 0x190,
    ]
    /// The token itself is away.
    static let tokenGone: Set<CK_RV> = [0x03, 0x32, 0xE0, 0xE1]
    /// Incorrect, invalid, too short or too long.
    static let wrongPIN: Set<CK_RV> = [0xA0, 0xA1, 0xA2]

    static func name(_ value: CK_RV) -> String {
        names[value] ?? "CKR 0x" + String(value, radix: 16)
    }

    private static let names: [CK_RV: String] = [
        0x01: "CKR_CANCEL", 0x02: "CKR_HOST_MEMORY", 0x03: "CKR_SLOT_ID_INVALID", 0x05: "CKR_GENERAL_ERROR",
        0x06: "CKR_FUNCTION_FAILED", 0x07: "CKR_ARGUMENTS_BAD", 0x0A: "CKR_CANT_LOCK",
        0x10: "CKR_ATTRIBUTE_READ_ONLY", 0x11: "CKR_ATTRIBUTE_SENSITIVE", 0x12: "CKR_ATTRIBUTE_TYPE_INVALID",
        0x13: "CKR_ATTRIBUTE_VALUE_INVALID", 0x1B: "CKR_ACTION_PROHIBITED", 0x20: "CKR_DATA_INVALID",
        0x21: "CKR_DATA_LEN_RANGE", 0x30: "CKR_DEVICE_ERROR", 0x31: "CKR_DEVICE_MEMORY",
        0x32: "CKR_DEVICE_REMOVED", 0x50: "CKR_FUNCTION_CANCELED", 0x54: "CKR_FUNCTION_NOT_SUPPORTED",
        0x60: "CKR_KEY_HANDLE_INVALID", 0x62: "CKR_KEY_SIZE_RANGE", 0x63: "CKR_KEY_TYPE_INCONSISTENT",
        0x68: "CKR_KEY_FUNCTION_NOT_PERMITTED", 0x70: "CKR_MECHANISM_INVALID",
        0x71: "CKR_MECHANISM_PARAM_INVALID", 0x82: "CKR_OBJECT_HANDLE_INVALID", 0x90: "CKR_OPERATION_ACTIVE",
        0x91: "CKR_OPERATION_NOT_INITIALIZED", 0xA0: "CKR_PIN_INCORRECT", 0xA1: "CKR_PIN_INVALID",
        0xA2: "CKR_PIN_LEN_RANGE", 0xA3: "CKR_PIN_EXPIRED", 0xA4: "CKR_PIN_LOCKED", 0xB0: "CKR_SESSION_CLOSED",
        0xB1: "CKR_SESSION_COUNT", 0xB3: "CKR_SESSION_HANDLE_INVALID", 0xB5: "CKR_SESSION_READ_ONLY",
        0xD0: "CKR_TEMPLATE_INCOMPLETE", 0xD1: "CKR_TEMPLATE_INCONSISTENT", 0xE0: "CKR_TOKEN_NOT_PRESENT",
        0xE1: "CKR_TOKEN_NOT_RECOGNIZED", 0xE2: "CKR_TOKEN_WRITE_PROTECTED",
        0x100: "CKR_USER_ALREADY_LOGGED_IN", 0x101: "CKR_USER_NOT_LOGGED_IN",
        0x102: "CKR_USER_PIN_NOT_INITIALIZED", 0x104: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
        0x120: "CKR_RANDOM_SEED_NOT_SUPPORTED", 0x121: "CKR_RANDOM_NO_RNG", 0x130: "CKR_DOMAIN_PARAMS_INVALID",
        0x150: "CKR_BUFFER_TOO_SMALL", 0x190: "CKR_CRYPTOKI_NOT_INITIALIZED",
        0x191: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    ]
}

enum ObjectClass {
    static let certificate: CK_ULONG = 1
    static let publicKey: CK_ULONG = 2
    static let privateKey: CK_ULONG = 3
}

extension ObjectKind {
    var number: CK_ULONG {
        switch self {
        case .certificate: ObjectClass.certificate
        case .privateKey: ObjectClass.privateKey
        case .publicKey: ObjectClass.publicKey
        }
    }
}

enum KeyType {
    static let rsa: CK_ULONG = 0
    static let elliptic: CK_ULONG = 3
}

enum AttributeType {
    static let objectClass: CK_ULONG = 0x00
    static let token: CK_ULONG = 0x01
    static let isPrivate: CK_ULONG = 0x02
    static let label: CK_ULONG = 0x03
    static let value: CK_ULONG = 0x11
    static let certificateType: CK_ULONG = 0x80
    static let issuer: CK_ULONG = 0x81
    static let serialNumber: CK_ULONG = 0x82
    static let keyType: CK_ULONG = 0x100
    static let subject: CK_ULONG = 0x101
    static let id: CK_ULONG = 0x102
    static let sensitive: CK_ULONG = 0x103
    static let sign: CK_ULONG = 0x108
    static let verify: CK_ULONG = 0x10A
    static let modulus: CK_ULONG = 0x120
    static let modulusBits: CK_ULONG = 0x121
    static let publicExponent: CK_ULONG = 0x122
    static let privateExponent: CK_ULONG = 0x123
    static let prime1: CK_ULONG = 0x124
    static let prime2: CK_ULONG = 0x125
    static let exponent1: CK_ULONG = 0x126
    static let exponent2: CK_ULONG = 0x127
    static let coefficient: CK_ULONG = 0x128
    static let extractable: CK_ULONG = 0x162
    static let ecParameters: CK_ULONG = 0x180
    static let ecPoint: CK_ULONG = 0x181
    static let alwaysAuthenticate: CK_ULONG = 0x202
}

enum MechanismType {
    static let rsaKeyPair: CK_ULONG = 0x00
    static let rsaPKCS1: CK_ULONG = 0x01
    static let rsaPSS: CK_ULONG = 0x0D
    static let sha256: CK_ULONG = 0x250
    static let sha384: CK_ULONG = 0x260
    static let sha512: CK_ULONG = 0x270
    static let ecKeyPair: CK_ULONG = 0x1040
    static let ecdsa: CK_ULONG = 0x1041
}

enum TokenFlag {
    static let loginRequired: CK_ULONG = 0x04
    static let ownPINPad: CK_ULONG = 0x100
    static let initialized: CK_ULONG = 0x400
    static let pinCountLow: CK_ULONG = 0x1_0000
    static let pinFinalTry: CK_ULONG = 0x2_0000
    static let pinLocked: CK_ULONG = 0x4_0000
}

enum SessionFlag {
    static let writable: CK_ULONG = 0x02
    static let serial: CK_ULONG = 0x04
}

enum UserType {
    static let user: CK_ULONG = 1
    static let contextSpecific: CK_ULONG = 2
}

/// `CKF_OS_LOCKING_OK`: the module may lock with the system's own locks.
let systemLocks: CK_ULONG = 0x02
