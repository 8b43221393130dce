public import MQTTProtocol

/// What the server said in CONNACK, §3.2.2, with the standard's defaults where it said nothing.
public struct ServerInformation: Sendable, Hashable {
    /// §3.2.2.1.1: the server has the session of earlier.
    public internal(set) var sessionPresent: Bool
    /// §3.2.2.3.7
    public internal(set) var assignedClientIdentifier: String?
    /// What holds for this connection: the server's where it named one, §3.2.2.3.14.
    public internal(set) var keepAliveSeconds: UInt16
    /// What holds: the server's where it named one, §3.2.2.3.2. In 3.1.1: 0, or `UInt32.max` without Clean Session.
    public internal(set) var sessionExpiryIntervalSeconds: UInt32
    /// §3.2.2.3.3
    public internal(set) var receiveMaximum: UInt16
    /// §3.2.2.3.4
    public internal(set) var maximumQoS: QoS
    /// §3.2.2.3.5
    public internal(set) var retainAvailable: Bool
    /// §3.2.2.3.6, in bytes; nil = as large as the standard allows.
    public internal(set) var maximumPacketSize: UInt32?
    /// §3.2.2.3.8
    public internal(set) var topicAliasMaximum: UInt16
    /// §3.2.2.3.11
    public internal(set) var wildcardSubscriptionAvailable: Bool
    /// §3.2.2.3.12; false in 3.1.1.
    public internal(set) var subscriptionIdentifierAvailable: Bool
    /// §3.2.2.3.13
    public internal(set) var sharedSubscriptionAvailable: Bool
    /// §3.2.2.3.15: what to begin response topics with.
    public internal(set) var responseInformation: String?
    /// §3.2.2.3.16
    public internal(set) var serverReference: String?
    /// §3.2.2.3.9
    public internal(set) var reasonString: String?
    /// §3.2.2.3.10
    public internal(set) var userProperties: [UserProperty]
}
