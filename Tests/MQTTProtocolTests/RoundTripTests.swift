import MQTTProtocol
import SeededRandom
import Testing

@Suite("Random packets, from a seed")
struct RoundTripTests {
    static let seeds: [UInt64] = [1, 2, 3, 20_240_229]

    @Test("decode(encode(p)) == p", arguments: ProtocolVersion.allCases, seeds)
    func roundTrip(_ version: ProtocolVersion, _ seed: UInt64) {
        var packets = RandomPacket(seed: seed, version: version)
        for step in 0..<1_000 {
            let packet = packets.next()
            let bytes = packet.encoded(version)
            #expect(packet.encodedSize(version: version) == bytes.count)
            let outcome = Packet.outcome(bytes, version, from: packet.sender)
            guard outcome == .packet(packet, consumed: bytes.count) else {
                Issue.record("seed \(seed), step \(step): \(packet) became \(outcome)")
                return
            }
        }
    }

    @Test("cut short at every byte it waits, and never crashes", arguments: ProtocolVersion.allCases)
    func truncation(_ version: ProtocolVersion) {
        var packets = RandomPacket(seed: 5, version: version)
        for _ in 0..<200 {
            let packet = packets.next()
            let bytes = packet.encoded(version)
            guard bytes.count < 1_000 else { continue }
            for count in 0..<bytes.count {
                #expect(Packet.outcome(Array(bytes.prefix(count)), version, from: packet.sender) == .wait)
            }
        }
    }

    /// A few bytes changed, removed or put in; the length is made to fit half of the time.
    static func mutate(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0...Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...4, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
            default: bytes[index] = [0x00, 0x7F, 0x80, 0xFF][Int.random(in: 0...3, using: &random)]
            }
        }
        if bytes.count > 2, bytes.count < 130, Bool.random(using: &random) { bytes[1] = UInt8(bytes.count - 2) }
        return bytes
    }

    @Test("mutations of the corpora never crash, and what is read can be written and read again")
    func mutations() throws {
        var random = SeededGenerator(seed: 99)
        let corpus =
            try CorpusTests.mochi().map(\.bytes) + CorpusTests.mqttPacket().map(\.bytes) + CorpusTests.seeds()
            + GoldenPacket.all.map(\.bytes)
        #expect(corpus.count > 300)
        for bytes in corpus where bytes.count < 1_000 {
            for _ in 0..<60 {
                let mutated = Self.mutate(bytes, &random)
                for version in ProtocolVersion.allCases {
                    for sender in Sender.allCases { check(mutated, version, sender) }
                }
            }
        }
    }

    private func check(_ bytes: [UInt8], _ version: ProtocolVersion, _ sender: Sender) {
        guard case .packet(let packet, let consumed) = Packet.outcome(bytes, version, from: sender) else { return }
        #expect(consumed <= bytes.count)
        // 3.1 may leave out fields whose flags are set, 5.0 may spell out defaults: bytes differ, values must not.
        var packetVersion = version
        if case .connect(let connect) = packet { packetVersion = connect.version }
        let written = packet.encoded(packetVersion)
        if case .suback = packet, version == .v31 { return }  // 0x80 is read but not written there
        #expect(Packet.outcome(written, packetVersion, from: sender) == .packet(packet, consumed: written.count))
    }

    @Test("the short road and the full road agree on every PUBLISH and acknowledgement of a client")
    func shortRoadAgrees() {
        var random = SeededGenerator(seed: 7)
        for version in ProtocolVersion.allCases {
            var packets = RandomPacket(seed: 8, version: version)
            for _ in 0..<3_000 {
                let packet = packets.next()
                guard [.publish, .puback, .pubrec, .pubrel, .pubcomp].contains(packet.type) else { continue }
                let bytes = Self.mutate(packet.encoded(version), &random)
                let full = Packet.outcome(bytes, version, from: .client)
                #expect(ShortRoad.agrees(with: full, on: bytes, version))
            }
        }
    }
}

/// What the broker does on its hot path, checked against `Packet.decode`.
enum ShortRoad {
    static func agrees(with full: Packet.Outcome, on bytes: [UInt8], _ version: ProtocolVersion) -> Bool {
        bytes.withUnsafeBytes { raw in
            do throws(PacketError) {
                guard let header = try FrameHeader.parse(raw, maximumPacketSize: 1 << 28),
                    raw.count >= header.totalLength
                else { return true }
                let body = UnsafeRawBufferPointer(rebasing: raw[header.headerLength..<header.totalLength])
                switch header.packetType {
                case .publish: return try publish(body, header.flags, version, full)
                case .puback, .pubrec, .pubrel, .pubcomp:
                    let (identifier, reason) = try Acknowledgement.peek(
                        body, type: header.packetType, flags: header.flags, version: version)
                    guard case .packet(let packet, _) = full else { return false }
                    return fields(of: packet).map { $0 == identifier && $1 == reason } ?? false
                default: return true
                }
            } catch {
                return full == .fault(error) || full == .wait
            }
        }
    }

    private static func publish(
        _ body: UnsafeRawBufferPointer, _ flags: UInt8, _ version: ProtocolVersion, _ full: Packet.Outcome
    ) throws(PacketError) -> Bool {
        let frame = try PublishFrame.parse(body, flags: flags, version: version)
        let found = try PublishProperties.scan(frame.properties)
        guard TopicSyntax.isValidName(frame.topic) || (frame.topic.isEmpty && found.topicAlias != nil) else {
            if case .fault = full { return true }
            return false
        }
        guard case .packet(.publish(let publish), _) = full else { return false }
        return publish.topic.bytes == Array(frame.topic) && publish.payload == Array(frame.payload)
            && publish.qos == frame.qos && publish.retain == frame.retain && publish.duplicate == frame.duplicate
            && publish.packetIdentifier == frame.packetIdentifier
            && publish.properties.topicAlias == found.topicAlias
            && publish.properties.payloadFormatIndicator == found.payloadFormatIndicator
            && publish.properties.messageExpiryIntervalSeconds == found.messageExpiryIntervalSeconds
    }

    private static func fields(of packet: Packet) -> (UInt16, ReasonCode)? {
        switch packet {
        case .puback(let packet): (packet.packetIdentifier, packet.reasonCode)
        case .pubrec(let packet): (packet.packetIdentifier, packet.reasonCode)
        case .pubrel(let packet): (packet.packetIdentifier, packet.reasonCode)
        case .pubcomp(let packet): (packet.packetIdentifier, packet.reasonCode)
        default: nil
        }
    }
}
