import MQTTProtocol

/// Packets that a script's bytes choose: few topics, few clients and few identifiers, so that they meet.
enum Script {
    static let topics = ["a", "a/b", "b", "a/b/c", "/", "$x/a", "a//b", ""]
    static let filters = [
        "#", "a/+", "a/b", "+/b", "$share/g/a/#", "$share/g/#", "$share/h/a/b", "+", "a/#", "$x/#", "a", "b/+/c",
    ]

    static func connect(_ bytes: inout FuzzBytes) -> [UInt8] {
        let (flags, more) = (bytes.byte(), bytes.byte())
        let version = ProtocolVersion.allCases[Int(flags & 3) % 3]
        let identifiers: [MQTTString] = ["c0", "c1", "c2", ""]
        var connect = Connect(
            version: version, isBridge: false, cleanStart: flags & 0x40 != 0,
            keepAliveSeconds: flags & 0x10 == 0 ? 0 : 10, clientIdentifier: identifiers[Int(flags >> 2) & 3])
        if flags & 0x20 != 0 {
            connect.will = Will(
                topic: MQTTString(topics[Int(more) % 4]), payload: [1, 2], qos: QoS(rawValue: more & 1) ?? .atMostOnce,
                retain: more & 2 != 0)
            if version == .v5 { connect.will?.delayIntervalSeconds = UInt32(more & 7) }
        }
        guard version == .v5 else { return Packet.connect(connect).encoded(version) }
        connect.properties.sessionExpiryIntervalSeconds = [nil, 0, 5, .max][Int(more >> 4) & 3]
        if more & 0x40 != 0 { connect.properties.receiveMaximum = 1 + UInt16(more & 3) }
        if more & 0x80 != 0 { connect.properties.maximumPacketSize = [2, 20, 60, 5_000][Int(more & 3)] }
        if flags & 0x80 != 0 { connect.properties.topicAliasMaximum = 2 }
        return Packet.connect(connect).encoded(version)
    }

    static func publish(_ bytes: inout FuzzBytes, _ version: ProtocolVersion) -> [UInt8] {
        let (flags, more) = (bytes.byte(), bytes.byte())
        let qos = QoS(rawValue: (flags & 3) % 3) ?? .atMostOnce
        let sizes = [0, 3, 40, 300, 5_000, 20_000, 3, 40]
        var publish = Publish(
            duplicate: qos != .atMostOnce && flags & 0x40 != 0, qos: qos, retain: flags & 0x20 != 0,
            topic: MQTTString(topics[Int(flags >> 2) & 7]),
            packetIdentifier: qos == .atMostOnce ? 0 : 1 + UInt16(more >> 3 & 3),
            payload: [UInt8](repeating: more, count: sizes[Int(more & 7)]))
        if version == .v5 {
            if more & 0x20 != 0 { publish.properties.topicAlias = 1 + UInt16(more >> 6) }
            if flags & 0x80 != 0 { publish.properties.messageExpiryIntervalSeconds = UInt32(more >> 5) }
        }
        // A topic may be missing only where an alias stands for it; elsewhere that is one fault worth sending.
        return Packet.publish(publish).encoded(version)
    }

    static func subscribe(_ bytes: inout FuzzBytes, _ version: ProtocolVersion) -> [UInt8] {
        let (first, count) = (bytes.byte(), Int(bytes.byte() & 3))
        var body: [UInt8] = [0, 1 + (first & 3)]
        if version == .v5 { body += first & 0x80 == 0 ? [0] : [2, 0x0B, 1 + (first >> 2 & 7)] }
        for _ in 0...count {
            body += prefixed(Array(bytes.pick(filters).utf8))
            body.append(bytes.byte() & (version == .v5 ? 0x2F : 3))
        }
        return packet(0x82, body)
    }

    static func unsubscribe(_ bytes: inout FuzzBytes, _ version: ProtocolVersion) -> [UInt8] {
        packet(0xA2, [0, 9] + (version == .v5 ? [0] : []) + prefixed(Array(bytes.pick(filters).utf8)))
    }

    static func acknowledgement(_ bytes: inout FuzzBytes) -> [UInt8] {
        let choice = bytes.byte()
        let first: UInt8 = [0x40, 0x50, 0x62, 0x70][Int(choice & 3)]
        let identifier = 1 + (choice >> 2 & 7)
        // A reason is 5.0's only: elsewhere a byte too many.
        return choice & 0xE0 == 0xE0 ? [first, 3, 0, identifier, 0x80] : [first, 2, 0, identifier]
    }

    static func other(_ bytes: inout FuzzBytes, _ version: ProtocolVersion) -> [UInt8] {
        switch bytes.byte() & 7 {
        case 0, 1: [0xC0, 0]
        case 2: [0xE0, 0]
        case 3: version == .v5 ? [0xE0, 1, 4] : [0xE0, 0]
        case 4: version == .v5 ? [0xE0, 7, 0, 5, 0x11, 0, 0, 0, bytes.byte()] : [0xE0, 0]
        case 5: [0xF0, 0]
        // A long packet's head, which waits for the rest.
        case 6: [0x30, 0xFF, 0x1F]
        default: RandomPacket.one(&bytes, version)
        }
    }

    private static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
        var run = ByteRun()
        run.append(first)
        run.append(variable: body.count)
        run.append(body)
        return Array(run.bytes)
    }
}

extension RandomPacket {
    /// Any packet of either side, chosen by the next 24 bytes.
    static func one(_ bytes: inout FuzzBytes, _ version: ProtocolVersion) -> [UInt8] {
        var packets = RandomPacket(seed: 0, version: version)
        packets.random = SeededGenerator(FuzzBytes(bytes.take(24)))
        return packets.next().encoded(version)
    }
}
