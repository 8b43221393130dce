import MQTTProtocol

extension Outgoing {
    /// A message read back from the log; nil where the bytes are not a message.
    init?(_ record: QueuedRecord) {
        var several = ByteRun(capacity: 16)
        if record.subscriptionIdentifiers.count > 1 {
            SubscriptionIdentifiers.encode(record.subscriptionIdentifiers, into: &several)
        }
        guard let message = record.message.withParts({ Message.make($0, identifiers: several.bytes) }) else {
            return nil
        }
        self.init(
            message: message,
            subscriptionIdentifier: record.subscriptionIdentifiers.count > 1
                ? Outgoing.severalIdentifiers : record.subscriptionIdentifiers.first ?? 0,
            qos: record.qos, retain: record.retain, position: record.position, group: record.group)
    }
}

/// Several Subscription Identifiers as they stand in a PUBLISH, §3.3.2.3.8.
enum SubscriptionIdentifiers {
    static func encode(_ identifiers: [UInt32], into run: inout ByteRun) {
        for identifier in identifiers {
            run.append(UInt8(0x0B))
            run.append(variable: Int(identifier))
        }
    }

    /// What `encode` wrote.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> [UInt32] {
        var identifiers: [UInt32] = []
        var value: UInt32 = 0
        var shift: UInt32 = 0
        var isInside = false
        for byte in bytes {
            guard isInside else {
                isInside = true  // the property's own number
                continue
            }
            value |= UInt32(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 {
                identifiers.append(value)
                (value, shift, isInside) = (0, 0, false)
            }
        }
        return identifiers
    }
}
