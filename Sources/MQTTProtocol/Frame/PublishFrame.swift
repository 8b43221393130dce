/// A PUBLISH taken apart in place, §3.3: borrowed from the read buffer, valid only as long as that is.
/// It does not look at the topic's characters: the broker does once per topic, when its cache does not know it.
/// Before: `FrameHeader.parse`. After: the routing cache, or `PublishProperties.scan` when there are properties.
public struct PublishFrame {
    public let duplicate: Bool
    public let qos: QoS
    public let retain: Bool
    /// Bytes of the topic, not validated; empty only in 5.0 and only where there are properties (an alias).
    public let topic: UnsafeRawBufferPointer
    /// 1 to 65,535, and 0 at QoS 0.
    public let packetIdentifier: UInt16
    /// The property block without its length; empty in 3.x.
    public let properties: UnsafeRawBufferPointer
    public let payload: UnsafeRawBufferPointer

    @inlinable init(
        duplicate: Bool, qos: QoS, retain: Bool, topic: UnsafeRawBufferPointer, packetIdentifier: UInt16,
        properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer
    ) {
        self.duplicate = duplicate
        self.qos = qos
        self.retain = retain
        self.topic = topic
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.payload = payload
    }

    /// Checks lengths, flags and the packet identifier. Allocates nothing.
    /// - Parameters:
    ///   - body: all bytes after the fixed header.
    ///   - flags: the low nibble of the first byte.
    @inlinable @inline(__always)
    public static func parse(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> PublishFrame {
        guard let qos = QoS(rawValue: (flags >> 1) & 0b11) else {
            throw .qos3  // [5.0 MQTT-3.3.1-4] [3.1.1 MQTT-3.3.1-4]
        }
        let duplicate = flags & 0b1000 != 0
        guard !duplicate || qos != .atMostOnce else {
            throw .duplicateAtQoS0  // [5.0 MQTT-3.3.1-2] [3.1.1 MQTT-3.3.1-2]
        }
        var fields = FieldReader(body, of: .publish)
        let topic = try fields.prefixed()
        let identifier = qos == .atMostOnce ? 0 : try fields.packetIdentifier()
        var properties = UnsafeRawBufferPointer(start: nil, count: 0)
        if version == .v5 { properties = try fields.propertyBlock() }
        guard !topic.isEmpty || !properties.isEmpty else {
            throw version == .v5 ? .topicMissing : .topicEmpty  // [5.0 MQTT-4.7.3-1] [3.1.1 MQTT-4.7.3-1]
        }
        return PublishFrame(
            duplicate: duplicate, qos: qos, retain: flags & 1 != 0, topic: topic, packetIdentifier: identifier,
            properties: properties, payload: fields.rest())
    }
}

/// What a broker has to know of the properties of a client's PUBLISH, §3.3.2.3, found without an allocation.
public struct PublishProperties: Sendable, Equatable {
    /// Seconds; nil means the message never expires.
    public internal(set) var messageExpiryIntervalSeconds: UInt32?
    /// 1 to 65,535; whether it is within the maximum is the session's to say.
    public internal(set) var topicAlias: UInt16?
    /// 0 or 1 as the client said; nil where it said nothing.
    public internal(set) var payloadFormatIndicator: UInt8?
    /// Bytes of the properties that travel on to subscribers.
    public internal(set) var forwardedSize = 0
    /// What stays behind, in order: only the expiry and the alias do, and each comes at most once.
    private var firstGap = 0..<0
    private var secondGap = 0..<0

    /// True when the block holds only properties that travel on, so it can be passed on as it is.
    public var forwardedIsWhole: Bool { firstGap.isEmpty }

    /// An empty block's.
    public init() {}

    /// Validates every property of a PUBLISH from a client.
    public static func scan(_ block: UnsafeRawBufferPointer) throws(PacketError) -> PublishProperties {
        var found = PublishProperties()
        var reader = PropertyReader(block, in: .publishFromClient)
        while let next = try reader.next() {
            switch next.property {
            case .messageExpiryInterval:
                found.messageExpiryIntervalSeconds = next.number
                found.leaveOut(next.range)
            case .topicAlias:
                found.topicAlias = UInt16(next.number)
                found.leaveOut(next.range)
            case .payloadFormatIndicator:
                found.payloadFormatIndicator = UInt8(next.number)
            default: break
            }
        }
        found.forwardedSize = block.count - found.firstGap.count - found.secondGap.count
        return found
    }

    private mutating func leaveOut(_ range: Range<Int>) {
        if firstGap.isEmpty {
            firstGap = range
        } else {
            secondGap = range
        }
    }

    /// Copies the properties that travel on, in the order they came. `block` is what `scan` was given.
    public func appendForwarded(from block: UnsafeRawBufferPointer, to run: inout ByteRun) {
        precondition(
            block.count == forwardedSize + firstGap.count + secondGap.count, "the block that was scanned, no other")
        guard !forwardedIsWhole else { return run.append(block) }
        let afterFirst = secondGap.isEmpty ? block.count : secondGap.lowerBound
        run.append(UnsafeRawBufferPointer(rebasing: block[..<firstGap.lowerBound]))
        run.append(UnsafeRawBufferPointer(rebasing: block[firstGap.upperBound..<afterFirst]))
        guard !secondGap.isEmpty else { return }
        run.append(UnsafeRawBufferPointer(rebasing: block[secondGap.upperBound...]))
    }
}
