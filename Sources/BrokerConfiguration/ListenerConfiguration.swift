package import MQTTProtocol

/// One socket to listen on, and what holds for the clients that come in through it.
package struct ListenerConfiguration: Sendable, Equatable {
    /// mosquitto's and the standard's port for MQTT without TLS.
    package static let defaultPort = 1883

    /// TCP port, 1…65535. No file can say 0; a test may, and the system then chooses a free one.
    package var port = ListenerConfiguration.defaultPort
    /// Address or name to bind, `nil` for every interface, IPv4 and IPv6.
    package var host: String?
    /// Whether the broker may not start when this socket cannot be opened. False only for ::1 in local-only mode: a machine
    /// without IPv6 must still get its broker.
    package var isRequired = true
    /// Connected clients. Default `nil`: no limit. mosquitto: `max_connections`.
    package var connectionsMax: Int?
    /// Highest QoS a client may publish with. Default 2. mosquitto: `max_qos`.
    package var qosMax = QoS.exactlyOnce
    /// Topic aliases a 5.0 client may define, 0…65535. Default 10. mosquitto: `max_topic_alias`.
    package var topicAliasMax = 10
    /// Topic aliases the broker defines towards a 5.0 client at most, 0…65535. Default 10. mosquitto: `max_topic_alias_broker`.
    package var topicAliasBrokerMax = 10
    /// Whether CONNECT may come without a user name. mosquitto: `allow_anonymous`, `listener_allow_anonymous`.
    package var allowsAnonymous = true
    /// Whether the broker makes up an identifier for a client that sends none. Default true.
    /// mosquitto: `allow_zero_length_clientid`.
    package var allowsEmptyClientID = true
    /// What such an identifier begins with, 1…50 bytes. Default `auto-`.
    /// mosquitto: `auto_id_prefix`, `listener_auto_id_prefix`.
    package var autoIDPrefix = "auto-"

    package init(port: Int = ListenerConfiguration.defaultPort, host: String? = nil) {
        self.port = port
        self.host = host
    }

    /// The two sockets of local-only mode for one port, with `template`'s limits.
    static func loopback(port: Int, like template: ListenerConfiguration) -> [ListenerConfiguration] {
        var four = template
        four.port = port
        four.host = "127.0.0.1"
        var six = four
        six.host = "::1"
        six.isRequired = false
        return [four, six]
    }
}

/// A listener while its lines are still being read: what the file left open is `nil` until the whole file is known.
struct ListenerDraft {
    var values = ListenerConfiguration()
    var security = SecurityDraft()
    /// The option that made the default listener appear, if it was not `port` or `bind_address`.
    var impliedBy: (option: String, file: String, line: Int)?
}

/// The settings that are global, or per listener under `per_listener_settings true`.
struct SecurityDraft {
    var allowsAnonymous: Bool?
    var allowsEmptyClientID: Bool?
    var autoIDPrefix: String?
}
