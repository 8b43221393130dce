/// DISCONNECT, §3.14: the last word of either side in 5.0; only the client's, and without content, in 3.x.
package struct Disconnect: Hashable, Sendable {
    package var reasonCode: ReasonCode
    /// Seconds; only a client sends it.
    package var sessionExpiryIntervalSeconds: UInt32?
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]
    /// Where to go instead; only a server sends it.
    package var serverReference: MQTTString?

    package init(
        reasonCode: ReasonCode = .normalDisconnection, sessionExpiryIntervalSeconds: UInt32? = nil,
        reasonString: MQTTString? = nil, userProperties: [UserProperty] = [], serverReference: MQTTString? = nil
    ) {
        self.reasonCode = reasonCode
        self.sessionExpiryIntervalSeconds = sessionExpiryIntervalSeconds
        self.reasonString = reasonString
        self.userProperties = userProperties
        self.serverReference = serverReference
    }

    /// - Parameter sender: reason codes and properties differ by side, Table 3-10.
    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion, from sender: Sender = .client
    ) throws(PacketError) -> Disconnect {
        // [5.0 MQTT-3.14.1-1] [3.1.1 MQTT-3.14.1-1]
        try PacketType.disconnect.check(flags: flags, version: version)
        guard !body.isEmpty else { return Disconnect() }
        guard version == .v5 else { throw .trailingBytes }
        let place: Place = sender == .client ? .disconnectFromClient : .disconnectFromServer
        var fields = FieldReader(body, of: .disconnect)
        var disconnect = Disconnect(reasonCode: ReasonCode(rawValue: try fields.byte()))
        guard disconnect.reasonCode.isAllowed(in: place) else {
            throw .reasonCodeNotAllowed(.disconnect, disconnect.reasonCode)  // [5.0 MQTT-3.14.2-1]
        }
        if !fields.isAtEnd { try disconnect.readProperties(fields.propertyBlock(), in: place) }
        try fields.finish()
        return disconnect
    }

    private mutating func readProperties(
        _ block: UnsafeRawBufferPointer, in place: Place
    ) throws(PacketError) {
        var reader = PropertyReader(block, in: place)
        while let next = try reader.next() {
            switch next.property {
            case .sessionExpiryInterval: sessionExpiryIntervalSeconds = next.number
            case .reasonString: reasonString = next.string
            case .userProperty: userProperties.append(next.userProperty)
            case .serverReference: serverReference = next.string
            default: throw .propertyNotAllowed(next.property)
            }
        }
    }
}

extension Disconnect: WirePacket, PropertyBlock {
    package static var type: PacketType { .disconnect }

    private var hasProperties: Bool {
        sessionExpiryIntervalSeconds != nil || reasonString != nil || !userProperties.isEmpty || serverReference != nil
    }

    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.sessionExpiryInterval, sessionExpiryIntervalSeconds)
        sink.put(.reasonString, reasonString)
        sink.put(userProperties)
        sink.put(.serverReference, serverReference)
    }

    /// In the shortest form that says it all, §3.14.2.
    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        guard version == .v5, reasonCode != .normalDisconnection || hasProperties else { return }
        sink.put(reasonCode.rawValue)
        if hasProperties { sink.put(self) }
    }
}
