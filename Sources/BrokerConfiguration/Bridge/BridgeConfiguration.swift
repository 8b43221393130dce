package import MQTTProtocol

/// A connection to another broker, and which messages go over it: one `connection` of the file. Read and checked whole; nothing
/// runs it yet.
package struct BridgeConfiguration: Sendable, Equatable {
    /// Its name, no other bridge's. mosquitto: `connection`.
    package var name: String
    /// Where the other broker is, at least one. mosquitto: `address`, `addresses`.
    package var addresses: [Address] = []
    /// What goes over it, at least one. mosquitto: `topic`.
    package var topics: [Topic] = []
    /// Whether every address is as good as the first, which is otherwise gone back to. Default false. mosquitto: `round_robin`.
    package var usesRoundRobin = false

    // MARK: The connection

    /// Default 3.1.1. mosquitto: `bridge_protocol_version`.
    package var version = ProtocolVersion.v311
    /// Default `nil`: host name, dot, `name`. mosquitto: `remote_clientid`, `clientid`.
    package var remoteClientID: String?
    /// Default `nil`: `local.` and the remote one. mosquitto: `local_clientid`.
    package var localClientID: String?
    /// mosquitto: `remote_username`, `username`.
    package var remoteUsername: String?
    /// mosquitto: `remote_password`, `password`.
    package var remotePassword: String?
    /// Who the bridge is to our own access rules. mosquitto: `local_username`, `local_password`.
    package var localUsername: String?
    package var localPassword: String?
    /// Whether the other broker forgets the session. Default false. mosquitto: `cleansession`.
    package var cleansRemoteSession = false
    /// Whether we do. Default `nil`: as the other side. mosquitto: `local_cleansession`.
    package var cleansLocalSession: Bool?
    /// Seconds, 5…65535. Default 60. mosquitto: `keepalive_interval`.
    package var keepAliveSeconds = 60
    /// Seconds without messages until a lazy bridge ends. Default 60. mosquitto: `idle_timeout`.
    package var idleSeconds = 60
    /// Queued messages that wake a lazy bridge. Default 10. mosquitto: `threshold`.
    package var threshold = 10
    /// When it connects. Default automatic. mosquitto: `start_type`.
    package var startType = StartType.automatic
    /// How long it waits before it tries again. Default 5 to 30 seconds. mosquitto: `restart_timeout`.
    package var restart = Restart.backoff(baseSeconds: 5, capSeconds: 30, stableSeconds: nil)
    /// Whether a changed configuration breaks the connection at once. Default false. mosquitto: `bridge_reload_type`.
    package var reloadsImmediately = false
    /// Local address to connect from. mosquitto: `bridge_bind_address`.
    package var bindAddress: String?
    /// Largest packet, bytes. Default `nil`: no limit. mosquitto: `bridge_max_packet_size`.
    package var packetBytesMax: Int?
    /// 5.0. Default 10. mosquitto: `bridge_max_topic_alias`.
    package var topicAliasMax = 10
    /// 5.0. Default `nil`: as `max_inflight_messages`. mosquitto: `bridge_receive_maximum`.
    package var receiveMaximum: Int?
    /// 5.0, seconds. Default 0. mosquitto: `bridge_session_expiry_interval`.
    package var sessionExpirySeconds = 0
    /// Default `nil`: off. mosquitto: `bridge_tcp_keepalive`.
    package var tcpKeepAlive: TCPKeepAlive?
    /// Milliseconds. Default `nil`: the system's. mosquitto: `bridge_tcp_user_timeout`.
    package var tcpUserTimeoutMilliseconds: Int?
    /// Default `nil`: plain. mosquitto: the `bridge_…file` keys, `bridge_tls_use_os_certs`, or `bridge_identity` and `bridge_psk`.
    package var tls: BridgeTLSConfiguration?

    // MARK: Manners

    /// Whether the other broker is told that this is a bridge. Default true. mosquitto: `try_private`.
    package var announcesItself = true
    /// Whether `out` topics are unsubscribed there on connecting. Default true. mosquitto: `bridge_attempt_unsubscribe`.
    package var attemptsUnsubscribe = true
    /// Whether messages keep their retain bit. Default true. mosquitto: `bridge_outgoing_retain`.
    package var keepsRetain = true
    /// Whether its state is published, retained `1` or `0`. Default true. mosquitto: `notifications`.
    package var notifies = true
    /// Only on this side. Default false. mosquitto: `notifications_local_only`.
    package var notifiesLocallyOnly = false
    /// Default `nil`: `$SYS/broker/connection/REMOTE_CLIENTID/state`. mosquitto: `notification_topic`.
    package var notificationTopic: String?

    package init(name: String) { self.name = name }

    package struct Address: Sendable, Hashable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// One `topic` line.
    package struct Topic: Sendable, Hashable {
        /// A filter; `nil` only maps the prefixes of messages that others bring over.
        package var pattern: String?
        package var direction = Direction.outgoing
        package var qos = QoS.atMostOnce
        /// Put before the pattern here, and there.
        package var localPrefix: String?
        package var remotePrefix: String?

        package init(
            pattern: String?, direction: Direction = .outgoing, qos: QoS = .atMostOnce, localPrefix: String? = nil,
            remotePrefix: String? = nil
        ) {
            self.pattern = pattern
            self.direction = direction
            self.qos = qos
            self.localPrefix = localPrefix
            self.remotePrefix = remotePrefix
        }
    }

    /// `rawValue` is mosquitto's word.
    package enum Direction: String, Sendable, CaseIterable {
        case outgoing = "out"
        case incoming = "in"
        case both
    }

    package enum StartType: String, Sendable, CaseIterable {
        case automatic, lazy, once
    }

    package enum Restart: Sendable, Equatable {
        case constant(seconds: Int)
        /// Grows by chance from the base to the cap, and begins anew once it was connected for `stableSeconds`.
        case backoff(baseSeconds: Int, capSeconds: Int, stableSeconds: Int?)
    }

    package struct TCPKeepAlive: Sendable, Equatable {
        package var idleSeconds: Int
        package var intervalSeconds: Int
        package var count: Int

        package init(idleSeconds: Int, intervalSeconds: Int, count: Int) {
            self.idleSeconds = idleSeconds
            self.intervalSeconds = intervalSeconds
            self.count = count
        }
    }
}

