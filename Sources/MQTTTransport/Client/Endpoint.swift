/// Where a broker is and how to reach it: TCP, TLS, WebSocket, Unix socket, each also through a proxy. A program names one
/// and knows nothing of sockets; `Connector` does the rest.
///
/// ```swift
/// .tcp("localhost")
/// .tls("broker.example", trust: .file("ca.crt"), identity: .files(certificate: "me.crt", key: "me.key"))
/// .webSocket("broker.example", tls: ClientTLS())
/// .unix("/run/martlet.sock")
/// .tls("broker.example").through(SOCKS5Proxy(host: "localhost"))
/// ```
public struct Endpoint: Sendable, Hashable {
    /// How MQTT's bytes are wrapped.
    package struct WebSocket: Sendable, Hashable {
        package let path: String
        package let headers: [HTTPHeader]
    }

    /// The name of the broker, or its address, IPv4 or IPv6: what its certificate must be for. `localhost` for a Unix socket.
    public let host: String
    /// 1 to 65,535; 0 for a Unix socket.
    public let port: Int
    /// Nil = in the clear.
    public let tls: ClientTLS?
    /// Where the broker's Unix socket lies, nil = TCP.
    public let socketPath: String?
    /// Who connects for us, nil = we ourselves.
    public private(set) var proxy: SOCKS5Proxy?
    /// What stands in for looking `host` up, nil = the resolver is asked.
    public private(set) var address: String?
    /// Where our end of the connection is, nil = the system chooses.
    public private(set) var localAddress: String?
    package let webSocket: WebSocket?

    private init(
        host: String, port: Int, tls: ClientTLS? = nil, socketPath: String? = nil, webSocket: WebSocket? = nil
    ) {
        (self.host, self.port, self.tls) = (host, port, tls)
        (self.socketPath, self.webSocket) = (socketPath, webSocket)
    }

    // MARK: Ways

    /// TCP in the clear. Everybody on the way can read it.
    public static func tcp(_ host: String, port: Int = 1883) -> Endpoint { Endpoint(host: host, port: port) }

    /// TLS: the server's certificate is verified, and its name against `host`.
    public static func tls(_ host: String, port: Int = 8883, _ tls: ClientTLS = ClientTLS()) -> Endpoint {
        Endpoint(host: host, port: port, tls: tls)
    }

    /// TLS with what most programs need of it: whom to trust, and who we are.
    public static func tls(
        _ host: String, port: Int = 8883, trust: TrustRoots, identity: ClientIdentity? = nil
    ) -> Endpoint {
        Endpoint(host: host, port: port, tls: ClientTLS(trust: trust, identity: identity))
    }

    /// MQTT over WebSocket, §6 of the standard.
    /// - Parameters:
    ///   - port: nil = 443 with TLS, 80 without.
    ///   - path: of the request, with its query.
    ///   - headers: sent along, such as cookies, `Authorization` or `Origin`.
    ///   - tls: nil = in the clear (`ws://`).
    public static func webSocket(
        _ host: String, port: Int? = nil, path: String = "/mqtt", headers: [HTTPHeader] = [], tls: ClientTLS? = nil
    ) -> Endpoint {
        Endpoint(
            host: host, port: port ?? (tls == nil ? 80 : 443), tls: tls,
            webSocket: WebSocket(path: path, headers: headers))
    }

    /// A Unix socket of this machine.
    /// - Parameters:
    ///   - path: of at most 107 bytes.
    ///   - tls: nil but for a broker that speaks TLS there too; the certificate must then be for `localhost`, or for
    ///     `ClientTLS.serverName`.
    public static func unix(_ path: String, tls: ClientTLS? = nil) -> Endpoint {
        Endpoint(host: "localhost", port: 0, tls: tls, socketPath: path)
    }

    // MARK: On the way

    /// The same broker, through a proxy. The proxy looks the name up. Not for Unix sockets.
    public func through(_ proxy: SOCKS5Proxy) -> Endpoint {
        var endpoint = self
        endpoint.proxy = proxy
        return endpoint
    }

    /// The same broker at `address`, whatever the resolver says. The certificate must be for `host` as before.
    public func resolving(to address: String) -> Endpoint {
        var endpoint = self
        endpoint.address = address
        return endpoint
    }

    /// The same broker, from an address of this machine: an interface, so to speak.
    public func from(localAddress: String) -> Endpoint {
        var endpoint = self
        endpoint.localAddress = localAddress
        return endpoint
    }
}

/// A field of the request that opens a WebSocket.
public struct HTTPHeader: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

/// A SOCKS version 5 proxy, RFC 1928, with a user name and password (RFC 1929) or without.
public struct SOCKS5Proxy: Sendable, Hashable {
    public let host: String
    public let port: Int
    public let userName: String?
    package let password: Secret?

    /// - Parameters:
    ///   - userName: 1 to 255 bytes; nil = the proxy asks nobody who they are.
    ///   - password: at most 255 bytes; it goes to the proxy in the clear, as the standard has it.
    public init(host: String, port: Int = 1080, userName: String? = nil, password: String? = nil) {
        (self.host, self.port, self.userName) = (host, port, userName)
        self.password = password.map { Secret($0) }
    }
}

extension Endpoint: CustomStringConvertible {
    /// Scheme, host and port, as `mqtt://localhost:1883`; never a password.
    public var description: String {
        if let socketPath { return (tls == nil ? "mqtt+unix://" : "mqtts+unix://") + socketPath }
        let name = host.contains(":") ? "[\(host)]" : host
        guard let webSocket else { return (tls == nil ? "mqtt" : "mqtts") + "://\(name):\(port)" }
        return (tls == nil ? "ws" : "wss") + "://\(name):\(port)\(webSocket.path)"
    }
}
