import MQTTProtocol
import SeededRandom
import ShardTestKit
import Testing

@testable import BrokerCore

/// When sessions, connections and wills end; what a resumed session is sent; shared subscriptions.
@Suite("Session life")
struct SessionLifeTests {
    @Test("a connection without CONNECT is closed at connect_timeout")
    func connectTimeout() {
        let harness = ShardHarness()
        let stranger = harness.open()
        harness.advance(by: 9_999)
        #expect(!stranger.isClosed)
        harness.advance(by: 1)
        #expect(stranger.isClosed)
    }

    @Test("[5.0 MQTT-3.1.2-22] one and a half times the keep-alive; any packet begins it anew")
    func keepAlive() {
        let harness = ShardHarness()
        let client = harness.client("c", keepAlive: 10)
        harness.advance(by: 14_999)
        harness.send(.pingreq(Pingreq()), on: client)
        harness.advance(by: 14_999)
        #expect(!client.isClosed)
        harness.advance(by: 1)
        #expect(client.isClosed)
        #expect(
            client.packets.contains {
                if case .disconnect(let packet) = $0 { packet.reasonCode == .keepAliveTimeout } else { false }
            })
    }

    @Test("a session ends when its expiry has passed, not before; a client in time keeps it")
    func expiry() {
        let harness = ShardHarness()
        let first = harness.client("c", expiry: 10)
        harness.subscribe(first, "t", .atLeastOnce)
        harness.cut(first)
        harness.advance(by: 9_999)
        let second = harness.connect(Connect(version: .v311, cleanStart: false, clientIdentifier: "c"))
        #expect(second.takePackets() == [.connack(Connack(sessionPresent: true, reasonCode: .success))])
        harness.cut(second)
        let third = harness.client("c", cleanStart: false, expiry: 10)
        harness.cut(third)
        harness.advance(by: 10_000)
        #expect(harness.shard.status.sessions == 0)
        #expect(harness.shard.status.subscriptions == 0)
        #expect(harness.storage.engine.queueCount == 0)
    }

    @Test("a delayed will waits, is cancelled by a client that resumes, and goes at the session's end at the latest")
    func willDelay() {
        let harness = ShardHarness()
        let watcher = harness.client("watcher")
        harness.subscribe(watcher, "will")
        let will = Will(topic: "will", payload: [1], delayIntervalSeconds: 20)
        harness.cut(harness.client("c", expiry: 60, will: will))
        harness.advance(by: 19_999)
        #expect(watcher.packets.isEmpty)
        let resumed = harness.client("c", cleanStart: false, expiry: 60, will: will)
        harness.advance(by: 30_000)
        #expect(watcher.packets.isEmpty)
        harness.cut(resumed)
        harness.advance(by: 20_000)
        #expect(watcher.takePayloads() == [1])
        harness.cut(harness.client("d", expiry: 5, will: will))
        harness.advance(by: 5_000)
        #expect(watcher.takePayloads() == [1])
        harness.advance(by: 60_000)
        #expect(watcher.packets.isEmpty, "once only")
    }

    @Test("a resumed session gets what was in flight again, within the new Receive Maximum and in order")
    func resends() {
        let harness = ShardHarness()
        let first = harness.client("c", expiry: .max)
        harness.subscribe(first, "t", .atLeastOnce)
        let publisher = harness.client("publisher")
        for i in 0..<8 {
            harness.publish(publisher, "t", [UInt8(i)], qos: .atLeastOnce)
            harness.run()
        }
        #expect(first.takePayloads() == Array(0..<8))
        harness.cut(first)
        let second = harness.client("c", cleanStart: false, expiry: .max) { $0.receiveMaximum = 3 }
        // `client` has taken what came with the CONNACK: acknowledge by identifier.
        for identifier in 1...3 as ClosedRange<UInt16> { harness.puback(second, identifier) }
        harness.run()
        let next = second.takePublishes()
        #expect(next.map(\.payload) == [[3], [4], [5]])
        #expect(next.allSatisfy { $0.duplicate })
        for publish in next { harness.puback(second, publish.packetIdentifier) }
        harness.run()
        #expect(second.takePayloads() == [6, 7])
    }

    @Test("members of a shared subscription take turns; the absent are passed over; what one leaves another gets")
    func shared() {
        let harness = ShardHarness()
        let members = (0..<3).map { harness.client("m\($0)") }
        for member in members { harness.subscribe(member, "$share/g/t", .atLeastOnce) }
        let publisher = harness.client("publisher")
        for i in 0..<9 {
            harness.publish(publisher, "t", [UInt8(i)], qos: .atLeastOnce)
            harness.run()
        }
        let counts = members.map { $0.publishes.count }
        #expect(counts == [3, 3, 3])
        let unacknowledged = members[0].takePayloads()
        _ = members[1].takePackets()
        _ = members[2].takePackets()
        harness.cut(members[0])
        harness.run()
        let redelivered = (members[1].takePayloads() + members[2].takePayloads()).sorted()
        #expect(redelivered == unacknowledged)
    }

    @Test(
        "a message too large for its receiver is dropped and counted, an introduced alias counted in", arguments: 0..<12
    )
    func maximumPacketSize(spare: Int) {
        let harness = ShardHarness()
        let size = 40
        let client = harness.client("c") {
            $0.maximumPacketSize = UInt32(size)
            $0.topicAliasMaximum = 5
        }
        harness.subscribe(client, "topic/a", .atLeastOnce)
        let publisher = harness.client("publisher")
        harness.publish(publisher, "topic/a", [UInt8](repeating: 1, count: 20 + spare), qos: .atLeastOnce)
        harness.run()
        for publish in client.rawPublishes { #expect(Packet.publish(publish).encodedSize(version: .v5) <= size) }
        let fits = 2 + 2 + 7 + 2 + 1 + 20 + spare <= size
        #expect(client.rawPublishes.count == (fits ? 1 : 0))
        #expect(harness.shard.counters.publishesDropped == (fits ? 0 : 1))
    }

    @Test(
        "[5.0 MQTT-3.1.2-24] a client that takes no packet as large as its CONNACK is gone; a lasting session stays",
        arguments: [0, 60] as [UInt32])
    func connackTooLarge(expiry: UInt32) {
        let harness = ShardHarness()
        var connect = Connect(version: .v5, clientIdentifier: "c")
        connect.properties.sessionExpiryIntervalSeconds = expiry
        connect.properties.maximumPacketSize = 2
        let client = harness.connect(connect)
        #expect(client.isClosed)
        #expect(client.takePackets() == [])
        #expect(harness.shard.status.sessions == (expiry == 0 ? 0 : 1))
        #expect(harness.shard.status.clientsConnected == 0)
        harness.advance(by: Int64(expiry) * 1000)
        #expect(harness.shard.status.sessions == 0)
    }

    @Test("[5.0 MQTT-3.3.4-3] overlapping subscriptions: one copy with all identifiers, also after an absence")
    func overlappingWhileAway() {
        let harness = ShardHarness()
        let first = harness.client("c", expiry: .max)
        harness.subscribe(first, "a/+", .atLeastOnce, identifier: 3)
        harness.subscribe(first, "a/#", .exactlyOnce, identifier: 300)
        harness.cut(first)
        harness.publish(harness.client("publisher"), "a/b", [1], qos: .exactlyOnce)
        harness.run()
        let connect = Connect(version: .v5, cleanStart: false, clientIdentifier: "c")
        let second = harness.connect(connect)
        let publishes = second.takePublishes()
        #expect(publishes.count == 1)
        #expect(publishes.first?.properties.subscriptionIdentifiers.sorted() == [3, 300])
        #expect(publishes.first?.qos == .exactlyOnce)
    }

    @Test("the straight road and the full road write the same bytes", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func twoRoads(seed: UInt64) {
        func run(debug: Bool) -> [[UInt8]] {
            var random = SeededGenerator(seed: seed)
            var settings = ShardSettings()
            settings.inflightMessagesMax = 65_535
            if debug { settings.logInterest.insert(.debug) }
            let harness = ShardHarness(settings: settings, seed: seed)
            let versions: [ProtocolVersion] = [.v31, .v311, .v5]
            let clients = (0..<6).map { harness.client("c\($0)", versions[$0 % 3]) }
            for client in clients {
                for _ in 0..<3 { harness.subscribe(client, RoutingTests.filter(&random), random.pick(QoS.allCases)) }
            }
            for i in 0..<400 {
                let sender = random.pick(clients)
                let size = random.chance(10) ? 3_000 : random.below(200)
                harness.publish(
                    sender, RoutingTests.topic(&random), [UInt8](repeating: UInt8(i & 0xFF), count: size),
                    qos: random.chance(50) ? .atMostOnce : .atLeastOnce, identifier: UInt16(i + 1))
                if random.chance(30) { harness.run() }
            }
            harness.run()
            return clients.map(\.bytes)
        }
        #expect(run(debug: false) == run(debug: true))
    }
}
