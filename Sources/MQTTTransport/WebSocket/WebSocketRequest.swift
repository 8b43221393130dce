/// The HTTP request that opens a WebSocket, read as strictly as RFC 6455 §4.2.1 asks, and the answer to it.
package struct WebSocketRequest: Sendable, Equatable {
    /// The subprotocol we agreed on: `mqtt`, or mosquitto's old `mqttv3.1`. [MQTT-6.0.0-3]
    package let subprotocol: String
    package let key: String
    /// Bytes of the request.
    package let bytes: Int

    /// Why nothing was opened, as HTTP says it to whoever asked.
    package struct Refusal: Error, Equatable {
        package let status: Status
        package let reason: String
    }

    package enum Status: Int, Sendable {
        case badRequest = 400
        case forbidden = 403
        case notFound = 404
        case upgradeRequired = 426
        case headersTooLarge = 431

        var phrase: String {
            switch self {
            case .badRequest: "Bad Request"
            case .forbidden: "Forbidden"
            case .notFound: "Not Found"
            case .upgradeRequired: "Upgrade Required"
            case .headersTooLarge: "Request Header Fields Too Large"
            }
        }
    }

    static let subprotocols = ["mqtt", "mqttv3.1"]

    /// `nil` means more bytes are needed.
    /// - Parameters:
    ///   - bytesMax: of the whole request; mosquitto's `websockets_headers_size`.
    ///   - origins: values of Origin that may come in; empty lets in everyone.
    package static func parse(_ bytes: [UInt8], bytesMax: Int, origins: [String]) throws(Refusal) -> WebSocketRequest? {
        guard let end = endOfHeaders(bytes) else {
            guard bytes.count < bytesMax else {
                throw Refusal(status: .headersTooLarge, reason: "the headers have more than \(bytesMax) bytes")
            }
            if let first = bytes.first, !(0x41...0x5A).contains(first) {
                throw Refusal(status: .badRequest, reason: "this is not HTTP; a client without WebSocket on this port?")
            }
            return nil
        }
        guard end <= bytesMax else {
            throw Refusal(status: .headersTooLarge, reason: "the headers have more than \(bytesMax) bytes")
        }
        guard let text = String(validating: bytes[..<end], as: UTF8.self) else {
            throw Refusal(status: .badRequest, reason: "the headers are not UTF-8")
        }
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init)
        let request = lines.first?.split(separator: " ").map(String.init) ?? []
        guard request.count == 3, request[2].hasPrefix("HTTP/1.") else {
            throw Refusal(status: .badRequest, reason: "the first line is not an HTTP/1.1 request")
        }
        let headers = try Headers(lines.dropFirst())
        guard request[0] == "GET" else {
            throw Refusal(status: .badRequest, reason: "a WebSocket is opened with GET, not \(request[0])")
        }
        guard headers.has("upgrade", token: "websocket"), headers.has("connection", token: "upgrade") else {
            guard ["/", "/mqtt"].contains(request[1]) else {
                throw Refusal(status: .notFound, reason: "there are no pages here, only MQTT over WebSocket")
            }
            throw Refusal(
                status: .upgradeRequired,
                reason: "this is an MQTT broker's WebSocket port: open it with an MQTT client, as ws://HOST:PORT/mqtt")
        }
        guard request[2] == "HTTP/1.1" else {
            throw Refusal(status: .badRequest, reason: "a WebSocket needs HTTP/1.1, not \(request[2])")
        }
        guard headers["sec-websocket-version"] == "13" else {
            throw Refusal(status: .upgradeRequired, reason: "only version 13 of the WebSocket protocol is spoken here")
        }
        guard let key = headers["sec-websocket-key"], isKey(key) else {
            throw Refusal(status: .badRequest, reason: "Sec-WebSocket-Key must be 16 bytes in base64")
        }
        if !origins.isEmpty {
            let origin = headers["origin"]
            guard let origin, origins.contains(origin) else {
                throw Refusal(
                    status: .forbidden,
                    reason: "origin \(origin.map { "'\($0)'" } ?? "(none)") is not in websockets_origin")
            }
        }
        guard let subprotocol = headers.tokens("sec-websocket-protocol").first(where: subprotocols.contains) else {
            throw Refusal(
                status: .badRequest, reason: "the client must offer the subprotocol mqtt (Sec-WebSocket-Protocol: mqtt)"
            )
        }
        return WebSocketRequest(subprotocol: subprotocol, key: key, bytes: end)
    }

    private static func endOfHeaders(_ bytes: [UInt8]) -> Int? {
        var at = bytes.startIndex
        while let found = bytes[at...].firstIndex(of: 0x0A) {
            at = found + 1
            if found >= 3, bytes[found - 1] == 0x0D, bytes[found - 2] == 0x0A, bytes[found - 3] == 0x0D { return at }
        }
        return nil
    }

    private static func isKey(_ key: String) -> Bool {
        let key = Array(key.utf8)
        return key.count == 24 && key.suffix(2) == [0x3D, 0x3D]
            && key.dropLast(2).allSatisfy { base64Alphabet.contains($0) }
    }

    static let base64Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}

/// Header fields, their names in lower case; a list may be spread over several fields.
private struct Headers {
    private var fields: [String: [String]] = [:]

    init(_ lines: ArraySlice<String>) throws(WebSocketRequest.Refusal) {
        for line in lines {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, line.first != " ", line.first != "\t"
            else {
                throw .init(status: .badRequest, reason: "a header line has no name")
            }
            let value = line[line.index(after: colon)...]
            fields[line[..<colon].lowercased(), default: []].append(value.trimmingBlanks)
        }
    }

    /// The value of a field that must not be there twice.
    subscript(name: String) -> String? {
        guard let values = fields[name], values.count == 1 else { return nil }
        return values[0]
    }

    func tokens(_ name: String) -> [String] {
        (fields[name] ?? []).flatMap { $0.split(separator: ",").map(\.trimmingBlanks) }
    }

    func has(_ name: String, token: String) -> Bool { tokens(name).contains { $0.lowercased() == token } }
}

extension StringProtocol {
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
