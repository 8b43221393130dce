import MQTTClient
import MQTTProtocol

/// `-d`: a line for every packet, in mosquitto's words and on standard output as there.
extension ToolConnection {
    /// What the lines call this client: `(null)` until it has a name, as glibc prints it for mosquitto.
    private var name: String { session.clientIdentifier.isEmpty ? "(null)" : session.clientIdentifier }

    private func trace(_ text: String) { standardOutput.write(line: "Client \(name) \(text)") }

    func traceSent(_ packet: ControlPacket) {
        switch packet.content {
        case .publish(let publish):
            let message = publish.message
            let topic = publish.omitsTopic ? "(null)" : message.topic.text
            trace(
                "sending PUBLISH (d\(publish.duplicate ? 1 : 0), q\(message.qos.rawValue), r\(message.retain ? 1 : 0), "
                    + "m\(identifier(of: publish)), '\(topic)', ... (\(message.payload.count) bytes))")
        case .acknowledgement(let type, let identifier, let reason):
            traceSent(type, identifier, reason)
        case .other(let packet): traceSent(packet)
        }
    }

    /// Messages at QoS 0 are counted too.
    private func identifier(of publish: PublishPacket) -> UInt16 {
        if publish.packetIdentifier != 0 {
            lastIdentifier = publish.packetIdentifier
        } else {
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        }
        return lastIdentifier
    }

    private func traceSent(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode) {
        switch type {
        case .puback: trace("sending PUBACK (m\(identifier), rc\(reason.rawValue))")
        case .pubrec: trace("sending PUBREC (m\(identifier), rc\(reason.rawValue))")
        case .pubrel: trace("sending PUBREL (m\(identifier))")
        default: trace("sending PUBCOMP (m\(identifier))")
        }
    }

    private func traceSent(_ packet: Packet) {
        switch packet {
        case .connect: trace("sending CONNECT")
        case .subscribe(let subscribe):
            lastIdentifier = subscribe.packetIdentifier
            for subscription in subscribe.subscriptions {
                trace(
                    "sending SUBSCRIBE (Mid: \(subscribe.packetIdentifier), Topic: \(Self.text(subscription.filter)), "
                        + "QoS: \(subscription.qos.rawValue), Options: 0x\(Self.hex(subscription.options & 0xFC)))")
            }
        case .unsubscribe(let unsubscribe):
            lastIdentifier = unsubscribe.packetIdentifier
            for filter in unsubscribe.filters {
                trace("sending UNSUBSCRIBE (Mid: \(unsubscribe.packetIdentifier), Topic: \(Self.text(filter)))")
            }
        case .pubrel(let pubrel): trace("sending PUBREL (m\(pubrel.packetIdentifier))")
        default: trace("sending \(packet.type)")
        }
    }

    func traceReceived(_ packet: ControlPacket) {
        switch packet.content {
        case .publish(let publish):
            let message = publish.message
            trace(
                "received PUBLISH (d\(publish.duplicate ? 1 : 0), q\(message.qos.rawValue), r\(message.retain ? 1 : 0), "
                    + "m\(publish.packetIdentifier), '\(message.topic.text)', ... (\(message.payload.count) bytes))")
        case .acknowledgement(let type, let identifier, let reason):
            traceReceived(type, identifier, reason)
        case .other(.puback(let packet)): traceReceived(.puback, packet.packetIdentifier, packet.reasonCode)
        case .other(.pubrec(let packet)): traceReceived(.pubrec, packet.packetIdentifier, packet.reasonCode)
        case .other(.pubrel(let packet)): traceReceived(.pubrel, packet.packetIdentifier, packet.reasonCode)
        case .other(.pubcomp(let packet)): traceReceived(.pubcomp, packet.packetIdentifier, packet.reasonCode)
        case .other(.connack(let connack)):
            let code = session.version == .v5 ? connack.reasonCode.rawValue : connack.returnCode
            // The name that the server gives holds from here on.
            let name = connack.properties.assignedClientIdentifier.map { Self.text($0) } ?? name
            standardOutput.write(line: "Client \(name) received CONNACK (\(code))")
        case .other(.disconnect(let disconnect)):
            standardOutput.write(line: "Received DISCONNECT (\(disconnect.reasonCode.rawValue))")
        case .other(let packet): trace("received \(packet.type)")
        }
    }

    private func traceReceived(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode) {
        switch type {
        case .pubrec: trace("received PUBREC (Mid: \(identifier))")
        case .pubrel: trace("received PUBREL (Mid: \(identifier))")
        default:
            trace("received \(type == .puback ? "PUBACK" : "PUBCOMP") (Mid: \(identifier), RC:\(reason.rawValue))")
        }
    }

    private static func text(_ string: MQTTString) -> String { String(decoding: string.bytes, as: UTF8.self) }

    private static func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count < 2 ? "0" + text : text
    }
}
