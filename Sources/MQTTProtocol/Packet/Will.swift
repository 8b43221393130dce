/// The will of a CONNECT, §3.1.2.5: the message the broker publishes when the client is lost.
package struct Will: Hashable, Sendable {
    package var topic: MQTTString
    /// At most 65,535 bytes.
    package var payload: [UInt8]
    package var qos: QoS
    package var retain: Bool
    /// Seconds between the loss of the connection and the message, 0 in 3.x.
    package var delayIntervalSeconds: UInt32
    /// Counts from publication; nil means never.
    package var messageExpiryIntervalSeconds: UInt32?
    /// The properties that travel with the message (payload format, content type, response topic, correlation data,
    /// user properties), encoded, in the order they came: exactly as they go into a PUBLISH.
    package var forwardedProperties: [UInt8]

    package init(
        topic: MQTTString, payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        delayIntervalSeconds: UInt32 = 0, messageExpiryIntervalSeconds: UInt32? = nil,
        forwardedProperties: [UInt8] = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.delayIntervalSeconds = delayIntervalSeconds
        self.messageExpiryIntervalSeconds = messageExpiryIntervalSeconds
        self.forwardedProperties = forwardedProperties
    }

    /// Reads will properties, topic and payload, §3.1.3.2 to §3.1.3.4.
    static func decode(
        from fields: inout FieldReader, qos: QoS, retain: Bool, version: ProtocolVersion
    ) throws(PacketError) -> Will {
        var will = Will(topic: "", payload: [], qos: qos, retain: retain)
        if version == .v5 { try will.readProperties(fields.propertyBlock()) }
        let topic = try fields.prefixed()
        guard !topic.isEmpty else { throw .topicEmpty }  // [5.0 MQTT-4.7.3-1]
        will.topic = try MQTTString(validating: topic)  // [5.0 MQTT-3.1.3-11] [3.1.1 MQTT-3.1.3-10]
        guard !TopicSyntax.containsWildcard(topic) else { throw .topicWildcard }
        will.payload = [UInt8](try fields.prefixed())
        return will
    }

    private mutating func readProperties(_ block: UnsafeRawBufferPointer) throws(PacketError) {
        var reader = PropertyReader(block, in: .will)
        while let next = try reader.next() {
            switch next.property {
            case .willDelayInterval: delayIntervalSeconds = next.number
            case .messageExpiryInterval: messageExpiryIntervalSeconds = next.number
            default: forwardedProperties.append(contentsOf: block[next.range])
            }
        }
    }
}

extension Will: PropertyBlock {
    package func writeProperties<Sink: FieldSink & ~Copyable>(to sink: inout Sink) {
        sink.put(.willDelayInterval, delayIntervalSeconds == 0 ? nil : delayIntervalSeconds)
        sink.put(.messageExpiryInterval, messageExpiryIntervalSeconds)
        sink.put(raw: forwardedProperties)
    }
}
