import MQTTProtocol
import SeededRandom
import Testing

@Suite("Frames")
struct FrameTests {
    private func header(_ text: String, _ limit: Int = 1 << 28) throws(PacketError) -> FrameHeader? {
        let result: Result<FrameHeader?, PacketError> = bytes(text).withUnsafeBytes { raw in
            do throws(PacketError) {
                return .success(try FrameHeader.parse(raw, maximumPacketSize: limit))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test(
        "[5.0 §1.5.5] lengths at the edges",
        arguments: [
            ("00", 0), ("7f", 127), ("8001", 128), ("ff7f", 16_383), ("808001", 16_384), ("ffff7f", 2_097_151),
            ("80808001", 2_097_152), ("ffffff7f", 268_435_455),
        ])
    func lengths(_ text: String, _ length: Int) throws {
        let found = try #require(try header("30" + text, 268_435_460))
        #expect(found.remainingLength == length)
        #expect(found.headerLength == 1 + text.count / 2)
        #expect(found.totalLength == 1 + text.count / 2 + length)
        #expect(found.packetType == .publish)
        var run = ByteRun()
        run.append(variable: length)
        #expect(hex(Array(run.bytes)) == text, "[5.0 MQTT-1.5.5-1] written in the shortest form")
    }

    @Test("half a header waits", arguments: ["", "30", "30 80", "30 ff ff", "30 ff ff ff"])
    func waits(_ text: String) throws {
        #expect(try header(text) == nil)
    }

    @Test("the size is checked as soon as the length is known, before the body comes")
    func sizeLimit() throws {
        #expect(try header("30 7e", 128) != nil)
        #expect(fault { () throws(PacketError) in _ = try header("30 7f", 128) } == .packetTooLarge(limitBytes: 128))
        #expect(try header("30 8001", 131) != nil)
        #expect(fault { () throws(PacketError) in _ = try header("30 8001", 130) } == .packetTooLarge(limitBytes: 130))
        #expect(
            fault { () throws(PacketError) in _ = try header("10 ffffff7f", 2_000_000) }
                == .packetTooLarge(limitBytes: 2_000_000))
    }

    @Test("properties that travel on are copied in order, the others are left out")
    func forwarded() throws {
        let block = bytes(
            "26 0001 'b' 0001 '1' 02 0000003c 01 01 23 0007 26 0001 'a' 0000 09 0001 00 03 0000 08 0001 'r'")
        let expected = bytes("26 0001 'b' 0001 '1' 01 01 26 0001 'a' 0000 09 0001 00 03 0000 08 0001 'r'")
        try block.withUnsafeBytes { raw in
            let found = try PublishProperties.scan(raw)
            #expect(found.messageExpiryIntervalSeconds == 60)
            #expect(found.topicAlias == 7)
            #expect(found.payloadFormatIndicator == 1)
            #expect(!found.forwardedIsWhole)
            #expect(found.forwardedSize == expected.count)
            var run = ByteRun()
            found.appendForwarded(from: raw, to: &run)
            #expect(Array(run.bytes) == expected)
        }
        try expected.withUnsafeBytes { raw in
            let found = try PublishProperties.scan(raw)
            #expect(found.forwardedIsWhole)
            var run = ByteRun()
            found.appendForwarded(from: raw, to: &run)
            #expect(Array(run.bytes) == expected)
        }
        #expect(try PublishProperties.scan(UnsafeRawBufferPointer(start: nil, count: 0)) == PublishProperties())
    }

    @Test("properties that travel on, whatever their order")
    func forwardedInAnyOrder() throws {
        var random = SeededGenerator(seed: 3)
        let travelling = ["26 0001 'b' 0001 '1'", "01 01", "26 0000 0000", "09 0001 00", "03 0000", "08 0001 'r'"]
        let staying = ["02 0000003c", "23 0007"]
        for _ in 0..<500 {
            let parts = (travelling + staying).shuffled(using: &random).prefix(Int.random(in: 0...8, using: &random))
            let expected = parts.filter { !staying.contains($0) }.flatMap { bytes($0) }
            try parts.flatMap { bytes($0) }.withUnsafeBytes { raw in
                let found = try PublishProperties.scan(raw)
                var run = ByteRun()
                found.appendForwarded(from: raw, to: &run)
                #expect(Array(run.bytes) == expected)
                #expect(found.forwardedSize == expected.count)
                #expect(found.forwardedIsWhole == (expected.count == raw.count))
            }
        }
    }

    @Test("acknowledgements without properties, as the hot path writes them", arguments: ProtocolVersion.allCases)
    func shortAcknowledgements(_ version: ProtocolVersion) {
        var run = ByteRun()
        Acknowledgement.append(.puback, packetIdentifier: 0x0102, version: version, to: &run)
        Acknowledgement.append(.pubrel, packetIdentifier: 3, version: version, to: &run)
        Acknowledgement.append(
            .pubcomp, packetIdentifier: 4, reasonCode: .packetIdentifierNotFound, version: version, to: &run)
        let last = version == .v5 ? "7003000492" : "70020004"
        #expect(hex(Array(run.bytes)) == "40020102" + "62020003" + last)
    }

    @Test("refusals in 3.x use the return code that comes nearest")
    func returnCodes() {
        let expected: [(ReasonCode, UInt8)] = [
            (.success, 0), (.unsupportedProtocolVersion, 1), (.clientIdentifierNotValid, 2), (.serverBusy, 3),
            (.serverUnavailable, 3), (.unspecifiedError, 3), (.quotaExceeded, 3), (.useAnotherServer, 3),
            (.badUserNameOrPassword, 4), (.badAuthenticationMethod, 4), (.notAuthorized, 5), (.banned, 5),
        ]
        for (reason, code) in expected {
            let packet = Packet.connack(Connack(sessionPresent: true, reasonCode: reason))
            #expect(packet.encoded(.v311) == [0x20, 2, reason == .success ? 1 : 0, code])
            #expect(packet.encoded(.v31) == [0x20, 2, 0, code], "3.1 has no session present")
        }
    }

    @Test("3.1.1 has one failure in SUBACK, 3.1 has none")
    func subackFailures() {
        let packet = Packet.suback(Suback(packetIdentifier: 1, reasonCodes: [.notAuthorized, .grantedQoS1]))
        #expect(hex(packet.encoded(.v311)) == "900400018001")
        #expect(hex(packet.encoded(.v31)) == "900400010001")
        #expect(hex(packet.encoded(.v5)) == "90050001008701")
    }
}
