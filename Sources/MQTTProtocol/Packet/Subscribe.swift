/// When retained messages are sent at a subscription, §3.8.3.1.
public enum RetainHandling: UInt8, Sendable, Hashable, CaseIterable {
    case sendAlways = 0
    /// Only if the session did not hold this subscription before.
    case sendIfNew = 1
    case doNotSend = 2
}

/// One filter of a SUBSCRIBE with its options. In 3.x only the QoS is said; the rest has 3.1.1's meaning.
package struct Subscription: Hashable, Sendable {
    /// At least one byte of UTF-8. Where the wildcards stand is checked by `TopicSyntax`.
    package var filter: MQTTString
    /// The highest QoS the subscriber wants.
    package var qos: QoS
    /// Not the subscriber's own messages.
    package var noLocal: Bool
    package var retainAsPublished: Bool
    package var retainHandling: RetainHandling

    package init(
        filter: MQTTString, qos: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAlways
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }

    /// The options as a byte, §3.8.3.1.
    package var options: UInt8 {
        qos.rawValue | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | retainHandling.rawValue << 4
    }

    static func decode(
        from fields: inout FieldReader, version: ProtocolVersion
    ) throws(PacketError) -> Subscription {
        let filter = try fields.filter()
        let options = try fields.byte()
        guard options & (version == .v5 ? 0xC0 : 0xFC) == 0 else {
            throw .subscriptionOptionsReserved  // [5.0 MQTT-3.8.3-5] [3.1.1 MQTT-3.8.3-4]
        }
        guard let qos = QoS(rawValue: options & 0b11) else { throw .subscriptionQoS3 }
        guard let handling = RetainHandling(rawValue: options >> 4) else { throw .retainHandling3 }
        let noLocal = options & 0x04 != 0
        if noLocal, filter.bytes.starts(with: "$share/".utf8) {
            throw .noLocalOnShared  // [5.0 MQTT-3.8.3-4]
        }
        return Subscription(
            filter: filter, qos: qos, noLocal: noLocal, retainAsPublished: options & 0x08 != 0,
            retainHandling: handling)
    }
}

/// SUBSCRIBE, §3.8.
package struct Subscribe: Hashable, Sendable {
    /// 1 to 65,535.
    package var packetIdentifier: UInt16
    /// 1 to 268,435,455, one for all the filters; 5.0 only.
    package var subscriptionIdentifier: UInt32?
    package var userProperties: [UserProperty]
    /// At least one.
    package var subscriptions: [Subscription]

    package init(
        packetIdentifier: UInt16, subscriptionIdentifier: UInt32? = nil, userProperties: [UserProperty] = [],
        subscriptions: [Subscription]
    ) {
        self.packetIdentifier = packetIdentifier
        self.subscriptionIdentifier = subscriptionIdentifier
        self.userProperties = userProperties
        self.subscriptions = subscriptions
    }

    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion
    ) throws(PacketError) -> Subscribe {
        try PacketType.subscribe.check(flags: flags, version: version)  // [5.0 MQTT-3.8.1-1] [3.1.1 MQTT-3.8.1-1]
        var fields = FieldReader(body, of: .subscribe)
        var subscribe = Subscribe(packetIdentifier: try fields.packetIdentifier(), subscriptions: [])
        if version == .v5 { try subscribe.readProperties(fields.propertyBlock()) }
        guard !fields.isAtEnd else { throw .noFilters }  // [5.0 MQTT-3.8.3-2] [3.1.1 MQTT-3.8.3-3]
        while !fields.isAtEnd {
            subscribe.subscriptions.append(try Subscription.decode(from: &fields, version: version))
        }
        return subscribe
    }

    private mutating func readProperties(_ block: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = PropertyReader(block, in: .subscribe)
        while let next = try reader.next() {
            switch next.property {
            case .subscriptionIdentifier: subscriptionIdentifier = next.number
            case .userProperty: userProperties.append(next.userProperty)
            default: throw .propertyNotAllowed(next.property)
            }
        }
    }
}

extension Subscribe: WirePacket, PropertyBlock {
    package static var type: PacketType { .subscribe }

    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.subscriptionIdentifier, variable: subscriptionIdentifier)
        sink.put(userProperties)
    }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition(!subscriptions.isEmpty, "a SUBSCRIBE names a filter")
        sink.put(packetIdentifier)
        if version == .v5 { sink.put(self) }
        for subscription in subscriptions {
            sink.put(string: subscription.filter)
            sink.put(version == .v5 ? subscription.options : subscription.qos.rawValue)
        }
    }
}

extension FieldReader {
    /// A topic filter: a string of at least one byte, §4.7.3.
    mutating func filter() throws(PacketError) -> MQTTString {
        let filter = try string()  // [5.0 MQTT-3.8.3-1] [3.1.1 MQTT-3.8.3-1]
        guard !filter.isEmpty else { throw .filterEmpty }  // [5.0 MQTT-4.7.3-1] [3.1.1 MQTT-4.7.3-1]
        return filter
    }
}