/// TLS towards the other broker.
package struct BridgeTLSConfiguration: Sendable, Equatable {
    /// mosquitto: `bridge_cafile`, `bridge_capath`.
    package var authorityFile: String?
    package var authorityFolder: String?
    /// Whether the system's authorities are trusted too. Default false. mosquitto: `bridge_tls_use_os_certs`.
    package var usesSystemAuthorities = false
    /// Our certificate and its key; both or none. mosquitto: `bridge_certfile`, `bridge_keyfile`.
    package var certificateFile: String?
    package var keyFile: String?
    /// mosquitto: `bridge_ciphers`, `bridge_ciphers_tls1.3`.
    package var ciphers: String?
    package var ciphersTLS13: String?
    /// Application protocol to ask for. mosquitto: `bridge_alpn`.
    package var applicationProtocol: String?
    /// Whether the other's name need not be the certificate's. Default false. mosquitto: `bridge_insecure`.
    package var skipsNameCheck = false
    /// Default false. mosquitto: `bridge_require_ocsp`.
    package var requiresOCSP = false
    /// mosquitto: `bridge_tls_version`.
    package var minimumVersion = TLSConfiguration.Version.v1_2
    /// A pre-shared key instead of certificates; both or none. mosquitto: `bridge_identity`, `bridge_psk` (hexadecimal).
    package var pskIdentity: String?
    package var pskKey: String?

    package init() {}

    /// One of the settings that make mosquitto speak TLS.
    var isOn: Bool {
        authorityFile != nil || authorityFolder != nil || usesSystemAuthorities || pskKey != nil
    }
}

/// A bridge while its lines are read.
struct BridgeDraft {
    var values: BridgeConfiguration
    var tls = BridgeTLSConfiguration()
    let file: String
    let line: Int
}
