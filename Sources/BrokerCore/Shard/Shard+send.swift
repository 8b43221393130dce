import MQTTProtocol

/// Packets that are not PUBLISH on their way out. Sessions speak in values; here they become bytes.
extension Shard {
    /// Writes any packet but PUBLISH and the four acknowledgements. One that is larger than the client takes ends the
    /// connection: without it the client would wait for ever. [5.0 MQTT-3.2.2-19] [5.0 MQTT-3.1.2-24]
    mutating func send(_ packet: some WirePacket, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        scratch.removeAll()
        packet.encode(into: &scratch, version: connection.pointee.version)
        guard scratch.count <= connection.pointee.maximumPacketSize else {
            return close(slot, .refused(.packetTooLarge))
        }
        outbox.append(scratch.bytes, connection, slot)
        counters.packetsSent &+= 1
        holdIfFull(connection, slot)
    }

    /// SUBACK or UNSUBACK. §3.9, §3.11
    mutating func sendCodes(
        _ type: PacketType, _ identifier: UInt16, _ codes: [ReasonCode],
        _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        if let client = debugName(connection) {
            log(.debug, .sending(type, client: client, identifier: identifier, reason: 0))
        }
        let why = reasonString(type, codes, connection)
        if type == .suback {
            send(Suback(packetIdentifier: identifier, reasonCodes: codes, reasonString: why), connection, slot)
        } else {
            send(Unsuback(packetIdentifier: identifier, reasonCodes: codes, reasonString: why), connection, slot)
        }
    }

    /// DISCONNECT from the server: 5.0 only. [5.0 MQTT-3.14.0-1]
    mutating func sendDisconnect(_ code: ReasonCode, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        guard connection.pointee.version == .v5 else { return }
        var packet = Disconnect(reasonCode: code)
        packet.reasonString = MQTTString(code.description)  // DISCONNECT may carry it always: [5.0 MQTT-3.1.2-29]
        // A reason may not make the packet larger than the client takes. [5.0 MQTT-3.14.2-3]
        if packet.encodedSize(version: .v5) > connection.pointee.maximumPacketSize { packet.reasonString = nil }
        guard packet.encodedSize(version: .v5) <= connection.pointee.maximumPacketSize else { return }
        send(packet, connection, slot)
    }
}
