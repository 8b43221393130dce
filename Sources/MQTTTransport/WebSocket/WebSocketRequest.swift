import Certificates

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
        guard let end = HTTPFields.end(in: bytes) else {
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
        guard let headers = HTTPFields(lines.dropFirst()) else {
            throw Refusal(status: .badRequest, reason: "a header line has no name")
        }
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

    private static func isKey(_ key: String) -> Bool {
        key.utf8.count == 24 && Base64.decoded(Array(key.utf8))?.count == 16
    }
}
