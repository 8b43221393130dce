import NIOCore
import NIOTLS

/// Stands at the end of a client's new pipeline until all stages before MQTT are through: SOCKS5, TLS, WebSocket, as far as
/// the endpoint has them. It reads as long as they need it, and holds what already came for MQTT. Then it stays for the first
/// bytes of MQTT, because only they tell that the server refused our certificate (TLS 1.3) or that a port speaks
/// something else. What fails, it puts into words: `ConnectFailure`.
final class Passage: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    /// Stages still to come, in this order.
    struct Stages: OptionSet {
        let rawValue: UInt8
        static let socket = Stages(rawValue: 1)
        static let proxy = Stages(rawValue: 2)
        static let tls = Stages(rawValue: 4)
        static let webSocket = Stages(rawValue: 8)
    }

    private enum State {
        case passing(Stages)
        /// Through, and nobody reads yet.
        case open(held: [ByteBuffer])
        /// MQTT's handler is there, and the first bytes are not.
        case reading
        case failed(ConnectFailure)
    }

    private var state: State
    private let endpoint: Endpoint
    private let opening: Opening
    private let timeout: TimeAmount
    private var deadline: Scheduled<Void>?

    /// - Parameter timeout: for all stages behind the socket's together.
    init(_ endpoint: Endpoint, _ opening: Opening, timeout: TimeAmount) {
        (self.endpoint, self.opening, self.timeout) = (endpoint, opening, timeout)
        var stages: Stages = .socket
        if endpoint.proxy != nil { stages.insert(.proxy) }
        if endpoint.tls != nil { stages.insert(.tls) }
        if endpoint.webSocket != nil { stages.insert(.webSocket) }
        state = .passing(stages)
    }

    /// The socket is connected: from now on the time counts.
    func startClock(_ channel: any Channel) {
        guard case .passing = state, deadline == nil else { return }
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) { self.timedOut(channel) }
    }

    // MARK: Stages

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        passed(.socket, context)
        readOn(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TransportEvent.proxyOpened: passed(.proxy, context)
        case TLSUserEvent.handshakeCompleted: passed(.tls, context)
        case TransportEvent.webSocketOpened: passed(.webSocket, context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func passed(_ stage: Stages, _ context: ChannelHandlerContext) {
        guard case .passing(var stages) = state else { return }
        stages.remove(stage)
        guard stages.isEmpty else {
            state = .passing(stages)
            return
        }
        state = .open(held: [])
        deadline?.cancel()
        opening.done.succeed()
    }

    /// The channel does not read by itself.
    private func readOn(_ context: ChannelHandlerContext) {
        if case .passing = state { context.read() }
    }

    private func timedOut(_ channel: any Channel) {
        guard case .passing(let stages) = state else { return }
        let time = "within \(timeout.nanoseconds / 1_000_000_000) s"
        let name = "\(endpoint)"
        let failure =
            if stages.contains(.proxy) {
                ConnectFailure(.proxy, name, "no answer \(time)", remedy: "is that a SOCKS5 proxy?")
            } else if stages.contains(.tls) {
                ConnectFailure(.tls, name, "no end of the handshake \(time)", remedy: "does that port speak TLS?")
            } else {
                ConnectFailure(
                    .webSocket, name, "no answer to the request \(time)", remedy: "does that port speak WebSocket?")
            }
        end(failure)
        channel.close(promise: nil)
    }

    // MARK: What comes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing, .failed: break  // no stage of ours lets anything through before its end
        case .open(var held):
            held.append(unwrapInboundIn(data))
            state = .open(held: held)
        case .reading: firstBytes(unwrapInboundIn(data), context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readOn(context)
        context.fireChannelReadComplete()
    }

    /// MQTT's handler is there: it gets what was held.
    func read(context: ChannelHandlerContext) {
        guard case .open(let held) = state else { return context.read() }
        state = .reading
        guard !held.isEmpty else { return context.read() }
        for buffer in held {
            if case .reading = state {
                firstBytes(buffer, context)
            } else {
                context.fireChannelRead(wrapInboundOut(buffer))
            }
        }
        context.fireChannelReadComplete()
    }

    private func firstBytes(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let failure = Self.foreignLanguage(bytes, endpoint) else {
            context.fireChannelRead(wrapInboundOut(bytes))
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
            return
        }
        fail(failure, context)
    }

    /// No packet of MQTT's begins so: CONNACK is `20 …`, AUTH `F0 …`.
    private static func foreignLanguage(_ bytes: ByteBuffer, _ endpoint: Endpoint) -> ConnectFailure? {
        let start = Array(bytes.readableBytesView.prefix(5))
        if endpoint.tls == nil, start.count >= 3, [0x15, 0x16].contains(start[0]), start[1] == 3, start[2] <= 4 {
            return ConnectFailure(
                .tls, "\(endpoint)", "the server speaks TLS on that port", remedy: "use an endpoint with TLS")
        }
        if endpoint.webSocket == nil, start.elementsEqual("HTTP/".utf8) {
            return ConnectFailure(
                .webSocket, "\(endpoint)", "the server speaks HTTP on that port",
                remedy: "if it is a WebSocket port, use Endpoint.webSocket")
        }
        return nil
    }

    // MARK: What fails

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let failure = ConnectFailure(endpoint, error: error, refusal: opening.refusal)
        fail(failure.brokeOff ? silence ?? failure : failure, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let silence { fail(silence, context) }
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        if case .passing = state { opening.done.fail(ChannelError.ioOnClosedChannel) }
    }

    /// The other side went without a word: what that means where we are; nil where nothing is left to say.
    private var silence: ConnectFailure? {
        let name = "\(endpoint)"
        switch state {
        case .passing(let stages) where stages.contains(.proxy):
            return ConnectFailure(.proxy, name, "it broke the connection off", remedy: "is that a SOCKS5 proxy?")
        case .passing(let stages) where stages.contains(.tls):
            return ConnectFailure(
                .tls, name, "the server hung up during the handshake", remedy: ServerTLSWords.plainRemedy)
        case .passing:
            return ConnectFailure(
                .webSocket, name, "the server hung up on our request", remedy: "does that port speak WebSocket?")
        case .open(let held): return held.first.flatMap { Self.foreignLanguage($0, endpoint) } ?? withoutAWord
        case .reading: return withoutAWord
        case .failed: return nil
        }
    }

    private var withoutAWord: ConnectFailure {
        guard endpoint.tls == nil else {
            return ConnectFailure(
                .tls, "\(endpoint)", "the server closed the connection right after the handshake",
                remedy: "its log may say why; a client certificate that it demands or refuses can look like this")
        }
        return ConnectFailure(
            .socket, "\(endpoint)", "the server closed the connection without a word",
            remedy: endpoint.webSocket == nil ? "does that port want TLS, or WebSocket?" : nil)
    }

    private func fail(_ failure: ConnectFailure, _ context: ChannelHandlerContext) {
        switch state {
        case .failed: break  // the first reason is the one that counts
        case .reading:
            state = .failed(failure)
            context.fireErrorCaught(failure)
        case .passing:
            end(failure)
            context.close(promise: nil)
        case .open:
            // MQTT's handler is on its way, and will find the channel closed.
            state = .failed(failure)
            opening.fail(failure)
            context.close(promise: nil)
        }
    }

    private func end(_ failure: ConnectFailure) {
        state = .failed(failure)
        deadline?.cancel()
        opening.done.fail(failure)
    }
}
