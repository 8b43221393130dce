/// UNSUBSCRIBE, §3.10.
package struct Unsubscribe: Hashable, Sendable {
    /// 1 to 65,535.
    package var packetIdentifier: UInt16
    /// At least one, each at least one byte.
    package var filters: [MQTTString]
    package var userProperties: [UserProperty]

    package init(packetIdentifier: UInt16, filters: [MQTTString], userProperties: [UserProperty] = []) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
        self.userProperties = userProperties
    }

    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Unsubscribe {
        try PacketType.unsubscribe.check(flags: flags, version: version)  // [5.0 MQTT-3.10.1-1] [3.1.1 MQTT-3.10.1-1]
        var fields = FieldReader(body, of: .unsubscribe)
        var unsubscribe = Unsubscribe(packetIdentifier: try fields.packetIdentifier(), filters: [])
        if version == .v5 {
            unsubscribe.userProperties = try ReasonProperties(fields.propertyBlock(), in: .unsubscribe).userProperties
        }
        guard !fields.isAtEnd else { throw .noFilters }  // [5.0 MQTT-3.10.3-2] [3.1.1 MQTT-3.10.3-2]
        while !fields.isAtEnd {
            unsubscribe.filters.append(try fields.filter())  // [5.0 MQTT-3.10.3-1] [3.1.1 MQTT-3.10.3-1]
        }
        return unsubscribe
    }
}

extension Unsubscribe: WirePacket {
    package static var type: PacketType { .unsubscribe }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition(!filters.isEmpty, "an UNSUBSCRIBE names a filter")
        sink.put(packetIdentifier)
        if version == .v5 { sink.put(ReasonProperties(nil, userProperties)) }
        for filter in filters { sink.put(string: filter) }
    }
}
