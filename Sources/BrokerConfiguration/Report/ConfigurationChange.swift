/// What a file that was read again wants different from what a broker runs with. Says what differs and what of it needs a new
/// start; whether the rest can really be had (a certificate that fits its key, a port that is free) is for its owner to try.
package struct ConfigurationChange: Sendable, Equatable {
    /// A listener whose socket stays the same one.
    package struct Listener: Sendable, Equatable {
        package let old: ListenerConfiguration
        package let new: ListenerConfiguration

        /// Whether what is spoken there changes, so that its connections cannot stay: protocol, PROXY header, TLS or none.
        package var speaksOtherwise: Bool {
            old.applicationProtocol != new.applicationProtocol || old.proxyProtocol != new.proxyProtocol
                || (old.tls == nil) != (new.tls == nil)
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

    /// One line for the log: `3 settings, 1 listener added`; `nil` where nothing differs.
    package var text: String? {
        guard !isEmpty else { return nil }
        var parts: [String] = []
        if !applicable.isEmpty { parts.append("changed: " + applicable.joined(separator: ", ")) }
        if !listenersAdded.isEmpty { parts.append("added: " + Self.places(listenersAdded)) }
        if !listenersRemoved.isEmpty { parts.append("removed: " + Self.places(listenersRemoved)) }
        if !listenersChanged.isEmpty { parts.append("other rules: " + Self.places(listenersChanged.map(\.new))) }
        if !needsRestart.isEmpty { parts.append("at the next start: " + needsRestart.joined(separator: ", ")) }
        return parts.joined(separator: "; ")
    }

    private static func places(_ listeners: [ListenerConfiguration]) -> String {
        listeners.map(\.place).joined(separator: ", ")
    }

    /// What makes a socket the same one.
    private struct Socket: Hashable {
        let address: ListenerConfiguration.Address
        let interface: String?
        let domain: ListenerConfiguration.SocketDomain?

        init(_ listener: ListenerConfiguration) {
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

        init<Value: Equatable & SendableMetatype>(
            _ key: String, needsRestart: Bool = false, _ value: @escaping @Sendable (BrokerConfiguration) -> Value
        ) {
            self.key = key
            self.needsRestart = needsRestart
            differs = { value($0) != value($1) }
        }

        static let all: [Field] = [
            Field("set_tcp_nodelay") { $0.setsTCPNoDelay },
            Field("packet_buffer_size") { $0.websocketsRequestBytesMax },
            Field("connection") { $0.bridges },
            Field("clientid_prefixes") { $0.clientIDPrefix },
            Field("check_retain_source") { $0.checksRetainSource },
            Field("enable_control_api") { $0.enablesControlAPI },
            Field("max_keepalive") { $0.keepAliveSecondsMax },
            Field("max_packet_size") { $0.packetBytesMax },
            Field("message_size_limit") { $0.payloadBytesMax },
            Field("max_inflight_messages") { $0.inflightMessagesMax },
            Field("max_inflight_bytes") { $0.inflightBytesMax },
            Field("max_queued_messages") { $0.queuedMessagesMax },
            Field("max_queued_bytes") { $0.queuedBytesMax },
            Field("global_max_clients") { $0.sessionsMax },
            Field("global_max_connections") { $0.connectionsMax },
            Field("persistent_client_expiration") { $0.sessionExpirySecondsMax },
            Field("memory_limit") { $0.memoryBytesMax },
            Field("retain_available") { $0.retainAvailable },
            Field("retain_expiry_interval") { $0.retainSweepMinutes },
            Field("upgrade_outgoing_qos") { $0.upgradesOutgoingQoS },
            Field("queue_qos0_messages") { $0.queuesQoS0 },
            Field("allow_duplicate_messages") { $0.allowsDuplicateMessages },
            Field("sys_interval") { $0.sysIntervalSeconds },
            Field("log_dest") { $0.log.destinations },
            Field("log_type") { $0.log.types },
            Field("log_timestamp") { $0.log.writesTimestamp },
            Field("log_timestamp_format") { $0.log.timestampFormat },
            Field("log_format") { $0.log.format },
            Field("log_facility") { $0.log.syslogLocalFacility },
            Field("connection_messages") { $0.log.connectionMessages },
            Field("persistence", needsRestart: true) { $0.persistence.isOn },
            Field("persistence_location", needsRestart: true) { $0.persistence.location },
            Field("persistence_file", needsRestart: true) { $0.persistence.file },
            Field("autosave_interval") { $0.persistence.autosaveInterval },
            Field("autosave_on_changes") { $0.persistence.autosaveCountsChanges },
            Field("durability", needsRestart: true) { $0.persistence.durability },
            Field("pid_file", needsRestart: true) { $0.pidFile },
            Field("user", needsRestart: true) { $0.user },
            Field("event_loops", needsRestart: true) { $0.eventLoopCount },
            Field("slow_reader_wait") { $0.slowReaderWaitMilliseconds },
            Field("connect_timeout") { $0.connectTimeoutSeconds },
            Field("max_pending_connections") { $0.pendingConnectionsMax },
            Field("max_pending_connections_per_address") { $0.pendingConnectionsPerAddressMax },
            Field("output_buffer_bytes") { $0.outputBufferBytesMax },
            Field("route_cache_entries", needsRestart: true) { $0.routeCacheEntriesMax },
            Field("queue_full_policy") { $0.queueFullPolicy },
            Field("queue_full_wait") { $0.queueFullWaitSeconds },
            Field("queue_max_age") { $0.queueSecondsMax },
            Field("store_max_messages", needsRestart: true) { $0.storeMessagesMax },
            Field("store_max_bytes", needsRestart: true) { $0.storeBytesMax },
        ]
    }
}
