/// Packets as plain bytes, built without any of the broker's own code, so that a bug in our encoder cannot hide a
/// bug in our decoder. Nothing here checks anything: a test that wants a malformed packet writes one.
/// The way back is `ReceivedPacket`.
package enum Wire {
    /// A will as the CONNECT payload carries it. `properties` are written for version 5 only.
    package struct Will: Sendable {
        package var topic: [UInt8]
        package var payload: [UInt8]
        package var qos: UInt8
        package var retain: Bool
        package var properties: [Property]

        package init(
            topic: String, payload: String, qos: UInt8 = 0, retain: Bool = false, properties: [Property] = []
        ) {
            self.init(
                topic: Array(topic.utf8), payload: Array(payload.utf8), qos: qos, retain: retain, properties: properties
            )
        }

        package init(
            topic: [UInt8], payload: [UInt8], qos: UInt8 = 0, retain: Bool = false, properties: [Property] = []
        ) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
            self.properties = properties
        }
    }

    /// A whole packet: first byte, remaining length, body.
    package static func packet(_ firstByte: UInt8, _ body: [UInt8]) -> [UInt8] {
        [firstByte] + variableByteInteger(body.count) + body
    }

    /// 1 to 4 bytes, seven bits each, low first.
    package static func variableByteInteger(_ value: Int) -> [UInt8] {
        precondition((0...268_435_455).contains(value), "does not fit four bytes of seven bits")
        var rest = value
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    package static func u16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    package static func u32(_ value: UInt32) -> [UInt8] {
        u16(UInt16(value >> 16)) + u16(UInt16(value & 0xFFFF))
    }

    /// A two-byte length and the bytes: strings and binary fields alike.
    package static func field(_ bytes: [UInt8]) -> [UInt8] { u16(UInt16(bytes.count)) + bytes }
    package static func string(_ text: String) -> [UInt8] { field(Array(text.utf8)) }

    package static func properties(_ properties: [Property]) -> [UInt8] {
        let bytes = properties.flatMap { [$0.id] + $0.bytes }
        return variableByteInteger(bytes.count) + bytes
    }

    /// Flags follow from the arguments; `flags` replaces them for tests of wrong ones. The name follows the version.
    package static func connect(
        id: String, version: UInt8 = 4, cleanStart: Bool = true, keepAlive: UInt16 = 60, will: Will? = nil,
        user: String? = nil, password: [UInt8]? = nil, properties: [Property] = [], flags: UInt8? = nil,
        name: String? = nil
    ) -> [UInt8] {
        connect(
            idBytes: Array(id.utf8), version: version, cleanStart: cleanStart, keepAlive: keepAlive, will: will,
            user: user.map { Array($0.utf8) }, password: password, properties: properties, flags: flags, name: name)
    }

    package static func connect(
        idBytes: [UInt8], version: UInt8 = 4, cleanStart: Bool = true, keepAlive: UInt16 = 60, will: Will? = nil,
        user: [UInt8]? = nil, password: [UInt8]? = nil, properties: [Property] = [], flags: UInt8? = nil,
        name: String? = nil
    ) -> [UInt8] {
        var derived: UInt8 = cleanStart ? 0x02 : 0
        if let will { derived |= 0x04 | will.qos << 3 | (will.retain ? 0x20 : 0) }
        if password != nil { derived |= 0x40 }
        if user != nil { derived |= 0x80 }
        var body = string(name ?? (version == 3 ? "MQIsdp" : "MQTT")) + [version, flags ?? derived] + u16(keepAlive)
        if version == 5 { body += Wire.properties(properties) }
        body += field(idBytes)
        if let will {
            if version == 5 { body += Wire.properties(will.properties) }
            body += field(will.topic) + field(will.payload)
        }
        if let user { body += field(user) }
        if let password { body += field(password) }
        return packet(0x10, body)
    }

    /// `id` is written when `qos` > 0; `properties` nil leaves the property length out (3.1 and 3.1.1).
    package static func publish(
        topic: String, payload: String, qos: UInt8 = 0, id: UInt16 = 0, dup: Bool = false, retain: Bool = false,
        properties: [Property]? = nil
    ) -> [UInt8] {
        publish(
            topic: Array(topic.utf8), payload: Array(payload.utf8), qos: qos, id: id, dup: dup, retain: retain,
            properties: properties)
    }

    package static func publish(
        topic: [UInt8], payload: [UInt8], qos: UInt8 = 0, id: UInt16 = 0, dup: Bool = false, retain: Bool = false,
        properties: [Property]? = nil
    ) -> [UInt8] {
        let first: UInt8 = 0x30 | (dup ? 0x08 : 0) | qos << 1 | (retain ? 1 : 0)
        return packet(
            first, field(topic) + (qos > 0 ? u16(id) : []) + (properties.map { Wire.properties($0) } ?? []) + payload)
    }

    /// The acknowledgements; `reason` and `properties` are written only where given (5.0 allows to leave both out).
    package static func puback(_ id: UInt16, reason: UInt8? = nil, properties: [Property]? = nil) -> [UInt8] {
        acknowledgement(0x40, id, reason, properties)
    }
    package static func pubrec(_ id: UInt16, reason: UInt8? = nil, properties: [Property]? = nil) -> [UInt8] {
        acknowledgement(0x50, id, reason, properties)
    }
    package static func pubrel(_ id: UInt16, reason: UInt8? = nil, properties: [Property]? = nil) -> [UInt8] {
        acknowledgement(0x62, id, reason, properties)
    }
    package static func pubcomp(_ id: UInt16, reason: UInt8? = nil, properties: [Property]? = nil) -> [UInt8] {
        acknowledgement(0x70, id, reason, properties)
    }

    private static func acknowledgement(
        _ first: UInt8, _ id: UInt16, _ reason: UInt8?, _ properties: [Property]?
    ) -> [UInt8] {
        packet(first, u16(id) + (reason.map { [$0] } ?? []) + (properties.map { Wire.properties($0) } ?? []))
    }

    /// `filters` are (filter, option byte); `properties` nil leaves the property length out (3.1 and 3.1.1).
    package static func subscribe(
        id: UInt16, _ filters: [(String, UInt8)], properties: [Property]? = nil
    ) -> [UInt8] {
        packet(
            0x82,
            u16(id) + (properties.map { Wire.properties($0) } ?? []) + filters.flatMap { string($0.0) + [$0.1] })
    }

    package static func unsubscribe(id: UInt16, _ filters: [String], properties: [Property]? = nil) -> [UInt8] {
        packet(0xA2, u16(id) + (properties.map { Wire.properties($0) } ?? []) + filters.flatMap { string($0) })
    }

    package static let pingreq: [UInt8] = [0xC0, 0]
    package static let pingresp: [UInt8] = [0xD0, 0]
    package static let disconnect: [UInt8] = [0xE0, 0]

    package static func disconnect(reason: UInt8, properties: [Property]? = nil) -> [UInt8] {
        packet(0xE0, [reason] + (properties.map { Wire.properties($0) } ?? []))
    }

    package static func auth(reason: UInt8, properties: [Property] = []) -> [UInt8] {
        packet(0xF0, [reason] + Wire.properties(properties))
    }
}

/// One 5.0 property: its id, and its value as the bytes on the wire.
package struct Property: Hashable, Sendable {
    package let id: UInt8
    package let bytes: [UInt8]

    package init(id: UInt8, bytes: [UInt8]) {
        self.id = id
        self.bytes = bytes
    }

    package static func byte(_ id: UInt8, _ value: UInt8) -> Property { Property(id: id, bytes: [value]) }
    package static func u16(_ id: UInt8, _ value: UInt16) -> Property { Property(id: id, bytes: Wire.u16(value)) }
    package static func u32(_ id: UInt8, _ value: UInt32) -> Property { Property(id: id, bytes: Wire.u32(value)) }
    package static func varint(_ id: UInt8, _ value: Int) -> Property {
        Property(id: id, bytes: Wire.variableByteInteger(value))
    }
    package static func string(_ id: UInt8, _ value: String) -> Property {
        Property(id: id, bytes: Wire.string(value))
    }
    package static func binary(_ id: UInt8, _ value: [UInt8]) -> Property {
        Property(id: id, bytes: Wire.field(value))
    }
    package static func user(_ name: String, _ value: String) -> Property {
        Property(id: 0x26, bytes: Wire.string(name) + Wire.string(value))
    }
}
