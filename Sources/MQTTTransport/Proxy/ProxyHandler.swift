package import NIOCore

/// Takes the PROXY header from the front of a connection, says whom it speaks of, and leaves.
/// Before: the socket. After: TLS, WebSocket or MQTT.
package final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private let version: ProxyHeader.Version
    private let requiresTLS: Bool
    private var start: [UInt8] = []
    private var isOver = false

    /// - Parameter requiresTLS: refuse clients that came to the proxy without TLS. Version 2.
    package init(_ version: ProxyHeader.Version, requiresTLS: Bool) {
        self.version = version
        self.requiresTLS = requiresTLS
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        var bytes = unwrapInboundIn(data)
        let limit = version == .v1 ? ProxyHeader.v1BytesMax : ProxyHeader.v2BytesMax
        let known = start.count
        start += bytes.readableBytesView.prefix(limit - known)
        do throws(ProxyHeader.Malformed) {
            guard let (header, count) = try ProxyHeader.parse(start, version) else { return }
            guard header.isTLS || !requiresTLS || header.source == nil else {
                throw .init("the client came to the proxy without TLS, and proxy_protocol_v2_require_tls is on")
            }
            isOver = true
            bytes.moveReaderIndex(forwardBy: count - known)
            context.fireUserInboundEventTriggered(TransportEvent.proxied(header))
            if bytes.readableBytes > 0 {
                context.fireChannelRead(wrapInboundOut(bytes))
                context.fireChannelReadComplete()
            }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        } catch {
            isOver = true
            context.fireErrorCaught(TransportFault(stage: "PROXY", reason: error.reason))
        }
    }
}
