import MQTTTransport
import NIOCore

/// The one channel handler of a client: hands bytes to the core and reads on as long as every reader keeps up.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let core: ClientCore
    private var failure: String?
    /// The server's first bytes were not MQTT's.
    private var connectFailure: ConnectFailure?

    init(core: ClientCore) { self.core = core }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        // What comes after we have closed is for nobody.
        guard core.channel === context.channel else { return }
        core.read(&bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        core.endTick()
        if core.channel !== context.channel || core.mayRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard core.channel === context.channel else { return }
        core.channelWritabilityChanged(context.channel.isWritable)
    }

    func channelInactive(context: ChannelHandlerContext) {
        core.channelLost(context.channel, failure ?? "closed by the other side", connectFailure)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = ConnectFailure.words(error)
        connectFailure = error as? ConnectFailure
        context.close(promise: nil)
    }
}
