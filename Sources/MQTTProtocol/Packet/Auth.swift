/// AUTH, §3.15: a step of enhanced authentication; 5.0 only.
package struct Auth: Hashable, Sendable {
    package var reasonCode: ReasonCode
    /// Always there: [5.0 §3.15.2.2.2] makes its absence a Protocol Error.
    package var authenticationMethod: MQTTString
    package var authenticationData: [UInt8]?
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        reasonCode: ReasonCode, authenticationMethod: MQTTString, authenticationData: [UInt8]? = nil,
        reasonString: MQTTString? = nil, userProperties: [UserProperty] = []
    ) {
        self.reasonCode = reasonCode
        self.authenticationMethod = authenticationMethod
        self.authenticationData = authenticationData
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    /// - Parameter sender: reason codes differ by side, Table 3-11.
    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion, from sender: Sender = .client
    ) throws(PacketError) -> Auth {
        guard version == .v5 else { throw .notInVersion(.auth) }
        try PacketType.auth.check(flags: flags, version: version)  // [5.0 MQTT-3.15.1-1]
        let place: Place = sender == .client ? .authFromClient : .authFromServer
        var fields = FieldReader(body, of: .auth)
        // The empty form means success without a method, which no exchange allows.
        guard !fields.isAtEnd else { throw .authenticationMethodMissing }
        let reason = ReasonCode(rawValue: try fields.byte())
        guard reason.isAllowed(in: place) else {
            throw .reasonCodeNotAllowed(.auth, reason)  // [5.0 MQTT-3.15.2-1]
        }
        var auth = Auth(reasonCode: reason, authenticationMethod: "")
        let hasMethod = try auth.readProperties(fields.propertyBlock(), in: place)
        guard hasMethod else { throw .authenticationMethodMissing }
        try fields.finish()
        return auth
    }

    /// True when there was a method.
    private mutating func readProperties(
        _ block: UnsafeRawBufferPointer, in place: Place
    ) throws(PacketError) -> Bool {
        var hasMethod = false
        var reader = PropertyReader(block, in: place)
        while let next = try reader.next() {
            switch next.property {
            case .authenticationMethod:
                authenticationMethod = next.string
                hasMethod = true
            case .authenticationData: authenticationData = next.array
            case .reasonString: reasonString = next.string
            case .userProperty: userProperties.append(next.userProperty)
            default: throw .propertyNotAllowed(next.property)
            }
        }
        return hasMethod
    }
}

extension Auth: WirePacket, PropertyBlock {
    package static var type: PacketType { .auth }

    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.authenticationMethod, authenticationMethod)
        sink.put(.authenticationData, authenticationData)
        sink.put(.reasonString, reasonString)
        sink.put(userProperties)
    }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition(version == .v5, "AUTH exists in 5.0 only")
        sink.put(reasonCode.rawValue)
        sink.put(self)
    }
}
