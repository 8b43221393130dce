/// The properties of 5.0, Table 2-4; the raw value is the identifier on the wire.
public enum Property: UInt8, Sendable, Hashable, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A
}

/// Where a property or a reason code stands: the packet, and for some its sender.
public enum Place: UInt8, Sendable, Hashable, CaseIterable {
    case connect, will, connack
    case publishFromClient, publishFromServer
    case puback, pubrec, pubrel, pubcomp
    case subscribe, suback, unsubscribe, unsuback
    case disconnectFromClient, disconnectFromServer
    case authFromClient, authFromServer

    public var packet: PacketType {
        switch self {
        case .connect, .will: .connect
        case .connack: .connack
        case .publishFromClient, .publishFromServer: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .disconnectFromClient, .disconnectFromServer: .disconnect
        case .authFromClient, .authFromServer: .auth
        }
    }
}

/// A set of places, one bit each. No `OptionSet`: its literals go through an array, and this is read for every property.
struct Places: Sendable {
    private let bits: UInt32

    private init(bits: UInt32) { self.bits = bits }
    private init(_ place: Place) { self.init(bits: 1 << UInt32(place.rawValue)) }

    @inline(__always) func contains(_ place: Place) -> Bool { bits & (1 << UInt32(place.rawValue)) != 0 }
    @inline(__always) static func | (a: Self, b: Self) -> Self { Self(bits: a.bits | b.bits) }

    static var connect: Self { Self(.connect) }
    static var will: Self { Self(.will) }
    static var connack: Self { Self(.connack) }
    static var publishFromServer: Self { Self(.publishFromServer) }
    static var publish: Self { Self(.publishFromClient) | publishFromServer }
    static var subscribe: Self { Self(.subscribe) }
    static var disconnectFromClient: Self { Self(.disconnectFromClient) }
    static var disconnectFromServer: Self { Self(.disconnectFromServer) }
    static var disconnect: Self { disconnectFromClient | disconnectFromServer }
    static var auth: Self { Self(.authFromClient) | Self(.authFromServer) }
    static var acknowledgements: Self {
        Self(.puback) | Self(.pubrec) | Self(.pubrel) | Self(.pubcomp) | Self(.suback) | Self(.unsuback)
    }
    static var all: Self { Self(bits: .max) }
}

/// The type of a property's value and the values that are allowed.
enum PropertyKind: Sendable {
    /// A byte that may be 0 or 1.
    case flag
    case uint16
    /// Two bytes, at least 1.
    case uint16NotZero
    case uint32
    /// Four bytes, at least 1.
    case uint32NotZero
    /// A variable byte integer, at least 1.
    case variableNotZero
    case string
    /// A string that is a topic name, so without wildcards.
    case topicName
    case binary
    /// A name and a value.
    case stringPair
}

/// Table 2-4 in code: everything a reader has to know about each property. The one place to look it up.
extension Property {
    var definition: (kind: PropertyKind, places: Places) {
        switch self {
        case .payloadFormatIndicator: (.flag, .publish | .will)
        case .messageExpiryInterval: (.uint32, .publish | .will)
        case .contentType: (.string, .publish | .will)
        case .responseTopic: (.topicName, .publish | .will)
        case .correlationData: (.binary, .publish | .will)
        case .subscriptionIdentifier: (.variableNotZero, .publishFromServer | .subscribe)
        case .sessionExpiryInterval: (.uint32, .connect | .connack | .disconnectFromClient)
        case .assignedClientIdentifier: (.string, .connack)
        case .serverKeepAlive: (.uint16, .connack)
        case .authenticationMethod: (.string, .connect | .connack | .auth)
        case .authenticationData: (.binary, .connect | .connack | .auth)
        case .requestProblemInformation: (.flag, .connect)
        case .willDelayInterval: (.uint32, .will)
        case .requestResponseInformation: (.flag, .connect)
        case .responseInformation: (.string, .connack)
        case .serverReference: (.string, .connack | .disconnectFromServer)
        case .reasonString: (.string, .connack | .acknowledgements | .disconnect | .auth)
        case .receiveMaximum: (.uint16NotZero, .connect | .connack)
        case .topicAliasMaximum: (.uint16, .connect | .connack)
        case .topicAlias: (.uint16NotZero, .publish)
        case .maximumQoS: (.flag, .connack)
        case .retainAvailable: (.flag, .connack)
        case .userProperty: (.stringPair, .all)
        case .maximumPacketSize: (.uint32NotZero, .connect | .connack)
        case .wildcardSubscriptionAvailable: (.flag, .connack)
        case .subscriptionIdentifierAvailable: (.flag, .connack)
        case .sharedSubscriptionAvailable: (.flag, .connack)
        }
    }

