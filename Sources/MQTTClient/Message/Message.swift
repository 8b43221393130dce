public import MQTTProtocol

/// An Application Message: what is published, and what a subscription receives.
public struct Message: Sendable, Hashable {
    /// The Topic Name, §3.3.2.1.
    public var topic: Topic
    /// At most 268,435,455 bytes less the rest of the packet, §3.3.3; may be empty.
    public var payload: [UInt8]
    /// Quality of service, §4.3. Of a received message: the one it was delivered with.
    public var qos: QoS
    /// RETAIN, §3.3.1.3. Of a received message: whether the server says it was retained.
    public var retain: Bool
    private var box: Box?
    /// How the message came; nil in a message of one's own.
    public internal(set) var receipt: Receipt?

    /// The properties of 5.0, §3.3.2.3. In 3.1.1 there are none and all are ignored.
    public var properties: Properties {
        get { box?.properties ?? Properties() }
        set { box = newValue == Properties() ? nil : Box(newValue) }
    }

    /// Whether there are any properties, told without looking at them.
    var hasProperties: Bool { box != nil }

    /// Most messages have none: they are kept apart so that a message stays small.
    private final class Box: Sendable, Hashable {
        let properties: Properties
        init(_ properties: Properties) { self.properties = properties }
        static func == (a: Box, b: Box) -> Bool { a.properties == b.properties }
        func hash(into hasher: inout Hasher) { hasher.combine(properties) }
    }

    /// §3.3.2.3.
    public struct Properties: Sendable, Hashable {
        /// §3.3.2.3.2; nil says nothing, which the standard reads as `unspecified`.
        public var payloadFormatIndicator: PayloadFormat?
        /// §3.3.2.3.3: seconds until the message is worthless; nil = never. Time spent waiting in our queue counts.
        public var messageExpiryIntervalSeconds: UInt32?
        /// §3.3.2.3.9, such as a MIME type.
        public var contentType: String?
        /// §3.3.2.3.5: where an answer is to go.
        public var responseTopic: Topic?
        /// §3.3.2.3.6: what the answer must carry, at most 65,535 bytes.
        public var correlationData: [UInt8]?
        /// §3.3.2.3.7, in the order they were added; names may repeat.
        public var userProperties: [UserProperty] = []

        public init() {}
    }

    /// What the packet said of a message that came.
    public struct Receipt: Sendable, Hashable {
        /// DUP, §3.3.1.1: the server has sent it before, perhaps in vain.
        public var isDuplicate: Bool
        /// 1 to 65,535, and 0 at QoS 0.
        public var packetIdentifier: UInt16
        /// The identifiers of the subscriptions it is for, §3.3.2.3.8; empty in 3.1.1.
        public var subscriptionIdentifiers: [UInt32]
        /// Counts deliveries of a session, so that an acknowledgement finds its message.
        package var delivery: UInt64
    }

    /// - Parameters:
    ///   - topic: a literal, or `try Topic(text)`.
    ///   - payload: bytes.
    public init(
        _ topic: Topic, _ payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = Properties()
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }

    /// - Parameter text: goes out as UTF-8. The Payload Format Indicator is not set by itself.
    public init(
        _ topic: Topic, _ text: String, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: Properties = Properties()
    ) {
        self.init(topic, Array(text.utf8), qos: qos, retain: retain, properties: properties)
    }

    /// The payload as text, or nil where it is not UTF-8.
    public var text: String? { String(validating: payload, as: UTF8.self) }
}

/// The Payload Format Indicator, §3.3.2.3.2.
public enum PayloadFormat: UInt8, Sendable, Hashable {
    /// Bytes of a kind that nobody says.
    case unspecified = 0
    /// Text in UTF-8.
    case utf8 = 1
}

/// A User Property, §3.1.2.11.8 and elsewhere: a name and a value that the standard gives no meaning.
public struct UserProperty: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The Will Message, §3.1.2.5: what the server publishes for us when we are gone without a DISCONNECT.
public struct Will: Sendable, Hashable {
    /// At most 65,535 bytes of payload, other than in a PUBLISH.
    public var message: Message
    /// §3.1.3.2.2: seconds the server waits, in case we come back; 5.0 only.
    public var delayIntervalSeconds: UInt32

    public init(_ message: Message, delayIntervalSeconds: UInt32 = 0) {
        self.message = message
        self.delayIntervalSeconds = delayIntervalSeconds
    }
}
