import MQTTProtocol
import ShardTestKit
import Testing

@testable import BrokerCore

/// Slow readers and full ways, where publisher and reader live in different shards: the publisher waits as it does for a
/// reader of its own shard, nothing grows without limit, and everything that does not come is counted.
@Suite("Slow readers across shards")
struct NeighbourFlowTests {
    /// A slow reader of `t` in shard 1, and a publisher in shard 0.
    private func pair(
        count: Int = 2, qos: QoS = .atMostOnce, filter: String = "t", _ change: (inout ShardSettings) -> Void = { _ in }
    ) -> (LinkedShards, reader: TestConnection, publisher: TestConnection) {
        var settings = ShardSettings()
        settings.outputBytesMax = 10_000
        settings.neighbourBytesMax = 4_000
        change(&settings)
        let shards = LinkedShards(count, settings: settings)
        let reader = shards[1].client("slow")
        shards[1].subscribe(reader, filter, qos)
        shards.run()
        _ = reader.takePackets()
        reader.socketBytesMax = 2_000
        return (shards, reader, shards[0].client("publisher"))
    }

    /// Publishes messages of 500 bytes until somebody is to wait; how many were sent.
    private func fill(_ shards: LinkedShards, _ publisher: TestConnection, from shard: Int = 0, qos: QoS = .atMostOnce)
        -> Int
    {
        var sent = 0
        while sent < 1_000, !publisher.isPaused {
            shards[shard].publish(
                publisher, "t", [UInt8](repeating: UInt8(sent & 0xFF), count: 500), qos: qos,
                identifier: UInt16(sent + 1))
            shards.run()
            sent += 1
        }
        return sent
    }

    private func drain(_ shards: LinkedShards, _ reader: TestConnection) -> Int {
        var count = 0
        for _ in 0..<200 {
            shards[1].read(on: reader)
            shards.run()
            count += reader.takePublishes().count
        }
        return count
    }

    @Test(
        "A full reader pauses a neighbour's publisher for slow_reader_wait, then it is stalled; drained, it counts again"
    )
    func stallsAndRecovers() {
        let (shards, reader, publisher) = pair()
        let sent = fill(shards, publisher)
        #expect(publisher.isPaused && shards.dropped == 0)
        #expect(sent < 40, "10,000 bytes in the output, 2,000 in the socket")
        shards.advance(by: 999)
        #expect(publisher.isPaused)
        shards.advance(by: 1)
        #expect(!publisher.isPaused, "nobody waits for a stalled reader")
        #expect(shards[1].log.contains(.readerStalled(client: "slow", milliseconds: 1_000)))
        for _ in 0..<10 { shards[0].publish(publisher, "t", [1]) }
        shards.run()
        #expect(!publisher.isPaused && shards.dropped == 10)
        #expect(drain(shards, reader) == sent, "what was taken before the stall arrives")
        #expect(shards[1].log.contains(.readerRecovered(client: "slow", dropped: 10)))
        shards[0].publish(publisher, "t", [2])
        shards.run()
        shards[1].read(on: reader)
        #expect(reader.takePayloads() == [2])
        #expect(fill(shards, publisher) > 1 && publisher.isPaused, "and can pause again")
    }

    @Test("A reader that drains in time lets its publishers go on; nothing is lost", arguments: 1...3)
    func drainsInTime(publishers count: Int) {
        let (shards, reader, first) = pair(count: 3)
        let others = (1..<count).map { shards[$0 == 1 ? 0 : 2].client("other\($0)") }
        var sent = fill(shards, first)
        for (number, other) in others.enumerated() { sent += fill(shards, other, from: number == 0 ? 0 : 2) }
        #expect(drain(shards, reader) == sent)
        #expect(!first.isPaused && others.allSatisfy { !$0.isPaused })
        shards.advance(by: 5_000)
        #expect(shards.dropped == 0)
        #expect(!shards[1].log.contains { if case .readerStalled = $0 { true } else { false } })
    }

    @Test("A publisher goes on when its reader leaves; one that leaves itself is forgotten")
    func leaves() {
        let (shards, reader, publisher) = pair()
        _ = fill(shards, publisher)
        let second = shards[0].client("second")
        _ = fill(shards, second)
        #expect(publisher.isPaused && second.isPaused)
        shards[0].cut(second)
        // Its place is taken by somebody who has nothing to do with it.
        let third = shards[0].client("third")
        shards[1].cut(reader)
        shards.run()
        #expect(!publisher.isPaused && !third.isPaused)
        for connection in [publisher, third] {
            let isPaused = shards[0].shard.isPaused(connection.id)
            #expect(!isPaused)
        }
    }

    @Test("Only those wait who send to the slow reader")
    func others() {
        let (shards, _, publisher) = pair()
        let healthy = shards[1].client("healthy")
        shards[1].subscribe(healthy, "u")
        let other = shards[0].client("other")
        _ = fill(shards, publisher)
        for i in 0..<100 {
            shards[0].publish(other, "u", [UInt8(i)])
            shards.run()
        }
        #expect(publisher.isPaused && !other.isPaused)
        #expect(healthy.takePayloads() == Array(0..<100))
    }

    @Test("QoS 1 is paused too, acknowledged all the same, and waits in window and queue as ever")
    func qos1() {
        let (shards, reader, publisher) = pair(qos: .atLeastOnce) { $0.inflightMessagesMax = 65_535 }
        let sent = fill(shards, publisher, qos: .atLeastOnce)
        #expect(publisher.isPaused)
        let acknowledged = publisher.takePackets().filter { if case .puback = $0 { true } else { false } }
        #expect(acknowledged.count == sent)
        shards.advance(by: 1_000)
        #expect(!publisher.isPaused)
        for i in 0..<10 {
            shards[0].publish(publisher, "t", [3], qos: .atLeastOnce, identifier: UInt16(2_000 + i))
        }
        shards.run()
        #expect(shards.dropped == 0)
        #expect(drain(shards, reader) == sent + 10)
    }

