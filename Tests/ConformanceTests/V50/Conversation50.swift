import MQTTTestKit
import Testing

/// Steps of a 5.0 conversation that the chapters after PUBLISH share. The kit's own steps serve every version.
extension RawClient {
    /// An accepted 5.0 client on the shared broker, or on `broker`.
    static func v5(
        _ properties: Property..., id: String = unique("c"), cleanStart: Bool = true, will: Wire.Will? = nil,
        on broker: BrokerProcess? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        try connected(
            to: broker ?? .shared(), id: id, version: 5, cleanStart: cleanStart, will: will, properties: properties,
            file: file, line: line)
    }

    /// Comes back to the session of `id`, which must still be there, and keeps it for another minute.
    static func resumed(
        _ id: String, _ properties: Property..., on broker: BrokerProcess? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(broker ?? .shared(), version: 5, file: file, line: line)
        let connack = try client.connect(
            id: id, version: 5, cleanStart: false, properties: [.sessionExpiryInterval(60)] + properties, file: file,
            line: line)
        guard connack.sessionPresent else {
            throw Mismatch(.unexpected, "the session of \(id) is gone", file, line)
        }
        return client
    }

    /// Sends SUBSCRIBE for several filters and answers the codes of its SUBACK.
    func subscribe(
        all filters: [(String, UInt8)], id: UInt16 = 1, properties: [Property] = [], file: StaticString = #fileID,
        line: UInt = #line
    ) throws -> [UInt8] {
        send(Wire.subscribe(id: id, filters, properties: properties))
        let suback = try expect(.suback, file: file, line: line)
        guard suback.packetID == id else {
            throw Mismatch(.unexpected, "expected SUBACK \(id), received \(suback)", file, line)
        }
        return suback.reasonCodes
    }

    /// Receives one PUBLISH and answers nothing.
    func receiveUnanswered(
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packet = try receive(withinMilliseconds: limit, file: file, line: line)
        guard packet.kind == .publish else {
            throw Mismatch(.unexpected, "expected publish, received \(packet)", file, line)
        }
        return packet
    }

    /// The broker sends one DISCONNECT with one of `reasons`, nothing beside it, and closes. Unlike `expectDisconnect`
    /// this takes silence from nobody: where mosquitto just closes, the test says so.
    @discardableResult
    func expectFault(
        _ reasons: UInt8..., withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        try expectFault(reasons, withinMilliseconds: limit, file: file, line: line)
    }

    @discardableResult
    func expectFault(
        _ reasons: [UInt8], withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let packets = try packetsUntilClosed(withinMilliseconds: limit, file: file, line: line)
        guard let last = packets.last, packets.count == 1, last.kind == .disconnect,
            reasons.contains(last.reasonCodes[0])
        else {
            let wanted = reasons.map { String($0, radix: 16, uppercase: true) }
            throw Mismatch(.unexpected, "expected DISCONNECT \(wanted) and a close, received \(packets)", file, line)
        }
        return last
    }

    /// Every PUBLISH on its way from `publisher` to this client, until a last one that this call sends behind them.
    /// Finishes each handshake unless `answering` is false; then the last one travels at QoS 0, past a closed window.
    func everything(
        from publisher: RawClient, answering: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) throws -> [ReceivedPacket] {
        let last = unique("last")
        let qos: UInt8 = answering && publisher !== self ? 1 : 0
        var packets: [ReceivedPacket] = []
        func collect(until isLast: (ReceivedPacket) -> Bool) throws {
            while true {
                let packet = try receive(file: file, line: line)
                if isLast(packet) { return }
                if packet.kind == .publish { packets.append(packet) }
                if answering { answer(packet) }
            }
        }
        send(Wire.subscribe(id: 65_535, [(last, qos)], properties: []))
        try collect { $0.kind == .suback && $0.packetID == 65_535 }
        if publisher === self || qos == 0 {
            publisher.send(Wire.publish(topic: last, payload: "", properties: publisher.version == 5 ? [] : nil))
        } else {
            try publisher.publish(last, "", qos: 1, id: 65_535, file: file, line: line)
        }
        try collect { packet in
            guard packet.topicText == last else { return false }
            if answering { answer(packet) }
            return true
        }
        return packets
    }

    /// What a receiver owes for this packet, sent without waiting.
    func answer(_ packet: ReceivedPacket) {
        guard let id = packet.packetID else { return }
        switch packet.kind {
        case .publish where packet.qos == 1: send(Wire.puback(id))
        case .publish where packet.qos == 2: send(Wire.pubrec(id))
        case .pubrel: send(Wire.pubcomp(id))
        default: break
        }
    }
}

/// A topic that no client may publish to: the broker's own. The answer is 0x87, in the acknowledgement.
func refusedTopic() -> String { "$SYS/" + unique("refused") }
