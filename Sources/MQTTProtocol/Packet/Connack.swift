/// CONNACK, §3.2: the server's answer to CONNECT.
package struct Connack: Hashable, Sendable {
    package var sessionPresent: Bool
    package var reasonCode: ReasonCode
    package var properties: Properties

    /// §3.2.2.3; nil where the server says nothing and the standard's default holds. All absent in 3.x.
    package struct Properties: Hashable, Sendable {
        package var topicAliasMaximum: UInt16?
        package var assignedClientIdentifier: MQTTString?
        package var serverKeepAliveSeconds: UInt16?
        package var authenticationMethod: MQTTString?
        package var authenticationData: [UInt8]?
        package var responseInformation: MQTTString?
        package var reasonString: MQTTString?
        package var serverReference: MQTTString?
        package var sessionExpiryIntervalSeconds: UInt32?
        package var wildcardSubscriptionAvailable: Bool?
        package var subscriptionIdentifierAvailable: Bool?
        package var sharedSubscriptionAvailable: Bool?
        package var userProperties: [UserProperty] = []
        package var retainAvailable: Bool?
        /// Bytes of a whole packet.
        package var maximumPacketSize: UInt32?
        package var receiveMaximum: UInt16?
        /// 0 or 1 by the standard: QoS 2 is said by absence.
        package var maximumQoS: QoS?

        package init() {}
    }

    package init(sessionPresent: Bool, reasonCode: ReasonCode, properties: Properties = Properties()) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
        self.properties = properties
    }
}

// MARK: - Decode

extension Connack {
    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Connack {
        guard flags == 0 else { throw .reservedFlags(.connack) }
        var fields = FieldReader(body, of: .connack)
        let bits = try fields.byte()
        let code = try fields.byte()
        // 3.1 has no session present and says nothing of this byte but "reserved".
        guard version == .v31 || bits <= 1 else { throw .connackReservedFlags }  // [5.0 MQTT-3.2.2-1]
        var connack = Connack(
            sessionPresent: version != .v31 && bits == 1, reasonCode: try reason(code, version))
        if connack.sessionPresent, connack.reasonCode != .success {
            throw .sessionPresentInRefusal  // [5.0 MQTT-3.2.2-6] [3.1.1 MQTT-3.2.2-4]
        }
        if version == .v5 { connack.properties = try Properties.decode(fields.propertyBlock()) }
        try fields.finish()
        return connack
    }

    private static func reason(_ code: UInt8, _ version: ProtocolVersion) throws(PacketError) -> ReasonCode {
        let reason = ReasonCode(rawValue: code)
        if version == .v5 {
            guard reason.isAllowed(in: .connack) else { throw .reasonCodeNotAllowed(.connack, reason) }
            return reason  // [5.0 MQTT-3.2.2-8]
        }
        switch code {  // the return codes of 3.1.1 §3.2.2.3
        case 0: return .success
        case 1: return .unsupportedProtocolVersion
        case 2: return .clientIdentifierNotValid
        case 3: return .serverUnavailable
        case 4: return .badUserNameOrPassword
        case 5: return .notAuthorized
        default: throw .reasonCodeNotAllowed(.connack, reason)
        }
    }
}

extension Connack.Properties: PropertyBlock {
    static func decode(_ block: UnsafeRawBufferPointer) throws(PacketError) -> Self {
        var properties = Self()
        var reader = PropertyReader(block, in: .connack)
        while let next = try reader.next() {
            switch next.property {
            case .topicAliasMaximum: properties.topicAliasMaximum = UInt16(next.number)
            case .assignedClientIdentifier: properties.assignedClientIdentifier = next.string
            case .serverKeepAlive: properties.serverKeepAliveSeconds = UInt16(next.number)
            case .authenticationMethod: properties.authenticationMethod = next.string
            case .authenticationData: properties.authenticationData = next.array
            case .responseInformation: properties.responseInformation = next.string
            case .reasonString: properties.reasonString = next.string
            case .serverReference: properties.serverReference = next.string
            case .sessionExpiryInterval: properties.sessionExpiryIntervalSeconds = next.number
            case .wildcardSubscriptionAvailable: properties.wildcardSubscriptionAvailable = next.flag
            case .subscriptionIdentifierAvailable: properties.subscriptionIdentifierAvailable = next.flag
            case .sharedSubscriptionAvailable: properties.sharedSubscriptionAvailable = next.flag
            case .userProperty: properties.userProperties.append(next.userProperty)
            case .retainAvailable: properties.retainAvailable = next.flag
            case .maximumPacketSize: properties.maximumPacketSize = next.number
            case .receiveMaximum: properties.receiveMaximum = UInt16(next.number)
            case .maximumQoS: properties.maximumQoS = next.flag ? .atLeastOnce : .atMostOnce
            default: throw .propertyNotAllowed(next.property)
            }
        }
        guard properties.authenticationData == nil || properties.authenticationMethod != nil else {
            throw .authenticationDataWithoutMethod
        }
        return properties
    }

    /// In mosquitto 2.1's order, which some clients' tests know by heart.
    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.topicAliasMaximum, topicAliasMaximum)
        sink.put(.assignedClientIdentifier, assignedClientIdentifier)
        sink.put(.serverKeepAlive, serverKeepAliveSeconds)
        sink.put(.authenticationMethod, authenticationMethod)
        sink.put(.authenticationData, authenticationData)
        sink.put(.responseInformation, responseInformation)
        sink.put(.reasonString, reasonString)
        sink.put(.serverReference, serverReference)
        sink.put(.sessionExpiryInterval, sessionExpiryIntervalSeconds)
        sink.put(.wildcardSubscriptionAvailable, wildcardSubscriptionAvailable)
        sink.put(.subscriptionIdentifierAvailable, subscriptionIdentifierAvailable)
        sink.put(.sharedSubscriptionAvailable, sharedSubscriptionAvailable)
        sink.put(userProperties)
        sink.put(.retainAvailable, retainAvailable)
        sink.put(.maximumPacketSize, maximumPacketSize)
        sink.put(.receiveMaximum, receiveMaximum)
        sink.put(.maximumQoS, maximumQoS == .exactlyOnce ? nil : maximumQoS?.rawValue)
    }
}

// MARK: - Encode

extension Connack: WirePacket {
    package static var type: PacketType { .connack }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        let isPresent = sessionPresent && version != .v31 && reasonCode == .success
        sink.put(isPresent ? 1 as UInt8 : 0)
        sink.put(version == .v5 ? reasonCode.rawValue : returnCode)
        if version == .v5 { sink.put(properties) }
    }

    /// The return code of 3.x that comes nearest, 3.1.1 §3.2.2.3.
    package var returnCode: UInt8 {
        switch reasonCode {
        case .success: 0
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .badUserNameOrPassword, .badAuthenticationMethod: 4
        case .notAuthorized, .banned, .topicNameInvalid, .qosNotSupported, .retainNotSupported: 5
        default: 3
        }
    }
}
