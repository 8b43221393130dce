/// CONNECT, §3.1: what a client wants to be known as, and how.
/// Before: the first frame of a connection. After: the session is found or made, and a `Connack` answers.
package struct Connect: Hashable, Sendable {
    package var version: ProtocolVersion
    /// Bit 7 of the protocol level, mosquitto's mark of a bridge.
    package var isBridge: Bool
    /// Clean Session in 3.x.
    package var cleanStart: Bool
    /// Seconds, 0 turns the check off.
    package var keepAliveSeconds: UInt16
    /// May be empty; whether it may for this client is the broker's to say.
    package var clientIdentifier: MQTTString
    package var userName: MQTTString?
    package var password: [UInt8]?
    package var will: Will?
    package var properties: Properties

    /// §3.1.2.11; all absent in 3.x.
    package struct Properties: Hashable, Sendable {
        package var sessionExpiryIntervalSeconds: UInt32?
        package var receiveMaximum: UInt16?
        /// Bytes of a whole packet.
        package var maximumPacketSize: UInt32?
        package var topicAliasMaximum: UInt16?
        package var requestResponseInformation: Bool?
        package var requestProblemInformation: Bool?
        package var userProperties: [UserProperty] = []
        package var authenticationMethod: MQTTString?
        package var authenticationData: [UInt8]?

        package init() {}
    }

    package init(
        version: ProtocolVersion, isBridge: Bool = false, cleanStart: Bool = true, keepAliveSeconds: UInt16 = 60,
        clientIdentifier: MQTTString, userName: MQTTString? = nil, password: [UInt8]? = nil, will: Will? = nil,
        properties: Properties = Properties()
    ) {
        self.version = version
        self.isBridge = isBridge
        self.cleanStart = cleanStart
        self.keepAliveSeconds = keepAliveSeconds
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.password = password
        self.will = will
        self.properties = properties
    }
}

// MARK: - Decode

extension Connect {
    /// The bits of the connect flags, §3.1.2.3.
    private enum Flag {
        static var reserved: UInt8 { 0x01 }
        static var cleanStart: UInt8 { 0x02 }
        static var will: UInt8 { 0x04 }
        static var willQoS: UInt8 { 0x18 }
        static var willRetain: UInt8 { 0x20 }
        static var password: UInt8 { 0x40 }
        static var userName: UInt8 { 0x80 }
    }

    /// The version a CONNECT asks for, nil when name or level are not known: what a broker needs to answer a CONNECT
    /// that `decode` refused (5.0 may get a CONNACK, 3.x gets none).
    package static func version(of body: UnsafeRawBufferPointer) -> ProtocolVersion? {
        var fields = FieldReader(body, of: .connect)
        return try? level(from: &fields).version
    }

    private static func level(
        from fields: inout FieldReader
    ) throws(PacketError) -> (version: ProtocolVersion, isBridge: Bool) {
        let name = try fields.prefixed()
        let isFirst = name.elementsEqual("MQIsdp".utf8)
        guard isFirst || name.elementsEqual("MQTT".utf8) else {
            throw .protocolName  // [5.0 MQTT-3.1.2-1] [3.1.1 MQTT-3.1.2-1]
        }
        let level = try fields.byte()
        let version = ProtocolVersion(rawValue: level & 0x7F)
        if isFirst {
            guard version == .v31 else { throw .protocolName }
        }
        guard let version, isFirst || version != .v31 else {
            throw .unsupportedVersion(level)  // [5.0 MQTT-3.1.2-2] [3.1.1 MQTT-3.1.2-2]
        }
        return (version, level & 0x80 != 0)
    }

    package static func decode(_ body: UnsafeRawBufferPointer, flags: UInt8) throws(PacketError) -> Connect {
        guard flags == 0 else { throw .reservedFlags(.connect) }
        var fields = FieldReader(body, of: .connect)
        let (version, isBridge) = try level(from: &fields)
        let bits = try fields.byte()
        try check(bits, version)
        let keepAlive = try fields.uint16()
        let properties =
            version == .v5 ? try Properties.decode(fields.propertyBlock()) : Properties()
        var connect = Connect(
            version: version, isBridge: isBridge, cleanStart: bits & Flag.cleanStart != 0, keepAliveSeconds: keepAlive,
            clientIdentifier: try fields.string(),  // [5.0 MQTT-3.1.3-3] [5.0 MQTT-3.1.3-4] [3.1.1 MQTT-3.1.3-4]
            properties: properties)
        if bits & Flag.will != 0 {
            guard let qos = QoS(rawValue: (bits & Flag.willQoS) >> 3) else {
                throw .willQoS3  // [5.0 MQTT-3.1.2-12] [3.1.1 MQTT-3.1.2-14]
            }
            connect.will = try Will.decode(
                from: &fields, qos: qos, retain: bits & Flag.willRetain != 0, version: version)
        }
        // 3.1 goes by the remaining length: a flag may be set and its field be missing.
        if bits & Flag.userName != 0, !(version == .v31 && fields.isAtEnd) {
            connect.userName = try fields.string()  // [5.0 MQTT-3.1.3-12] [3.1.1 MQTT-3.1.3-11]
        }
        if bits & Flag.password != 0, !(version == .v31 && fields.isAtEnd) {
            connect.password = [UInt8](try fields.prefixed())
        }
        try fields.finish()
        return connect
    }

