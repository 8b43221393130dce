/// Where a broker is and how to reach it. Ways to reach it are added here, and to `Connector`; a program names one and
/// knows nothing of sockets.
public struct Endpoint: Sendable, Hashable {
    package enum Way: Sendable, Hashable {
        case tcp
        case tls(TrustRoots)
    }

    /// Name or address, IPv4 or IPv6.
    public let host: String
    /// 1 to 65,535.
    public let port: Int
    package let way: Way

    /// TCP in the clear. Everybody on the way can read it.
    public static func tcp(_ host: String, port: Int = 1883) -> Endpoint {
        Endpoint(host: host, port: port, way: .tcp)
    }

    /// TLS, with the server's certificate verified against `trust` and its name against `host`.
    public static func tls(_ host: String, port: Int = 8883, trust: TrustRoots = .system) -> Endpoint {
        Endpoint(host: host, port: port, way: .tls(trust))
    }
}

/// Which certificate authorities may vouch for a server.
public enum TrustRoots: Sendable, Hashable {
    /// Those the system trusts.
    case system
    /// A file of certificates in PEM, and nothing else.
    case file(String)
}

extension Endpoint: CustomStringConvertible {
    /// Scheme, host and port, as `mqtt://localhost:1883`.
    public var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return switch way {
        case .tcp: "mqtt://\(name):\(port)"
        case .tls: "mqtts://\(name):\(port)"
        }
    }
}
