/// Where secrets stand in a command line: what may be painted over once it is read.
package enum SecretWords {
    /// - Parameter words: with the program's name.
    /// - Returns: the word, and the bytes of it.
    package static func ranges(in words: [Word]) -> [(place: Int, range: Range<Int>)] {
        var found: [(Int, Range<Int>)] = []
        for (place, word) in words.enumerated() {
            if place > 0, ["-P", "--pw", "--psk", "--password", "--key-password"].contains(words[place - 1].text) {
                found.append((place, 0..<word.bytes.count))
            } else if let name = ["--pw=", "--psk=", "--password=", "--key-password="].first(where: {
                word.bytes.starts(with: $0.utf8)
            }) {
                found.append((place, name.utf8.count..<word.bytes.count))
            } else if let range = password(inURL: word.bytes) ?? pin(inURI: word.bytes) {
                found.append((place, range))
            }
        }
        return found
    }

    /// `pkcs11:…?pin-value=PIN`, RFC 7512.
    private static func pin(inURI bytes: [UInt8]) -> Range<Int>? {
        let name = Array("pin-value=".utf8)
        guard bytes.starts(with: "pkcs11:".utf8) || bytes.starts(with: "--pkcs11-uri=".utf8),
            let question = bytes.firstIndex(of: UInt8(ascii: "?"))
        else { return nil }
        for start in question + 1..<max(question + 1, bytes.count - name.count) where bytes[start...].starts(with: name)
        {
            let value = start + name.count
            return value..<(bytes[value...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count)
        }
        return nil
    }

    /// `scheme://user:PASSWORD@…`.
    private static func password(inURL bytes: [UInt8]) -> Range<Int>? {
        let schemes = ["mqtt", "mqtts", "ws", "wss", "socks5h"]
        let text = bytes.firstIndex(of: UInt8(ascii: "=")).map { Array(bytes[($0 + 1)...]) } ?? bytes
        guard let scheme = schemes.first(where: { text.starts(with: "\($0)://".utf8) }) else { return nil }
        let start = bytes.count - text.count + scheme.utf8.count + 3
        let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        guard let at = bytes[start..<end].lastIndex(of: UInt8(ascii: "@")),
            let colon = bytes[start..<at].firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return colon + 1..<at
    }
}
