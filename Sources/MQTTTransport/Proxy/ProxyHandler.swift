package import NIOCore

/// Takes the PROXY header from the front of a connection, says whom it speaks of, and leaves.
/// Before: the socket. After: TLS, WebSocket or MQTT.
package final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    private let version: ProxyHeader.Version
    private let requiresTLS: Bool
    private let requiresCertificate: Bool
    private var start: [UInt8] = []
    private var isOver = false

    /// A connection that is the proxy's own, as for a health check, has neither TLS nor certificate: where one is asked for it
    /// is left alone as long as it says nothing.
    /// - Parameters:
    ///   - requiresTLS: refuse clients that came to the proxy without TLS. Version 2.
    ///   - requiresCertificate: refuse clients of whom the proxy has not verified a certificate. Version 2.
    package init(_ version: ProxyHeader.Version, requiresTLS: Bool, requiresCertificate: Bool = false) {
        self.version = version
        self.requiresTLS = requiresTLS
        self.requiresCertificate = requiresCertificate
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        var bytes = unwrapInboundIn(data)
        let limit = version == .v1 ? ProxyHeader.v1BytesMax : ProxyHeader.v2BytesMax
        let known = start.count
        start += bytes.readableBytesView.prefix(limit - known)
        do throws(ProxyHeader.Malformed) {
            guard let (header, count) = try ProxyHeader.parse(start, version) else { return }
            if header.isLocal, requiresTLS || requiresCertificate, start.count == count { return }
            guard header.isTLS || !requiresTLS else {
                throw .init("the client came to the proxy without TLS, and proxy_protocol_v2_require_tls is on")
            }
            guard header.isCertified || !requiresCertificate else {
                throw .init(
                    "the proxy has verified no certificate of the client's, and require_certificate asks for one")
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
