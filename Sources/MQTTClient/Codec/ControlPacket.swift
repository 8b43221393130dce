public import MQTTProtocol

/// A Control Packet on its way between a `ClientSession` and the `ClientCodec` that knows bytes. A program that drives a
/// session by hand carries it from one to the other without looking inside.
public struct ControlPacket: Sendable {
    package enum Content: Sendable {
        case publish(PublishPacket)
        /// PUBACK, PUBREC, PUBREL, PUBCOMP without properties: nearly all.
        case acknowledgement(PacketType, UInt16, ReasonCode)
        indirect case other(Packet)
    }

    package var content: Content

    package init(_ content: Content) { self.content = content }
    package init(_ packet: Packet) { self.content = .other(packet) }

    /// What kind of packet it is.
    public var type: PacketType {
        switch content {
        case .publish: .publish
        case .acknowledgement(let type, _, _): type
        case .other(let packet): packet.type
        }
    }

    /// Its packet identifier, where it has one.
    public var packetIdentifier: UInt16? {
        switch content {
        case .publish(let publish): publish.packetIdentifier == 0 ? nil : publish.packetIdentifier
        case .acknowledgement(_, let identifier, _): identifier
        case .other(.puback(let packet)): packet.packetIdentifier
        case .other(.pubrec(let packet)): packet.packetIdentifier
        case .other(.pubrel(let packet)): packet.packetIdentifier
        case .other(.pubcomp(let packet)): packet.packetIdentifier
        case .other(.subscribe(let packet)): packet.packetIdentifier
        case .other(.suback(let packet)): packet.packetIdentifier
        case .other(.unsubscribe(let packet)): packet.packetIdentifier
        case .other(.unsuback(let packet)): packet.packetIdentifier
        case .other: nil
        }
    }

    /// DUP, §3.3.1.1.
    public var isDuplicate: Bool {
        if case .publish(let publish) = content { publish.duplicate } else { false }
    }
}

extension ControlPacket: CustomStringConvertible {
    /// Type and identifier, for logs.
    public var description: String {
        packetIdentifier.map { "\(type) \($0)" } ?? "\(type)"
    }
}

/// A PUBLISH in either direction: the message, and what belongs to the packet alone.
package struct PublishPacket: Sendable {
    package var message: Message
    /// 1 to 65,535, and 0 at QoS 0.
    package var packetIdentifier: UInt16
    package var duplicate: Bool
    /// 0 = none.
    package var topicAlias: UInt16
    /// The alias stands for the topic. Of a received packet the message's topic is then not known yet.
    package var omitsTopic: Bool

    package init(
        _ message: Message, packetIdentifier: UInt16 = 0, duplicate: Bool = false, topicAlias: UInt16 = 0,
        omitsTopic: Bool = false
    ) {
        self.message = message
        self.packetIdentifier = packetIdentifier
        self.duplicate = duplicate
        self.topicAlias = topicAlias
        self.omitsTopic = omitsTopic
    }
}
