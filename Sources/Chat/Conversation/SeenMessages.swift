import MQTTClient

/// Which messages have been shown: "at least once" may bring one twice, and it is shown once.
///
/// Two ways to tell a duplicate, see Docs/decisions/0021-the-chat.md:
/// - Our own clients give each message an identifier (a user property of 5.0). The same identifier again is the same message,
///   however it came: sent again by its sender or by the broker.
/// - From others: PUBLISH with DUP, on a later connection than a message of the same packet identifier and the same content.
///   The broker has not seen our PUBACK and sends it again. DUP alone says nothing: the first copy may never have come.
struct SeenMessages: Sendable, Equatable {
    /// Identifiers that are remembered.
    static let identifiersMax = 4_096
    /// Messages without one that are remembered.
    static let packetsMax = 1_024

    private struct Seen: Sendable, Equatable {
        var connection: Int
        let place: ChatTopic
        let text: String
    }

    private var identifiers: Set<String> = []
    private var order: [String] = []
    private var oldest = 0
    private var packets: [UInt16: Seen] = [:]

    /// Whether a message has been shown before; if not, it has been now.
    /// - Parameter connection: counts ours, from 1.
    mutating func isRepeated(
        _ topic: ChatTopic, _ text: String, receipt: MessageReceipt, connection: Int
    ) -> Bool {
        if let identifier = receipt.identifier { return isKnown(identifier, topic) }
        guard receipt.packetIdentifier != 0, topic.qos == .atLeastOnce else { return false }
        if receipt.isDuplicate, var before = packets[receipt.packetIdentifier], before.connection < connection,
            before.place == topic, before.text == text
        {
            before.connection = connection
            packets[receipt.packetIdentifier] = before
            return true
        }
        if packets.count >= Self.packetsMax, packets[receipt.packetIdentifier] == nil { packets.removeAll() }
        packets[receipt.packetIdentifier] = Seen(connection: connection, place: topic, text: text)
        return false
    }

    private mutating func isKnown(_ identifier: String, _ topic: ChatTopic) -> Bool {
        // Somebody else's identifier under another name is not the same message.
        let key = "\(topic.text) \(identifier)"
        guard identifiers.insert(key).inserted else { return true }
        if order.count < Self.identifiersMax {
            order.append(key)
        } else {
            identifiers.remove(order[oldest])
            order[oldest] = key
            oldest = (oldest + 1) % Self.identifiersMax
        }
        return false
    }
}

/// How a message came.
package struct MessageReceipt: Sendable, Hashable {
    package var isDuplicate: Bool
    /// 0 at QoS 0.
    package var packetIdentifier: UInt16
    /// What our own clients send along in 5.0.
    package var identifier: String?

    package init(isDuplicate: Bool = false, packetIdentifier: UInt16 = 0, identifier: String? = nil) {
        (self.isDuplicate, self.packetIdentifier, self.identifier) = (isDuplicate, packetIdentifier, identifier)
    }

    /// The name of the user property, and the longest value that is taken, in bytes.
    package static let property = "martlet-id"
    static let identifierBytesMax = 64
}
