/// Where a broker is, as a person writes it: `mqtts://user:password@host:8883/topic`, `ws://host/path`, or `host:port` alone.
/// Names and passwords may be percent-encoded.
package struct BrokerAddress: Sendable, Hashable {
    package enum Scheme: String, Sendable, Hashable {
        case mqtt, mqtts, ws, wss

        package var isEncrypted: Bool { self == .mqtts || self == .wss }
        package var isWebSocket: Bool { self == .ws || self == .wss }

        package var port: Int {
            switch self {
            case .mqtt: 1883
            case .mqtts: 8883
            case .ws: 80
            case .wss: 443
            }
        }
    }

    /// What is wrong with a URL, in words.
    package struct Fault: Error, CustomStringConvertible { package let description: String }

    package let scheme: Scheme
    package let host: String
    package let port: Int
    package let userName: String?
    package let password: String?
    /// What follows the host, without its slash: a topic, or the path of a WebSocket.
    package let rest: String

    /// Other programs' names for the schemes.
    private static let aliases = ["tcp": Scheme.mqtt, "ssl": .mqtts, "tls": .mqtts]

    package init(_ text: String) throws(Fault) {
        var rest = text[...]
        if let mark = Self.mark(in: text) {
            let name = text[..<mark.lowerBound].lowercased()
            guard let scheme = Scheme(rawValue: name) ?? Self.aliases[name] else {
                throw Fault(description: "'\(name)' is no scheme; there are mqtt, mqtts, ws and wss")
            }
            self.scheme = scheme
            rest = text[mark.upperBound...]
        } else {
            scheme = .mqtt
        }
        let authority = rest.prefix { $0 != "/" }
        self.rest = String(rest.dropFirst(authority.count + 1))
        var place = authority
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            userName = try Self.decode(parts[0])
            password = parts.count > 1 ? try Self.decode(parts[1]) : nil
            place = authority[authority.index(after: at)...]
        } else {
            (userName, password) = (nil, nil)
        }
        var portText: Substring?
        if place.hasPrefix("["), let end = place.firstIndex(of: "]") {
            host = String(place[place.index(after: place.startIndex)..<end])
            let behind = place[place.index(after: end)...]
            portText = behind.isEmpty ? nil : behind.dropFirst()
        } else if let colon = place.lastIndex(of: ":") {
            host = String(place[..<colon])
            portText = place[place.index(after: colon)...]
        } else {
            host = String(place)
        }
        guard !host.isEmpty else { throw Fault(description: "no host in '\(text)'") }
        guard let portText else {
            port = scheme.port
            return
        }
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw Fault(description: "'\(portText)' is no port; there are 1 to 65535")
        }
        self.port = port
    }

    /// Where `://` is.
    private static func mark(in text: String) -> Range<String.Index>? {
        text.indices.first { text[$0...].hasPrefix("://") }.map { $0..<text.index($0, offsetBy: 3) }
    }

    private static func decode(_ text: Substring) throws(Fault) -> String {
        var bytes: [UInt8] = []
        var left = Array(text.utf8)[...]
        while let byte = left.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard left.count >= 2, let value = UInt8(String(decoding: left.prefix(2), as: UTF8.self), radix: 16) else {
                throw Fault(description: "a '%' without two hexadecimal digits behind it")
            }
            bytes.append(value)
            left = left.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
