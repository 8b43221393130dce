import MQTTProtocol

/// A packet in one line, for a person who looks at traffic. Passwords are never shown; payloads are as text where they are.
enum PacketText {
    /// Payload bytes that are shown; the count of all is always there.
    private static let payloadBytesMax = 256

    static func line(_ packet: Packet) -> String {
        switch packet {
        case .connect(let packet): connect(packet)
        case .connack(let packet): connack(packet)
        case .publish(let packet): publish(packet)
        case .puback(let packet): answer("PUBACK", packet.packetIdentifier, packet.reasonCode, packet.reasonString)
        case .pubrec(let packet): answer("PUBREC", packet.packetIdentifier, packet.reasonCode, packet.reasonString)
        case .pubrel(let packet): answer("PUBREL", packet.packetIdentifier, packet.reasonCode, packet.reasonString)
        case .pubcomp(let packet): answer("PUBCOMP", packet.packetIdentifier, packet.reasonCode, packet.reasonString)
        case .subscribe(let packet):
            "SUBSCRIBE \(packet.packetIdentifier)  "
                + packet.subscriptions.map { "'\($0.filter)' at QoS \($0.qos.rawValue)" }.joined(separator: ", ")
        case .suback(let packet):
            "SUBACK \(packet.packetIdentifier)  " + packet.reasonCodes.map(\.description).joined(separator: ", ")
        case .unsubscribe(let packet):
            "UNSUBSCRIBE \(packet.packetIdentifier)  " + packet.filters.map { "'\($0)'" }.joined(separator: ", ")
        case .unsuback(let packet):
            "UNSUBACK \(packet.packetIdentifier)  " + packet.reasonCodes.map(\.description).joined(separator: ", ")
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect(let packet): "DISCONNECT  \(packet.reasonCode)\(because(packet.reasonString))"
        case .auth(let packet):
            "AUTH  \(packet.reasonCode), method '\(packet.authenticationMethod)', \(packet.authenticationData?.count ?? 0) bytes"
        }
    }

    private static func connect(_ packet: Connect) -> String {
        let name =
            switch packet.version {
            case .v31: "3.1"
            case .v311: "3.1.1"
            case .v5: "5.0"
            }
        var line = "CONNECT  MQTT \(name), client '\(packet.clientIdentifier)', "
        line += packet.cleanStart ? "clean start" : "session of before"
        line += ", keep-alive \(packet.keepAliveSeconds) s"
        if let userName = packet.userName { line += ", user '\(userName)'" }
        if let password = packet.password { line += ", a password of \(password.count) bytes" }
        if let will = packet.will { line += ", will '\(will.topic)': \(payload(will.payload))" }
        return line
    }

    private static func connack(_ packet: Connack) -> String {
        var line = "CONNACK  \(packet.reasonCode)"
        if packet.sessionPresent { line += ", session present" }
        if let identifier = packet.properties.assignedClientIdentifier { line += ", you are '\(identifier)'" }
        return line + because(packet.properties.reasonString)
    }

    private static func publish(_ packet: Publish) -> String {
        var line = "PUBLISH"
        if packet.qos != .atMostOnce { line += " \(packet.packetIdentifier)" }
        line += "  QoS \(packet.qos.rawValue)"
        if packet.duplicate { line += ", DUP" }
        if packet.retain { line += ", RETAIN" }
        if let alias = packet.properties.topicAlias { line += ", alias \(alias)" }
        return line + "  '\(packet.topic)': \(payload(packet.payload))"
    }

    private static func answer(
        _ name: String, _ identifier: UInt16, _ reason: ReasonCode, _ text: MQTTString?
    ) -> String {
        "\(name) \(identifier)" + (reason == .success ? "" : "  \(reason)\(because(text))")
    }

    private static func because(_ text: MQTTString?) -> String { text.map { " (\($0))" } ?? "" }

    /// As text, where it is text that no terminal stumbles over; in hex otherwise.
    private static func payload(_ bytes: [UInt8]) -> String {
        let shown = bytes.prefix(payloadBytesMax)
        let more = bytes.count > payloadBytesMax ? " … (\(bytes.count) bytes)" : ""
        if let text = MQTTString(bytes) {
            return bytes.count <= payloadBytesMax
                ? "\"\(text)\"" : "\"\(MQTTString(Array(shown)) ?? "")\"" + more
        }
        return Hex.bytes(shown) + more
    }
}

enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// `0a ff`
    static func bytes(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            if !text.isEmpty { text.append(UInt8(ascii: " ")) }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Sixteen bytes a line, with what is printable of them behind, as `hexdump -C` does.
    static func dump(_ bytes: some Collection<UInt8>) -> [String] {
        let all = Array(bytes)
        return stride(from: 0, to: all.count, by: 16).map { start in
            let row = all[start..<min(start + 16, all.count)]
            let hex = self.bytes(row)
            let text = row.map { (0x20...0x7E).contains($0) ? Character(UnicodeScalar($0)) : "." }
            return hex + String(repeating: " ", count: 49 - hex.utf8.count) + "|" + String(text) + "|"
        }
    }
}
