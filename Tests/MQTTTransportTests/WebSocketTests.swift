import MQTTTransport
import NIOCore
import SeededRandom
import Testing

@Suite("WebSocket: the request")
struct WebSocketRequestTests {
    /// The example of RFC 6455 §1.3.
    private static func request(
        _ first: String = "GET /mqtt HTTP/1.1", without: String? = nil, _ more: [String] = []
    ) -> [UInt8] {
        var lines = [
            "Host: server.example.com", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://example.com",
            "Sec-WebSocket-Protocol: chat, mqtt",
            "Sec-WebSocket-Version: 13",
        ]
        if let without { lines.removeAll { $0.hasPrefix(without + ":") } }
        return Array(([first] + lines + more).joined(separator: "\r\n").utf8) + [13, 10, 13, 10]
    }

    private static func parse(_ bytes: [UInt8], bytesMax: Int = 4096, origins: [String] = []) throws
        -> WebSocketRequest?
    {
        try WebSocketRequest.parse(bytes, bytesMax: bytesMax, origins: origins)
    }

    private static func status(_ bytes: [UInt8], bytesMax: Int = 4096, origins: [String] = []) -> Int? {
        do {
            _ = try parse(bytes, bytesMax: bytesMax, origins: origins)
            return nil
        } catch { return (error as? WebSocketRequest.Refusal)?.status.rawValue }
    }

    @Test("[MQTT-6.0.0-3] [MQTT-6.0.0-4] the RFC's own key, and our subprotocol")
    func accepts() throws {
        let request = try #require(try Self.parse(Self.request() + [0x82]))
        #expect(request.bytes == Self.request().count)
        #expect(request.subprotocol == "mqtt")
        #expect(request.response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(request.response.hasPrefix("HTTP/1.1 101 "))
        #expect(request.response.contains("Sec-WebSocket-Protocol: mqtt\r\n"))
    }

