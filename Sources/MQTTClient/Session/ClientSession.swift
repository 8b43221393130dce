import DequeModule
import MQTTDelivery
public import MQTTProtocol

/// A client's end of MQTT, as a value: what was asked of it and what came from the server go in, actions come out. It has
/// no thread, clock, socket or memory of bytes; instants are arguments and must come from a monotonic clock. It outlives
/// connections: what is in flight when one ends goes on with the next.
///
/// Call a method, then take actions with ``nextAction()`` until there is none, and do each. `ClientCodec` turns packets
/// into bytes and back. `MQTTClient` does all this over sockets; the guide `core-mqtt.md` shows how to do it by hand.
///
/// It owns packet identifiers, messages in flight and waiting, the identifiers of QoS 2 messages received, and the
/// subscriptions that are wanted. It does not own retrying: after a ``ClientAction/close(_:)`` it waits for the next
/// ``transportOpened(authenticationData:at:)``.
public struct ClientSession: ~Copyable {
    /// A point of a monotonic clock.
    public typealias Instant = ContinuousClock.Instant

    /// Where the connection stands.
    public enum State: Sendable, Hashable {
        /// No transport.
        case disconnected
        /// CONNECT is sent, CONNACK has not come.
        case connecting
        case connected
    }

    public let configuration: ClientConfiguration
    public internal(set) var state = State.disconnected
    /// What the server said when it last accepted a connection; nil before the first.
    public internal(set) var server: ServerInformation?
    /// What this client is called: the configuration's identifier, or the one the server assigned.
    public internal(set) var clientIdentifier: String

    // The connection
    var isWritable = true
    var hasConnectedOnce = false
    /// Clean Start of the CONNECT that is being answered.
    var askedCleanStart = true
    /// A CONNECT was sent whose CONNACK never came: the server may have begun a new session then, and call that one
    /// present the next time.
    var isSessionInDoubt = false
    var connackDue: Instant?
    var armed: Instant?
    var keepAlive = KeepAlive.idle
    var sentAliases = SentTopicAliases(maximum: 0)
    var receivedAliases = ReceivedTopicAliases(maximum: 0)
    var isReauthenticating = false
    /// Who waits for it.
    var reauthentication: RequestIdentifier?

    // What goes out
    var window = InflightWindow<UInt32>()
    var flows = Flows()
    /// Identifiers still to be sent again on this connection, in order.
    var resends = Deque<UInt16>()
    var queue = Deque<WaitingMessage>()
    var queuedBytes = 0
    /// The most that waited since the queue last gave its memory back.
    var queuedMost = 0
    /// How many messages in the queue are of QoS 0.
    var queuedAtMostOnce = 0
    /// QoS 1 and 2 messages that count against the Receive Maximum of this connection.
    var publishesInFlight = 0
    var releases: UInt64 = 0

    // What comes in
    var received = ReceivedIdentifiers()
    /// Those of `received` that count against our Receive Maximum on this connection.
    var receivedCounted = ReceivedIdentifiers()
    var receiveQuotaUsed = 0
    var owed = Deque<OwedAcknowledgement>()
    /// QoS 2 messages that the program has not acknowledged when the connection ended.
    var held: [UInt16: UInt64] = [:]
    var deliveries: UInt64 = 0

    // Subscriptions
    var subscriptions = DesiredSubscriptions()
    var requests: [SubscriptionCall] = []

    var actions = Deque<ClientAction>()

    /// A message that waits for the connection, for room in the window, or for the transport.
    struct WaitingMessage {
        var message: Message
        var request: RequestIdentifier?
        /// When it expires, §3.3.2.3.3.
        var expiry: Instant?
    }

    /// - Throws: `ClientError.invalidField` or `.notInVersion` where the configuration cannot be put into a CONNECT.
    public init(_ configuration: ClientConfiguration) throws(ClientError) {
        try configuration.check()
        self.configuration = configuration
        self.clientIdentifier = configuration.clientIdentifier
    }

    /// The next thing to do, nil when all is done for now.
    public mutating func nextAction() -> ClientAction? { actions.popFirst() }

    /// The version of the protocol.
    public var version: ProtocolVersion { configuration.version }

    /// Messages that wait to be sent, those in flight not counted.
    public var queuedMessages: Int { queue.count }

    /// QoS 1 and 2 messages, SUBSCRIBEs and UNSUBSCRIBEs that wait for their acknowledgement.
    public var packetIdentifiersInUse: Int { window.count }

    /// QoS 2 messages received and not yet released by the server.
    public var unreleasedMessages: Int { received.count }

    // MARK: Sending

    mutating func send(_ packet: ControlPacket, at now: Instant) {
        keepAlive.sent(at: now)
        actions.append(.send(packet))
    }

    mutating func send(_ packet: Packet, at now: Instant) { send(ControlPacket(packet), at: now) }

    mutating func sendAcknowledgement(
        _ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success, at now: Instant
    ) {
        send(ControlPacket(.acknowledgement(type, identifier, reason)), at: now)
    }

    /// Nil where a packet of this size may be sent.
    func sizeError(_ packet: ControlPacket) -> ClientError? {
        guard let limit = server?.maximumPacketSize else { return nil }
        let bytes = packet.encodedSize(version: version)
        guard bytes > Int(limit) else { return nil }
        return .packetTooLarge(bytes: bytes, limitBytes: Int(limit))  // [5.0 MQTT-3.2.2-15]
    }

    mutating func complete(_ request: RequestIdentifier?, _ result: RequestResult) {
        guard let request else { return }
        actions.append(.complete(request, result))
    }
}
