package import MQTTProtocol

/// Identities and pre-shared keys for TLS: `identity:HEXKEY` a line, MOSQUITTO_COMPAT §5.3.
package struct PSKFile: Sendable {
    package let path: String
    package let keys: [MQTTString: [UInt8]]
    package let remarks: [AccessRemark]

    /// OpenSSL's limits.
    static let identityBytesMax = 128
    static let keyBytesMax = 256

    package static func load(_ path: String) throws(AccessFileError) -> PSKFile {
        try PSKFile(SecretFile.read(path, isSecret: true))
    }

    init(_ source: SecretFile) throws(AccessFileError) {
        path = source.path
        remarks = source.remarks
        var keys: [MQTTString: [UInt8]] = [:]
        try source.forEachLine { (number, line) throws(AccessFileError) in
            func fail(_ reason: String) -> AccessFileError {
                AccessFileError(file: source.path, line: number, reason: reason)
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
                throw fail("a line is IDENTITY:KEY, the key in hexadecimal")
            }
            let name = SecretFile.trimmed(line[line.startIndex..<colon])
            guard !name.isEmpty, name.count <= PSKFile.identityBytesMax, let identity = MQTTString(Array(name)) else {
                throw fail("an identity is UTF-8 text of 1 to \(PSKFile.identityBytesMax) bytes")
            }
            guard let key = PSKFile.bytes(hex: SecretFile.trimmed(line[(colon + 1)...])),
                1...PSKFile.keyBytesMax ~= key.count
            else {
                throw fail(
                    "the key of \(identity) is not 2 to \(2 * PSKFile.keyBytesMax) hexadecimal digits, an even number, "
                        + "without 0x")
            }
            guard keys.updateValue(key, forKey: identity) == nil else {
                throw fail("identity \(identity) stands here twice")
            }
        }
        self.keys = keys
    }

    private static func bytes(hex: ArraySlice<UInt8>) -> [UInt8]? {
        guard hex.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in hex {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