    // MARK: Ways

    @Test(
        "While a neighbour takes nothing, its mail stays within the limit and a message for each publisher; then all goes on"
    )
    func fullWay() {
        let (shards, reader, publisher) = pair()
        reader.socketBytesMax = nil
        let others = (0..<3).map { shards[0].client("other\($0)") }
        shards.busy = [1]
        var sent = fill(shards, publisher)
        for other in others { sent += fill(shards, other) }
        #expect(publisher.isPaused && others.allSatisfy(\.isPaused))
        #expect(shards.mailBytes(to: 1) <= 4_000 + 4 * 501)
        let local = shards[0].client("local")
        shards[0].publish(local, "elsewhere", [1])
        shards.run()
        #expect(!local.isPaused, "it sends nothing that way")
        shards.busy = []
        shards.run()
        #expect(!publisher.isPaused && others.allSatisfy { !$0.isPaused })
        #expect(reader.takePublishes().count == sent && shards.dropped == 0)
    }

    @Test("Retained messages and shared subscriptions, which a third shard passes on, hold their publisher too")
    func thirdShard() {
        // The group's shard, or the topic's, is any of three; the reader is in 1, the publisher everywhere once.
        for from in 0..<3 {
            for key in 0..<6 as Range<UInt64> {
                var settings = ShardSettings()
                settings.outputBytesMax = 10_000
                settings.neighbourBytesMax = 4_000
                let shards = LinkedShards(3, homeKey: key, settings: settings)
                let reader = shards[1].client("slow")
                shards[1].subscribe(reader, "$share/g/t")
                shards.run()
                _ = reader.takePackets()
                reader.socketBytesMax = 2_000
                let publisher = shards[from].client("publisher")
                shards.run()
                let sent = fill(shards, publisher, from: from)
                #expect(publisher.isPaused, "from \(from), key \(key)")
                #expect(drain(shards, reader) == sent && shards.dropped == 0)
                #expect(!publisher.isPaused)

                shards.busy = [from == 2 ? 0 : 2]
                var retained = 0
                while retained < 100, !publisher.isPaused {
                    shards[from].publish(publisher, "r", [UInt8](repeating: 1, count: 500), retain: true)
                    shards.run()
                    retained += 1
                }
                #expect(publisher.isPaused, "from \(from), key \(key)")
                shards.busy = []
                shards.run()
                #expect(!publisher.isPaused, "from \(from), key \(key)")
            }
        }
    }

    // MARK: What else is one for all shards

    @Test("global_max_connections and global_max_clients count over all shards, exactly")
    func census() {
        var settings = ShardSettings()
        settings.connectionsMax = 4
        settings.sessionsMax = 6
        let shards = LinkedShards(3, settings: settings)
        func connect(_ name: String, to shard: Int, cleanStart: Bool = true) -> (TestConnection, ReasonCode?) {
            var connect = Connect(
                version: .v5, cleanStart: cleanStart, keepAliveSeconds: 0, clientIdentifier: MQTTString(name))
            connect.properties.sessionExpiryIntervalSeconds = 100
            let connection = shards[shard].connect(connect)
            guard case .connack(let answer)? = connection.takePackets().first else { return (connection, nil) }
            return (connection, answer.reasonCode)
        }
        var online = (0..<4).map { connect("c\($0)", to: $0 % 3) }
        #expect(online.allSatisfy { $0.1 == .success })
        #expect(connect("c4", to: 1).1 == .serverBusy)
        // The same client once more takes the place it has, with its session or a new one.
        for cleanStart in [false, true] {
            let (again, code) = connect("c0", to: 0, cleanStart: cleanStart)
            #expect(code == .success)
            online[0].0 = again
        }
        #expect(shards.census.connections.count == 4 && shards.census.sessions.count == 4)
        shards[0].cut(online[0].0)
        shards[1].cut(online[1].0)
        #expect(connect("c4", to: 1).1 == .success && connect("c5", to: 2).1 == .success)
        #expect(connect("c0", to: 0).1 == .serverBusy)
        shards[2].cut(online[2].0)
        #expect(connect("c6", to: 0).1 == .quotaExceeded, "six sessions, three of them connected")
        #expect(shards.census.connections.count == 3)
        #expect(connect("c0", to: 0).1 == .success, "a session that is there may be taken up")
        shards.advance(by: 101_000)
        #expect(shards.census.sessions.count == 4, "two have expired: c1 and c2")
        #expect(shards.census.connections.peak == 4 && shards[0].shard.status.counters.clientsMaximum == 4)
        #expect(shards[1].shard.status.counters.clientsMaximum == 0, "said once")
    }

    @Test("Answers come in the order of asking, though SUBACK waits for the neighbours")
    func answersInOrder() {
        let shards = LinkedShards(2)
        let client = shards[0].client("client")
        shards.busy = [1]
        shards[0].send(
            .subscribe(Subscribe(packetIdentifier: 1, subscriptions: [Subscription(filter: "a", qos: .atMostOnce)])),
            .pingreq(Pingreq()), .pubrel(Pubrel(packetIdentifier: 9)), .pingreq(Pingreq()), on: client)
        shards.run()
        #expect(client.takePackets().isEmpty)
        shards.busy = []
        shards.run()
        let types = client.takePackets().map(\.type)
        #expect(types == [.suback, .pingresp, .pubcomp, .pingresp])
        shards[0].send(.pingreq(Pingreq()), on: client)
        shards[0].run()
        #expect(client.takePackets().map(\.type) == [.pingresp])
    }
}
