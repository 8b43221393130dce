/// One property as it came: validated, and still lying in the packet's bytes.
package struct ReceivedProperty {
    package let property: Property
    /// The value of a number; 0 or 1 of a flag.
    package let number: UInt32
    /// The value of a string or binary property, the name of a user property.
    package let bytes: UnsafeRawBufferPointer
    /// The value of a user property.
    package let second: UnsafeRawBufferPointer
    /// Where identifier and value lie in the block.
    package let range: Range<Int>

    var flag: Bool { number != 0 }
    var string: MQTTString { MQTTString(validated: bytes) }
    var array: [UInt8] { [UInt8](bytes) }
    var userProperty: UserProperty { UserProperty(name: string, value: MQTTString(validated: second)) }
}

/// Walks a property block, §2.2.2, and lets nothing through that Table 2-4 forbids: used by every packet.
/// Allocates nothing.
package struct PropertyReader {
    private var fields: FieldReader
    private let place: Place
    /// One bit for each property already met: identifiers are below 64.
    private var seen: UInt64 = 0

    /// - Parameter block: the properties without the length before them.
    package init(_ block: UnsafeRawBufferPointer, in place: Place) {
        self.fields = FieldReader(block, of: place.packet)
        self.place = place
    }

    /// The next property, nil at the end of the block.
    package mutating func next() throws(PacketError) -> ReceivedProperty? {
        guard !fields.isAtEnd else { return nil }
        let start = fields.offset
        // The identifier is a variable byte integer, but all that exist take one byte.
        let identifier = try fields.byte()
        guard let property = Property(rawValue: identifier) else { throw .propertyUnknown(identifier) }
        let (kind, places) = property.definition
        guard places.contains(place) else {
            // [5.0 MQTT-3.3.4-6] has a code of its own; everything else is malformed, §2.2.2.2.
            throw property == .subscriptionIdentifier && place == .publishFromClient
                ? .subscriptionIdentifierFromClient : .propertyNotAllowed(property)
        }
        let bit: UInt64 = 1 << UInt64(identifier)
        guard seen & bit == 0 || property.mayRepeat(in: place) else { throw .propertyRepeated(property) }
        seen |= bit
        return try value(of: property, kind, from: start)
    }

    private mutating func value(
        of property: Property, _ kind: PropertyKind, from start: Int
    ) throws(PacketError) -> ReceivedProperty {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        var number: UInt32 = 0
        var bytes = nothing
        var second = nothing
        switch kind {
        case .flag:
            number = UInt32(try fields.byte())
            guard number <= 1 else { throw .propertyValue(property) }
        case .uint16: number = UInt32(try fields.uint16())
        case .uint16NotZero:
            number = UInt32(try fields.uint16())
            guard number > 0 else { throw .propertyValue(property) }
        case .uint32: number = try fields.uint32()
        case .uint32NotZero:
            number = try fields.uint32()
            guard number > 0 else { throw .propertyValue(property) }
        case .variableNotZero:
            number = UInt32(try fields.variable())
            guard number > 0 else { throw .propertyValue(property) }
        case .string: bytes = try text()
        case .topicName:
            bytes = try text()
            guard !bytes.isEmpty, !TopicSyntax.containsWildcard(bytes) else {
                throw .propertyValue(property)  // [5.0 MQTT-3.3.2-14]
            }
        case .binary: bytes = try fields.prefixed()
        case .stringPair:
            bytes = try text()
            second = try text()
        }
        return ReceivedProperty(
            property: property, number: number, bytes: bytes, second: second, range: start..<fields.offset)
    }

    private mutating func text() throws(PacketError) -> UnsafeRawBufferPointer {
        let bytes = try fields.prefixed()
        guard UTF8Validation.isValid(bytes) else { throw bytes.contains(0) ? .nullCharacter : .invalidUTF8 }
        return bytes
    }
}
