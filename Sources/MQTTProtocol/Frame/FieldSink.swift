/// Where a packet's fields are written: into bytes, or only counted. A packet describes its body once
/// (`WirePacket.writeBody`), and its size comes from the same description.
package protocol FieldSink: ~Copyable {
    mutating func put(_ byte: UInt8)
    mutating func put(_ value: UInt16)
    mutating func put(_ value: UInt32)
    mutating func put(variable value: Int)
    mutating func put(prefixed bytes: [UInt8])
    mutating func put(raw bytes: [UInt8])
}

/// Counts the bytes that would be written.
package struct ByteCount: FieldSink {
    package private(set) var bytes = 0

    package init() {}
    package mutating func put(_ byte: UInt8) { bytes += 1 }
    package mutating func put(_ value: UInt16) { bytes += 2 }
    package mutating func put(_ value: UInt32) { bytes += 4 }
    package mutating func put(variable value: Int) { bytes += VariableByteInteger.size(of: value) }
    package mutating func put(prefixed source: [UInt8]) { bytes += 2 + source.count }
    package mutating func put(raw source: [UInt8]) { bytes += source.count }
}

extension ByteRun: FieldSink {
    package mutating func put(_ byte: UInt8) { append(byte) }
    package mutating func put(_ value: UInt16) { append(value) }
    package mutating func put(_ value: UInt32) { append(value) }
    package mutating func put(variable value: Int) { append(variable: value) }
    package mutating func put(prefixed bytes: [UInt8]) { append(prefixed: bytes) }
    package mutating func put(raw bytes: [UInt8]) { append(bytes) }
}

/// A set of properties that can be written; a field that is nil is left out.
package protocol PropertyBlock {
    func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink)
}

extension FieldSink where Self: ~Copyable {
    package mutating func put(string: MQTTString) { put(prefixed: string.bytes) }

    package mutating func put(_ property: Property, _ value: UInt8?) {
        guard let value else { return }
        put(property.rawValue)
        put(value)
    }

    package mutating func put(_ property: Property, _ value: Bool?) {
        guard let value else { return }
        put(property.rawValue)
        put(value ? 1 as UInt8 : 0)
    }

    package mutating func put(_ property: Property, _ value: UInt16?) {
        guard let value else { return }
        put(property.rawValue)
        put(value)
    }

    package mutating func put(_ property: Property, _ value: UInt32?) {
        guard let value else { return }
        put(property.rawValue)
        put(value)
    }

    package mutating func put(_ property: Property, variable value: UInt32?) {
        guard let value else { return }
        put(property.rawValue)
        put(variable: Int(value))
    }

    package mutating func put(_ property: Property, _ value: MQTTString?) {
        guard let value else { return }
        put(property.rawValue)
        put(string: value)
    }

    package mutating func put(_ property: Property, _ value: [UInt8]?) {
        guard let value else { return }
        put(property.rawValue)
        put(prefixed: value)
    }

    package mutating func put(_ userProperties: [UserProperty]) {
        for userProperty in userProperties {
            put(Property.userProperty.rawValue)
            put(string: userProperty.name)
            put(string: userProperty.value)
        }
    }

    /// The block with its length before it.
    package mutating func put(_ block: some PropertyBlock) {
        var size = ByteCount()
        block.writeProperties(to: &size)
        put(variable: size.bytes)
        if size.bytes > 0 { block.writeProperties(to: &self) }
    }
}

/// A packet that can be written. It must fit 268,435,455 bytes; larger ones are a programming error and trap.
package protocol WirePacket {
    static var type: PacketType { get }
    /// The low nibble of the first byte.
    var flags: UInt8 { get }
    func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion)
}

extension WirePacket {
    package var flags: UInt8 { Self.type.fixedFlags }

    /// Appends the whole packet, fixed header included.
    package func encode(into run: inout ByteRun, version: ProtocolVersion) {
        var size = ByteCount()
        writeBody(to: &size, version: version)
        _ = run.reserve(5 + size.bytes)
        run.append(Self.type.rawValue << 4 | flags)
        run.append(variable: size.bytes)
        let start = run.count
        writeBody(to: &run, version: version)
        assert(run.count - start == size.bytes, "the size must be what is written")
    }

    /// Bytes of the whole packet, to be compared with the peer's Maximum Packet Size, §3.1.2.11.4.
    package func encodedSize(version: ProtocolVersion) -> Int {
        var size = ByteCount()
        writeBody(to: &size, version: version)
        return 1 + VariableByteInteger.size(of: size.bytes) + size.bytes
    }
}

/// Reason String and User Property, all that most acknowledgements carry.
struct ReasonProperties: PropertyBlock {
    var reasonString: MQTTString?
    var userProperties: [UserProperty] = []

    var isEmpty: Bool { reasonString == nil && userProperties.isEmpty }

    init(_ reasonString: MQTTString?, _ userProperties: [UserProperty]) {
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    init(_ block: UnsafeRawBufferPointer, in place: Place) throws(PacketError) {
        var reader = PropertyReader(block, in: place)
        while let next = try reader.next() {
            switch next.property {
            case .reasonString: reasonString = next.string
            case .userProperty: userProperties.append(next.userProperty)
            default: throw .propertyNotAllowed(next.property)
            }
        }
    }

    func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.reasonString, reasonString)
        sink.put(userProperties)
    }
}
