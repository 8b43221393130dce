/// What a file that was read again wants different from what a broker runs with. Says what differs and what of it needs a new
/// start; whether the rest can really be had (a certificate that fits its key, a port that is free) is for its owner to try.
package struct ConfigurationChange: Sendable, Equatable {
    /// A listener whose socket stays the same one.
    package struct Listener: Sendable, Equatable {
        package let old: ListenerConfiguration
        package let new: ListenerConfiguration

        package init(old: ListenerConfiguration, new: ListenerConfiguration) {
            self.old = old
            self.new = new
        }

        /// Whether what is spoken there changes, so that its connections cannot stay: protocol, PROXY header, TLS or none.
        package var speaksOtherwise: Bool {
            old.applicationProtocol != new.applicationProtocol || old.proxyProtocol != new.proxyProtocol
                || (old.tls == nil) != (new.tls == nil)
        }

        /// Whether who its clients are, or what their topics mean, changes under them: then they cannot stay either.
        package var meansOtherwise: Bool {
            old.certificateIdentity != new.certificateIdentity || old.mountPoint != new.mountPoint
                || old.usesUsernameAsClientID != new.usesUsernameAsClientID
                || (!old.proxyRequiresTLS && new.proxyRequiresTLS)
                || (!old.proxyRequiresCertificate && new.proxyRequiresCertificate) || closesOrigins
        }

        /// Its connections stay: all that has changed are limits, certificates, or rules that each of them can be measured by.
        package var keepsClients: Bool { !speaksOtherwise && !meansOtherwise }

        /// A page that might open a WebSocket may no longer.
        private var closesOrigins: Bool {
            guard !new.websocketsOrigins.isEmpty else { return false }
            return old.websocketsOrigins.isEmpty || !Set(old.websocketsOrigins).isSubset(of: new.websocketsOrigins)
        }
    }

    /// Keys of the whole broker whose value differs and that take effect while it runs, in the table's order.
    package let applicable: [String]
    /// Those that wait for the next start.
    package let needsRestart: [String]
    package let listenersAdded: [ListenerConfiguration]
    package let listenersRemoved: [ListenerConfiguration]
    package let listenersChanged: [Listener]

    package var isEmpty: Bool {
        applicable.isEmpty && needsRestart.isEmpty && listenersAdded.isEmpty && listenersRemoved.isEmpty
            && listenersChanged.isEmpty
    }

    package init(from old: BrokerConfiguration, to new: BrokerConfiguration) {
        let changed = Field.all.filter { $0.differs(old, new) }
        applicable = changed.filter { !$0.needsRestart }.map(\.key)
        needsRestart = changed.filter(\.needsRestart).map(\.key)
        let before = Dictionary(old.listeners.map { (Socket($0), $0) }) { first, _ in first }
        let after = Set(new.listeners.map(Socket.init))
        listenersAdded = new.listeners.filter { before[Socket($0)] == nil }
        listenersRemoved = old.listeners.filter { !after.contains(Socket($0)) }
        listenersChanged = new.listeners.compactMap { listener in
            guard let was = before[Socket(listener)], was != listener else { return nil }
            return Listener(old: was, new: listener)
        }
    }

    /// One line for the log: `changed: sys_interval; added: port 1884 on ::1`; `nil` where nothing differs that can take effect.
    package var text: String? {
        var parts: [String] = []
        if !applicable.isEmpty { parts.append("changed: " + applicable.joined(separator: ", ")) }
        if !listenersAdded.isEmpty { parts.append("added: " + Self.places(listenersAdded)) }
        if !listenersRemoved.isEmpty { parts.append("removed: " + Self.places(listenersRemoved)) }
        let kept = listenersChanged.filter(\.keepsClients)
        let replaced = listenersChanged.filter { !$0.keepsClients }
        if !replaced.isEmpty { parts.append("opened anew: " + Self.places(replaced.map(\.new))) }
        if !kept.isEmpty { parts.append("other rules: " + Self.places(kept.map(\.new))) }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    private static func places(_ listeners: [ListenerConfiguration]) -> String {
        listeners.map(\.place).joined(separator: ", ")
    }

    /// `new`, with the values of `old` where only a new start can change them.
    package static func applicable(of new: BrokerConfiguration, to old: BrokerConfiguration) -> BrokerConfiguration {
        var configuration = new
        for field in Field.all where field.needsRestart { field.copy(old, &configuration) }
        return configuration
    }

    /// What makes a socket the same one.
    package struct Socket: Hashable, Sendable {
        let address: ListenerConfiguration.Address
        let interface: String?
        let domain: ListenerConfiguration.SocketDomain?

        package init(_ listener: ListenerConfiguration) {
            address = listener.address
            interface = listener.bindInterface
            domain = listener.socketDomain
        }
    }

    /// A setting of the whole broker, by the key that sets it.
    private struct Field: Sendable {
        let key: String
        let needsRestart: Bool
        let differs: @Sendable (BrokerConfiguration, BrokerConfiguration) -> Bool
        let copy: @Sendable (BrokerConfiguration, inout BrokerConfiguration) -> Void

        init<Value: Equatable & SendableMetatype>(
            _ key: String, needsRestart: Bool = false,
            _ value: any WritableKeyPath<BrokerConfiguration, Value> & Sendable
        ) {
            self.key = key
            self.needsRestart = needsRestart
            differs = { $0[keyPath: value] != $1[keyPath: value] }
            copy = { $1[keyPath: value] = $0[keyPath: value] }
        }

        static let all: [Field] = [
            Field("set_tcp_nodelay", \.setsTCPNoDelay),
            Field("packet_buffer_size", \.websocketsRequestBytesMax),
            Field("connection", \.bridges),
            Field("clientid_prefixes", \.clientIDPrefix),
            Field("check_retain_source", needsRestart: true, \.checksRetainSource),
            Field("enable_control_api", \.enablesControlAPI),
            Field("max_keepalive", \.keepAliveSecondsMax),
            Field("max_packet_size", \.packetBytesMax),
            Field("message_size_limit", \.payloadBytesMax),
            Field("max_inflight_messages", \.inflightMessagesMax),
            Field("max_inflight_bytes", \.inflightBytesMax),
            Field("max_queued_messages", \.queuedMessagesMax),
            Field("max_queued_bytes", \.queuedBytesMax),
            Field("global_max_clients", \.sessionsMax),
            Field("global_max_connections", \.connectionsMax),
            Field("persistent_client_expiration", \.sessionExpirySecondsMax),
            Field("memory_limit", \.memoryBytesMax),
            Field("retain_available", \.retainAvailable),
            Field("retain_expiry_interval", \.retainSweepMinutes),
            Field("upgrade_outgoing_qos", \.upgradesOutgoingQoS),
            Field("queue_qos0_messages", \.queuesQoS0),
            Field("allow_duplicate_messages", \.allowsDuplicateMessages),
            Field("sys_interval", \.sysIntervalSeconds),
            Field("log_dest", \.log.destinations),
            Field("log_type", \.log.types),
            Field("log_timestamp", \.log.writesTimestamp),
            Field("log_timestamp_format", \.log.timestampFormat),
            Field("log_format", \.log.format),
            Field("log_facility", \.log.syslogLocalFacility),
            Field("connection_messages", \.log.connectionMessages),
            Field("persistence", needsRestart: true, \.persistence.isOn),
            Field("persistence_location", needsRestart: true, \.persistence.location),
            Field("persistence_file", needsRestart: true, \.persistence.file),
            Field("autosave_interval", \.persistence.autosaveInterval),
            Field("autosave_on_changes", \.persistence.autosaveCountsChanges),
            Field("durability", needsRestart: true, \.persistence.durability),
            Field("pid_file", needsRestart: true, \.pidFile),
            Field("user", needsRestart: true, \.user),
            Field("event_loops", needsRestart: true, \.eventLoopCount),
            Field("slow_reader_wait", \.slowReaderWaitMilliseconds),
            Field("connect_timeout", \.connectTimeoutSeconds),
            Field("max_pending_connections", \.pendingConnectionsMax),
            Field("max_pending_connections_per_address", \.pendingConnectionsPerAddressMax),
            Field("tls_watch_interval", \.tlsWatchSeconds),
            Field("output_buffer_bytes", \.outputBufferBytesMax),
            Field("route_cache_entries", needsRestart: true, \.routeCacheEntriesMax),
            Field("queue_full_policy", \.queueFullPolicy),
            Field("queue_full_wait", \.queueFullWaitSeconds),
            Field("queue_max_age", \.queueSecondsMax),
            Field("store_max_messages", needsRestart: true, \.storeMessagesMax),
            Field("store_max_bytes", needsRestart: true, \.storeBytesMax),
        ]
    }
}
