import Certificates
import Crypto

extension WebSocketRequest {
    /// 101, and what proves that we have read the key. RFC 6455 §4.2.2
    package var response: String {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(Self.accept(key))\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
    }

    /// What a server answers to a key.
    static func accept(_ key: String) -> String {
        let hash = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return String(decoding: Base64.encoded(Array(hash)), as: UTF8.self)
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
