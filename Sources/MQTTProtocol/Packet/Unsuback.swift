/// UNSUBACK, §3.11: one reason code for each filter of the UNSUBSCRIBE; in 3.x it has no payload.
package struct Unsuback: Hashable, Sendable {
    /// 1 to 65,535.
    package var packetIdentifier: UInt16
    /// At least one in 5.0; not written, and empty when read, in 3.x.
    package var reasonCodes: [ReasonCode]
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        packetIdentifier: UInt16, reasonCodes: [ReasonCode], reasonString: MQTTString? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Unsuback {
        try PacketType.unsuback.check(flags: flags, version: version)
        var fields = FieldReader(body, of: .unsuback)
        var unsuback = Unsuback(packetIdentifier: try fields.packetIdentifier(), reasonCodes: [])
        guard version == .v5 else {
            try fields.finish()
            return unsuback
        }
        let properties = try ReasonProperties(fields.propertyBlock(), in: .unsuback)
        unsuback.reasonString = properties.reasonString
        unsuback.userProperties = properties.userProperties
        guard !fields.isAtEnd else { throw .noReasonCodes(.unsuback) }
        for byte in fields.rest() {
            let code = ReasonCode(rawValue: byte)
            guard code.isAllowed(in: .unsuback) else {
                throw .reasonCodeNotAllowed(.unsuback, code)  // [5.0 MQTT-3.11.3-2]
            }
            unsuback.reasonCodes.append(code)
        }
        return unsuback
    }
}

extension Unsuback: WirePacket {
    package static var type: PacketType { .unsuback }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        sink.put(packetIdentifier)
        guard version == .v5 else { return }
        precondition(!reasonCodes.isEmpty, "an UNSUBACK answers a filter")
        sink.put(ReasonProperties(reasonString, userProperties))
        for code in reasonCodes { sink.put(code.rawValue) }
    }
}
