/// The identities and keys of a `psk_file`: lines `identity:hexadecimal key`, `#` at the start for comments.
/// MOSQUITTO_COMPAT §5.3
package struct PreSharedKeys: Sendable, Equatable {
    /// Bytes of a key: what BoringSSL takes (`PSK_MAX_PSK_LEN`).
    package static let keyBytesMax = 256
    /// Bytes of an identity (`PSK_MAX_IDENTITY_LEN`).
    package static let identityBytesMax = 256

    private var keys: [String: [UInt8]] = [:]

    package init(file path: String) throws(SettingFault) {
        try self.init(try SmallFile.read(path, key: "psk_file"), file: path)
    }

    package init(_ bytes: [UInt8], file path: String) throws(SettingFault) {
        for (index, bytes) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            func fault(_ reason: String) -> SettingFault {
                SettingFault(key: "psk_file", value: "\(path):\(index + 1)", reason: reason)
            }
            guard let line = String(validating: bytes, as: UTF8.self) else { throw fault("it is not UTF-8") }
            let text = line.trimmedBlanks
            if text.isEmpty || text.hasPrefix("#") { continue }
            guard let colon = text.firstIndex(of: ":") else {
                throw fault("write `identity:key`, the key in hexadecimal")
            }
            let identity = String(text[..<colon]).trimmedBlanks
            guard !identity.isEmpty, identity.utf8.count <= Self.identityBytesMax else {
                throw fault("an identity has 1 to \(Self.identityBytesMax) bytes")
            }
            guard let key = Self.key(String(text[text.index(after: colon)...]).trimmedBlanks) else {
                throw fault("a key has 1 to \(Self.keyBytesMax) bytes, two hexadecimal digits each")
            }
            guard keys.updateValue(key, forKey: identity) == nil else {
                throw fault("the identity \(identity) is there already")
            }
        }
    }

    package subscript(identity: String) -> [UInt8]? { keys[identity] }
    package var count: Int { keys.count }

    static func key(_ digits: String) -> [UInt8]? {
        let digits = Array(digits.utf8)
        guard !digits.isEmpty, digits.count % 2 == 0, digits.count / 2 <= keyBytesMax else { return nil }
        var key: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16),
                digits[index] != UInt8(ascii: "+")
            else { return nil }
            key.append(byte)
        }
        return key
    }
}

extension String {
    fileprivate var trimmedBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
