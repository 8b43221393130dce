/// SUBACK, §3.9: one reason code for each filter of the SUBSCRIBE, in its order.
package struct Suback: Hashable, Sendable {
    /// 1 to 65,535.
    package var packetIdentifier: UInt16
    /// At least one: the granted QoS, or why not.
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
    ) throws(PacketError) -> Suback {
        try PacketType.suback.check(flags: flags, version: version)
        var fields = FieldReader(body, of: .suback)
        var suback = Suback(packetIdentifier: try fields.packetIdentifier(), reasonCodes: [])
        if version == .v5 {
            let properties = try ReasonProperties(fields.propertyBlock(), in: .suback)
            suback.reasonString = properties.reasonString
            suback.userProperties = properties.userProperties
        }
        guard !fields.isAtEnd else { throw .noReasonCodes(.suback) }
        for byte in fields.rest() {
            let code = ReasonCode(rawValue: byte)
            // 3.1 knows no 0x80, but servers send it there too.
            let isAllowed = version == .v5 ? code.isAllowed(in: .suback) : byte <= 2 || byte == 0x80
            guard isAllowed else {
                throw .reasonCodeNotAllowed(.suback, code)  // [5.0 MQTT-3.9.3-2] [3.1.1 MQTT-3.9.3-2]
            }
            suback.reasonCodes.append(code)
        }
        return suback
    }
}

extension Suback: WirePacket {
    package static var type: PacketType { .suback }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition(!reasonCodes.isEmpty, "a SUBACK answers a filter")
        sink.put(packetIdentifier)
        if version == .v5 { sink.put(ReasonProperties(reasonString, userProperties)) }
        for code in reasonCodes { sink.put(Self.byte(code, version)) }
    }

    /// 3.1.1 has one failure, 0x80; 3.1 has none and a refused filter is answered with QoS 0.
    private static func byte(_ code: ReasonCode, _ version: ProtocolVersion) -> UInt8 {
        switch version {
        case .v5: code.rawValue
        case .v311: code.isError ? 0x80 : code.rawValue
        case .v31: code.isError ? 0x00 : code.rawValue
        }
    }
}
