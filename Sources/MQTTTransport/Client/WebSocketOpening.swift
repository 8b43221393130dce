import Certificates

/// A client's request that opens a WebSocket, and what it makes of the answer. RFC 6455 §4.1
struct WebSocketOpening {
    /// Bytes of an answer's head at most.
    static let answerBytesMax = 16 * 1024

    let request: String
    private let accept: String

    /// - Parameter key: 16 bytes by chance.
    init(_ endpoint: Endpoint, _ options: Endpoint.WebSocket, key: [UInt8]) {
        let key = String(decoding: Base64.encoded(key), as: UTF8.self)
        accept = WebSocketRequest.accept(key)
        let name = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
        let isUsual = endpoint.port == (endpoint.tls == nil ? 80 : 443)
        var lines = ["GET \(options.path) HTTP/1.1"]
        if !options.headers.contains(where: { $0.name.lowercased() == "host" }) {
            lines.append("Host: \(name)" + (isUsual ? "" : ":\(endpoint.port)"))
        }
        lines += [
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: \(key)", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: mqtt",  // [MQTT-6.0.0-3]
        ]
        lines += options.headers.map { "\($0.name): \($0.value)" }
        request = lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// Bytes of the answer's head once it has come whole and is a yes; `nil` where more are needed.
    func judge(_ bytes: [UInt8]) throws(TransportFault) -> Int? {
        func fault(_ reason: String) -> TransportFault { TransportFault(stage: "WebSocket", reason: reason) }
        let start = bytes.prefix(5)
        guard start.elementsEqual("HTTP/".utf8.prefix(start.count)) else {
            throw fault("what answers does not speak HTTP: is this a WebSocket port?")
        }
        guard let end = HTTPFields.end(in: bytes) else {
            guard bytes.count < Self.answerBytesMax else {
                throw fault("the answer's head has more than \(Self.answerBytesMax) bytes")
            }
            return nil
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
        let status = (lines.first ?? "").split(separator: " ", maxSplits: 2).map(String.init)
        guard status.count >= 2, let code = Int(status[1]) else { throw fault("the answer has no HTTP status") }
        guard let fields = HTTPFields(lines.dropFirst()) else { throw fault("the answer has a header without a name") }
        guard code == 101 else { throw fault(Self.refusal(code, status.count > 2 ? status[2] : "", fields)) }
        guard fields.has("upgrade", token: "websocket"), fields.has("connection", token: "upgrade") else {
            throw fault("the answer changes the protocol, but not to WebSocket")
        }
        guard fields["sec-websocket-accept"] == accept else {
            throw fault("the answer is not one to our request (Sec-WebSocket-Accept)")
        }
        guard fields["sec-websocket-extensions"] == nil else {
            throw fault("the server uses an extension that we did not offer")
        }
        guard fields["sec-websocket-protocol"] == "mqtt" else {  // [MQTT-6.0.0-4]
            throw fault("the server did not agree to the subprotocol mqtt")
        }
        return end
    }

    private static func refusal(_ code: Int, _ phrase: String, _ fields: HTTPFields) -> String {
        let advice =
            switch code {
            case 301, 302, 303, 307, 308: fields["location"].map { "; it says to go to \($0)" } ?? ""
            case 401, 403: "; it wants headers that allow us in, such as Authorization or Origin"
            case 404: "; is the path right? Brokers usually have /mqtt"
            default: ""
            }
        return "the server answers \(code)" + (phrase.isEmpty ? "" : " \(phrase)") + advice
    }
}

extension Endpoint.WebSocket {
    /// Fields that are the WebSocket's own.
    private static let reserved: Set<String> = ["upgrade", "connection", "content-length", "transfer-encoding"]

    func check() throws(SettingFault) {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw SettingFault(
                key: "WebSocket path", value: path, reason: "it begins with / and has no blanks; write others as %20")
        }
        for header in headers {
            let name = header.name.lowercased()
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }) else {
                throw SettingFault(key: "WebSocket header", value: header.name, reason: "it is no name of a header")
            }
            guard !Self.reserved.contains(name), !name.hasPrefix("sec-websocket-") else {
                throw SettingFault(key: "WebSocket header", value: header.name, reason: "it is the WebSocket's own")
            }
            guard header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw SettingFault(
                    key: "WebSocket header", value: header.name, reason: "its value has a line break in it")
            }
        }
    }
}
