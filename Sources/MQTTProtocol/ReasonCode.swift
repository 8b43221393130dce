/// A reason code, §2.4: what became of a request, in one byte. Values of 0x80 and above are failures.
/// Which code may stand in which packet is said by `isAllowed(in:)`.
public struct ReasonCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// True for 0x80 and above.
    @inlinable public var isError: Bool { rawValue >= 0x80 }

    @inlinable public static var success: Self { Self(rawValue: 0x00) }
    @inlinable public static var normalDisconnection: Self { Self(rawValue: 0x00) }
    @inlinable public static var grantedQoS0: Self { Self(rawValue: 0x00) }
    @inlinable public static var grantedQoS1: Self { Self(rawValue: 0x01) }
    @inlinable public static var grantedQoS2: Self { Self(rawValue: 0x02) }
    @inlinable public static var disconnectWithWill: Self { Self(rawValue: 0x04) }
    @inlinable public static var noMatchingSubscribers: Self { Self(rawValue: 0x10) }
    @inlinable public static var noSubscriptionExisted: Self { Self(rawValue: 0x11) }
    @inlinable public static var continueAuthentication: Self { Self(rawValue: 0x18) }
    @inlinable public static var reauthenticate: Self { Self(rawValue: 0x19) }
    @inlinable public static var unspecifiedError: Self { Self(rawValue: 0x80) }
    @inlinable public static var malformedPacket: Self { Self(rawValue: 0x81) }
    @inlinable public static var protocolError: Self { Self(rawValue: 0x82) }
    @inlinable public static var implementationSpecificError: Self { Self(rawValue: 0x83) }
    @inlinable public static var unsupportedProtocolVersion: Self { Self(rawValue: 0x84) }
    @inlinable public static var clientIdentifierNotValid: Self { Self(rawValue: 0x85) }
    @inlinable public static var badUserNameOrPassword: Self { Self(rawValue: 0x86) }
    @inlinable public static var notAuthorized: Self { Self(rawValue: 0x87) }
    @inlinable public static var serverUnavailable: Self { Self(rawValue: 0x88) }
    @inlinable public static var serverBusy: Self { Self(rawValue: 0x89) }
    @inlinable public static var banned: Self { Self(rawValue: 0x8A) }
    @inlinable public static var serverShuttingDown: Self { Self(rawValue: 0x8B) }
    @inlinable public static var badAuthenticationMethod: Self { Self(rawValue: 0x8C) }
    @inlinable public static var keepAliveTimeout: Self { Self(rawValue: 0x8D) }
    @inlinable public static var sessionTakenOver: Self { Self(rawValue: 0x8E) }
    @inlinable public static var topicFilterInvalid: Self { Self(rawValue: 0x8F) }
    @inlinable public static var topicNameInvalid: Self { Self(rawValue: 0x90) }
    @inlinable public static var packetIdentifierInUse: Self { Self(rawValue: 0x91) }
    @inlinable public static var packetIdentifierNotFound: Self { Self(rawValue: 0x92) }
    @inlinable public static var receiveMaximumExceeded: Self { Self(rawValue: 0x93) }
    @inlinable public static var topicAliasInvalid: Self { Self(rawValue: 0x94) }
    @inlinable public static var packetTooLarge: Self { Self(rawValue: 0x95) }
    @inlinable public static var messageRateTooHigh: Self { Self(rawValue: 0x96) }
    @inlinable public static var quotaExceeded: Self { Self(rawValue: 0x97) }
    @inlinable public static var administrativeAction: Self { Self(rawValue: 0x98) }
    @inlinable public static var payloadFormatInvalid: Self { Self(rawValue: 0x99) }
    @inlinable public static var retainNotSupported: Self { Self(rawValue: 0x9A) }
    @inlinable public static var qosNotSupported: Self { Self(rawValue: 0x9B) }
    @inlinable public static var useAnotherServer: Self { Self(rawValue: 0x9C) }
    @inlinable public static var serverMoved: Self { Self(rawValue: 0x9D) }
    @inlinable public static var sharedSubscriptionsNotSupported: Self { Self(rawValue: 0x9E) }
    @inlinable public static var connectionRateExceeded: Self { Self(rawValue: 0x9F) }
    @inlinable public static var maximumConnectTime: Self { Self(rawValue: 0xA0) }
    @inlinable public static var subscriptionIdentifiersNotSupported: Self { Self(rawValue: 0xA1) }
    @inlinable public static var wildcardSubscriptionsNotSupported: Self { Self(rawValue: 0xA2) }

    /// The standard's words, Table 2-6. 0x00 has three names; here it is "Success".
    public var description: String {
        switch rawValue {
        case 0x00: "Success"
        case 0x01: "Granted QoS 1"
        case 0x02: "Granted QoS 2"
        case 0x04: "Disconnect with Will Message"
        case 0x10: "No matching subscribers"
        case 0x11: "No subscription existed"
        case 0x18: "Continue authentication"
        case 0x19: "Re-authenticate"
        case 0x80: "Unspecified error"
        case 0x81: "Malformed Packet"
        case 0x82: "Protocol Error"
        case 0x83: "Implementation specific error"
        case 0x84: "Unsupported Protocol Version"
        case 0x85: "Client Identifier not valid"
        case 0x86: "Bad User Name or Password"
        case 0x87: "Not authorized"
        case 0x88: "Server unavailable"
        case 0x89: "Server busy"
        case 0x8A: "Banned"
        case 0x8B: "Server shutting down"
        case 0x8C: "Bad authentication method"
        case 0x8D: "Keep Alive timeout"
        case 0x8E: "Session taken over"
        case 0x8F: "Topic Filter invalid"
        case 0x90: "Topic Name invalid"
        case 0x91: "Packet Identifier in use"
        case 0x92: "Packet Identifier not found"
        case 0x93: "Receive Maximum exceeded"
        case 0x94: "Topic Alias invalid"
        case 0x95: "Packet too large"
        case 0x96: "Message rate too high"
        case 0x97: "Quota exceeded"
        case 0x98: "Administrative action"
        case 0x99: "Payload format invalid"
        case 0x9A: "Retain not supported"
        case 0x9B: "QoS not supported"
        case 0x9C: "Use another server"
        case 0x9D: "Server moved"
        case 0x9E: "Shared Subscriptions not supported"
        case 0x9F: "Connection rate exceeded"
        case 0xA0: "Maximum connect time"
        case 0xA1: "Subscription Identifiers not supported"
        case 0xA2: "Wildcard Subscriptions not supported"
        default: "Reason code \(rawValue)"
        }
    }
}

/// Who sent a packet: some properties and reason codes may come from one side only.
public enum Sender: Sendable, Hashable, CaseIterable {
    case client, server
}
