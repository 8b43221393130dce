import BrokerConfiguration
import BrokerCore
import Glibc
import MQTTTransport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// One `listener` of the configuration: whom it accepts, and what they have to pass. Its sockets: `ListeningSocket`.
final class Listener: Sendable {
    /// What a reload may change while its clients stay.
    struct Rules: Sendable {
        var configuration: ListenerConfiguration
        /// Certificate, key, trust for the next handshake; whoever is connected keeps theirs.
        var tls: TLSSnapshot?
        var websocketsRequestBytesMax: Int
    }

    private struct Door: Sendable {
        var connections = 0
        var isOpen = true
    }

    /// By which shards and access know it.
    let index: Int
    let strangers: Strangers
    let failures = FailurePace()
    /// What a connection has to pass before MQTT; empty on plain TCP, whose pipeline has one handler.
    let stages: Entrance.Stages
    private let currentRules: NIOLockedValueBox<Rules>
    private let door = NIOLockedValueBox(Door())

    init(
        index: Int, _ configuration: ListenerConfiguration, _ limits: BrokerConfiguration, tls: TLSSnapshot? = nil
    ) {
        self.index = index
        currentRules = NIOLockedValueBox(
            Rules(
                configuration: configuration, tls: tls,
                websocketsRequestBytesMax: limits.websocketsRequestBytesMax))
        strangers = Strangers(
            allMax: limits.pendingConnectionsMax, perAddressMax: limits.pendingConnectionsPerAddressMax)
        var stages: Entrance.Stages = []
        if configuration.proxyProtocol != nil { stages.insert(.proxy) }
        if configuration.tls != nil { stages.insert(.tls) }
        if configuration.applicationProtocol == .websockets { stages.insert(.webSocket) }
        self.stages = stages
    }

    var rules: Rules { currentRules.withLockedValue { $0 } }
    var configuration: ListenerConfiguration { rules.configuration }
    var tls: TLSSnapshot? { rules.tls }

    /// Other rules from now on. What is spoken stays the same.
    func follow(_ configuration: ListenerConfiguration, _ limits: BrokerConfiguration, tls: TLSSnapshot?) {
        precondition((tls != nil) == stages.contains(.tls), "who comes by TLS goes on with TLS")
        currentRules.withLockedValue {
            $0 = Rules(
                configuration: configuration, tls: tls,
                websocketsRequestBytesMax: limits.websocketsRequestBytesMax)
        }
        strangers.limit(allMax: limits.pendingConnectionsMax, perAddressMax: limits.pendingConnectionsPerAddressMax)
    }

    /// Another certificate, and the rest as it was.
    func follow(tls: TLSSnapshot) { currentRules.withLockedValue { $0.tls = tls } }

    var port: Int { configuration.port }
    var unixPath: String? { configuration.unixPath }

    /// As log lines name it.
    var name: String {
        let configuration = configuration
        return configuration.unixPath ?? "port \(configuration.port)"
    }

    // MARK: Who comes in

    /// Counts one more connection; false where `max_connections` are there, or the listener has gone.
    func enter() -> Bool {
        let connectionsMax = currentRules.withLockedValue { $0.configuration.connectionsMax } ?? .max
        return door.withLockedValue { door in
            guard door.isOpen, door.connections < connectionsMax else { return false }
            door.connections += 1
            return true
        }
    }

    func leave() { door.withLockedValue { $0.connections -= 1 } }

    /// It has gone from the configuration, or speaks something else now under another number: nobody comes in any more.
    func retire() { door.withLockedValue { $0.isOpen = false } }

    var isRetired: Bool { door.withLockedValue { !$0.isOpen } }
    /// Nobody is there, and nobody will come: its number is free.
    var isForgotten: Bool { door.withLockedValue { !$0.isOpen && $0.connections == 0 } }
}

extension ListenerConfiguration {
    var unixPath: String? {
        guard case .unix(let path) = address else { return nil }
        return path
    }

    /// The addresses to bind: what the host means, or every interface of both families.
    /// `socket_domain` leaves only one family.
    func addresses() throws -> [SocketAddress] {
        if let unixPath { return [try SocketAddress(unixDomainSocketPath: unixPath)] }
        let all = try addressesOfAllFamilies()
        switch socketDomain {
        case nil: return all
        case .ipv4: return all.filter { $0.protocol == .inet }
        case .ipv6: return all.filter { $0.protocol == .inet6 }
        }
    }

    private func addressesOfAllFamilies() throws -> [SocketAddress] {
        guard let host else {
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
}

/// Why a listener cannot be opened.
enum ListenerError: Error, CustomStringConvertible {
    case unknownHost(String, reason: String)
    case cannotBind(port: Int, reason: String)
    /// Nothing of what it asks for is there to be bound.
    case nowhere(String, port: Int, reason: String)
    /// The address is somebody's.
    case inUse(port: Int)
    case cannotBindDevice(String, port: Int, reason: String)
    case cannotBindPath(String, reason: String)
    /// A port below 1024, and root has been given up.
    case needsRoot(port: Int)

    static func noAddress(_ configuration: ListenerConfiguration) -> ListenerError {
        let host = configuration.host ?? "every interface"
        let isOneFamily = configuration.socketDomain != nil
        return .nowhere(
            host, port: configuration.port,
            reason: isOneFamily && (try? configuration.addresses())?.isEmpty == true
                ? "socket_domain leaves no address of it"
                : "this machine has no such address; `ip address` lists those it has")
    }

    var description: String {
        switch self {
        case .unknownHost(let host, let reason):
            "listener address \(host) cannot be resolved: \(reason). Write an address of this machine"
                + (host.hasPrefix("[") ? ", IPv6 without brackets." : ".")
        case .nowhere(let host, let port, let reason): "cannot listen on port \(port) of \(host): \(reason)."
        case .cannotBind(let port, let reason): "cannot listen on port \(port): \(reason)."
        case .inUse(let port):
            "cannot listen on port \(port): \(String(cString: strerror(EADDRINUSE))). Is another broker running? "
                + "(ss -ltnp shows who has the port.)"
        case .cannotBindDevice(let device, let port, let reason):
            "cannot bind port \(port) to the network device \(device) (bind_interface): \(reason). `ip link` lists devices."
        case .needsRoot(let port):
            "cannot listen on port \(port): only root may open ports below 1024, and the broker is not root any more. "
                + "Start it anew, or grant it CAP_NET_BIND_SERVICE as the packaged unit for systemd does."
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