    @Test("every beginning of a request waits")
    func waits() throws {
        let bytes = Self.request()
        for end in 0..<bytes.count { #expect(try Self.parse(Array(bytes[..<end])) == nil) }
    }

    @Test("mosquitto's old subprotocol, names in any case, lists in several lines")
    func variants() throws {
        let old = try Self.parse(Self.request(without: "Sec-WebSocket-Protocol", ["sec-websocket-protocol:mqttv3.1"]))
        #expect(old?.subprotocol == "mqttv3.1")
        let twice = Self.request(
            without: "Connection", ["CONNECTION: keep-alive", "connection:UPGRADE"])
        #expect(try Self.parse(twice) != nil)
    }

    @Test("Origin must be there, byte by byte, where origins are listed")
    func origins() throws {
        #expect(try Self.parse(Self.request(), origins: ["https://a", "http://example.com"]) != nil)
        #expect(Self.status(Self.request(), origins: ["http://example.com/"]) == 403)
        #expect(Self.status(Self.request(), origins: ["HTTP://example.com"]) == 403)
        #expect(Self.status(Self.request(without: "Origin"), origins: ["http://example.com"]) == 403)
    }

    @Test("what is wrong, and what HTTP calls it")
    func refusals() {
        #expect(Self.status(Self.request(without: "Upgrade")) == 426)
        #expect(Self.status(Self.request("GET / HTTP/1.1", without: "Connection")) == 426)
        #expect(Self.status(Self.request("GET /index.html HTTP/1.1", without: "Upgrade")) == 404)
        #expect(Self.status(Self.request("POST /mqtt HTTP/1.1")) == 400)
        #expect(Self.status(Self.request("GET /mqtt HTTP/1.0")) == 400)
        #expect(Self.status(Self.request("GET /mqtt")) == 400)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Version")) == 426)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Version", ["Sec-WebSocket-Version: 8"])) == 426)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Protocol")) == 400)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Protocol", ["Sec-WebSocket-Protocol: chat"])) == 400)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Key")) == 400)
        #expect(Self.status(Self.request(without: "Sec-WebSocket-Key", ["Sec-WebSocket-Key: short=="])) == 400)
        #expect(Self.status(Self.request(" folded")) == 400)
        #expect(Self.status(Self.request(without: nil, ["no colon"])) == 400)
        #expect(Self.status(Self.request(without: nil, [": no name"])) == 400)
        #expect(Self.status([0x10, 0x0C, 0x00, 0x04]) == 400)
        #expect(Self.status(Array("GET /".utf8) + [0xFF] + Self.request()) == 400)
    }

    @Test("headers have a limit, whole or not")
    func limit() {
        let long = Self.request(without: nil, ["X: " + String(repeating: "x", count: 2000)])
        #expect(Self.status(long, bytesMax: 1024) == 431)
        #expect(Self.status(Array(long[..<1024]), bytesMax: 1024) == 431)
        #expect(Self.status(Array(long[..<1023]), bytesMax: 1024) == nil)
    }

    @Test("an answer says what to do")
    func answers() throws {
        let error = #expect(throws: WebSocketRequest.Refusal.self) { try Self.parse(Self.request(without: "Upgrade")) }
        let answer = try #require(error).response
        #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(answer.contains("Sec-WebSocket-Protocol: mqtt\r\n"))
        #expect(answer.contains("ws://"))
    }
}

@Suite("WebSocket: frames")
struct WebSocketReaderTests {
    static func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8] = [1, 2, 3, 250], extended: Int? = nil)
        -> [UInt8]
    {
        var bytes = [first]
        switch extended ?? (payload.count < 126 ? 0 : payload.count <= 0xFFFF ? 2 : 8) {
        case 0: bytes.append(0x80 | UInt8(payload.count))
        case 2: bytes += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [0xFF] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
        }
        return bytes + mask + payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
    }

    /// Feeds the bytes in pieces.
    private static func read(_ bytes: [UInt8], piece: Int = .max) throws -> (
        data: [UInt8], controls: [WebSocketReader.Control]
    ) {
        var reader = WebSocketReader(isMasked: true)
        var output = ByteBuffer()
        var controls: [WebSocketReader.Control] = []
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + min(piece, bytes.count))
            controls += try bytes[at..<end].withUnsafeBytes { bytes throws in try reader.read(bytes, into: &output) }
            at = end
        }
        return (Array(output.readableBytesView), controls)
    }

    private static func fault(_ bytes: [UInt8]) -> UInt16? {
        do {
            _ = try read(bytes)
            return nil
        } catch { return (error as? WebSocketReader.Fault)?.code }
    }

    @Test("payloads of every size and split", arguments: [0, 1, 5, 125, 126, 127, 65535, 65536, 70_000])
    func sizes(count: Int) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let bytes = Self.frame(0x82, payload)
        for piece in [Int.max, 1000, 7, 1] where piece > 1 || count < 1000 {
            #expect(try Self.read(bytes, piece: piece).data == payload)
        }
    }

    @Test("[MQTT-6.0.0-2] packets over frames, frames over packets, a ping in between")
    func fragments() throws {
        let bytes =
            Self.frame(0x02, [1, 2]) + Self.frame(0x89, [9]) + Self.frame(0x00, [3]) + Self.frame(0x80, [4, 5])
            + Self.frame(0x82, [6]) + Self.frame(0x8A, [])
        for piece in [Int.max, 3, 1] {
            let (data, controls) = try Self.read(bytes, piece: piece)
            #expect(data == [1, 2, 3, 4, 5, 6])
            #expect(controls == [.ping([9])])
        }
    }

    @Test("close, with and without a code; nothing counts after it")
    func close() throws {
        let closed = try Self.read(Self.frame(0x82, [1]) + Self.frame(0x88, [3, 232, 65]) + Self.frame(0x82, [2]))
        #expect(closed.data == [1])
        #expect(closed.controls == [.close(1000)])
        #expect(try Self.read(Self.frame(0x88, [])).controls == [.close(nil)])
    }

    @Test("[MQTT-6.0.0-1] text is refused; what breaks RFC 6455 too")
    func faults() {
        #expect(Self.fault(Self.frame(0x81, Array("x".utf8))) == 1003)
        #expect(Self.fault([0x82, 0x01, 0x10]) == 1002)  // not masked
        #expect(Self.fault(Self.frame(0xC2, [1])) == 1002)  // reserved bit
        #expect(Self.fault(Self.frame(0x80, [1])) == 1002)  // continuation of nothing
        #expect(Self.fault(Self.frame(0x02, [1]) + Self.frame(0x82, [1])) == 1002)
        #expect(Self.fault(Self.frame(0x83, [1])) == 1002)  // opcode
        #expect(Self.fault(Self.frame(0x8B, [1])) == 1002)
        #expect(Self.fault(Self.frame(0x09, [1])) == 1002)  // fragmented ping
        #expect(Self.fault(Self.frame(0x89, [UInt8](repeating: 0, count: 126))) == 1002)
        #expect(Self.fault(Self.frame(0x88, [3])) == 1002)
        #expect(Self.fault(Self.frame(0x82, [1], extended: 2)) == 1002)  // too long a length
        #expect(Self.fault(Self.frame(0x82, [1], extended: 8)) == 1002)
        #expect(Self.fault([0x82, 0xFF] + [UInt8](repeating: 0xFF, count: 12)) == 1002)
        #expect(Self.fault((0..<300).flatMap { _ in Self.frame(0x89, []) }) == 1002)
    }

    @Test("random frames in random pieces come out as they went in, from a seed")
    func random() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<300 {
            var expected: [UInt8] = []
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let payload = (0..<Int.random(in: 0...400, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                let mask = (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) }
                bytes += Self.frame(0x82, payload, mask: mask)
                expected += payload
            }
            #expect(try Self.read(bytes, piece: .random(in: 1...200, using: &random)).data == expected)
        }
    }
}
