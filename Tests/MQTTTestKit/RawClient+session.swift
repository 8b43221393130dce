/// Whole steps of a conversation that most tests begin with. Each checks the broker's answer.
extension RawClient {
    /// A client that is connected and accepted. Topics and ids of a test come from `unique`.
    package static func connected(
        to broker: BrokerProcess, id: String = unique("c"), version: UInt8 = 4, cleanStart: Bool = true,
        keepAlive: UInt16 = 60, will: Wire.Will? = nil, user: String? = nil, password: String? = nil,
        properties: [Property] = [], file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(broker, version: version, file: file, line: line)
        try client.connect(
            id: id, version: version, cleanStart: cleanStart, keepAlive: keepAlive, will: will, user: user,
            password: password, properties: properties, file: file, line: line)
        return client
    }

    /// Sends CONNECT and expects a CONNACK that accepts.
    @discardableResult
    package func connect(
        id: String, version: UInt8 = 4, cleanStart: Bool = true, keepAlive: UInt16 = 60, will: Wire.Will? = nil,
        user: String? = nil, password: String? = nil, properties: [Property] = [], file: StaticString = #fileID,
        line: UInt = #line
    ) throws -> ReceivedPacket {
        self.version = version
        send(
            Wire.connect(
                id: id, version: version, cleanStart: cleanStart, keepAlive: keepAlive, will: will, user: user,
                password: password.map { Array($0.utf8) }, properties: properties))
        let connack = try expect(.connack, file: file, line: line)
        guard connack.reasonCode == 0 else {
            throw Mismatch(.unexpected, "the broker refused the connection: \(connack)", file, line)
        }
        self.connack = connack
        return connack
    }

    /// Subscribes to one filter and expects exactly `options & 3` granted. What the subscription brings may come
    /// before SUBACK or after; it is left for the next receive.
    package func subscribe(
        _ filter: String, _ options: UInt8, id: UInt16 = 1, properties: [Property] = [],
        file: StaticString = #fileID, line: UInt = #line
    ) throws {
        send(Wire.subscribe(id: id, [(filter, options)], properties: version == 5 ? properties : nil))
        let suback = try receive(file: file, line: line) { $0.kind == .suback }
        guard suback.packetID == id, suback.reasonCodes == [options & 3] else {
            throw Mismatch(.unexpected, "expected SUBACK \(id) [\(options & 3)], received \(suback)", file, line)
        }
    }

    /// Unsubscribes from one filter and expects the UNSUBACK.
    package func unsubscribe(
        _ filter: String, id: UInt16 = 2, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        send(Wire.unsubscribe(id: id, [filter], properties: version == 5 ? [] : nil))
        let unsuback = try receive(file: file, line: line) { $0.kind == .unsuback }
        guard unsuback.packetID == id else {
            throw Mismatch(.unexpected, "expected UNSUBACK \(id), received \(unsuback)", file, line)
        }
    }

    /// Publishes and finishes the handshake of its QoS; when it returns the broker has taken the message over.
    package func publish(
        _ topic: String, _ payload: String, qos: UInt8 = 0, id: UInt16 = 1, retain: Bool = false,
        properties: [Property] = [], file: StaticString = #fileID, line: UInt = #line
    ) throws {
        send(
            Wire.publish(
                topic: topic, payload: payload, qos: qos, id: id, retain: retain,
                properties: version == 5 ? properties : nil))
        switch qos {
        case 1:
            try expectAcknowledgement(.puback, id, file: file, line: line)
        case 2:
            try expectAcknowledgement(.pubrec, id, file: file, line: line)
            send(Wire.pubrel(id))
            try expectAcknowledgement(.pubcomp, id, file: file, line: line)
        default:
            try expectQuiet(file: file, line: line)
        }
    }

    /// Receives one PUBLISH and finishes the handshake of its QoS. Messages behind it may come in between.
    @discardableResult
    package func receivePublish(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packet = try receive(withinMilliseconds: limit, file: file, line: line)
        guard packet.kind == .publish else {
            throw Mismatch(.unexpected, "expected publish, received \(packet)", file, line)
        }
        guard let id = packet.packetID else { return packet }
        if packet.qos == 1 { send(Wire.puback(id)) }
        if packet.qos == 2 {
            send(Wire.pubrec(id))
            _ = try receive(file: file, line: line) { $0.kind == .pubrel && $0.packetID == id }
            send(Wire.pubcomp(id))
        }
        return packet
    }

    /// The next packet acknowledges `id`, with success in 5.0.
    @discardableResult
    package func expectAcknowledgement(
        _ kind: ReceivedPacket.Kind, _ id: UInt16, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packet = try expect(kind, file: file, line: line)
        guard packet.packetID == id, (packet.reasonCode ?? 0) < 0x80 else {
            throw Mismatch(.unexpected, "expected \(kind) of \(id), received \(packet)", file, line)
        }
        return packet
    }

    /// Ends the connection as a client should, and waits until the broker has closed too.
    package func disconnect(file: StaticString = #fileID, line: UInt = #line) throws {
        send(Wire.disconnect)
        try expectClosed(file: file, line: line)
        close()
    }
}
