import BrokerConfiguration
import MQTTTransport
import NIOCore

/// What admission needs beside listener and loops.
struct Admission: Sendable {
    let log: LogWriter
    let clock: ServerClock
}

/// A connection was accepted: limits first, then what it has to pass, then its handler. Runs on the connection's loop.
/// Before: `Broker+listening`. After: `ConnectionHandler`.
extension Broker {
    static func admit(
        _ channel: any Channel, _ listener: Listener, _ loops: [NIOLoopBound<ShardLoop>], _ admission: Admission
    ) -> EventLoopFuture<Void> {
        guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else { return channel.close() }
        guard listener.enter() else {
            refuse(
                "max_connections of \(listener.name) are there", channel.remoteAddress, listener, loop.value, admission)
            return channel.close()
        }
        guard listener.stages.isEmpty, listener.unixPath == nil else {
            return admitByStages(channel, listener, loop, admission)
        }
        guard listener.strangers.enter(channel.remoteAddress) else {
            listener.leave()
            refuse(tooManyStrangers, channel.remoteAddress, listener, loop.value, admission)
            return channel.close()
        }
        channel.closeFuture.whenComplete { _ in listener.leave() }
        return channel.eventLoop.makeCompletedFuture {
            try setOptions(of: channel, ReceiveBuffers(loop: loop))
            try channel.pipeline.syncOperations.addHandler(ConnectionHandler(loop: loop.value, listener: listener))
        }
    }

    /// Everything that is not plain TCP.
    private static func admitByStages(
        _ channel: any Channel, _ listener: Listener, _ bound: NIOLoopBound<ShardLoop>, _ admission: Admission
    ) -> EventLoopFuture<Void> {
        let loop = bound.value
        let acceptedAt = admission.clock.now()
        // Behind a proxy the socket's address is the proxy's, and a Unix socket has none.
        let hasAddress = !listener.stages.contains(.proxy) && listener.unixPath == nil
        guard let ticket = StrangerTicket(listener.strangers, address: hasAddress ? channel.remoteAddress : nil) else {
            listener.leave()
            refuse(tooManyStrangers, channel.remoteAddress, listener, loop, admission)
            return channel.close()
        }
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            ticket.leave()
            listener.leave()
        }
        return channel.eventLoop.makeCompletedFuture {
            let isSecured = listener.stages.contains(.tls)
            try setOptions(of: channel, ReceiveBuffers(loop: bound, isSecured: isSecured))
            let pipeline = channel.pipeline.syncOperations
            guard !listener.stages.isEmpty else {
                let newcomer = Newcomer(address: channel.remoteAddress, acceptedAt: acceptedAt)
                return try pipeline.addHandler(
                    ConnectionHandler(loop: loop, listener: listener, newcomer: newcomer, ticket: ticket))
            }
            try pipeline.addHandler(ReceiveBufferReturn(loop: loop))
            // As they are now, for all its stages.
            let rules = listener.rules
            if let version = rules.configuration.proxyProtocol {
                try pipeline.addHandler(
                    ProxyHandler(
                        version == .v1 ? .v1 : .v2, requiresTLS: rules.configuration.proxyRequiresTLS,
                        requiresCertificate: rules.configuration.proxyRequiresCertificate))
            }
            let secured = try isSecured ? rules.tls?.makeStage() : nil
            if let secured {
                try pipeline.addHandler(secured.witness)
                try pipeline.addHandler(secured.handler)
            }
            if listener.stages.contains(.webSocket) {
                try pipeline.addHandler(
                    WebSocketHandler(
                        headersBytesMax: rules.websocketsRequestBytesMax,
                        origins: rules.configuration.websocketsOrigins))
            }
            try pipeline.addHandler(
                Entrance(listener.stages, secured: secured, timeout: loop.connectTimeout) { address in
                    guard !ticket.name(address) else { return true }
                    refuse(tooManyStrangers, address, listener, loop, admission)
                    return false
                } arrived: { arrival in
                    ConnectionHandler(
                        loop: loop, listener: listener,
                        newcomer: Newcomer(
                            address: arrival.address, identity: rules.configuration.userName(of: arrival.identity),
                            evidence: arrival.evidence, judge: rules.tls, acceptedAt: acceptedAt),
                        ticket: ticket)
                } failed: { address, fault in
                    write(fault.stage == "TLS" ? .error : .notice, "\(fault)", address, listener, loop, admission)
                })
        }
    }

    private static func setOptions(of channel: any Channel, _ buffers: ReceiveBuffers) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.recvAllocator, value: buffers)
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.writeBufferWaterMark, value: .init(low: 32_768, high: 131_072))
    }

    // MARK: What the log says

    private static let tooManyStrangers =
        "too many connections that have not sent CONNECT (max_pending_connections, max_pending_connections_per_address)"

    /// A stage that a client had passed failed later: a WebSocket frame that may not be.
    static func tell(_ fault: TransportFault, of address: SocketAddress?, _ listener: Listener, _ loop: ShardLoop) {
        write(.notice, "\(fault)", address, listener, loop, Admission(log: loop.log, clock: loop.clock))
    }

    private static func refuse(
        _ reason: String, _ address: SocketAddress?, _ listener: Listener, _ loop: ShardLoop, _ admission: Admission
    ) {
        write(.notice, "Connection refused: \(reason)", address, listener, loop, admission)
    }

    /// One line a failure, until there are too many.
    private static func write(
        _ type: LogType, _ text: String, _ address: SocketAddress?, _ listener: Listener, _ loop: ShardLoop,
        _ admission: Admission
    ) {
        let log = admission.log
        switch listener.failures.failure() {
        case .count: return
        case .write(let isFirst):
            log.write(type, "\(text) (from \(LogWriter.text(address)) on \(listener.name)).")
            guard isFirst else { return }
            loop.eventLoop.scheduleTask(in: .seconds(Int64(FailurePace.windowSeconds))) {
                let unsaid = listener.failures.windowEnded()
                guard unsaid > 0 else { return }
                log.write(
                    type,
                    "\(unsaid) more connections on \(listener.name) failed or were refused within "
                        + "\(FailurePace.windowSeconds) s and are not written one by one.")
            }
        }
    }
}

extension ListenerConfiguration {
    /// What of a certificate or pre-shared key becomes the user name.
    func userName(of identity: PeerIdentity?) -> String? {
        switch certificateIdentity {
        case .none: nil
        case .commonName: identity?.name
        case .subject: identity?.subject
        }
    }
}
