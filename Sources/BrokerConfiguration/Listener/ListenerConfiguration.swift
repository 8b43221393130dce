package import MQTTProtocol

/// One socket to listen on, and what holds for the clients that come in through it.
package struct ListenerConfiguration: Sendable, Equatable {
    /// mosquitto's and the standard's port for MQTT without TLS.
    package static let defaultPort = 1883

    // MARK: The socket

    /// Where it listens. mosquitto: `listener`, `port`, `bind_address`.
    package var address: Address
    /// What is spoken there. Default MQTT. mosquitto: `protocol`.
    package var applicationProtocol = ApplicationProtocol.mqtt
    /// Whether the broker may not start when this socket cannot be opened. False only for ::1 in local-only mode: a machine
    /// without IPv6 must still get its broker.
    package var isRequired = true
    /// Network device that alone may bring connections, by SO_BINDTODEVICE. Default any. mosquitto: `bind_interface`.
    package var bindInterface: String?
    /// The only address family to bind. Default both. mosquitto: `socket_domain`.
    package var socketDomain: SocketDomain?
    /// Which PROXY header every connection must begin with. Default none. mosquitto: `enable_proxy_protocol`.
    package var proxyProtocol: ProxyProtocol?
    /// Whether a PROXY v2 header must say that the client came by TLS. Default false. mosquitto: `proxy_protocol_v2_require_tls`.
    package var proxyRequiresTLS = false
    /// Whether a PROXY v2 header must say that the proxy has verified a certificate of the client's. Default false. mosquitto:
    /// `require_certificate`, on a listener with `enable_proxy_protocol 2`.
    package var proxyRequiresCertificate = false
    /// Values of the HTTP header Origin that may open a WebSocket, compared byte by byte; empty admits every one.
    /// mosquitto: `websockets_origin`.
    package var websocketsOrigins: [String] = []
    /// TLS, or `nil` for a plain listener. mosquitto: `certfile` and `keyfile`, or `psk_hint`.
    package var tls: TLSConfiguration?

    // MARK: Its clients

    /// Who may come in.
    package var security = SecurityConfiguration()
    /// What of a client's certificate (or PSK) becomes its user name. Default nothing. mosquitto: `use_identity_as_username`,
    /// `use_subject_as_username`.
    package var certificateIdentity = CertificateIdentity.none
    /// Whether the user name replaces the client identifier; a client without one is then refused. Default false.
    /// mosquitto: `use_username_as_clientid`.
    package var usesUsernameAsClientID = false
    /// Put before every topic of the listener's clients and taken away on delivery; no wildcards. Default none.
    /// mosquitto: `mount_point`.
    package var mountPoint: String?
    /// Versions a CONNECT may have. Default all three. mosquitto: `accept_protocol_versions`.
    package var acceptedVersions = Set(ProtocolVersion.allCases)
    /// Connected clients. Default `nil`: no limit. mosquitto: `max_connections`.
    package var connectionsMax: Int?
    /// Highest QoS a client may publish with. Default 2. mosquitto: `max_qos`.
    package var qosMax = QoS.exactlyOnce
    /// Topic aliases a 5.0 client may define, 0…65535. Default 10. mosquitto: `max_topic_alias`.
    package var topicAliasMax = 10
    /// Topic aliases the broker defines towards a 5.0 client at most, 0…65535. Default 10. mosquitto: `max_topic_alias_broker`.
    package var topicAliasBrokerMax = 10

    /// Where its lines stand.
    package var places = SettingPlaces()

    /// Where a listener listens.
    package enum Address: Sendable, Hashable {
        /// `host` is an address or a name to bind, `nil` for every interface, IPv4 and IPv6. `port` is 1…65535; no file can say
        /// 0, but a test may, and the system then chooses a free one.
        case tcp(host: String?, port: Int)
        /// A Unix socket at `path`, which is made when the broker starts and removed when it stops.
        case unix(path: String)
    }

    /// What is spoken on a connection, above TLS where there is TLS.
    package enum ApplicationProtocol: String, Sendable, CaseIterable {
        case mqtt
        /// MQTT in binary WebSocket frames, subprotocol `mqtt`.
        case websockets
    }

    package enum SocketDomain: String, Sendable, CaseIterable {
        case ipv4, ipv6
    }

    /// HAProxy's PROXY protocol; `rawValue` is its version.
    package enum ProxyProtocol: Int, Sendable, CaseIterable {
        case v1 = 1
        case v2 = 2
    }

    /// What of a client's certificate becomes its user name.
    package enum CertificateIdentity: Sendable, Equatable {
        case none
        /// The common name; with PSK the identity.
        case commonName
        /// The whole subject, `CN=…,OU=…,O=…,L=…,ST=…,C=…`.
        case subject
    }

    package init(port: Int = ListenerConfiguration.defaultPort, host: String? = nil) {
        address = .tcp(host: host, port: port)
    }

    /// The TCP port; 0 for a Unix socket, as mosquitto writes it.
    package var port: Int {
        guard case .tcp(_, let port) = address else { return 0 }
        return port
    }

    /// The address or name to bind; `nil` for every interface and for a Unix socket.
    package var host: String? {
        guard case .tcp(let host, _) = address else { return nil }
        return host
    }

    /// The two sockets of local-only mode for one port, with `template`'s limits.
    static func loopback(port: Int, like template: ListenerConfiguration) -> [ListenerConfiguration] {
        var four = template
        four.address = .tcp(host: "127.0.0.1", port: port)
        var six = template
        six.address = .tcp(host: "::1", port: port)
        six.isRequired = false
        return [four, six]
    }
}
