import BrokerConfiguration
import Glibc
import MQTTTransport
import NIOCore
import NIOPosix

/// Opening the listeners' sockets. Before: `Broker.start`. After, for each connection: `Broker+admission`.
extension Broker {
    func open(_ listener: Listener) throws {
        if let path = listener.unixPath { return try open(listener, path: path) }
        let isWebSocket = listener.stages.contains(.webSocket)
        if isWebSocket { log.write(.information, "Opening websockets listen socket on port \(listener.port).") }
        var opened = 0
        for address in try listener.addresses() {
            let family = address.protocol == .inet6 ? "ipv6" : "ipv4"
            if !isWebSocket { log.write(.information, "Opening \(family) listen socket on port \(listener.port).") }
            do {
                try bind(listener, address)
                opened += 1
            } catch let error as IOError where error.errnoCode == EAFNOSUPPORT || error.errnoCode == EADDRNOTAVAIL {
                // A machine without IPv6 still serves IPv4.
                log.write(.warning, "Warning: \(family) is not available here: \(listener.port) stays without it.")
            } catch let error as IOError {
                throw ListenerError.cannotBind(port: listener.port, reason: String(cString: strerror(error.errnoCode)))
            }
        }
        if opened == 0, listener.isRequired {
            throw ListenerError.cannotBind(port: listener.port, reason: "no address could be bound")
        }
    }

    private func open(_ listener: Listener, path: String) throws {
        log.write(.information, "Opening unix listen socket on path \(path).")
        do throws(UnixSocket.Obstacle) { try UnixSocket.clear(path) } catch {
            let reason =
                switch error {
                case .inUse: "somebody answers there. Is another broker running?"
                case .notASocket: "there is a file that is no socket. Move it away, or choose another path."
                case .pathTooLong: "the path has more than \(UnixSocket.pathBytesMax) bytes"
                case .system(let reason): reason
                }
            throw ListenerError.cannotBindPath(path, reason: reason)
        }
        do {
            for address in try listener.addresses() { try bind(listener, address) }
            listener.ownSocketFile()
            if let privileges { chown(path, privileges.user, privileges.group) }
            guard chmod(path, UnixSocket.mode) == 0 else { throw IOError(errnoCode: errno, reason: "chmod") }
        } catch let error as IOError {
            throw ListenerError.cannotBindPath(path, reason: String(cString: strerror(error.errnoCode)))
        }
    }

    private func bind(_ listener: Listener, _ address: SocketAddress) throws {
        let log = log
        let loops = loops
        let clock = clock
        let requestBytesMax = configuration.websocketsRequestBytesMax
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let device = listener.configuration.bindInterface {
                        try Broker.bind(channel, to: device, port: listener.port)
                    }
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(log: log, port: listener.port))
                }
            }
            .childChannelInitializer { channel in
                Broker.admit(
                    channel, listener, loops,
                    Admission(log: log, clock: clock, websocketRequestBytesMax: requestBytesMax))
            }
        if address.protocol != .unix {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        }
        if address.protocol == .inet6 {
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .init(rawValue: IPV6_V6ONLY)), value: 1)
        }
        _ = try bootstrap.bind(to: address).wait()
    }

    /// SO_BINDTODEVICE: a name of at most 15 bytes and zeros behind it.
    private static func bind(_ channel: any Channel, to device: String, port: Int) throws {
        typealias Name = (UInt64, UInt64)
        var name: Name = (0, 0)
        guard device.utf8.count < MemoryLayout<Name>.size, let options = channel as? any SocketOptionProvider else {
            throw ListenerError.cannotBindDevice(device, port: port, reason: "no device has such a long name")
        }
        withUnsafeMutableBytes(of: &name) { $0.copyBytes(from: device.utf8) }
        // The server's own channel, on its own loop: the future is there already, or fails at once.
        let done = options.unsafeSetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_BINDTODEVICE), value: name)
        var failure: (any Error)?
        done.assumeIsolated().whenFailure { failure = $0 }
        if let error = failure {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw ListenerError.cannotBindDevice(device, port: port, reason: reason)
        }
    }

    /// What an operator should know about the listeners before anybody comes.
    func warnAboutTransport() {
        for listener in listeners where listener.configuration.tls != nil {
            let configuration = listener.configuration
            if configuration.security.allowsAnonymous, configuration.tls?.requiresCertificate != true,
                configuration.tls?.pskHint == nil
            {
                log.write(
                    .warning,
                    "Warning: the TLS listener on \(listener.name) admits anonymous clients (allow_anonymous true): what is "
                        + "sent is hidden from others, but anybody may connect.")
            }
            for remark in listener.tls?.remarks ?? [] {
                log.write(
                    .warning,
                    "Warning: \(configuration.places.diagnostic(.warning, key: remark.key, "\(remark)"))")
            }
        }
        if let path = secrets.tlsKeyLog {
            log.write(
                .warning,
                "Warning: the secrets of every TLS connection are written to \(path): whoever reads it reads along.")
        }
    }
}
