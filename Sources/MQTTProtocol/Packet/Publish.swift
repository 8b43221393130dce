/// PUBLISH as a value that owns its bytes, §3.3: for the client, the full road through a session, and tests.
/// The broker's short road reads a `PublishFrame` instead.
package struct Publish: Hashable, Sendable {
    package var duplicate: Bool
    package var qos: QoS
    package var retain: Bool
    /// Empty only in 5.0 with a topic alias.
    package var topic: MQTTString
    /// 1 to 65,535, and 0 at QoS 0.
    package var packetIdentifier: UInt16
    package var properties: Properties
    package var payload: [UInt8]

    /// §3.3.2.3; all absent in 3.x.
    package struct Properties: Hashable, Sendable {
        /// 1 says that the payload is UTF-8.
        package var payloadFormatIndicator: UInt8?
        package var messageExpiryIntervalSeconds: UInt32?
        package var contentType: MQTTString?
        package var responseTopic: MQTTString?
        package var correlationData: [UInt8]?
        /// 1 to 268,435,455 each; only a server sends them.
        package var subscriptionIdentifiers: [UInt32] = []
        package var topicAlias: UInt16?
        package var userProperties: [UserProperty] = []

        package init() {}
    }

    package init(
        duplicate: Bool = false, qos: QoS = .atMostOnce, retain: Bool = false, topic: MQTTString,
        packetIdentifier: UInt16 = 0, properties: Properties = Properties(), payload: [UInt8] = []
    ) {
        self.duplicate = duplicate
        self.qos = qos
        self.retain = retain
        self.topic = topic
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.payload = payload
    }
}

// MARK: - Decode

extension Publish {
    /// - Parameter sender: a server may send subscription identifiers, a client may not.
    package static func decode(
        _ body: UnsafeRawBufferPointer, flags: UInt8, version: ProtocolVersion, from sender: Sender = .client
    ) throws(PacketError) -> Publish {
        let frame = try PublishFrame.parse(body, flags: flags, version: version)
        let properties = try Properties.decode(
            frame.properties, in: sender == .client ? .publishFromClient : .publishFromServer)
        let topic = try MQTTString(validating: frame.topic)  // [5.0 MQTT-3.3.2-1] [3.1.1 MQTT-3.3.2-1]
        guard !TopicSyntax.containsWildcard(frame.topic) else {
            throw .topicWildcard  // [5.0 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-2]
        }
        guard !topic.isEmpty || properties.topicAlias != nil else { throw .topicMissing }
        return Publish(
            duplicate: frame.duplicate, qos: frame.qos, retain: frame.retain, topic: topic,
            packetIdentifier: frame.packetIdentifier, properties: properties, payload: [UInt8](frame.payload))
    }
}

extension Publish.Properties: PropertyBlock {
    package static func decode(_ block: UnsafeRawBufferPointer, in place: Place) throws(PacketError) -> Self {
        var properties = Self()
        var reader = PropertyReader(block, in: place)
        while let next = try reader.next() {
            switch next.property {
            case .payloadFormatIndicator: properties.payloadFormatIndicator = UInt8(next.number)
            case .messageExpiryInterval: properties.messageExpiryIntervalSeconds = next.number
            case .contentType: properties.contentType = next.string
            case .responseTopic: properties.responseTopic = next.string
            case .correlationData: properties.correlationData = next.array
            case .subscriptionIdentifier: properties.subscriptionIdentifiers.append(next.number)
            case .topicAlias: properties.topicAlias = UInt16(next.number)
            case .userProperty: properties.userProperties.append(next.userProperty)
            default: throw .propertyNotAllowed(next.property)
            }
        }
        return properties
    }

    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.payloadFormatIndicator, payloadFormatIndicator)
        sink.put(.messageExpiryInterval, messageExpiryIntervalSeconds)
        sink.put(.topicAlias, topicAlias)
        sink.put(.responseTopic, responseTopic)
        sink.put(.correlationData, correlationData)
        for identifier in subscriptionIdentifiers { sink.put(.subscriptionIdentifier, variable: identifier) }
        sink.put(.contentType, contentType)
        sink.put(userProperties)
    }
}

// MARK: - Encode

extension Publish: WirePacket {
    package static var type: PacketType { .publish }

    package var flags: UInt8 {
        (duplicate ? 0b1000 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
    }

    package func writeBody<Sink: FieldSink & ~Copyable>(to sink: inout Sink, version: ProtocolVersion) {
        precondition((packetIdentifier == 0) == (qos == .atMostOnce), "an identifier at QoS 1 and 2, and only there")
        precondition(!duplicate || qos != .atMostOnce, "no duplicates at QoS 0")
        sink.put(string: topic)
        if qos != .atMostOnce { sink.put(packetIdentifier) }
        if version == .v5 { sink.put(properties) }
        sink.put(raw: payload)
    }
}
