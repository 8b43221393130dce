import Crypto

extension WebSocketRequest {
    /// 101, and what proves that we have read the key. RFC 6455 §4.2.2
    package var response: String {
        let hash = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(Self.base64(Array(hash)))\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for at in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[at..<min(at + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                text.append(
                    position <= group.count ? base64Alphabet[Int(bits >> UInt32(18 - 6 * position)) & 63] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension WebSocketRequest.Refusal {
    /// The whole answer.
    package var response: String {
        let body = "\(status.rawValue) \(status.phrase): \(reason)\n"
        var headers = "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\nContent-Type: text/plain; charset=utf-8\r\n"
        if status == .upgradeRequired {
            headers += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        }
        let connection = status == .upgradeRequired ? "Upgrade, close" : "close"
        return headers + "Connection: \(connection)\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
    }
}
