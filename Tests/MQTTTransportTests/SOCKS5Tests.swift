import NIOCore
import NIOEmbedded
import Testing

@testable import MQTTTransport

/// SOCKS version 5 as a table of bytes: RFC 1928, RFC 1929.
@Suite("SOCKS5")
struct SOCKS5Tests {
    final class End: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var bytes: [UInt8] = []
        var faults: [String] = []
        var events: [String] = []

        func channelActive(context: ChannelHandlerContext) { events.append("active") }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += Array(unwrapInboundIn(data).readableBytesView)
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case TransportEvent.proxyOpened = event { events.append("open") }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { faults.append("\(error)") }
    }

    private static func start(
        _ proxy: SOCKS5Proxy, host: String = "broker.example", port: Int = 8_883
    ) throws -> (EmbeddedChannel, End) {
        let end = End()
        let channel = EmbeddedChannel(handlers: [SOCKS5Handler(proxy, host: host, port: port), end])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, end)
    }

    private static func written(_ channel: EmbeddedChannel) throws -> [UInt8] {
        var all: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { all += Array(buffer.readableBytesView) }
        return all
    }

    private static let anonymous = SOCKS5Proxy(host: "p")
    private static let named = SOCKS5Proxy(host: "p", userName: "me", password: "pw")

    @Test(
        "names, IPv4 and IPv6; what comes behind the answer is the broker's",
        arguments: [
            ("broker.example", [3, 14] + Array("broker.example".utf8)), ("10.1.2.3", [1, 10, 1, 2, 3]),
            ("::1", [4] + [UInt8](repeating: 0, count: 15) + [1]),
        ] as [(String, [UInt8])])
    func connects(host: String, address: [UInt8]) throws {
        for size in [1, 100] {
            let (channel, end) = try Self.start(Self.anonymous, host: host)
            #expect(try Self.written(channel) == [5, 1, 0])
            try channel.writeInbound(ByteBuffer(bytes: [5, 0]))
            #expect(try Self.written(channel) == [5, 1, 0] + address + [0x22, 0xB3])
            #expect(end.events.isEmpty)
            let answer: [UInt8] = [5, 0, 0, 1, 127, 0, 0, 1, 0, 1, 0x20, 0x02]
            for start in stride(from: 0, to: answer.count, by: size) {
                try channel.writeInbound(ByteBuffer(bytes: answer[start..<min(start + size, answer.count)]))
            }
            #expect(end.events == ["open", "active"])
            #expect(end.bytes == [0x20, 0x02])
            // A pipe from now on.
            try channel.writeInbound(ByteBuffer(bytes: [7]))
            channel.writeAndFlush(ByteBuffer(bytes: [9]), promise: nil)
            #expect(end.bytes.last == 7)
            #expect(try Self.written(channel) == [9])
            try channel.close().wait()
        }
    }

    @Test("answers with a name or an IPv6 address in them are as long as they say")
    func answers() throws {
        for answer in [[5, 0, 0, 3, 2, 0x61, 0x62, 0, 1], [5, 0, 0, 4] + [UInt8](repeating: 0, count: 18)] as [[UInt8]]
        {
            let (channel, end) = try Self.start(Self.anonymous)
            try channel.writeInbound(ByteBuffer(bytes: [5, 0] + answer + [0xAA]))
            #expect(end.events == ["open", "active"])
            #expect(end.bytes == [0xAA])
            try channel.close().wait()
        }
    }

    @Test("user name and password, where the proxy asks")
    func password() throws {
        let (channel, end) = try Self.start(Self.named)
        #expect(try Self.written(channel) == [5, 2, 2, 0])
        try channel.writeInbound(ByteBuffer(bytes: [5, 2]))
        #expect(try Self.written(channel) == [1, 2, 0x6D, 0x65, 2, 0x70, 0x77])
        try channel.writeInbound(ByteBuffer(bytes: [1, 0]))
        #expect(try Self.written(channel).starts(with: [5, 1, 0, 3]))
        #expect(end.faults.isEmpty)
        try channel.close().wait()
        let (unasked, _) = try Self.start(Self.named)
        _ = try Self.written(unasked)
        try unasked.writeInbound(ByteBuffer(bytes: [5, 0]))
        #expect(try Self.written(unasked).starts(with: [5, 1, 0, 3]))
        try unasked.close().wait()
    }

    @Test(
        "what a proxy refuses, and what is no proxy",
        arguments: [
            (false, [5, 0xFF], "give user name and password"), (true, [5, 0xFF], "neither user name"),
            (false, [5, 2], "a user name that we did not offer"), (false, [5, 1], "authentication of kind 1"),
            (true, [5, 2, 1, 1], "refused user name or password"), (false, [4, 0], "no SOCKS5 proxy"),
            (false, [0x48], "no SOCKS5 proxy"), (false, [5, 0, 5, 1], "the proxy failed"),
            (false, [5, 0, 5, 2], "rules do not allow"), (false, [5, 0, 5, 4], "does not reach"),
            (false, [5, 0, 5, 5], "refuses the proxy's connection"), (false, [5, 0, 5, 99], "code 99"),
            (false, [5, 0, 4, 0], "not SOCKS5"), (false, [5, 0, 5, 0, 0, 9, 0], "no known kind"),
        ] as [(Bool, [UInt8], String)])
    func refused(isNamed: Bool, bytes: [UInt8], words: String) throws {
        let (channel, end) = try Self.start(isNamed ? Self.named : Self.anonymous)
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        #expect(end.faults.count == 1)
        #expect(end.faults.first?.contains(words) == true, "\(end.faults)")
        #expect(end.events.isEmpty)
        try channel.close().wait()
    }
}
