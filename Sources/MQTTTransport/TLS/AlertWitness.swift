package import NIOCore

/// Before TLS while a handshake lasts: remembers an alert that comes in the clear. OpenSSL's clients send one in the middle of a
/// TLS 1.3 handshake before they have keys of their own, when they do not like the server's certificate; BoringSSL, which
/// expects it encrypted, can only say that it made no sense.
package final class AlertWitness: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// The alert's description: RFC 8446 §6.
    private(set) var alert: UInt8?

    package init() {}

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let at = bytes.readerIndex
        // A record of type alert, two bytes long, of level fatal.
        if bytes.readableBytes == 7, bytes.getInteger(at: at, as: UInt8.self) == 21,
            bytes.getInteger(at: at + 3, as: UInt16.self) == 2, bytes.getInteger(at: at + 5, as: UInt8.self) == 2
        {
            alert = bytes.getInteger(at: at + 6, as: UInt8.self)
        }
        context.fireChannelRead(data)
    }
}
