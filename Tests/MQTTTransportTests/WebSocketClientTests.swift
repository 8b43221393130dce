import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTTransport

/// The client's end of a WebSocket, byte by byte: RFC 6455 §4.1, §5, and §6 of the standard.
@Suite("WebSocket: the client's end")
struct WebSocketClientTests {
    /// Gives the same bytes for ever: key and masks can be written down.
    struct Constant: RandomNumberGenerator {
        func next() -> UInt64 { 0x0102_0304_0506_0708 }
    }

    /// Keeps what came out at MQTT's side, and what went wrong.
    final class End: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var bytes: [UInt8] = []
        var faults: [String] = []
        var isOpen = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += Array(unwrapInboundIn(data).readableBytesView)
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case TransportEvent.webSocketOpened = event { isOpen = true }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { faults.append("\(error)") }
    }

    let channel: EmbeddedChannel
    let end = End()
    static let key = "CAgICAgICAgICAgICAgICA=="

    init() throws {
        let endpoint = Endpoint.webSocket(
            "broker.example", port: 8_080, path: "/mqtt?x=1", headers: [HTTPHeader("Authorization", "Bearer t")])
        let options = try #require(endpoint.webSocket)
        channel = EmbeddedChannel(handlers: [
            WebSocketClientHandler(endpoint, options, random: Constant()), end,
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func written() throws -> [UInt8] {
        var all: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { all += Array(buffer.readableBytesView) }
        return all
    }

    private func come(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    private static func answer(_ change: (inout [String]) -> Void = { _ in }) -> [UInt8] {
        var lines = [
            "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Accept: \(WebSocketRequest.accept(key))", "Sec-WebSocket-Protocol: mqtt",
        ]
        change(&lines)
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private func open() throws {
        _ = try written()
        try come(Self.answer())
        #expect(end.isOpen)
    }

    @Test("[3.1.1 MQTT-6.0.0-3] [5.0 MQTT-6.0.0-3] the request, which a server of ours takes")
    func request() throws {
        let bytes = try written()
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("GET /mqtt?x=1 HTTP/1.1\r\nHost: broker.example:8080\r\n"))
        #expect(text.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"))
        #expect(text.contains("\r\nAuthorization: Bearer t\r\n"))
        let read = try #require(try WebSocketRequest.parse(bytes, bytesMax: 4_096, origins: []))
        #expect(read.subprotocol == "mqtt")
        #expect(read.key == Self.key)
        try channel.close().wait()
    }

    @Test("an answer in pieces of every size, with MQTT's first bytes behind it", arguments: [1, 7, 1_000])
    func pieces(size: Int) throws {
        _ = try written()
        let all = Self.answer() + [0x82, 0x04, 0x20, 0x02, 0x00, 0x00]
        for start in stride(from: 0, to: all.count, by: size) {
            try come(Array(all[start..<min(start + size, all.count)]))
        }
        #expect(end.isOpen)
        #expect(end.bytes == [0x20, 0x02, 0x00, 0x00])
        try channel.close().wait()
    }

    static let refusals: [([UInt8], String)] = [
        (Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8), "404 Not Found; is the path right?"),
        (Array("HTTP/1.1 403 Forbidden\r\n\r\n".utf8), "403 Forbidden; it wants headers"),
        (Array("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n".utf8), "it says to go to /x"),
        (Array("HTTP/1.1 200 OK\r\n\r\n".utf8), "200 OK"),
        ([0x20, 0x02, 0x00, 0x00], "does not speak HTTP"),
        (Array("HTTP/1.1\r\n\r\n".utf8), "no HTTP status"),
        (Array("HTTP/1.1 101 X\r\n: x\r\n\r\n".utf8), "header without a name"),
        (answer { $0[1] = "Upgrade: h2c" }, "not to WebSocket"), (answer { $0.remove(at: 2) }, "not to WebSocket"),
        (answer { $0[3] = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, "not one to our request"),
        (answer { $0.remove(at: 4) }, "subprotocol mqtt"),
        (answer { $0[4] = "Sec-WebSocket-Protocol: chat" }, "subprotocol mqtt"),
        (answer { $0.append("Sec-WebSocket-Extensions: permessage-deflate") }, "extension"),
        (answer { $0.append("X: " + String(repeating: "x", count: 20_000)) }.dropLast(4) + [], "more than 16384 bytes"),
    ]

    @Test("[MQTT-6.0.0-4] answers that are none", arguments: refusals)
    func refused(answer: [UInt8], words: String) throws {
        _ = try written()
        try come(answer)
        #expect(!end.isOpen)
        #expect(end.faults.count == 1)
        #expect(end.faults.first?.contains(words) == true, "\(end.faults)")
    }

    @Test("[3.1.1 MQTT-6.0.0-1] [5.0 MQTT-6.0.0-1] what is written between two flushes is one masked binary frame")
    func frames() throws {
        try open()
        channel.write(ByteBuffer(bytes: [1, 2, 3]), promise: nil)
        let last = channel.eventLoop.makePromise(of: Void.self)
        channel.write(ByteBuffer(bytes: [4, 5]), promise: last)
        channel.flush()
        try last.futureResult.wait()
        let bytes = try written()
        #expect(Array(bytes.prefix(2)) == [0x82, 0x85])
        let mask = Array(bytes[2..<6])
        #expect(mask != [0, 0, 0, 0])
        #expect(bytes.dropFirst(6).enumerated().map { $1 ^ mask[$0 & 3] } == [1, 2, 3, 4, 5])
        for count in [125, 126, 65_535, 65_536, 200_000] {
            let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            channel.writeAndFlush(ByteBuffer(bytes: payload), promise: nil)
            var reader = WebSocketReader(isMasked: true)
            var output = ByteBuffer()
            _ = try written().withUnsafeBytes { try reader.read($0, into: &output) }
            #expect(Array(output.readableBytesView) == payload)
        }
        try channel.close().wait()
    }

    @Test("[3.1.1 MQTT-6.0.0-2] [5.0 MQTT-6.0.0-2] packets in fragments, a ping in between and its masked answer")
    func fragments() throws {
        try open()
        try come([0x02, 0x01, 0x20, 0x89, 0x02, 0x61, 0x62, 0x00, 0x00, 0x80, 0x03, 0x02, 0x00, 0x00])
        #expect(end.bytes == [0x20, 0x02, 0x00, 0x00])
        let pong = try written()
        #expect(Array(pong.prefix(2)) == [0x8A, 0x82])
        #expect(pong.dropFirst(6).enumerated().map { $1 ^ pong[2 + ($0 & 3)] } == [0x61, 0x62])
        try channel.close().wait()
    }

    @Test(
        "a server that breaks the rules is left, with a close frame and a reason",
        arguments: [
            ([0x82, 0x81, 1, 2, 3, 4, 5], "with a mask"), ([0x81, 0x01, 0x61], "text frame"),
            ([0xC2, 0x00], "reserved bits"), ([0x80, 0x00], "continuation of nothing"),
            ([0x09, 0x00], "control frame in fragments"), ([0x89, 0x7E, 0x00, 0x80], "control frame with 128 bytes"),
            ([0x82, 0x7E, 0x00, 0x01, 0x00], "as short as it can be"),
        ] as [([UInt8], String)])
    func violations(bytes: [UInt8], words: String) throws {
        try open()
        try come(bytes)
        #expect(end.faults.first?.contains(words) == true, "\(end.faults)")
        #expect(try written().first == 0x88)
        #expect(!channel.isActive)
    }

    @Test("a server's goodbye is answered; a usual one is no fault, another is told")
    func goodbye() throws {
        try open()
        try come([0x88, 0x02, 0x03, 0xE8])
        #expect(end.faults.isEmpty)
        #expect(try written().first == 0x88)
        #expect(!channel.isActive)
        let other = try WebSocketClientTests()
        try other.open()
        try other.come([0x88, 0x02, 0x03, 0xF3])
        #expect(other.end.faults.first?.contains("code 1011") == true)
    }

    @Test("our goodbye: what waits goes out first, then a close frame")
    func leaving() throws {
        try open()
        channel.write(ByteBuffer(bytes: [0xE0, 0x00]), promise: nil)
        try channel.close().wait()
        let bytes = try written()
        #expect(bytes[0] == 0x82)
        #expect(bytes[8] == 0x88)
    }
}
