/// The four packets that follow a PUBLISH at QoS 1 and 2, §3.4 to §3.7, have one format. It is read and written here;
/// each packet is a type of its own below.
package protocol AcknowledgementPacket: WirePacket, Hashable, Sendable {
    /// 1 to 65,535.
    var packetIdentifier: UInt16 { get set }
    /// Always success in 3.x, where the packet has no room for it.
    var reasonCode: ReasonCode { get set }
    var reasonString: MQTTString? { get set }
    var userProperties: [UserProperty] { get set }

    init(
        packetIdentifier: UInt16, reasonCode: ReasonCode, reasonString: MQTTString?, userProperties: [UserProperty])
}

/// Allocation-free reading and writing of acknowledgements, for the hot path.
public enum Acknowledgement {
    /// Validates the packet whole and hands out what a session needs of it.
    /// - Parameters:
    ///   - body: all bytes after the fixed header.
    ///   - type: `puback`, `pubrec`, `pubrel` or `pubcomp`.
    @inlinable
    public static func peek(
        _ body: UnsafeRawBufferPointer, type: PacketType, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> (packetIdentifier: UInt16, reasonCode: ReasonCode) {
        try type.check(flags: flags, version: version)
        var fields = FieldReader(body, of: type)
        let identifier = try fields.packetIdentifier()
        if fields.isAtEnd { return (identifier, .success) }
        let (reason, block) = try tail(&fields, type, version)
        if !block.isEmpty { try checkProperties(block, type) }
        return (identifier, reason)
    }

    @usableFromInline
    static func checkProperties(_ block: UnsafeRawBufferPointer, _ type: PacketType) throws(PacketError) {
        var reader = PropertyReader(block, in: place(of: type))
        while try reader.next() != nil {}
    }

    /// Reason code and properties of the longer forms, §3.4.2: three bytes have no property length.
    @usableFromInline
    static func tail(
        _ fields: inout FieldReader, _ type: PacketType, _ version: ProtocolVersion
    ) throws(PacketError) -> (ReasonCode, UnsafeRawBufferPointer) {
        guard version == .v5 else { throw .trailingBytes }
        let reason = ReasonCode(rawValue: try fields.byte())
        guard reason.isAllowed(in: place(of: type)) else { throw .reasonCodeNotAllowed(type, reason) }
        var block = UnsafeRawBufferPointer(start: nil, count: 0)
        if !fields.isAtEnd { block = try fields.propertyBlock() }
        try fields.finish()
        return (reason, block)
    }

    @usableFromInline
    static func place(of type: PacketType) -> Place {
        switch type {
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        default: preconditionFailure("\(type) is no acknowledgement")
        }
    }

    /// Appends an acknowledgement without properties: four bytes, or five with a reason code (5.0 only; 3.x has none).
    @inlinable @inline(__always)
    public static func append(
        _ type: PacketType, packetIdentifier: UInt16, reasonCode: ReasonCode = .success, version: ProtocolVersion,
        to run: inout ByteRun
    ) {
        let hasReason = version == .v5 && reasonCode != .success
        let to = run.reserve(5)
        to.storeBytes(of: type.rawValue << 4 | type.fixedFlags, as: UInt8.self)
        to.storeBytes(of: hasReason ? 3 : 2, toByteOffset: 1, as: UInt8.self)
        to.storeBytes(of: packetIdentifier.bigEndian, toByteOffset: 2, as: UInt16.self)
        to.storeBytes(of: reasonCode.rawValue, toByteOffset: 4, as: UInt8.self)
        run.advance(by: hasReason ? 5 : 4)
    }
}

extension AcknowledgementPacket {
    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Self {
        try type.check(flags: flags, version: version)
        var fields = FieldReader(body, of: type)
        let identifier = try fields.packetIdentifier()
        guard !fields.isAtEnd else {
            return Self(packetIdentifier: identifier, reasonCode: .success, reasonString: nil, userProperties: [])
        }
        let (reason, block) = try Acknowledgement.tail(&fields, type, version)
        let properties = try ReasonProperties(block, in: Acknowledgement.place(of: type))
        return Self(
            packetIdentifier: identifier, reasonCode: reason, reasonString: properties.reasonString,
            userProperties: properties.userProperties)
    }

    /// In the shortest form that says it all.
    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition(packetIdentifier != 0, "an acknowledgement is of something")
        sink.put(packetIdentifier)
        let properties = ReasonProperties(reasonString, userProperties)
        guard version == .v5, reasonCode != .success || !properties.isEmpty else { return }
        sink.put(reasonCode.rawValue)
        if !properties.isEmpty { sink.put(properties) }
    }
}

/// Answers a PUBLISH at QoS 1, §3.4.
package struct Puback: AcknowledgementPacket {
    package static var type: PacketType { .puback }
    package var packetIdentifier: UInt16
    package var reasonCode: ReasonCode
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        packetIdentifier: UInt16, reasonCode: ReasonCode = .success, reasonString: MQTTString? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }
}

/// Answers a PUBLISH at QoS 2, §3.5.
package struct Pubrec: AcknowledgementPacket {
    package static var type: PacketType { .pubrec }
    package var packetIdentifier: UInt16
    package var reasonCode: ReasonCode
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        packetIdentifier: UInt16, reasonCode: ReasonCode = .success, reasonString: MQTTString? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }
}

/// Answers a PUBREC, §3.6: the sender has let go of the message.
package struct Pubrel: AcknowledgementPacket {
    package static var type: PacketType { .pubrel }
    package var packetIdentifier: UInt16
    package var reasonCode: ReasonCode
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        packetIdentifier: UInt16, reasonCode: ReasonCode = .success, reasonString: MQTTString? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }
}

/// Answers a PUBREL, §3.7: the identifier is free again.
package struct Pubcomp: AcknowledgementPacket {
    package static var type: PacketType { .pubcomp }
    package var packetIdentifier: UInt16
    package var reasonCode: ReasonCode
    package var reasonString: MQTTString?
    package var userProperties: [UserProperty]

    package init(
        packetIdentifier: UInt16, reasonCode: ReasonCode = .success, reasonString: MQTTString? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }
}
