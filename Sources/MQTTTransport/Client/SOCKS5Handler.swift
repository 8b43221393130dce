import Certificates
import NIOCore

/// First in a client's pipeline: asks a SOCKS version 5 proxy to connect us, then is nothing but a pipe. RFC 1928; user name
/// and password: RFC 1929. The handlers behind it hear that the channel is active when the proxy has connected us.
///
/// Our own, because swift-nio-extras' NIOSOCKS offers no user name and password.
final class SOCKS5Handler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Awaited {
        /// Which of the ways to prove ourselves it wants.
        case method
        /// What it thinks of user name and password.
        case verdict
        /// Whether it has connected us.
        case reply
    }

    private let proxy: SOCKS5Proxy
    private let host: String
    private let port: Int
    private var awaited = Awaited.method
    private var input = ByteBuffer()

    private static let version: UInt8 = 5
    private static let noAuthentication: UInt8 = 0
    private static let password: UInt8 = 2

    /// - Parameter host: a name, which the proxy looks up, or an address.
    init(_ proxy: SOCKS5Proxy, host: String, port: Int) {
        (self.proxy, self.host, self.port) = (proxy, host, port)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { greet(context) }
    }

    /// Not told on before the proxy has connected us.
    func channelActive(context: ChannelHandlerContext) { greet(context) }

    private func greet(_ context: ChannelHandlerContext) {
        let methods = proxy.userName == nil ? [Self.noAuthentication] : [Self.password, Self.noAuthentication]
        send([Self.version, UInt8(methods.count)] + methods, context)
        context.read()
    }

    private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        do throws(TransportFault) {
            while try step(context) {}
        } catch {
            context.fireErrorCaught(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.read() }

    /// Whether there may be another one in what came. No answer is longer than 262 bytes.
    private func step(_ context: ChannelHandlerContext) throws(TransportFault) -> Bool {
        let bytes = Array(input.readableBytesView)
        switch awaited {
        case .method:
            guard bytes.count >= 2 else {
                if let first = bytes.first, first != Self.version {
                    throw Self.fault("what answers is no SOCKS5 proxy")
                }
                return false
            }
            guard bytes[0] == Self.version else { throw Self.fault("what answers is no SOCKS5 proxy") }
            input.moveReaderIndex(forwardBy: 2)
            try prove(method: bytes[1], context)
        case .verdict:
            guard bytes.count >= 2 else { return false }
            guard bytes[1] == 0 else { throw Self.fault("the proxy refused user name or password") }
            input.moveReaderIndex(forwardBy: 2)
            ask(context)
        case .reply:
            guard let length = try Self.replyLength(bytes), bytes.count >= length else { return false }
            input.moveReaderIndex(forwardBy: length)
            connected(context)
            return false
        }
        return true
    }

    private func prove(method: UInt8, _ context: ChannelHandlerContext) throws(TransportFault) {
        switch method {
        case Self.noAuthentication: ask(context)
        case Self.password:
            guard let userName = proxy.userName else {
                throw Self.fault("the proxy asks for a user name that we did not offer")
            }
            let password = proxy.password?.bytes ?? []
            awaited = .verdict
            send(
                [1, UInt8(userName.utf8.count)] + Array(userName.utf8) + [UInt8(password.count)] + password, context)
        case 0xFF:
            throw Self.fault(
                proxy.userName == nil
                    ? "the proxy wants to know who we are; give user name and password"
                    : "the proxy takes neither user name and password nor nobody")
        default: throw Self.fault("the proxy wants authentication of kind \(method), which we did not offer")
        }
    }

    private func ask(_ context: ChannelHandlerContext) {
        awaited = .reply
        var request: [UInt8] = [Self.version, 1, 0]
        if let address = IPAddress(host) {
            request.append(address.bytes.count == 4 ? 1 : 4)
            request += address.bytes
        } else {
            request += [3, UInt8(host.utf8.count)] + Array(host.utf8)
        }
        request += [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)]
        send(request, context)
    }

    /// Bytes of the reply, its address included; nil where more are needed to know.
    private static func replyLength(_ bytes: [UInt8]) throws(TransportFault) -> Int? {
        guard bytes.count >= 2 else { return nil }
        guard bytes[0] == version else { throw fault("the proxy's answer is not SOCKS5") }
        guard bytes[1] == 0 else { throw fault(replies[bytes[1]] ?? "the proxy refused, code \(bytes[1])") }
        guard bytes.count >= 5 else { return nil }
        switch bytes[3] {
        case 1: return 4 + 4 + 2
        case 3: return 4 + 1 + Int(bytes[4]) + 2
        case 4: return 4 + 16 + 2
        default: throw fault("the proxy's answer has an address of no known kind")
        }
    }

    /// RFC 1928 §6
    private static let replies: [UInt8: String] = [
        1: "the proxy failed", 2: "the proxy's rules do not allow this connection",
        3: "the proxy finds no way to the broker's network", 4: "the proxy does not reach the broker's host",
        5: "the broker's host refuses the proxy's connection", 6: "the proxy's packets ran out of time",
        7: "the proxy does not connect", 8: "the proxy does not know this kind of address",
    ]

    private static func fault(_ reason: String) -> TransportFault { TransportFault(stage: "SOCKS5", reason: reason) }

    private func connected(_ context: ChannelHandlerContext) {
        context.fireUserInboundEventTriggered(TransportEvent.proxyOpened)
        context.fireChannelActive()
        if input.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(input)) }
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

extension SOCKS5Proxy {
    func check() throws(SettingFault) {
        guard !host.isEmpty, (1...65_535).contains(port) else {
            throw SettingFault(key: "proxy", value: "\(host):\(port)", reason: "it needs a host and a port")
        }
        if let userName {
            guard (1...255).contains(userName.utf8.count), (password?.bytes.count ?? 0) <= 255 else {
                throw SettingFault(
                    key: "proxy", value: "\(host):\(port)",
                    reason: "a user name has 1 to 255 bytes, a password at most 255")
            }
        }
    }
}
