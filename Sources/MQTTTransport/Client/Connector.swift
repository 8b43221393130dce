import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix

/// Opens a client's transport to an `Endpoint`. The channel's handlers for SOCKS5, TLS and WebSocket are there and done; what
/// the caller adds sees MQTT's bytes.
package enum Connector {
    /// Output waiting in a channel, in bytes: beyond the high mark it is not writable, below the low one it is again.
    private static var waitingBytes: ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(low: 256 * 1024, high: 1024 * 1024)
    }

    /// - Parameters:
    ///   - loop: where the channel lives.
    ///   - timeout: for one address's TCP, a name may have several; then once more for proxy, TLS and WebSocket together.
    ///   - initialize: sees each channel before it is connected, on the loop; a name may have several addresses. What it
    ///     fails with ends the attempt.
    /// - Returns: the connected channel. It does not read by itself; what came already waits for the first read. Until MQTT's
    ///   first bytes, its errors are `ConnectFailure`s.
    package static func connect(
        to endpoint: Endpoint, on loop: any EventLoop, timeout: Duration,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws(ConnectFailure) -> any Channel {
        try await open(endpoint, on: loop, timeout: timeout, initialize: initialize).channel
    }

    /// As `connect`, for those who want to know why a channel is closed before they could use it.
    package static func open(
        _ endpoint: Endpoint, on loop: any EventLoop, timeout: Duration,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws(ConnectFailure) -> OpenedChannel {
        let prepared = try PreparedEndpoint(endpoint)
        do {
            return try await open(prepared, on: loop, timeout: timeout, initialize: initialize).get()
        } catch {
            throw ConnectFailure(endpoint, error: error)
        }
    }

    /// As the other `open`, for those who live on the loop. It fails with `ConnectFailure`s.
    package static func open(
        _ prepared: PreparedEndpoint, on loop: any EventLoop, timeout: Duration,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<OpenedChannel> {
        let (endpoint, security) = (prepared.endpoint, prepared.security)
        // Of each channel that is tried, by which it will be known again.
        let openings = NIOLockedValueBox<[ObjectIdentifier: Opening]>([:])
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.autoRead, value: false)
            .channelOption(.writeBufferWaterMark, value: waitingBytes)
            .channelInitializer { channel in
                let opening = Opening(channel.eventLoop)
                openings.withLockedValue { $0[ObjectIdentifier(channel)] = opening }
                do {
                    try addStages(channel.pipeline.syncOperations, endpoint, security, timeout, opening)
                } catch {
                    opening.done.fail(error)
                    return channel.eventLoop.makeFailedFuture(error)
                }
                return initialize(channel)
            }
        return dial(bootstrap, endpoint, on: loop).flatMap { channel in
            // Gone already where the first stage failed at once.
            if let passage = try? channel.pipeline.syncOperations.handler(type: Passage.self) {
                passage.startClock(channel)
            }
            guard let opening = openings.withLockedValue({ $0[ObjectIdentifier(channel)] }) else {
                preconditionFailure("every channel is initialized before it is connected")
            }
            return opening.done.futureResult.map { OpenedChannel(channel: channel, opening: opening) }
        }.flatMapErrorThrowing { throw ConnectFailure(endpoint, error: $0) }
    }

    private static func addStages(
        _ pipeline: ChannelPipeline.SynchronousOperations, _ endpoint: Endpoint, _ security: ClientTLSContext?,
        _ timeout: Duration, _ opening: Opening
    ) throws {
        if let proxy = endpoint.proxy {
            try pipeline.addHandler(SOCKS5Handler(proxy, host: endpoint.address ?? endpoint.host, port: endpoint.port))
        }
        if let security { try pipeline.addHandler(try security.handler(opening)) }
        if let webSocket = endpoint.webSocket {
            try pipeline.addHandler(WebSocketClientHandler(endpoint, webSocket))
        }
        try pipeline.addHandler(Passage(endpoint, opening, timeout: TimeAmount(timeout)))
    }

    private static func dial(
        _ bootstrap: ClientBootstrap, _ endpoint: Endpoint, on loop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        if let path = endpoint.socketPath { return bootstrap.connect(unixDomainSocketPath: path) }
        var bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
        if let local = endpoint.localAddress {
            do {
                bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: local, port: 0))
            } catch {
                return loop.makeFailedFuture(error)
            }
        }
        let (host, port) =
            endpoint.proxy.map { ($0.host, $0.port) } ?? (endpoint.address ?? endpoint.host, endpoint.port)
        // The resolver, which is asked by threads of its own, has nothing to say of an address.
        guard let address = try? SocketAddress(ipAddress: host, port: port) else {
            return bootstrap.connect(host: host, port: port)
        }
        let connected = bootstrap.connect(to: address)
        guard endpoint.proxy != nil else { return connected }
        return connected.flatMapErrorThrowing { throw ConnectFailure(endpoint, error: $0).atTheProxy }
    }
}

/// An endpoint whose settings hold, its files read and its ciphers understood: good for any number of attempts.
package struct PreparedEndpoint: Sendable {
    package private(set) var endpoint: Endpoint
    let security: ClientTLSContext?

    /// Reads files, so never on a loop that somebody waits for.
    package init(_ endpoint: Endpoint) throws(ConnectFailure) {
        do throws(SettingFault) {
            security = try endpoint.tls.map { tls throws(SettingFault) in
                try ClientTLSContext(tls, host: endpoint.host)
            }
            try endpoint.check()
        } catch {
            throw ConnectFailure(endpoint, error)
        }
        self.endpoint = endpoint
    }

    /// The same at another address.
    package func resolving(to address: String) -> PreparedEndpoint {
        var prepared = self
        prepared.endpoint = endpoint.resolving(to: address)
        return prepared
    }
}

extension Endpoint {
    /// What no attempt can mend.
    fileprivate func check() throws(SettingFault) {
        if let socketPath {
            guard (1...UnixSocket.pathBytesMax).contains(socketPath.utf8.count) else {
                throw SettingFault(
                    key: "socket", value: socketPath, reason: "a path has 1 to \(UnixSocket.pathBytesMax) bytes")
            }
            guard proxy == nil else {
                throw SettingFault(key: "proxy", value: "of \(socketPath)", reason: "it reaches no Unix socket")
            }
        } else {
            guard (1...65_535).contains(port) else {
                throw SettingFault(key: "port", value: "\(port)", reason: "there are 1 to 65535")
            }
            guard !host.isEmpty else { throw SettingFault(key: "host", value: "''", reason: "it is empty") }
        }
        if let localAddress, (try? SocketAddress(ipAddress: localAddress, port: 0)) == nil {
            throw SettingFault(key: "local address", value: localAddress, reason: "it is no IPv4 or IPv6 address")
        }
        if proxy != nil, host.utf8.count > 255 {
            throw SettingFault(key: "host", value: host, reason: "a proxy takes names of at most 255 bytes")
        }
        try proxy?.check()
        try webSocket?.check()
    }
}
