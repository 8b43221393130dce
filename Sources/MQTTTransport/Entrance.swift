package import NIOCore
import NIOTLS

/// Stands at the end of a new connection's pipeline until all stages before MQTT are through: PROXY header, TLS, WebSocket,
/// as far as the listener has them. Then it says who came and makes room for MQTT's handler; or it says what failed, once,
/// and closes.
package final class Entrance: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer

    /// Stages still to come, in this order.
    package struct Stages: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let proxy = Stages(rawValue: 1)
        package static let tls = Stages(rawValue: 2)
        package static let webSocket = Stages(rawValue: 4)
    }

    /// What is known of who came in.
    package struct Arrival {
        /// The client's address: the socket's, or what the proxy says.
        package var address: SocketAddress?
        package var identity: PeerIdentity?
        /// What TLS took it in by; `nil` where nobody asked.
        package var evidence: PeerEvidence?
    }

    private var stages: Stages
    private var arrival = Arrival()
    private let secured: TLSStage?
    private let timeout: TimeAmount
    private let proxied: (SocketAddress) -> Bool
    private let arrived: (Arrival) -> any ChannelHandler
    private let failed: (SocketAddress?, TransportFault) -> Void
    private var deadline: Scheduled<Void>?
    private var isOver = false

    /// - Parameters:
    ///   - timeout: for all stages together.
    ///   - proxied: told the client's real address before anything of it is read; false sends it away without a word.
    ///   - arrived: makes MQTT's handler.
    ///   - failed: told at most once; the connection closes.
    package init(
        _ stages: Stages, secured: TLSStage?, timeout: TimeAmount,
        proxied: @escaping (SocketAddress) -> Bool, arrived: @escaping (Arrival) -> any ChannelHandler,
        failed: @escaping (SocketAddress?, TransportFault) -> Void
    ) {
        self.stages = stages
        self.secured = secured
        self.timeout = timeout
        self.proxied = proxied
        self.arrived = arrived
        self.failed = failed
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        arrival.address = context.remoteAddress
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { self.timedOut(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TransportEvent.proxied(let header):
            if let source = header.source {
                arrival.address = source
                guard proxied(source) else {
                    isOver = true
                    return context.close(promise: nil)
                }
            }
            if let name = header.commonName { arrival.identity = .proxy(commonName: name) }
            passed(.proxy, context)
        case TLSUserEvent.handshakeCompleted:
            do throws(PeerProof.Refused) {
                if let secured {
                    arrival.identity = try secured.proof.identity(after: secured.handler)
                    arrival.evidence = secured.proof.evidence
                    context.pipeline.syncOperations.removeHandler(secured.witness, promise: nil)
                }
                passed(.tls, context)
            } catch {
                fail(TransportFault(stage: "TLS", reason: error.reason), context)
            }
        case TransportEvent.webSocketOpened: passed(.webSocket, context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? TransportFault { return fail(fault, context) }
        if stages.contains(.tls), !stages.contains(.proxy) {
            return fail(TransportFault(stage: "TLS", reason: secured?.reason(error) ?? "\(error)"), context)
        }
        // The socket's own error: the peer has gone.
        isOver = true
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func passed(_ stage: Stages, _ context: ChannelHandlerContext) {
        stages.remove(stage)
        guard stages.isEmpty, !isOver else { return }
        isOver = true
        let operations = context.pipeline.syncOperations
        do {
            try operations.addHandler(arrived(arrival), position: .after(self))
        } catch {
            return context.close(promise: nil)  // the pipeline is being torn down
        }
        operations.removeHandler(context: context, promise: nil)
    }

    private func timedOut(_ context: ChannelHandlerContext) {
        let stage = stages.contains(.proxy) ? "PROXY" : stages.contains(.tls) ? "TLS" : "WebSocket"
        fail(
            TransportFault(stage: stage, reason: "nothing came of it within \(timeout.nanoseconds / 1_000_000_000) s"),
            context)
    }

    private func fail(_ fault: TransportFault, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        failed(arrival.address, fault)
        context.close(promise: nil)
    }
}
