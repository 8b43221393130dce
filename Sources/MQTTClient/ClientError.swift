public import MQTTProtocol
public import MQTTTransport

/// Everything that can go wrong between a program and its broker, in words a person can act on.
///
/// An error of a request (`publish`, `subscribe` …) leaves the connection as it is. The cases that end a connection also
/// reach the stream of connection states; `isTransient` says whether trying again may help.
public enum ClientError: Error, Hashable, Sendable {
    // MARK: Ends a connection, or prevents one

    /// The transport could not be opened, or the server showed by its first bytes that it will not have us: no such host,
    /// refused, TLS failed. What, why, and what to do.
    case connectFailed(ConnectFailure)
    /// CONNACK did not come in time; `ClientConfiguration.connectTimeout`.
    case connectTimedOut
    /// CONNACK with a failure, §3.2.2.2.
    case connectionRefused(ReasonCode, reasonString: String?, serverReference: String?)
    /// The transport ended without a DISCONNECT.
    case connectionLost(String)
    /// The server sent DISCONNECT, §3.14.
    case disconnectedByServer(ReasonCode, reasonString: String?, serverReference: String?)
    /// No PINGRESP, §3.1.2.10.
    case keepAliveTimedOut
    /// The server's bytes are not MQTT, §4.13.
    case malformedPacket(PacketError)
    /// The server broke a rule of the protocol; in words.
    case protocolError(ReasonCode, String)
    /// The first packet was not CONNACK (or AUTH where one was expected) [5.0 MQTT-3.2.0-1].
    case firstPacketNotConnack(PacketType)
    /// The server claims a session that we do not have [5.0 MQTT-3.2.2-4].
    case sessionPresentUnexpected
    /// The client's `JitterSource` failed.
    case noRandomness(String)
    /// The program's own `Authenticator` gave up.
    case authenticationFailed(String)

    // MARK: Ends a request

    /// There is no connection and this cannot wait for one.
    case notConnected
    /// The client was closed before the request was done.
    case closed
    /// The request was cancelled. What was sent already may still take effect.
    case cancelled
    /// The time a request was given is over.
    case timedOut
    /// The server refused: the reason code of PUBACK, PUBREC, SUBACK, UNSUBACK.
    case refused(ReasonCode, reasonString: String?)
    /// As many messages wait as `ClientConfiguration.queuedMessagesMax` allows.
    case queueFull(limitMessages: Int)
    /// As many bytes wait as `ClientConfiguration.queuedBytesMax` allows.
    case queueFullOfBytes(limitBytes: Int)
    /// The Message Expiry Interval passed before the message could be sent.
    case expired
    /// The packet is larger than the server takes, §3.2.2.3.6.
    case packetTooLarge(bytes: Int, limitBytes: Int)
    /// The server's Maximum QoS, §3.2.2.3.4.
    case qosNotSupported(maximum: QoS)
    /// §3.2.2.3.5
    case retainNotSupported
    /// §3.2.2.3.11
    case wildcardSubscriptionsNotSupported
    /// §3.2.2.3.13
    case sharedSubscriptionsNotSupported
    /// The packet identifier that was asked for is in use.
    case packetIdentifierInUse(UInt16)
    /// All 65,535 packet identifiers are in use.
    case packetIdentifiersExhausted

    /// The file of a `MessageStore` cannot be used: what, and why.
    case storeFailed(String)

    // MARK: Mistakes of the program

    /// Not a Topic Name, §4.7.
    case invalidTopic(String)
    /// Not a Topic Filter, §4.7.
    case invalidFilter(String)
    /// A field that cannot be sent: which, and why.
    case invalidField(String)
    /// 3.1.1 does not have it: what.
    case notInVersion(String)
    /// A SUBSCRIBE or UNSUBSCRIBE without a filter [5.0 MQTT-3.8.3-2].
    case noFilters
}

