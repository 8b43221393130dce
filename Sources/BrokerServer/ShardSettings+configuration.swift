import BrokerConfiguration
import BrokerCore
import MQTTProtocol

extension ShardSettings {
    /// What the operator wrote, as the core wants it.
    init(_ configuration: BrokerConfiguration) {
        self.init()
        inflightMessagesMax = min(configuration.inflightMessagesMax ?? 65_535, 65_535)
        inflightBytesMax = configuration.inflightBytesMax ?? 0
        queuedMessagesMax = configuration.queuedMessagesMax ?? 0
        queuedBytesMax = configuration.queuedBytesMax ?? 0
        queueSecondsMax = configuration.queueSecondsMax ?? 0
        queueFullWait = Int64(configuration.queueFullWaitSeconds) * 1000
        queueFullPolicy =
            switch configuration.queueFullPolicy {
            case .dropNewest: .dropNewest
            case .dropOldest: .dropOldest
            case .refusePublisher: .refusePublisher
            }
        packetSizeMax = configuration.packetBytesMax
        payloadSizeMax = configuration.payloadBytesMax ?? 0
        keepAliveSecondsMax = UInt16(clamping: configuration.keepAliveSecondsMax ?? 0)
        retainAvailable = configuration.retainAvailable
        checksRetainSource = configuration.checksRetainSource
        upgradesOutgoingQoS = configuration.upgradesOutgoingQoS
        queuesQoS0 = configuration.queuesQoS0
        persistentSessionSecondsMax = configuration.sessionExpirySecondsMax.map { UInt32(clamping: $0) }
        logsConnections = configuration.log.connectionMessages
        logInterest = configuration.log.destinations.isEmpty ? [] : LogInterest(configuration.log.types)
        sessionsMax = configuration.sessionsMax
        connectionsMax = configuration.connectionsMax
        retainedSweepInterval = configuration.retainSweepMinutes.map { Int64($0) * 60_000 }
        slowReaderWait = Int64(configuration.slowReaderWaitMilliseconds)
        connectTimeout = Int64(configuration.connectTimeoutSeconds) * 1000
        outputBytesMax = configuration.outputBufferBytesMax
        routeCacheEntries = configuration.routeCacheEntriesMax
        control = configuration.enablesControlAPI ? BrokerControl(configuration.listeners) : nil
    }
}

extension ListenerSettings {
    init(_ configuration: ListenerConfiguration, _ broker: BrokerConfiguration) {
        self.init()
        name = configuration.stableName
        checksPasswords = configuration.security.passwordFile != nil || configuration.security.dynamicSecurity != nil
        // Said by TLS, or by a proxy that ended it; the configuration has seen to it that one of them is there.
        takesUserNameFromIdentity = configuration.certificateIdentity != .none
        takesClientIdentifierFromUserName = configuration.usesUsernameAsClientID
        clientIdentifierPrefix = Array((broker.clientIDPrefix ?? "").utf8)
        acceptedVersions = configuration.acceptedVersions
        mountPoint = Array((configuration.mountPoint ?? "").utf8)
        allowsAnonymous = configuration.security.allowsAnonymous
        allowsEmptyClientIdentifier = configuration.security.allowsEmptyClientID
        qosMax = configuration.qosMax.rawValue
        topicAliasMaximum = UInt16(clamping: configuration.topicAliasMax)
        topicAliasMaximumSent = UInt16(clamping: configuration.topicAliasBrokerMax)
        assignedIdentifierPrefix = configuration.security.autoIDPrefix
    }
}

extension LogInterest {
    fileprivate init(_ types: LogTypes) {
        self = []
        if types.contains(.error) { insert(.error) }
        if types.contains(.warning) { insert(.warning) }
        if types.contains(.notice) { insert(.notice) }
        if types.contains(.information) { insert(.information) }
        if types.contains(.debug) { insert(.debug) }
        if types.contains(.subscribe) { insert(.subscribe) }
        if types.contains(.unsubscribe) { insert(.unsubscribe) }
    }
}