    private static func check(_ bits: UInt8, _ version: ProtocolVersion) throws(PacketError) {
        guard bits & Flag.reserved == 0 else {
            throw .connectReservedFlag  // [5.0 MQTT-3.1.2-3] [3.1.1 MQTT-3.1.2-3]
        }
        if bits & Flag.will == 0, bits & (Flag.willQoS | Flag.willRetain) != 0 {
            throw .willFlagsWithoutWill  // [5.0 MQTT-3.1.2-11] [5.0 MQTT-3.1.2-13] [3.1.1 MQTT-3.1.2-11]
        }
        if version != .v5, bits & Flag.password != 0, bits & Flag.userName == 0 {
            throw .passwordWithoutUserName  // [3.1.1 MQTT-3.1.2-22]
        }
    }
}

extension Connect.Properties: PropertyBlock {
    static func decode(_ block: UnsafeRawBufferPointer) throws(PacketError) -> Self {
        var properties = Self()
        var reader = PropertyReader(block, in: .connect)
        while let next = try reader.next() {
            switch next.property {
            case .sessionExpiryInterval: properties.sessionExpiryIntervalSeconds = next.number
            case .receiveMaximum: properties.receiveMaximum = UInt16(next.number)
            case .maximumPacketSize: properties.maximumPacketSize = next.number
            case .topicAliasMaximum: properties.topicAliasMaximum = UInt16(next.number)
            case .requestResponseInformation: properties.requestResponseInformation = next.flag
            case .requestProblemInformation: properties.requestProblemInformation = next.flag
            case .userProperty: properties.userProperties.append(next.userProperty)
            case .authenticationMethod: properties.authenticationMethod = next.string
            case .authenticationData: properties.authenticationData = next.array
            default: throw .propertyNotAllowed(next.property)
            }
        }
        guard properties.authenticationData == nil || properties.authenticationMethod != nil else {
            throw .authenticationDataWithoutMethod
        }
        return properties
    }

    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.sessionExpiryInterval, sessionExpiryIntervalSeconds)
        sink.put(.receiveMaximum, receiveMaximum)
        sink.put(.maximumPacketSize, maximumPacketSize)
        sink.put(.topicAliasMaximum, topicAliasMaximum)
        sink.put(.requestResponseInformation, requestResponseInformation)
        sink.put(.requestProblemInformation, requestProblemInformation)
        sink.put(userProperties)
        sink.put(.authenticationMethod, authenticationMethod)
        sink.put(.authenticationData, authenticationData)
    }
}

// MARK: - Encode

extension Connect: WirePacket {
    package static var type: PacketType { .connect }

    private var bits: UInt8 {
        var bits: UInt8 = 0
        if cleanStart { bits |= Flag.cleanStart }
        if let will {
            bits |= Flag.will | will.qos.rawValue << 3
            if will.retain { bits |= Flag.willRetain }
        }
        if password != nil { bits |= Flag.password }
        if userName != nil { bits |= Flag.userName }
        return bits
    }

    /// A CONNECT knows its version.
    package func encode(into run: inout ByteRun) { encode(into: &run, version: version) }

    /// - Parameter version: not looked at: a CONNECT says its own.
    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version _: ProtocolVersion) {
        sink.put(string: version == .v31 ? "MQIsdp" : "MQTT")
        sink.put(version.rawValue | (isBridge ? 0x80 : 0))
        sink.put(bits)
        sink.put(keepAliveSeconds)
        if version == .v5 { sink.put(properties) }
        sink.put(string: clientIdentifier)
        if let will {
            if version == .v5 { sink.put(will) }
            sink.put(string: will.topic)
            sink.put(prefixed: will.payload)
        }
        if let userName { sink.put(string: userName) }
        if let password { sink.put(prefixed: password) }
    }
}
