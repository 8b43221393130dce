public import MQTTProtocol

/// Sees the packets of a client, for programs that explain or trace: each that came, before anything is done about it, and each
/// that goes out, in the order of the wire. Called on the client's event loop, so it must return soon and never wait. It sees
/// the program's own messages and passwords' packets too: what it shows is its own affair.
public typealias PacketObserver = @Sendable (PacketDirection, ControlPacket) -> Void

/// Which way a packet goes.
public enum PacketDirection: Sendable, Hashable {
    case sent
    case received
}

extension ControlPacket {
    /// Of a PUBLISH: its message. The topic is empty where the server has sent a Topic Alias in its place.
    public var message: Message? {
        if case .publish(let publish) = content { publish.message } else { nil }
    }

    /// What the packet says of success or failure, where it has one reason code: acknowledgements, CONNACK, DISCONNECT. In
    /// 3.1.1 acknowledgements have none and say `success`.
    public var reasonCode: ReasonCode? {
        switch content {
        case .acknowledgement(_, _, let code): code
        case .other(.connack(let packet)): packet.reasonCode
        case .other(.puback(let packet)): packet.reasonCode
        case .other(.pubrec(let packet)): packet.reasonCode
        case .other(.pubrel(let packet)): packet.reasonCode
        case .other(.pubcomp(let packet)): packet.reasonCode
        case .other(.disconnect(let packet)): packet.reasonCode
        default: nil
        }
    }

    /// Of a SUBSCRIBE and its SUBACK: for each filter the QoS asked for, or the code of the answer.
    public var grants: [UInt8]? {
        switch content {
        case .other(.subscribe(let packet)): packet.subscriptions.map(\.qos.rawValue)
        case .other(.suback(let packet)): packet.reasonCodes.map(\.rawValue)
        default: nil
        }
    }
}
