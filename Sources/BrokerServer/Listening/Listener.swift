import BrokerConfiguration
import BrokerCore
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// One `listener` of the configuration: where it accepts, and whom. It may be several sockets, one an address family.
final class Listener: Sendable {
    let index: Int
    let configuration: ListenerConfiguration
    let strangers: Strangers
    let failures = FailurePace()
    /// What a connection has to pass before MQTT; empty on plain TCP, whose pipeline has one handler.
    let stages: Entrance.Stages
    private let secured: NIOLockedValueBox<TLSSnapshot?>
    private let connections = NIOLockedValueBox(0)
    /// Whether the file of its Unix socket is ours to remove.
    private let ownsSocketFile = NIOLockedValueBox(false)

    init(
        index: Int, _ configuration: ListenerConfiguration, _ limits: BrokerConfiguration, tls: TLSSnapshot? = nil
    ) {
        self.index = index
        self.configuration = configuration
        secured = NIOLockedValueBox(tls)
        strangers = Strangers(
            allMax: limits.pendingConnectionsMax, perAddressMax: limits.pendingConnectionsPerAddressMax)
        var stages: Entrance.Stages = []
        if configuration.proxyProtocol != nil { stages.insert(.proxy) }
        if configuration.tls != nil { stages.insert(.tls) }
        if configuration.applicationProtocol == .websockets { stages.insert(.webSocket) }
        self.stages = stages
    }

    var port: Int { configuration.port }
    var isRequired: Bool { configuration.isRequired }

    var unixPath: String? {
        guard case .unix(let path) = configuration.address else { return nil }
        return path
    }

    /// As log lines name it.
    var name: String { unixPath ?? "port \(port)" }

    /// Certificate, key, trust for the next handshake. A reload sets another; whoever is connected keeps theirs.
    var tls: TLSSnapshot? {
        get { secured.withLockedValue { $0 } }
        set { secured.withLockedValue { $0 = newValue } }
    }

    func ownSocketFile() { ownsSocketFile.withLockedValue { $0 = true } }

    /// At the end: nobody should find a socket where nobody answers.
    func removeSocketFile() {
        guard let unixPath, ownsSocketFile.withLockedValue({ $0 }) else { return }
        unlink(unixPath)
    }

    /// The addresses to bind: what the host means, or every interface of both families.
    /// `socket_domain` leaves only one family.
    func addresses() throws -> [SocketAddress] {
        if let unixPath { return [try SocketAddress(unixDomainSocketPath: unixPath)] }
        let all = try addressesOfAllFamilies()
        switch configuration.socketDomain {
        case nil: return all
        case .ipv4: return all.filter { $0.protocol == .inet }
        case .ipv6: return all.filter { $0.protocol == .inet6 }
        }
    }

    private func addressesOfAllFamilies() throws -> [SocketAddress] {
        guard let host = configuration.host else {
            return [
                try SocketAddress(ipAddress: "0.0.0.0", port: port), try SocketAddress(ipAddress: "::", port: port),
            ]
        }
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw ListenerError.unknownHost(host, reason: String(cString: gai_strerror(status)))
        }
        var found: [SocketAddress] = []
        var at = list
        while let entry = at {
            if let address = SocketAddress(entry.pointee), !found.contains(address) { found.append(address) }
            at = entry.pointee.ai_next
        }
        return found
    }

    /// Counts one more connection; false where `max_connections` are there.
    func enter() -> Bool {
        connections.withLockedValue { count in
            guard count < configuration.connectionsMax ?? .max else { return false }
            count += 1
            return true
        }
    }

    func leave() { connections.withLockedValue { $0 -= 1 } }
}

/// Why a listener cannot be opened.
enum ListenerError: Error, CustomStringConvertible {
    case unknownHost(String, reason: String)
    case cannotBind(port: Int, reason: String)
    case cannotBindDevice(String, port: Int, reason: String)
    case cannotBindPath(String, reason: String)

    var description: String {
        switch self {
        case .unknownHost(let host, let reason):
            "listener address \(host) cannot be resolved: \(reason). Write an address of this machine."
        case .cannotBind(let port, let reason):
            "cannot listen on port \(port): \(reason). Is another broker running? (ss -ltnp shows who has the port.)"
        case .cannotBindDevice(let device, let port, let reason):
            "cannot bind port \(port) to the network device \(device) (bind_interface): \(reason). `ip link` lists devices."
        case .cannotBindPath(let path, let reason): "cannot listen on \(path): \(reason)"
        }
    }
}

extension SocketAddress {
    /// From the resolver's answer, TCP over IP only.
    fileprivate init?(_ info: addrinfo) {
        guard let address = info.ai_addr else { return nil }
        switch info.ai_family {
        case AF_INET: self.init(UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self))
        case AF_INET6: self.init(UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }
}
