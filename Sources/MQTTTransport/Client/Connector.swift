package import NIOCore
import NIOPosix
import NIOSSL

/// Opens a client's transport to an `Endpoint`. The channel's handlers for TLS and the like are there; what the caller adds sees
/// MQTT's bytes.
package enum Connector {
    /// Output waiting in a channel, in bytes: beyond the high mark it is not writable, below the low one it is again.
    private static var waitingBytes: ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(low: 256 * 1024, high: 1024 * 1024)
    }

    /// - Parameters:
    ///   - loop: where the channel lives.
    ///   - timeout: for one address; a name may have several.
    ///   - initialize: sees each channel before it is connected, on the loop; a name may have several addresses. What it
    ///     fails with ends the attempt.
    /// - Returns: the connected channel, which has not been read from: it does not read by itself.
    /// - Throws: `ConnectFailure`, in words.
    package static func connect(
        to endpoint: Endpoint, on loop: any EventLoop, timeout: Duration,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws(ConnectFailure) -> any Channel {
        do {
            let security = try security(of: endpoint)
            let bootstrap = ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(timeout))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.writeBufferWaterMark, value: waitingBytes)
                .channelInitializer { channel in
                    do {
                        if let security {
                            try channel.pipeline.syncOperations.addHandler(
                                NIOSSLClientHandler(context: security, serverHostname: serverName(endpoint.host)))
                        }
                    } catch {
                        return channel.eventLoop.makeFailedFuture(error)
                    }
                    return initialize(channel)
                }
            return try await bootstrap.connect(host: endpoint.host, port: endpoint.port).get()
        } catch let failure as ConnectFailure {
            throw failure
        } catch {
            throw ConnectFailure(endpoint: endpoint, error: error)
        }
    }

    /// Reads files, so never on a loop.
    private static func security(of endpoint: Endpoint) throws -> NIOSSLContext? {
        guard case .tls(let trust) = endpoint.way else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        switch trust {
        case .system: configuration.trustRoots = .default
        case .file(let path): configuration.trustRoots = .file(path)
        }
        return try NIOSSLContext(configuration: configuration)
    }

    /// Server Name Indication carries names, never addresses.
    private static func serverName(_ host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}

/// Why a transport could not be opened.
package struct ConnectFailure: Error, CustomStringConvertible {
    package let description: String

    init(endpoint: Endpoint, error: any Error) {
        description = "\(endpoint): \(Self.words(error))"
    }

    package static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.connectionErrors.isEmpty {
                let resolver = error.dnsAAAAError ?? error.dnsAError
                return "the name \(error.host) is not known" + (resolver.map { " (\($0))" } ?? "")
            }
            return error.connectionErrors.map { words($0.error) }.reduce(into: []) { list, next in
                if !list.contains(next) { list.append(next) }
            }.joined(separator: "; ")
        case let error as IOError: return String(describing: error)
        case ChannelError.connectTimeout(let time): return "no answer within \(time)"
        default: return TLSFailure.token(of: error).map { "TLS: \($0)" } ?? "\(error)"
        }
    }
}
