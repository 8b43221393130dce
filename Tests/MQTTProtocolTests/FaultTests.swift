import MQTTProtocol
import Testing

/// Bytes that must be refused, and with which fault.
struct FaultyPacket: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let version: ProtocolVersion
    let sender: Sender
    let fault: PacketError
    let text: String

    init(_ version: ProtocolVersion, _ text: String, _ fault: PacketError, from sender: Sender = .client) {
        self.bytes = MQTTProtocolTests.bytes(text)
        self.text = text
        self.version = version
        self.sender = sender
        self.fault = fault
    }

    var testDescription: String { "\(fault), \(version): \(text)" }

    static let frames: [FaultyPacket] = [
        .init(.v311, "00 00", .reservedPacketType),
        .init(.v5, "0f 00", .reservedPacketType),
        .init(.v5, "30 80808080 01", .remainingLengthTooLong),
        .init(.v5, "30 ffffffff 7f", .remainingLengthTooLong),
        .init(.v5, "c0 80 00", .variableByteIntegerNotShortest),
        .init(.v5, "30 ff 80 00", .variableByteIntegerNotShortest),
        .init(.v311, "f0 00", .notInVersion(.auth)),
        .init(.v31, "f0 00", .notInVersion(.auth), from: .server),
        .init(.v5, "20 03 00 00 00", .wrongDirection(.connack)),
        .init(.v5, "d0 00", .wrongDirection(.pingresp)),
        .init(.v5, "c0 00", .wrongDirection(.pingreq), from: .server),
        .init(.v311, "e0 00", .wrongDirection(.disconnect), from: .server),
        .init(.v5, "c0 01 00", .trailingBytes),
        .init(.v311, "d0 01 00", .trailingBytes, from: .server),
        .init(.v311, "e0 01 00", .trailingBytes),
    ]

    static let connects: [FaultyPacket] = [
        .init(.v311, "11 0d 0004 'MQTT' 04 02 003c 0001 'c'", .reservedFlags(.connect)),
        .init(.v311, "10 0d 0004 'MQTX' 04 02 003c 0001 'c'", .protocolName),
        .init(.v311, "10 0d 0004 'mqtt' 04 02 003c 0001 'c'", .protocolName),
        .init(.v311, "10 0f 0006 'MQIsdp' 04 02 001e 0001 'a'", .protocolName),
        .init(.v311, "10 0d 0004 'MQTT' 03 02 003c 0001 'c'", .unsupportedVersion(3)),
        .init(.v311, "10 0d 0004 'MQTT' 06 02 003c 0001 'c'", .unsupportedVersion(6)),
        .init(.v311, "10 0d 0004 'MQTT' 00 02 003c 0001 'c'", .unsupportedVersion(0)),
        .init(.v311, "10 0d 0004 'MQTT' 86 02 003c 0001 'c'", .unsupportedVersion(0x86)),
        .init(.v311, "10 0d 0004 'MQTT' 04 03 003c 0001 'c'", .connectReservedFlag),
        .init(.v31, "10 0f 0006 'MQIsdp' 03 03 001e 0001 'a'", .connectReservedFlag),
        .init(.v311, "10 0d 0004 'MQTT' 04 0a 003c 0001 'c'", .willFlagsWithoutWill),
        .init(.v311, "10 0d 0004 'MQTT' 04 12 003c 0001 'c'", .willFlagsWithoutWill),
        .init(.v5, "10 0e 0004 'MQTT' 05 22 003c 00 0001 'c'", .willFlagsWithoutWill),
        .init(.v311, "10 13 0004 'MQTT' 04 1e 003c 0001 'c' 0001 't' 0001 'w'", .willQoS3),
        .init(.v311, "10 10 0004 'MQTT' 04 42 003c 0001 'c' 0001 'p'", .passwordWithoutUserName),
        .init(.v31, "10 12 0006 'MQIsdp' 03 42 001e 0001 'a' 0001 'p'", .passwordWithoutUserName),
        .init(.v311, "10 0d 0004 'MQTT' 04 82 003c 0001 'c'", .truncated(.connect)),
        .init(.v311, "10 0d 0004 'MQTT' 04 02 003c 0001 00", .nullCharacter),
        .init(.v311, "10 0d 0004 'MQTT' 04 02 003c 0001 ff", .invalidUTF8),
        .init(.v5, "10 10 0004 'MQTT' 05 02 003c 00 0003 eda080", .invalidUTF8),
        .init(.v311, "10 10 0004 'MQTT' 04 82 003c 0001 'c' 0001 ff", .invalidUTF8),
        .init(.v311, "10 10 0004 'MQTT' 04 06 003c 0001 'c' 0000 00", .topicEmpty),
        .init(.v311, "10 12 0004 'MQTT' 04 06 003c 0001 'c' 0001 '#' 0000", .topicWildcard),
        .init(.v311, "10 12 0004 'MQTT' 04 06 003c 0001 'c' 0001 ff 0000", .invalidUTF8),
        .init(.v311, "10 0e 0004 'MQTT' 04 02 003c 0001 'c' 00", .trailingBytes),
        .init(.v5, "10 12 0004 'MQTT' 05 02 003c 04 16 0001 00 0001 'c'", .authenticationDataWithoutMethod),
        .init(.v5, "10 11 0004 'MQTT' 05 02 003c 03 21 0000 0001 'c'", .propertyValue(.receiveMaximum)),
        .init(.v5, "10 13 0004 'MQTT' 05 02 003c 05 27 00000000 0001 'c'", .propertyValue(.maximumPacketSize)),
        .init(.v5, "10 10 0004 'MQTT' 05 02 003c 02 17 02 0001 'c'", .propertyValue(.requestProblemInformation)),
        .init(.v5, "10 10 0004 'MQTT' 05 02 003c 02 19 02 0001 'c'", .propertyValue(.requestResponseInformation)),
        .init(
            .v5, "10 12 0004 'MQTT' 05 02 003c 04 17 01 17 01 0001 'c'", .propertyRepeated(.requestProblemInformation)),
        .init(.v5, "10 11 0004 'MQTT' 05 02 003c 03 23 0001 0001 'c'", .propertyNotAllowed(.topicAlias)),
        .init(.v5, "10 11 0004 'MQTT' 05 02 003c 03 7e 0001 0001 'c'", .propertyUnknown(0x7E)),
        .init(.v5, "10 0e 0004 'MQTT' 05 02 003c 7f 0001 'c'", .truncated(.connect)),
        .init(.v5, "10 0f 0004 'MQTT' 05 02 003c 8000 0001 'c'", .variableByteIntegerNotShortest),
        .init(.v5, "10 12 0004 'MQTT' 05 02 003c 8080808001 0001 'c'", .variableByteIntegerTooLong),
        .init(
            .v5, "10 15 0004 'MQTT' 05 06 003c 00 0001 'c' 02 01 02 0001 't' 0000",
            .propertyValue(.payloadFormatIndicator)),
        .init(
            .v5, "10 16 0004 'MQTT' 05 06 003c 00 0001 'c' 03 23 0001 0001 't' 0000", .propertyNotAllowed(.topicAlias)),
    ]

    static let connacks: [FaultyPacket] = [
        .init(.v311, "20 02 02 00", .connackReservedFlags, from: .server),
        .init(.v5, "20 03 81 00 00", .connackReservedFlags, from: .server),
        .init(.v311, "20 02 01 05", .sessionPresentInRefusal, from: .server),
        .init(.v5, "20 03 01 87 00", .sessionPresentInRefusal, from: .server),
        .init(.v311, "20 02 00 06", .reasonCodeNotAllowed(.connack, ReasonCode(rawValue: 6)), from: .server),
        .init(.v5, "20 03 00 8e 00", .reasonCodeNotAllowed(.connack, .sessionTakenOver), from: .server),
        .init(.v5, "20 02 00 00", .truncated(.connack), from: .server),
        .init(.v311, "20 03 00 00 00", .trailingBytes, from: .server),
        .init(.v5, "20 05 00 00 02 24 02", .propertyValue(.maximumQoS), from: .server),
        .init(.v5, "20 05 00 00 02 25 02", .propertyValue(.retainAvailable), from: .server),
    ]

    static let publishes: [FaultyPacket] = [
        .init(.v311, "36 05 0001 't' 0001", .qos3),
        .init(.v5, "3e 06 0001 't' 0001 00", .qos3),
        .init(.v311, "38 03 0001 't'", .duplicateAtQoS0),
        .init(.v5, "39 04 0001 't' 00", .duplicateAtQoS0),
        .init(.v311, "32 05 0001 't' 0000", .packetIdentifierZero),
        .init(.v5, "34 06 0001 't' 0000 00", .packetIdentifierZero),
        .init(.v311, "30 02 0000", .topicEmpty),
        .init(.v5, "30 03 0000 00", .topicMissing),
        .init(.v5, "30 05 0000 02 01 01", .topicMissing),
        .init(.v311, "30 04 0002 'a+'", .topicWildcard),
        .init(.v5, "30 04 0001 '#' 00", .topicWildcard),
        .init(.v311, "30 03 0001 00", .nullCharacter),
        .init(.v311, "30 04 0002 c0af", .invalidUTF8),
        .init(.v311, "30 03 0002 't'", .truncated(.publish)),
        .init(.v311, "32 04 0001 't' 00", .truncated(.publish)),
        .init(.v5, "30 03 0001 't'", .truncated(.publish)),
        .init(.v5, "30 04 0001 't' 01", .truncated(.publish)),
        .init(.v5, "30 05 0001 't' 01 01", .truncated(.publish)),
        .init(.v5, "30 07 0001 't' 03 23 0000", .propertyValue(.topicAlias)),
        .init(.v5, "30 06 0001 't' 02 01 02", .propertyValue(.payloadFormatIndicator)),
        .init(.v5, "30 06 0001 't' 02 0b 01", .subscriptionIdentifierFromClient),
        .init(.v5, "30 06 0001 't' 02 0b 00", .propertyValue(.subscriptionIdentifier), from: .server),
        .init(.v5, "30 07 0001 't' 03 0b 8000", .variableByteIntegerNotShortest, from: .server),
        .init(.v5, "30 0a 0001 't' 06 0b 8080808001", .variableByteIntegerTooLong, from: .server),
        .init(.v5, "30 0a 0001 't' 06 08 0003 'a/#'", .propertyValue(.responseTopic)),
        .init(.v5, "30 07 0001 't' 03 08 0000", .propertyValue(.responseTopic)),
        .init(.v5, "30 08 0001 't' 04 03 0001 ff", .invalidUTF8),
        .init(.v5, "30 0b 0001 't' 07 26 0001 00 0001 'v'", .nullCharacter),
        .init(.v5, "30 0c 0001 't' 08 03 0001 'j' 03 0001 'j'", .propertyRepeated(.contentType)),
        .init(.v5, "30 09 0001 't' 05 11 00000001", .propertyNotAllowed(.sessionExpiryInterval)),
    ]

    static let acknowledgements: [FaultyPacket] = [
        .init(.v311, "40 02 0000", .packetIdentifierZero),
        .init(.v5, "62 02 0000", .packetIdentifierZero),
        .init(.v311, "40 01 00", .truncated(.puback)),
        .init(.v311, "40 03 0001 00", .trailingBytes),
        .init(.v31, "50 03 0001 00", .trailingBytes),
        .init(.v5, "40 05 0001 00 00 00", .trailingBytes),
        .init(.v5, "40 03 0001 92", .reasonCodeNotAllowed(.puback, .packetIdentifierNotFound)),
        .init(.v5, "62 03 0001 10", .reasonCodeNotAllowed(.pubrel, .noMatchingSubscribers)),
        .init(.v5, "70 03 0001 80", .reasonCodeNotAllowed(.pubcomp, .unspecifiedError)),
        .init(.v5, "50 04 0001 00 01", .truncated(.pubrec)),
        .init(.v5, "50 0c 0001 00 08 1f 0001 'a' 1f 0001 'a'", .propertyRepeated(.reasonString)),
        .init(.v5, "50 07 0001 00 03 23 0001", .propertyNotAllowed(.topicAlias)),
        .init(.v311, "60 02 0001", .reservedFlags(.pubrel)),
        .init(.v311, "6a 02 0001", .reservedFlags(.pubrel)),
    ]

    static let subscriptions: [FaultyPacket] = [
        .init(.v311, "80 06 0001 0001 'a' 00", .reservedFlags(.subscribe)),
        .init(.v311, "82 06 0000 0001 'a' 00", .packetIdentifierZero),
        .init(.v311, "82 02 0001", .noFilters),
        .init(.v5, "82 03 0001 00", .noFilters),
        .init(.v311, "82 05 0001 0000 00", .filterEmpty),
        .init(.v311, "82 06 0001 0001 ff 00", .invalidUTF8),
        .init(.v311, "82 05 0001 0001 'a'", .truncated(.subscribe)),
        .init(.v311, "82 06 0001 0001 'a' 03", .subscriptionQoS3),
        .init(.v311, "82 06 0001 0001 'a' 04", .subscriptionOptionsReserved),
        .init(.v31, "82 06 0001 0001 'a' 80", .subscriptionOptionsReserved),
        .init(.v5, "82 07 0001 00 0001 'a' 40", .subscriptionOptionsReserved),
        .init(.v5, "82 07 0001 00 0001 'a' 80", .subscriptionOptionsReserved),
        .init(.v5, "82 07 0001 00 0001 'a' 03", .subscriptionQoS3),
        .init(.v5, "82 07 0001 00 0001 'a' 30", .retainHandling3),
        .init(.v5, "82 10 0001 00 000a '$share/g/a' 04", .noLocalOnShared),
        .init(.v5, "82 09 0001 02 0b 00 0001 'a' 00", .propertyValue(.subscriptionIdentifier)),
        .init(.v5, "82 0b 0001 04 0b 01 0b 01 0001 'a' 00", .propertyRepeated(.subscriptionIdentifier)),
        .init(.v5, "82 0b 0001 04 1f 0001 'a' 0001 'a' 00", .propertyNotAllowed(.reasonString)),
        .init(.v311, "a0 05 0001 0001 'a'", .reservedFlags(.unsubscribe)),
        .init(.v311, "a2 05 0000 0001 'a'", .packetIdentifierZero),
        .init(.v311, "a2 02 0001", .noFilters),
        .init(.v5, "a2 03 0001 00", .noFilters),
        .init(.v311, "a2 04 0001 0000", .filterEmpty),
        .init(.v5, "a2 08 0001 02 0b 01 0001 'a'", .propertyNotAllowed(.subscriptionIdentifier)),
        .init(.v311, "90 02 0001", .noReasonCodes(.suback), from: .server),
        .init(.v5, "90 03 0001 00", .noReasonCodes(.suback), from: .server),
        .init(.v311, "90 03 0001 03", .reasonCodeNotAllowed(.suback, ReasonCode(rawValue: 3)), from: .server),
        .init(.v5, "90 04 0001 00 11", .reasonCodeNotAllowed(.suback, .noSubscriptionExisted), from: .server),
        .init(.v5, "b0 03 0001 00", .noReasonCodes(.unsuback), from: .server),
        .init(.v311, "b0 03 0001 00", .trailingBytes, from: .server),
        .init(.v5, "b0 04 0001 00 01", .reasonCodeNotAllowed(.unsuback, .grantedQoS1), from: .server),
    ]

    static let rest: [FaultyPacket] = [
        .init(.v5, "e0 01 8b", .reasonCodeNotAllowed(.disconnect, .serverShuttingDown)),
        .init(.v5, "e0 01 04", .reasonCodeNotAllowed(.disconnect, .disconnectWithWill), from: .server),
        .init(.v5, "e0 07 00 05 11 00000000", .propertyNotAllowed(.sessionExpiryInterval), from: .server),
        .init(.v5, "e0 06 00 04 1c 0001 's'", .propertyNotAllowed(.serverReference)),
        .init(.v5, "e0 03 00 00 00", .trailingBytes),
        .init(.v5, "f0 00", .authenticationMethodMissing),
        .init(.v5, "f0 02 18 00", .authenticationMethodMissing),
        .init(.v5, "f0 01 18", .truncated(.auth)),
        .init(.v5, "f0 06 01 04 15 0001 'm'", .reasonCodeNotAllowed(.auth, .grantedQoS1)),
        .init(.v5, "f0 06 00 04 15 0001 'm'", .reasonCodeNotAllowed(.auth, .success)),
        .init(.v5, "f0 06 19 04 15 0001 'm'", .reasonCodeNotAllowed(.auth, .reauthenticate), from: .server),
        .init(.v5, "f1 06 18 04 15 0001 'm'", .reservedFlags(.auth)),
    ]
}

