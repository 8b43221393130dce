import Glibc
import MQTTClient
import MQTTProtocol
import Testing

/// The whole client, sockets included, against a server that misbehaves on purpose.
@Suite("MQTTClient and a scripted peer", .timeLimit(.minutes(10)))
struct ScriptedPeerTests {
    private static let quick = ReconnectPolicy(
        backoff: Backoff(baseMilliseconds: 1, maximumMilliseconds: 5, retriesMax: 20))

    private static func configuration(
        _ version: ProtocolVersion = .v5, _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) -> ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: "scripted", version: version)
        change(&configuration)
        return configuration
    }

    /// Runs a client without reconnecting and returns what ended it.
    private static func run(
        _ peer: ScriptedPeer, _ configuration: ClientConfiguration
    ) async throws -> ClientError? {
        let client = try MQTTClient(.tcp("127.0.0.1", port: peer.port), configuration, reconnect: .never)
        do throws(ClientError) {
            try await client.run()
            return nil
        } catch {
            #expect(client.state == .closed(error))
            return error
        }
    }

    @Test("[5.0 MQTT-3.2.0-1] [3.1.1 MQTT-3.2.0-1] the first packet is not CONNACK: closed, and the server is told")
    func wrongFirstPacket() async throws {
        let peer = try ScriptedPeer([
            { connection in
                _ = try connection.expect(.connect)
                try connection.send(.pingresp(Pingresp()))
                let goodbye = try connection.expect(.disconnect)
                guard goodbye.disconnect?.reasonCode == .protocolError else {
                    throw ScriptedPeer.Unexpected(description: "\(goodbye)")
                }
                try connection.expectClosed()
            }
        ])
        #expect(try await Self.run(peer, Self.configuration()) == .firstPacketNotConnack(.pingresp))
        #expect(await peer.finish() == nil)
    }

    @Test("a refusal is an error with its code, in both versions", arguments: [ProtocolVersion.v311, .v5])
    func refused(version: ProtocolVersion) async throws {
        let peer = try ScriptedPeer(
            version: version,
            [
                { connection in
                    _ = try connection.expect(.connect)
                    try connection.send(.connack(Connack(sessionPresent: false, reasonCode: .notAuthorized)))
                    try connection.expectClosed()
                }
            ])
        let error = try await Self.run(peer, Self.configuration(version))
        #expect(error == .connectionRefused(.notAuthorized, reasonString: nil, serverReference: nil))
        #expect(await peer.finish() == nil)
    }

    @Test("a server that reads late: what was written when the channel became full comes once, in order")
    func lateReader() async throws {
        let total = 1_000
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                usleep(300_000)  // the channel becomes full
                for number in 0..<total {
                    guard case .publish(let publish) = try connection.expect(.publish),
                        publish.topic == MQTTString("t/\(number)")
                    else { throw ScriptedPeer.Unexpected(description: "not the message number \(number)") }
                }
                try connection.expectGoodbye()
            }
        ])
        let payload = [UInt8](repeating: 0x55, count: 10_000)
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: peer.port), Self.configuration(), reconnect: .never
        ) { client in
            for number in 0..<total { try await client.publish(Message("t/\(number)", payload)) }
        }
        #expect(await peer.finish() == nil)
    }

    @Test("an observer sees every packet, either way, in the order of the wire")
    func observer() async throws {
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                guard case .publish(let publish) = try connection.expect(.publish) else { return }
                try connection.send(
                    .puback(Puback(packetIdentifier: publish.packetIdentifier, reasonCode: .notAuthorized)))
                try connection.expectGoodbye()
            }
        ])
        let (packets, seen) = AsyncStream.makeStream(of: String.self)
        let client = try MQTTClient(
            .tcp("127.0.0.1", port: peer.port), Self.configuration { $0.sentTopicAliasesMax = 0 }, reconnect: .never,
            observer: { direction, packet in
                let message = packet.message.map { " \($0.topic) \($0.qos.rawValue) \($0.retain)" } ?? ""
                let code = packet.reasonCode.map { " \($0.rawValue)" } ?? ""
                seen.yield("\(direction) \(packet)\(message)\(code)")
            })
        async let life: Void = client.run()
        await #expect(throws: ClientError.self) {
            try await client.publish(Message("a/b", "hi", qos: .atLeastOnce, retain: true))
        }
        client.close()
        try? await life
        #expect(await peer.finish() == nil)
        seen.finish()
        var lines: [String] = []
        for await line in packets { lines.append(line) }
        #expect(
            lines == [
                "sent CONNECT", "received CONNACK 0", "sent PUBLISH 1 a/b 1 true", "received PUBACK 1 135",
                "sent DISCONNECT 0",
            ])
    }

    @Test("a server that never answers CONNECT")
    func silentAtConnect() async throws {
        let peer = try ScriptedPeer([
            { connection in
                _ = try connection.expect(.connect)
                _ = try connection.expect(.disconnect)
                try connection.expectClosed()
            }
        ])
        let error = try await Self.run(peer, Self.configuration { $0.connectTimeout = .milliseconds(200) })
        #expect(error == .connectTimedOut)
        #expect(await peer.finish() == nil)
    }

    @Test("[5.0 MQTT-3.1.2-20] a server that falls silent is given up")
    func silentLater() async throws {
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                _ = try connection.expect(.pingreq)
                _ = try connection.expect(.disconnect)
                try connection.expectClosed()
            }
        ])
        let configuration = Self.configuration {
            $0.keepAliveSeconds = 1
            $0.pingrespTimeout = .milliseconds(200)
        }
        #expect(try await Self.run(peer, configuration) == .keepAliveTimedOut)
        #expect(await peer.finish() == nil)
    }

    @Test("malformed bytes: DISCONNECT 0x81, closed, a typed error")
    func malformed() async throws {
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                try connection.send([0x36, 0x03, 0x00, 0x01, 0x61])  // PUBLISH with QoS 3
                let goodbye = try connection.expect(.disconnect)
                guard goodbye.disconnect?.reasonCode == .malformedPacket else {
                    throw ScriptedPeer.Unexpected(description: "\(goodbye)")
                }
                try connection.expectClosed()
            }
        ])
        #expect(try await Self.run(peer, Self.configuration()) == .malformedPacket(.qos3))
        #expect(await peer.finish() == nil)
    }

    @Test("nobody listens: an error at once, in words")
    func nobody() async throws {
        let client = try MQTTClient(.tcp("127.0.0.1", port: 1), Self.configuration())
        await #expect { try await client.run() } throws: { error in
            guard case .connectFailed(let failure)? = error as? ClientError else { return false }
            return failure.stage == .socket && failure.reason == "connection refused"
                && failure.description.contains("127.0.0.1:1")
        }
    }

    @Test(
        "[5.0 MQTT-4.3.3-4] [5.0 MQTT-4.4.0-1] a QoS 2 message out, cut after every single packet",
        arguments: [ProtocolVersion.v311, .v5])
    func cutOutgoing(version: ProtocolVersion) async throws {
        let peer = try ScriptedPeer(
            version: version,
            [
                { connection in
                    try connection.accept()
                    let publish = try connection.expect(.publish).publish
                    guard publish?.duplicate == false else {
                        throw ScriptedPeer.Unexpected(description: "DUP at first")
                    }
                },
                { connection in
                    try connection.accept(sessionPresent: true)
                    let publish = try connection.expect(.publish).publish
                    guard publish?.duplicate == true, publish?.packetIdentifier == 1 else {
                        throw ScriptedPeer.Unexpected(description: "not the same again")
                    }
                    try connection.send(.pubrec(Pubrec(packetIdentifier: 1)))
                    _ = try connection.expect(.pubrel)
                },
                { connection in
                    try connection.accept(sessionPresent: true)
                    _ = try connection.expect(.pubrel)
                },
                { connection in
                    try connection.accept(sessionPresent: true)
                    _ = try connection.expect(.pubrel)
                    try connection.send(.pubcomp(Pubcomp(packetIdentifier: 1)))
                    _ = try connection.expect(.disconnect)
                    try connection.expectClosed()
                },
            ])
        let configuration = Self.configuration(version) {
            $0.cleanStart = false
            if version == .v5 { $0.sessionExpiryIntervalSeconds = 60 }
        }
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: peer.port), configuration, reconnect: Self.quick
        ) { client in
            let result = try await client.publish(Message("a", "once", qos: .exactlyOnce))
            #expect(result.reasonCode == .success)
        }
        #expect(await peer.finish() == nil)
    }

    @Test("[5.0 MQTT-4.3.3-10] [5.0 MQTT-4.3.3-11] a QoS 2 message in, cut after every single packet: delivered once")
    func cutIncoming() async throws {
        let message = Publish(qos: .exactlyOnce, topic: "a", packetIdentifier: 9, payload: [1])
        let again = Publish(duplicate: true, qos: .exactlyOnce, topic: "a", packetIdentifier: 9, payload: [1])
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                guard let subscribe = try connection.expect(.subscribe).subscribe else { return }
                try connection.send(
                    .suback(Suback(packetIdentifier: subscribe.packetIdentifier, reasonCodes: [.grantedQoS2])))
                try connection.send(.publish(message))
                _ = try connection.expect(.pubrec)
            },
            { connection in
                try connection.accept(sessionPresent: true)
                try connection.send(.publish(again))
                _ = try connection.expect(.pubrec)
                try connection.send(.pubrel(Pubrel(packetIdentifier: 9)))
                _ = try connection.expect(.pubcomp)
            },
            { connection in
                try connection.accept(sessionPresent: true)
                try connection.send(.pubrel(Pubrel(packetIdentifier: 9)))
                guard case .pubcomp(let pubcomp) = try connection.expect(.pubcomp),
                    pubcomp.reasonCode == .packetIdentifierNotFound
                else { throw ScriptedPeer.Unexpected(description: "not 0x92") }
                try connection.send(.publish(Publish(topic: "a", payload: [2])))
                try connection.expectGoodbye()
            },
        ])
        let configuration = Self.configuration {
            $0.cleanStart = false
            $0.sessionExpiryIntervalSeconds = 60
        }
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: peer.port), configuration, reconnect: Self.quick
        ) { client in
            var iterator = try await client.subscribe(to: "a", qos: .exactlyOnce).makeAsyncIterator()
            #expect(try await iterator.next()?.payload == [1])
            #expect(try await iterator.next()?.payload == [2])
        }
        #expect(await peer.finish() == nil)
    }

    @Test("bytes one at a time")
    func slow() async throws {
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                guard let subscribe = try connection.expect(.subscribe).subscribe else { return }
                try connection.send(
                    .suback(Suback(packetIdentifier: subscribe.packetIdentifier, reasonCodes: [.grantedQoS0])))
                var run = ByteRun()
                for number in 0..<20 {
                    Packet.publish(Publish(topic: "slow", payload: bytes(number))).encode(into: &run, version: .v5)
                }
                for byte in [UInt8](run.bytes) { try connection.send([byte]) }
                try connection.expectGoodbye()
            }
        ])
        try await MQTTClient.withConnection(to: .tcp("127.0.0.1", port: peer.port), Self.configuration()) { client in
            var iterator = try await client.subscribe(to: "slow").makeAsyncIterator()
            for expected in 0..<20 {
                #expect(try await iterator.next().map { number($0.payload) } == expected)
            }
        }
        #expect(await peer.finish() == nil)
    }

    @Test("a cancelled publish throws, and its packet identifier comes free when the server is done")
    func cancelled() async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept { $0.receiveMaximum = 1 }
                _ = try connection.expect(.publish)
                arrived.finish()
                // QoS 0 passes the one in flight.
                _ = try connection.expect(.publish)
                try connection.send(.puback(Puback(packetIdentifier: 1)))
                let next = try connection.expect(.publish).publish
                try connection.send(.puback(Puback(packetIdentifier: next?.packetIdentifier ?? 0)))
                try connection.expectGoodbye()
            }
        ])
        try await MQTTClient.withConnection(to: .tcp("127.0.0.1", port: peer.port), Self.configuration()) { client in
            let task = Task { () throws(ClientError) in try await client.publish(Message("a", "1", qos: .atLeastOnce)) }
            for await _ in arrivals {}
            task.cancel()
            await #expect(throws: ClientError.cancelled) { try await task.value }
            try await client.publish(Message("a", "0"))
            let result = try await client.publish(Message("a", "2", qos: .atLeastOnce))
            #expect(result.reasonCode == .success)
        }
        #expect(await peer.finish() == nil)
    }

    @Test("a reader that lags stops the socket, and nothing is lost")
    func backPressure() async throws {
        let payload = [UInt8](repeating: 7, count: 100_000)
        let total = 400
        let peer = try ScriptedPeer([
            { connection in
                try connection.accept()
                guard let subscribe = try connection.expect(.subscribe).subscribe else { return }
                try connection.send(
                    .suback(Suback(packetIdentifier: subscribe.packetIdentifier, reasonCodes: [.grantedQoS0])))
                for _ in 0..<total { try connection.send(.publish(Publish(topic: "big", payload: payload))) }
                try connection.expectGoodbye()
            }
        ])
        var limits = MQTTClient.Limits()
        limits.bufferedMessagesMax = 10
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: peer.port), Self.configuration(), limits: limits
        ) { client in
            let subscription = try await client.subscribe(to: "big")
            var count = 0
            for try await message in subscription {
                #expect(message.payload.count == payload.count)
                count += 1
                if count == total { break }
                if count % 100 == 0 { try await Task.sleep(for: .milliseconds(50)) }
                #expect(subscription.waitingMessages <= 10 + 64 * 1024 / 100_000 + 2)
            }
            #expect(count == total)
        }
        #expect(await peer.finish() == nil)
    }
}
