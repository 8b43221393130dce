import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// What a TLS server shows of itself, whoever it is: for a person who looks for a fault. Nothing is verified here, and nothing
/// is sent but a handshake.
package struct ServerGreeting: Sendable {
    /// DER, the server's own first.
    package let certificates: [[UInt8]]
    /// `TLS 1.3`; nil where the handshake did not come to its end.
    package let version: String?
    /// What was chosen of the protocols that we offered.
    package let applicationProtocol: String?

    /// - Parameter versions: which to offer.
    /// - Returns: what was shown, also where the handshake failed afterwards; nil where no certificate came.
    /// - Throws: why no connection was made.
    package static func of(
        _ endpoint: Endpoint, versions: ClosedRange<Int> = 2...3, on loop: any EventLoop, timeout: Duration
    ) async throws(ConnectFailure) -> ServerGreeting? {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        configuration.minimumTLSVersion = versions.lowerBound == 2 ? .tlsv12 : .tlsv13
        configuration.maximumTLSVersion = versions.upperBound == 2 ? .tlsv12 : .tlsv13
        configuration.cipherSuites = CipherList.usual
        configuration.applicationProtocols = endpoint.tls?.applicationProtocols ?? []
        let name = endpoint.tls?.serverName ?? endpoint.host
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        let shown = NIOLockedValueBox<[[UInt8]]>([])
        do {
            let context = try NIOSSLContext(configuration: configuration)
            let channel = try await ClientBootstrap(group: loop).connectTimeout(TimeAmount(timeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = try NIOSSLClientHandler(
                            context: context, serverHostname: isAddress ? nil : name
                        ) { chain, promise in
                            shown.withLockedValue { $0 = chain.compactMap { try? $0.toDERBytes() } }
                            promise.succeed(.certificateVerified)
                        }
                        try channel.pipeline.syncOperations.addHandler(handler)
                        let end = channel.eventLoop.makePromise(of: Handshake.self)
                        try channel.pipeline.syncOperations.addHandler(HandshakeWatch(end, TimeAmount(timeout)))
                    }
                }
                .connect(host: endpoint.address ?? endpoint.host, port: endpoint.port).get()
            let handshake = try await channel.eventLoop.flatSubmit {
                do {
                    return try channel.pipeline.syncOperations.handler(type: HandshakeWatch.self).end.futureResult
                } catch {
                    return channel.eventLoop.makeSucceededFuture(Handshake())
                }
            }.get()
            channel.close(promise: nil)
            let certificates = shown.withLockedValue { $0 }
            guard !certificates.isEmpty else { return nil }
            return ServerGreeting(
                certificates: certificates, version: handshake.version,
                applicationProtocol: handshake.applicationProtocol)
        } catch {
            throw ConnectFailure(endpoint, error: error)
        }
    }
}

private struct Handshake: Sendable {
    var version: String?
    var applicationProtocol: String?
}

/// Waits for the end of a handshake, good or bad.
private final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let end: EventLoopPromise<Handshake>
    private let timeout: TimeAmount

    init(_ end: EventLoopPromise<Handshake>, _ timeout: TimeAmount) { (self.end, self.timeout) = (end, timeout) }

    func handlerAdded(context: ChannelHandlerContext) {
        let end = self.end
        let expiry = context.eventLoop.scheduleTask(in: timeout) { end.succeed(Handshake()) }
        end.futureResult.whenComplete { _ in expiry.cancel() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event {
            let version =
                switch try? context.channel.pipeline.syncOperations.nioSSL_tlsVersion() {
                case .tlsv12: "TLS 1.2"
                case .tlsv13: "TLS 1.3"
                default: "an older TLS"
                }
            end.succeed(Handshake(version: version, applicationProtocol: negotiated))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end.succeed(Handshake())
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end.succeed(Handshake()) }
    func handlerRemoved(context: ChannelHandlerContext) { end.succeed(Handshake()) }
}