@Suite("Faults: each has its name")
struct FaultTests {
    @Test(
        "is refused",
        arguments: FaultyPacket.frames + FaultyPacket.connects + FaultyPacket.connacks + FaultyPacket.publishes
            + FaultyPacket.acknowledgements + FaultyPacket.subscriptions + FaultyPacket.rest)
    func refused(_ faulty: FaultyPacket) {
        #expect(Packet.outcome(faulty.bytes, faulty.version, from: faulty.sender) == .fault(faulty.fault))
        #expect(faulty.fault.reasonCode.isError)
        #expect(faulty.fault.description.contains("§"), "the section helps whoever reads the log")
    }

    @Test("3.1 goes by the remaining length: a flag without its field")
    func oldFlagsWithoutFields() {
        for flags in ["82", "c2"] {
            let text = "10 0f 0006 'MQIsdp' 03 \(flags) 001e 0001 'a'"
            let expected = Packet.connect(Connect(version: .v31, keepAliveSeconds: 30, clientIdentifier: "a"))
            #expect(Packet.outcome(bytes(text), .v31, from: .client) == .packet(expected, consumed: 17))
        }
    }

    @Test("the codes of §4.13 and of faults with a code of their own")
    func codes() {
        #expect(PacketError.packetTooLarge(limitBytes: 1).reasonCode == .packetTooLarge)
        #expect(PacketError.unsupportedVersion(6).reasonCode == .unsupportedProtocolVersion)
        #expect(PacketError.propertyValue(.topicAlias).reasonCode == .topicAliasInvalid)
        #expect(PacketError.propertyValue(.receiveMaximum).reasonCode == .protocolError)
        #expect(PacketError.propertyRepeated(.reasonString).reasonCode == .protocolError)
        #expect(PacketError.propertyNotAllowed(.topicAlias).reasonCode == .malformedPacket)
        #expect(PacketError.subscriptionIdentifierFromClient.reasonCode == .protocolError)
        #expect(PacketError.qos3.reasonCode == .malformedPacket)
        #expect(PacketError.subscriptionQoS3.reasonCode == .protocolError)
        #expect(PacketError.noFilters.reasonCode == .protocolError)
        #expect(PacketError.truncated(.publish).reasonCode == .malformedPacket)
    }

    @Test("the version of a CONNECT is known even where the rest is faulty")
    func versionOfFaultyConnect() {
        func version(_ text: String) -> ProtocolVersion? {
            bytes(text).withUnsafeBytes { Connect.version(of: $0) }
        }
        #expect(version("0004 'MQTT' 05 03") == .v5)
        #expect(version("0004 'MQTT' 84") == .v311)
        #expect(version("0006 'MQIsdp' 03") == .v31)
        #expect(version("0004 'MQTT' 07") == nil)
        #expect(version("0004 'MQTT'") == nil)
        #expect(version("") == nil)
    }
}