extension ClientError {
    /// Whether the same may succeed later without anybody changing anything: the rule by which a client reconnects.
    /// A server that says who we are is wrong, that it moved, or that another took our place, is not asked again.
    public var isTransient: Bool {
        switch self {
        case .connectFailed(let failure): failure.stage != .settings
        case .connectTimedOut, .connectionLost, .keepAliveTimedOut, .notConnected: true
        case .connectionRefused(let code, _, _), .disconnectedByServer(let code, _, _):
            switch code {
            case .success, .unspecifiedError, .implementationSpecificError, .serverUnavailable, .serverBusy,
                .serverShuttingDown, .keepAliveTimeout, .receiveMaximumExceeded, .messageRateTooHigh,
                .quotaExceeded, .administrativeAction, .connectionRateExceeded, .maximumConnectTime:
                true
            default: false
            }
        default: false
        }
    }
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .connectFailed(let why): "could not connect: \(why)"
        case .connectTimedOut: "the server did not answer CONNECT in time"
        case .connectionRefused(let code, let why, let reference):
            "the server refused the connection: \(Self.words(code, why, reference))"
        case .connectionLost(let why): "the connection was lost: \(why)"
        case .disconnectedByServer(let code, let why, let reference):
            "the server closed the connection: \(Self.words(code, why, reference))"
        case .keepAliveTimedOut: "the server did not answer PINGREQ in time"
        case .malformedPacket(let error): "the server sent \(error)"
        case .protocolError(_, let what): "the server broke the protocol: \(what)"
        case .firstPacketNotConnack(let type): "the server's first packet was \(type), not CONNACK"
        case .sessionPresentUnexpected: "the server resumed a session that this client does not have"
        case .noRandomness(let why): "no random number for the delay before the next attempt: \(why)"
        case .authenticationFailed(let why): "authentication failed: \(why)"
        case .notConnected: "not connected"
        case .closed: "the client was closed"
        case .cancelled: "cancelled"
        case .timedOut: "no answer in time"
        case .refused(let code, let why): "the server refused: \(Self.words(code, why, nil))"
        case .queueFull(let limit): "\(limit) messages wait to be sent already"
        case .queueFullOfBytes(let limit): "\(limit) bytes of messages wait to be sent already"
        case .storeFailed(let why): "the message store: \(why)"
        case .expired: "the message expired before it could be sent"
        case .packetTooLarge(let bytes, let limit): "a packet of \(bytes) bytes; the server takes \(limit)"
        case .qosNotSupported(let maximum): "the server takes QoS \(maximum.rawValue) at most"
        case .retainNotSupported: "the server keeps no retained messages"
        case .wildcardSubscriptionsNotSupported: "the server has no wildcard subscriptions"
        case .sharedSubscriptionsNotSupported: "the server has no shared subscriptions"
        case .packetIdentifierInUse(let identifier): "packet identifier \(identifier) is in use"
        case .packetIdentifiersExhausted: "all packet identifiers are in use"
        case .invalidTopic(let topic):
            "not a topic name: \(MQTTString(Array(topic.utf8))?.description ?? "too long or null")"
        case .invalidFilter(let filter):
            "not a topic filter: \(MQTTString(Array(filter.utf8))?.description ?? "too long or null")"
        case .invalidField(let what): what
        case .notInVersion(let what): "\(what) is not part of this protocol version"
        case .noFilters: "no topic filter was given"
        }
    }

    /// A connection that ended before MQTT's first bytes: the socket was there, so it is lost; anything above it was never.
    package static func lost(_ failure: ConnectFailure) -> ClientError {
        failure.stage == .socket ? .connectionLost(failure.description) : .connectFailed(failure)
    }

    private static func words(_ code: ReasonCode, _ why: String?, _ reference: String?) -> String {
        var text = code.description
        // Some servers send the code in words as their reason.
        if let why, why != text { text += " (\(why))" }
        if let reference { text += "; try \(reference)" }
        return text
    }
}
