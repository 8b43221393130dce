import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Messages from the server: aliases resolved, quota counted, each QoS 2 message delivered once, acknowledged in the order
/// they came, §4.3 and §4.6. Before: `ClientSession+receive`. After: the program, and acknowledgements.
extension ClientSession {
    /// An acknowledgement that waits for the program, or for those before it.
    struct OwedAcknowledgement {
        let delivery: UInt64
        let identifier: UInt16
        let qos: QoS
        var isDue: Bool
    }

    /// The program is done with a message: its PUBACK or PUBREC goes out as soon as all before it are due
    /// [5.0 MQTT-4.6.0-2] [5.0 MQTT-4.6.0-3]. For `AcknowledgementPolicy.byApplication`; elsewhere it does nothing. A message
    /// of an earlier connection at QoS 1 comes again by itself.
    public mutating func acknowledge(_ message: Message, at now: Instant) {
        guard let delivery = message.receipt?.delivery, message.qos != .atMostOnce else { return }
        if let entry = held.first(where: { $0.value == delivery }) {
            held[entry.key] = nil
            return
        }
        guard let at = owed.firstIndex(where: { $0.delivery == delivery }) else { return }
        owed[at].isDue = true
        payOwed(at: now)
    }

    private mutating func payOwed(at now: Instant) {
        while let next = owed.first, next.isDue {
            _ = owed.popFirst()
            if next.qos == .atLeastOnce {
                receiveQuotaUsed -= 1
                sendAcknowledgement(.puback, next.identifier, at: now)
            } else {
                sendAcknowledgement(.pubrec, next.identifier, at: now)
            }
        }
    }

    mutating func receive(_ packet: PublishPacket, at now: Instant) {
        var packet = packet
        guard resolveAlias(of: &packet, at: now) else { return }
        switch packet.message.qos {
        case .atMostOnce: deliver(packet.message)
        case .atLeastOnce:
            receiveQuotaUsed += 1
            guard isWithinQuota(at: now) else { return }
            let delivery = deliver(packet.message)
            owe(packet, delivery, at: now)
        case .exactlyOnce:
            let identifier = packet.packetIdentifier
            if receivedCounted.insert(identifier) {
                receiveQuotaUsed += 1
                guard isWithinQuota(at: now) else { return }
            }
            if received.insert(identifier) {  // [5.0 MQTT-4.3.3-10]: a repetition is not delivered again
                let delivery = deliver(packet.message)
                owe(packet, delivery, at: now)
            } else if let delivery = held.removeValue(forKey: identifier) {
                // Delivered on an earlier connection, and the program is not done with it yet.
                owed.append(
                    OwedAcknowledgement(delivery: delivery, identifier: identifier, qos: .exactlyOnce, isDue: false))
            } else {
                sendAcknowledgement(.pubrec, identifier, at: now)
            }
        }
    }

    private mutating func owe(_ packet: PublishPacket, _ delivery: UInt64, at now: Instant) {
        guard configuration.acknowledgement == .byApplication else {
            if packet.message.qos == .atLeastOnce {
                receiveQuotaUsed -= 1
                return sendAcknowledgement(.puback, packet.packetIdentifier, at: now)  // [5.0 MQTT-4.3.2-4]
            }
            return sendAcknowledgement(.pubrec, packet.packetIdentifier, at: now)  // [5.0 MQTT-4.3.3-8]
        }
        owed.append(
            OwedAcknowledgement(
                delivery: delivery, identifier: packet.packetIdentifier, qos: packet.message.qos, isDue: false))
    }

    @discardableResult
    private mutating func deliver(_ message: Message) -> UInt64 {
        deliveries += 1
        var message = message
        message.receipt?.delivery = deliveries
        let route = subscriptions.route(message)
        actions.append(.deliver(message, to: route))
        return deliveries
    }

    /// [5.0 MQTT-3.3.4-9] binds the server; what it sends beyond ends the connection with 0x93, §4.9.
    private mutating func isWithinQuota(at now: Instant) -> Bool {
        guard version == .v5, let maximum = configuration.receiveMaximum, receiveQuotaUsed > Int(maximum) else {
            return true
        }
        violate("more than \(maximum) unacknowledged messages, §3.3.4", .receiveMaximumExceeded, at: now)
        return false
    }

    /// Sets or uses an alias, §3.3.2.3.4; false where it ended the connection.
    private mutating func resolveAlias(of packet: inout PublishPacket, at now: Instant) -> Bool {
        guard packet.topicAlias != 0 else { return true }
        guard receivedAliases.allows(packet.topicAlias) else {
            violate("topic alias \(packet.topicAlias) beyond our maximum", .topicAliasInvalid, at: now)
            return false
        }
        guard packet.omitsTopic else {
            packet.message.topic.name.bytes.withUnsafeBytes { receivedAliases.set(packet.topicAlias, to: $0) }
            return true
        }
        guard let topic = receivedAliases.topic(of: packet.topicAlias).flatMap({ MQTTString($0) }) else {
            violate("topic alias \(packet.topicAlias) that was never set", at: now)
            return false
        }
        packet.message.topic = Topic(checked: topic)
        return true
    }

    mutating func receivePubrel(_ identifier: UInt16, at now: Instant) {
        let isKnown = received.remove(identifier)
        held[identifier] = nil
        if receivedCounted.remove(identifier) { receiveQuotaUsed -= 1 }
        let reason: ReasonCode = isKnown || version != .v5 ? .success : .packetIdentifierNotFound
        sendAcknowledgement(.pubcomp, identifier, reason, at: now)  // [5.0 MQTT-4.3.3-11]
    }

    /// The connection ended: quotas are void, and what is owed is asked for again by the server.
    mutating func suspendDeliveries() {
        receivedCounted.removeAll()
        receiveQuotaUsed = 0
        for entry in owed where entry.qos == .exactlyOnce && !entry.isDue {
            held[entry.identifier] = entry.delivery
        }
        owed = []
    }
}
