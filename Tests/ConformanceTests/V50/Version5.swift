import Glibc
import MQTTTestKit
import Testing

extension RawClient {
    /// A 5.0 client the broker has accepted; its answer is in `connack`. Keep alive is off unless asked for.
    static func v5(
        _ broker: BrokerProcess, id: String = unique("c"), clean: Bool = true, keepAlive: UInt16 = 0,
        will: Wire.Will? = nil, _ properties: [Property] = [], file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        try connected(
            to: broker, id: id, version: 5, cleanStart: clean, keepAlive: keepAlive, will: will,
            properties: properties, file: file, line: line)
    }

    /// A client that has sent these bytes and nothing else.
    static func sending(
        _ bytes: [UInt8], to broker: BrokerProcess, file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        let client = try RawClient(broker, version: 5, file: file, line: line)
        client.send(bytes)
        return client
    }

    /// The broker says DISCONNECT with one of these codes, and closes. 5.0 §4.13: after CONNACK it SHOULD say why;
    /// ours always does. mosquitto 2.0.11 often just closes: Docs/differences-from-mosquitto.md.
    func expectDisconnect(_ codes: UInt8..., file: StaticString = #fileID, line: UInt = #line) throws {
        let last = try packetsUntilClosed(file: file, line: line)
        if BrokerUnderTest.isMosquitto, last.isEmpty { return }
        guard last.count == 1, last[0].bytes.first == 0xE0, let code = last[0].reasonCode, codes.contains(code) else {
            throw Mismatch(.unexpected, "expected DISCONNECT \(hex(codes)) and a close, received \(last)", file, line)
        }
    }

    /// The CONNECT is refused: the broker closes, and before that it says nothing or a CONNACK with one of these codes.
    /// 5.0 §3.1.4: the close is demanded, the CONNACK is a courtesy; §3.2.2.2: the codes it may carry.
    @discardableResult
    func expectRefusal(
        _ codes: UInt8..., file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket? {
        let answers = try packetsUntilClosed(file: file, line: line)
        guard let connack = answers.first else { return nil }
        guard answers.count == 1, connack.bytes.first == 0x20, connack.connackFlags == 0,
            let code = connack.reasonCode, codes.contains(code)
        else {
            throw Mismatch(.unexpected, "expected CONNACK 00 \(hex(codes)) or none, received \(answers)", file, line)
        }
        return connack
    }

    /// The CONNECT that was sent is accepted, and the connection works.
    @discardableResult
    func expectAccepted(file: StaticString = #fileID, line: UInt = #line) throws -> ReceivedPacket {
        let connack = try expect(.connack, file: file, line: line)
        guard connack.bytes.first == 0x20, connack.reasonCode == 0 else {
            throw Mismatch(.unexpected, "the broker refused the connection: \(connack)", file, line)
        }
        try expectQuiet(file: file, line: line)
        return connack
    }

    /// Nothing was sent to this client, and nothing is on its way. Two round trips and a short silence between, because
    /// what another connection caused may reach this one a moment later.
    func expectNoMessage(file: StaticString = #fileID, line: UInt = #line) throws {
        try expectQuiet(file: file, line: line)
        try expectNothing(forMilliseconds: 30, file: file, line: line)
        try expectQuiet(file: file, line: line)
    }

    /// The next packet is a PUBLISH of this topic and payload; its handshake is finished.
    @discardableResult
    func expectMessage(
        _ topic: String, _ payload: String, qos: UInt8? = nil, retain: Bool? = nil,
        withinMilliseconds limit: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> ReceivedPacket {
        let message = try receivePublish(withinMilliseconds: limit, file: file, line: line)
        guard message.topic == Array(topic.utf8), message.payload == Array(payload.utf8),
            qos == nil || message.qos == qos, retain == nil || message.retain == retain
        else {
            let flags = "qos \(qos.map(String.init) ?? "any") retain \(retain.map(String.init) ?? "any")"
            let wanted = "\(topic) ‘\(payload)’ \(flags)"
            throw Mismatch(.unexpected, "expected \(wanted), received \(message)", file, line)
        }
        return message
    }
}

/// A CONNECT whose parts a test may bend: `flags` and `payload` are taken as they are. 5.0 §3.1.
func connectPacket(
    name: String = "MQTT", level: UInt8 = 5, flags: UInt8 = 0x02, _ properties: [Property] = [],
    payload: [UInt8] = Wire.string(unique("c"))
) -> [UInt8] {
    Wire.packet(0x10, Wire.string(name) + [level, flags, 0, 0] + Wire.properties(properties) + payload)
}

/// Seconds as the clock sees them.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let taken = try ContinuousClock().measure(body).components
    return Double(taken.seconds) + Double(taken.attoseconds) / 1e18
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " ")
}

/// Lets real time pass, for rules that speak of seconds.
func pause(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
