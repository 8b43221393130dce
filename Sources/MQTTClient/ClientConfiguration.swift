public import MQTTProtocol

/// Who a client is and how it wants to be treated: the content of CONNECT, §3.1, and the client's own limits.
public struct ClientConfiguration: Sendable, Hashable {
    /// 5.0 unless told; 3.1 is spoken too.
    public var version: ProtocolVersion = .v5
    /// §3.1.3.1. Empty lets the server choose one; 3.1.1 allows that only with `cleanStart`.
    public var clientIdentifier: String
    /// §3.1.2.4, Clean Session in 3.1.1: true throws away what the server kept for this identifier. It holds for the first
    /// connection; a reconnection resumes the session where the server keeps one. `false` says that this program stands
    /// for the session of that identifier, also when it has just been started with nothing in flight.
    public var cleanStart = true
    /// §3.1.2.11.2: seconds the server keeps the session after the connection ends; `UInt32.max` = for ever. 5.0 only:
    /// in 3.1.1 it is `cleanStart` that says whether the session is kept.
    public var sessionExpiryIntervalSeconds: UInt32 = 0
    /// §3.1.2.10: 0 turns it off. The server's Server Keep Alive replaces it.
    public var keepAliveSeconds: UInt16 = 60
    /// §3.1.3.5
    public var userName: String?
    /// §3.1.3.6: any bytes, at most 65,535. 3.1.1 demands a user name with it.
    public var password: [UInt8]?
    /// §3.1.2.5
    public var will: Will?
    /// §3.1.2.11.3: QoS 1 and 2 messages that the server may send before we acknowledge; nil = 65,535.
    public var receiveMaximum: UInt16?
    /// §3.1.2.11.4: the largest packet we take, in bytes; nil = the standard's 268,435,460. 3.1.1 cannot tell the server;
    /// a larger packet ends the connection there.
    public var maximumPacketSize: UInt32?
    /// §3.1.2.11.5: aliases the server may use toward us.
    public var topicAliasMaximum: UInt16 = 16
    /// Aliases we use toward the server, as far as it allows; 0 = none.
    public var sentTopicAliasesMax: UInt16 = 16
    /// §3.1.2.11.6
    public var requestResponseInformation = false
    /// §3.1.2.11.7: false asks the server to spare reason strings and user properties where nobody reads them.
    public var requestProblemInformation = true
    /// §3.1.2.11.8
    public var userProperties: [UserProperty] = []
    /// §3.1.2.11.9: the name of an enhanced authentication. `MQTTClient` fills it in from its `Authenticator`.
    public var authenticationMethod: String?

    // MARK: The client's own limits

    /// How long CONNACK may take, counted from the open transport.
    public var connectTimeout: Duration = .seconds(10)
    /// How long a PINGRESP may take.
    public var pingrespTimeout: Duration = .seconds(10)
    /// PINGREQ when nothing came for this long, even while we send; nil = only the keep-alive counts.
    public var receiveIdle: Duration?
    /// When a message of QoS 1 or 2 is acknowledged.
    public var acknowledgement: AcknowledgementPolicy = .onDelivery
    /// Messages that may wait to be sent, the ones in flight not counted. The next is refused with `queueFull`.
    public var queuedMessagesMax = 65_536
    /// Bytes of topics and payloads that may wait to be sent; beyond it `queueFullOfBytes`.
    public var queuedBytesMax = 64 * 1024 * 1024
    /// QoS 1 and 2 messages in flight, even where the server's Receive Maximum allows more. Nil = 1,024 in 5.0, and 20 in 3.1.1,
    /// where a server cannot say how many it takes and mosquitto takes so many.
    public var inflightMax: UInt16?
    /// Give each SUBSCRIBE an identifier, §3.8.2.1.2, so that the server says which subscription a message is for.
    public var usesSubscriptionIdentifiers = true

    /// - Parameter clientIdentifier: empty lets the server choose.
    public init(clientIdentifier: String = "", version: ProtocolVersion = .v5) {
        self.clientIdentifier = clientIdentifier
        self.version = version
    }
}

/// When a received message of QoS 1 or 2 is acknowledged.
public enum AcknowledgementPolicy: Sendable, Hashable {
    /// When it is handed over: into the buffer of its subscription.
    case onDelivery
    /// When the program says so, with `acknowledge`. Acknowledgements go out in the order the messages came
    /// [5.0 MQTT-4.6.0-2], so one that is missing holds back those behind it. The server stops at our Receive Maximum.
    case byApplication
}

extension ClientConfiguration {
    /// Refuses what cannot be sent, before anything is.
    package func check() throws(ClientError) {
        try Self.checkString(clientIdentifier, "client identifier")
        if clientIdentifier.isEmpty, version != .v5, !cleanStart {
            // [3.1.1 MQTT-3.1.3-7]
            throw .invalidField("an empty client identifier needs a clean session in 3.1.1")
        }
        if let userName { try Self.checkString(userName, "user name") }
        if let password {
            guard password.count <= 65_535 else { throw .invalidField("a password of more than 65,535 bytes") }
            if version != .v5, userName == nil {
                throw .invalidField("a password without a user name in 3.1.1")  // [3.1.1 MQTT-3.1.2-22]
            }
        }
        if let will {
            guard will.message.payload.count <= 65_535 else { throw .invalidField("a will of more than 65,535 bytes") }
            try will.message.properties.check()
        }
        guard receiveMaximum != 0 else { throw .invalidField("a Receive Maximum of 0, §3.1.2.11.3") }
        guard inflightMax != 0 else { throw .invalidField("no message may be in flight") }
        guard maximumPacketSize != 0 else { throw .invalidField("a Maximum Packet Size of 0, §3.1.2.11.4") }
        try userProperties.check()
        if let authenticationMethod {
            guard version == .v5 else { throw .notInVersion("enhanced authentication") }
            try Self.checkString(authenticationMethod, "authentication method")
        }
    }

    /// A string field: at most 65,535 bytes, no null, §1.5.4.
    static func checkString(_ text: String, _ what: String) throws(ClientError) {
        guard text.utf8.count <= 65_535 else { throw .invalidField("\(what) of more than 65,535 bytes") }
        guard !text.utf8.contains(0) else { throw .invalidField("a null character in the \(what)") }
    }
}

extension Message.Properties {
    /// Refuses what no PUBLISH can carry.
    func check() throws(ClientError) {
        if let contentType { try ClientConfiguration.checkString(contentType, "content type") }
        if let correlationData, correlationData.count > 65_535 {
            throw .invalidField("correlation data of more than 65,535 bytes")
        }
        try userProperties.check()
    }
}

extension [UserProperty] {
    func check() throws(ClientError) {
        for property in self {
            try ClientConfiguration.checkString(property.name, "name of a user property")
            try ClientConfiguration.checkString(property.value, "value of a user property")
        }
    }
}
