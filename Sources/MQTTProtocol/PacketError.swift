/// What is wrong with a packet: one case per kind of fault. A fault is final, the connection is to be closed;
/// an incomplete packet is no fault (`FrameHeader.parse` gives nil).
/// In 5.0 `reasonCode` goes into DISCONNECT or CONNACK; in 3.x the close is silent.
public enum PacketError: Error, Hashable, Sendable {
    // The frame
    case reservedPacketType
    case reservedFlags(PacketType)
    case remainingLengthTooLong
    case packetTooLarge(limitBytes: Int)
    case notInVersion(PacketType)
    case wrongDirection(PacketType)
    // Fields
    case truncated(PacketType)
    case trailingBytes
    case variableByteIntegerTooLong
    case variableByteIntegerNotShortest
    case invalidUTF8
    case nullCharacter
    case stringTooLong
    case packetIdentifierZero
    case reasonCodeNotAllowed(PacketType, ReasonCode)
    case noReasonCodes(PacketType)
    // Properties
    case propertyUnknown(UInt8)
    case propertyNotAllowed(Property)
    case propertyRepeated(Property)
    case propertyValue(Property)
    case authenticationDataWithoutMethod
    case authenticationMethodMissing
    case subscriptionIdentifierFromClient
    // CONNECT and CONNACK
    case protocolName
    case unsupportedVersion(UInt8)
    case connectReservedFlag
    case willFlagsWithoutWill
    case willQoS3
    case passwordWithoutUserName
    case connackReservedFlags
    case sessionPresentInRefusal
    // PUBLISH
    case qos3
    case duplicateAtQoS0
    case topicEmpty
    case topicWildcard
    case topicMissing
    // SUBSCRIBE and UNSUBSCRIBE
    case noFilters
    case filterEmpty
    case subscriptionOptionsReserved
    case subscriptionQoS3
    case retainHandling3
    case noLocalOnShared

    /// The 5.0 code for this fault, §4.13: 0x81 where the bytes cannot be read, 0x82 where they can and break a rule,
    /// and the fault's own code where the standard gives it one.
    public var reasonCode: ReasonCode {
        switch self {
        case .packetTooLarge: .packetTooLarge
        case .unsupportedVersion, .protocolName: .unsupportedProtocolVersion
        case .propertyValue(.topicAlias): .topicAliasInvalid
        case .reservedPacketType, .reservedFlags, .remainingLengthTooLong, .truncated, .trailingBytes,
            .variableByteIntegerTooLong, .variableByteIntegerNotShortest, .invalidUTF8, .nullCharacter, .stringTooLong,
            .propertyUnknown, .propertyNotAllowed, .connectReservedFlag, .willFlagsWithoutWill, .willQoS3,
            .passwordWithoutUserName, .connackReservedFlags, .qos3, .topicEmpty, .topicWildcard, .filterEmpty,
            .subscriptionOptionsReserved:
            .malformedPacket
        case .notInVersion, .wrongDirection, .packetIdentifierZero, .reasonCodeNotAllowed, .noReasonCodes,
            .propertyRepeated, .propertyValue, .authenticationDataWithoutMethod, .authenticationMethodMissing,
            .subscriptionIdentifierFromClient, .sessionPresentInRefusal, .duplicateAtQoS0, .topicMissing, .noFilters,
            .subscriptionQoS3, .retainHandling3, .noLocalOnShared:
            .protocolError
        }
    }
}

extension PacketError: CustomStringConvertible {
    /// What happened, in words for a log line, with the section of the 5.0 standard.
    public var description: String {
        switch self {
        case .reservedPacketType: "packet type 0 is reserved (§2.1.2)"
        case .reservedFlags(let type): "\(type) with wrong flags in its first byte (§2.1.3)"
        case .remainingLengthTooLong: "a remaining length of more than four bytes (§1.5.5)"
        case .packetTooLarge(let limit): "a packet larger than the limit of \(limit) bytes (§3.1.2.11.4)"
        case .notInVersion(let type): "\(type) does not exist in this protocol version (§2.1.2)"
        case .wrongDirection(let type): "\(type) may not be sent by this side (§2.1.2)"
        case .truncated(let type): "a field of \(type) reaches beyond its end (§4.13.1)"
        case .trailingBytes: "bytes after the packet's last field (§4.13.1)"
        case .variableByteIntegerTooLong: "a variable byte integer of more than four bytes (§1.5.5)"
        case .variableByteIntegerNotShortest: "a variable byte integer not in its shortest form (§1.5.5)"
        case .invalidUTF8: "a string that is not UTF-8 (§1.5.4)"
        case .nullCharacter: "a string with a null character (§1.5.4)"
        case .stringTooLong: "a string of more than 65,535 bytes (§1.5.4)"
        case .packetIdentifierZero: "packet identifier 0 (§2.2.1)"
        case .reasonCodeNotAllowed(let type, let code): "reason code \(code.rawValue) in \(type) (§2.4)"
        case .noReasonCodes(let type): "\(type) without a reason code (§3.9.3)"
        case .propertyUnknown(let id): "unknown property \(id) (§2.2.2.2)"
        case .propertyNotAllowed(let property): "\(property) where it is not allowed (§2.2.2.2)"
        case .propertyRepeated(let property): "\(property) more than once (§2.2.2.2)"
        case .propertyValue(let property): "\(property) with a value that is not allowed (\(property.section))"
        case .authenticationDataWithoutMethod: "authentication data without a method (§3.1.2.11.10)"
        case .authenticationMethodMissing: "AUTH without an authentication method (§3.15.2.2.2)"
        case .subscriptionIdentifierFromClient: "a subscription identifier in a client's PUBLISH (§3.3.4)"
        case .protocolName: "the protocol name or its level is not MQTT's (§3.1.2.1)"
        case .unsupportedVersion(let level): "protocol level \(level) is not supported (§3.1.2.2)"
        case .connectReservedFlag: "the reserved flag of CONNECT is set (§3.1.2.3)"
        case .willFlagsWithoutWill: "will QoS or will retain without a will (§3.1.2.6)"
        case .willQoS3: "will QoS 3 (§3.1.2.6)"
        case .passwordWithoutUserName: "a password without a user name (3.1.1 §3.1.2.9)"
        case .connackReservedFlags: "a reserved flag of CONNACK is set (§3.2.2.1)"
        case .sessionPresentInRefusal: "CONNACK refuses and says a session is present (§3.2.2.1.1)"
        case .qos3: "PUBLISH at QoS 3 (§3.3.1.2)"
        case .duplicateAtQoS0: "PUBLISH marked as a duplicate at QoS 0 (§3.3.1.1)"
        case .topicEmpty: "an empty topic name (§4.7.3)"
        case .topicWildcard: "a topic name with a wildcard (§3.3.2.1)"
        case .topicMissing: "an empty topic name without a topic alias (§3.3.2.1)"
        case .noFilters: "no topic filter (§3.8.3)"
        case .filterEmpty: "an empty topic filter (§4.7.3)"
        case .subscriptionOptionsReserved: "a reserved bit of the subscription options is set (§3.8.3.1)"
        case .subscriptionQoS3: "a subscription at QoS 3 (§3.8.3.1)"
        case .retainHandling3: "retain handling 3 (§3.8.3.1)"
        case .noLocalOnShared: "no local on a shared subscription (§3.8.3.1)"
        }
    }
}