    /// More than once is allowed for user properties, and for the identifiers of all matching subscriptions.
    func mayRepeat(in place: Place) -> Bool {
        self == .userProperty || (self == .subscriptionIdentifier && place == .publishFromServer)
    }

    /// Where the standard says which values are allowed.
    var section: String {
        switch self {
        case .payloadFormatIndicator: "§3.3.2.3.2"
        case .topicAlias: "§3.3.2.3.4"
        case .responseTopic: "§3.3.2.3.5"
        case .subscriptionIdentifier: "§3.8.2.1.2"
        case .receiveMaximum: "§3.1.2.11.3"
        case .maximumPacketSize: "§3.1.2.11.4"
        case .requestResponseInformation: "§3.1.2.11.6"
        case .requestProblemInformation: "§3.1.2.11.7"
        case .maximumQoS: "§3.2.2.3.4"
        case .retainAvailable: "§3.2.2.3.5"
        case .wildcardSubscriptionAvailable: "§3.2.2.3.11"
        case .subscriptionIdentifierAvailable: "§3.2.2.3.12"
        case .sharedSubscriptionAvailable: "§3.2.2.3.13"
        default: "§2.2.2.2"
        }
    }
}

extension Property {
    /// Whether it may stand there, Table 2-4.
    package func isAllowed(in place: Place) -> Bool { definition.places.contains(place) }
}

extension Property: CustomStringConvertible {
    /// The standard's name.
    public var description: String {
        switch self {
        case .payloadFormatIndicator: "Payload Format Indicator"
        case .messageExpiryInterval: "Message Expiry Interval"
        case .contentType: "Content Type"
        case .responseTopic: "Response Topic"
        case .correlationData: "Correlation Data"
        case .subscriptionIdentifier: "Subscription Identifier"
        case .sessionExpiryInterval: "Session Expiry Interval"
        case .assignedClientIdentifier: "Assigned Client Identifier"
        case .serverKeepAlive: "Server Keep Alive"
        case .authenticationMethod: "Authentication Method"
        case .authenticationData: "Authentication Data"
        case .requestProblemInformation: "Request Problem Information"
        case .willDelayInterval: "Will Delay Interval"
        case .requestResponseInformation: "Request Response Information"
        case .responseInformation: "Response Information"
        case .serverReference: "Server Reference"
        case .reasonString: "Reason String"
        case .receiveMaximum: "Receive Maximum"
        case .topicAliasMaximum: "Topic Alias Maximum"
        case .topicAlias: "Topic Alias"
        case .maximumQoS: "Maximum QoS"
        case .retainAvailable: "Retain Available"
        case .userProperty: "User Property"
        case .maximumPacketSize: "Maximum Packet Size"
        case .wildcardSubscriptionAvailable: "Wildcard Subscription Available"
        case .subscriptionIdentifierAvailable: "Subscription Identifier Available"
        case .sharedSubscriptionAvailable: "Shared Subscription Available"
        }
    }
}

/// A user property, §3.1.2.11.8: a name and a value; names may repeat and order counts.
package struct UserProperty: Hashable, Sendable {
    package var name: MQTTString
    package var value: MQTTString

    package init(name: MQTTString, value: MQTTString) {
        self.name = name
        self.value = value
    }
}
