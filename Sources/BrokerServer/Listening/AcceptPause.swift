import BrokerConfiguration
import Glibc
import NIOCore

/// Out of descriptors, a listener stops accepting for a second instead of spinning or giving up; connections that are
/// there go on.
final class AcceptPause: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = Channel
    typealias OutboundIn = Channel

    /// How long accepting rests.
    static let pause = TimeAmount.seconds(1)

    private let log: LogWriter
    private let port: Int
    private var isPaused = false
    private var wantsRead = false

    init(log: LogWriter, port: Int) {
        self.log = log
        self.port = port
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { wantsRead = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        guard !isPaused else { return }
        isPaused = true
        log.write(
            .error,
            "Out of file descriptors: port \(port) accepts nobody for a second. Raise the limit (ulimit -n) or set max_connections."
        )
        context.eventLoop.assumeIsolated().scheduleTask(in: AcceptPause.pause) {
            self.isPaused = false
            if self.wantsRead {
                self.wantsRead = false
                context.read()
            }
        }
    }
}
