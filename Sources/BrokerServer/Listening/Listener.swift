import BrokerConfiguration
import BrokerCore
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// One `listener` of the configuration: where it accepts, and whom. It may be several sockets, one an address family.
final class Listener: Sendable {
    let index: Int
    let port: Int
    let host: String?
    let isRequired: Bool
    let connectionsMax: Int?
    let strangers: Strangers
    private let connections = NIOLockedValueBox(0)

    init(index: Int, _ configuration: ListenerConfiguration, _ limits: BrokerConfiguration) {
        self.index = index
        port = configuration.port
        host = configuration.host
        isRequired = configuration.isRequired
        connectionsMax = configuration.connectionsMax
        strangers = Strangers(
            allMax: limits.pendingConnectionsMax, perAddressMax: limits.pendingConnectionsPerAddressMax)
    }

    /// The addresses to bind: what the host means, or every interface of both families.
    func addresses() throws -> [SocketAddress] {
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

    /// Counts one more connection; false where `max_connections` are there.
    func enter() -> Bool {
        connections.withLockedValue { count in
            guard count < connectionsMax ?? .max else { return false }
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

    var description: String {
        switch self {
        case .unknownHost(let host, let reason):
            "listener address \(host) cannot be resolved: \(reason). Write an address of this machine."
        case .cannotBind(let port, let reason):
            "cannot listen on port \(port): \(reason). Is another broker running? (ss -ltnp shows who has the port.)"
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
