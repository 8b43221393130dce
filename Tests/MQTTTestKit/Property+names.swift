/// The properties of 5.0 by their names in the standard (§2.2.2.2), for tests that build packets.
extension Property {
    package static func payloadFormatIndicator(_ value: UInt8) -> Property { .byte(0x01, value) }
    package static func messageExpiryInterval(_ seconds: UInt32) -> Property { .u32(0x02, seconds) }
    package static func contentType(_ text: String) -> Property { .string(0x03, text) }
    package static func responseTopic(_ topic: String) -> Property { .string(0x08, topic) }
    package static func correlationData(_ bytes: [UInt8]) -> Property { .binary(0x09, bytes) }
    package static func subscriptionIdentifier(_ value: Int) -> Property { .varint(0x0B, value) }
    package static func sessionExpiryInterval(_ seconds: UInt32) -> Property { .u32(0x11, seconds) }
    package static func authenticationMethod(_ name: String) -> Property { .string(0x15, name) }
    package static func authenticationData(_ bytes: [UInt8]) -> Property { .binary(0x16, bytes) }
    package static func requestProblemInformation(_ value: UInt8) -> Property { .byte(0x17, value) }
    package static func requestResponseInformation(_ value: UInt8) -> Property { .byte(0x19, value) }
    package static func willDelayInterval(_ seconds: UInt32) -> Property { .u32(0x18, seconds) }
    package static func reasonString(_ text: String) -> Property { .string(0x1F, text) }
    package static func receiveMaximum(_ value: UInt16) -> Property { .u16(0x21, value) }
    package static func topicAliasMaximum(_ value: UInt16) -> Property { .u16(0x22, value) }
    package static func topicAlias(_ value: UInt16) -> Property { .u16(0x23, value) }
    package static func maximumPacketSize(_ bytes: UInt32) -> Property { .u32(0x27, bytes) }
}
