import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A packet came from the server: the one door for all of them. Before: `ClientCodec`. After: the file of that packet.
extension ClientSession {
    /// Takes up one packet of the server.
    public mutating func receive(_ packet: ControlPacket, at now: Instant) {
        guard state != .disconnected else { return }
        keepAlive.received(at: now)
        if state == .connecting {
            switch packet.content {
            case .other(.connack), .other(.auth), .other(.disconnect): break
            default:
                // [5.0 MQTT-3.2.0-1] [3.1.1 MQTT-3.2.0-1]
                return fail(.firstPacketNotConnack(packet.type), .protocolError, at: now)
            }
        }
        switch packet.content {
        case .publish(let publish): receive(publish, at: now)
        case .acknowledgement(let type, let identifier, let reason):
            receiveAcknowledgement(type, identifier, PublishResult(reason), at: now)
        case .other(let packet): receiveOther(packet, at: now)
        }
    }

    /// Bytes came, perhaps not a whole packet: the server is alive.
    public mutating func receivedBytes(at now: Instant) { keepAlive.received(at: now) }

    private mutating func receiveOther(_ packet: Packet, at now: Instant) {
        switch packet {
        case .connack(let connack): receive(connack, at: now)
        case .puback(let packet): receiveLong(packet, at: now)
        case .pubrec(let packet): receiveLong(packet, at: now)
        case .pubrel(let packet): receiveLong(packet, at: now)
        case .pubcomp(let packet): receiveLong(packet, at: now)
        case .suback(let suback): receive(suback, at: now)
        case .unsuback(let unsuback): receive(unsuback, at: now)
        case .pingresp: _ = keepAlive.receivedPingresp()
        case .disconnect(let disconnect): receive(disconnect)
        case .auth(let auth): receive(auth, at: now)
        case .publish, .connect, .subscribe, .unsubscribe, .pingreq:
            // The codec refuses what a server may not send, and PUBLISH has a form of its own.
            violate("\(packet.type) from the server", at: now)
        }
    }

    private mutating func receiveLong(_ packet: some AcknowledgementPacket, at now: Instant) {
        guard mayExplain(packet.reasonString, packet.userProperties, at: now) else { return }
        receiveAcknowledgement(
            type(of: packet).type, packet.packetIdentifier,
            PublishResult(
                packet.reasonCode, reasonString: packet.reasonString?.text,
                userProperties: packet.userProperties.map(UserProperty.init)),
            at: now)
    }

    /// Who asked to be spared explanations and gets one closes the connection [5.0 MQTT-3.1.2-29].
    mutating func mayExplain(
        _ reasonString: MQTTString?, _ userProperties: [MQTTProtocol.UserProperty], at now: Instant
    ) -> Bool {
        guard !configuration.requestProblemInformation, reasonString != nil || !userProperties.isEmpty else {
            return true
        }
        violate("a reason string or user property that was declined, §3.1.2.11.7", at: now)
        return false
    }

    private mutating func receiveAcknowledgement(
        _ type: PacketType, _ identifier: UInt16, _ result: PublishResult, at now: Instant
    ) {
        switch type {
        case .puback: receivePuback(identifier, result, at: now)
        case .pubrec: receivePubrec(identifier, result, at: now)
        case .pubrel: receivePubrel(identifier, at: now)
        case .pubcomp: receivePubcomp(identifier, at: now)
        default: preconditionFailure("\(type) is no acknowledgement")
        }
    }
}
