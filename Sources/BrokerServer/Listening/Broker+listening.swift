import BrokerConfiguration
import Glibc
import MQTTTransport
import NIOCore
import NIOPosix

/// Opening the listeners' sockets. Before: `Broker.start`, or a reload. After, for each connection: `Broker+admission`.
extension Broker {
    /// Binds what a listener asks for. Who connects waits until `ListeningSocket.startAccepting`.
    func open(_ listener: Listener) throws -> ListeningSocket {
        let socket = ListeningSocket(for: listener)
        do { try open(socket, listener.configuration) } catch {
            socket.close()
            throw error
        }
        return socket
    }

    private func open(_ socket: ListeningSocket, _ configuration: ListenerConfiguration) throws {
        if let path = configuration.unixPath { return try open(socket, configuration, path: path) }
        let port = configuration.port
        let isWebSocket = configuration.applicationProtocol == .websockets
        if isWebSocket { log.write(.information, "Opening websockets listen socket on port \(port).") }
        var opened = 0
        var missing: [String] = []
        for address in try configuration.addresses() {
            let family = address.protocol == .inet6 ? "ipv6" : "ipv4"
            if !isWebSocket { log.write(.information, "Opening \(family) listen socket on port \(port).") }
            do {
                socket.add(try bind(socket, configuration, address))
                opened += 1
            } catch let error as IOError where error.errnoCode == EAFNOSUPPORT || error.errnoCode == EADDRNOTAVAIL {
                missing.append(family)  // a machine without IPv6 still serves IPv4
            } catch let error as IOError where error.errnoCode == EACCES && port < 1024 {
                throw ListenerError.needsRoot(port: port)
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                throw ListenerError.inUse(port: port)
            } catch let error as IOError {
                throw ListenerError.cannotBind(port: port, reason: String(cString: strerror(error.errnoCode)))
            }
        }
        if opened == 0, configuration.isRequired { throw ListenerError.noAddress(configuration) }
        for family in missing {
            log.write(.warning, "Warning: \(family) is not available here: \(port) stays without it.")
        }
    }

    private func open(_ socket: ListeningSocket, _ configuration: ListenerConfiguration, path: String) throws {
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
            for address in try configuration.addresses() { socket.add(try bind(socket, configuration, address)) }
            socket.ownFile(path)
            if let privileges { lchown(path, privileges.user, privileges.group) }
            guard chmod(path, mode_t(UnixSocket.mode)) == 0 else { throw IOError(errnoCode: errno, reason: "chmod") }
        } catch let error as IOError {
            throw ListenerError.cannotBindPath(path, reason: String(cString: strerror(error.errnoCode)))
        }
    }

    private func bind(
        _ socket: ListeningSocket, _ configuration: ListenerConfiguration, _ address: SocketAddress
    ) throws -> any Channel {
        let log = log
        let loops = loops
        let clock = clock
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.autoRead, value: false)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let device = configuration.bindInterface {
                        try Broker.bind(channel, to: device, port: configuration.port)
                    }
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(log: log, port: configuration.port))
                }
            }
            .childChannelInitializer { channel in
                Broker.admit(channel, socket.listener, loops, Admission(log: log, clock: clock))
            }
        if address.protocol != .unix {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        }
        if address.protocol == .inet6 {
            bootstrap = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .init(rawValue: IPV6_V6ONLY)), value: 1)
        }
        return try bootstrap.bind(to: address).wait()
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
    func warnAboutTransport(of listeners: [Listener]) {
        for listener in listeners where listener.stages.contains(.tls) {
            let configuration = listener.configuration
            if configuration.security.allowsAnonymous, configuration.tls?.requiresCertificate != true,
                configuration.tls?.pskHint == nil, configuration.certificateIdentity == .none
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
    }
}
