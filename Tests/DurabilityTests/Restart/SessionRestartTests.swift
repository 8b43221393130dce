import Glibc
import MQTTTestKit
import Testing

/// What a session is beside its messages: that it is there, its subscriptions, its end, its will.
@Suite("Sessions over a restart", .blocking)
struct SessionRestartTests {
    @Test("subscriptions keep their options and identifiers; what was unsubscribed stays so", arguments: End.allCases)
    func subscriptions(_ end: End) throws {
        let world = try RestartedBroker()
        let id = unique("s")
        let subscriber = try world.client(id)
        // QoS 1, No Local, Retain As Published.
        try subscriber.subscribe("a/+", 1 | 4 | 8, properties: [.subscriptionIdentifier(7)])
        try subscriber.subscribe("b/#", 2, id: 2, properties: [.subscriptionIdentifier(268_435_455)])
        try subscriber.subscribe("gone", 1, id: 3)
        try subscriber.subscribe("$share/g/c", 1, id: 4)
        try subscriber.unsubscribe("gone", id: 5)
        try world.restart(end)

        let again = try world.known(id)
        try again.publish("a/1", "one's own", qos: 1)
        let other = try world.client(cleanStart: true)
        try other.publish("gone", "nobody's", qos: 1)
        try other.publish("a/1", "first", qos: 2, retain: true)
        try other.publish("b/1", "second", qos: 2, retain: true)
        try other.publish("c", "third", qos: 1)
        let first = try again.receivePublish()
        let second = try again.receivePublish()
        #expect([first.payloadText, second.payloadText] == ["first", "second"])
        #expect(first.qos == 1 && first.retain)
        #expect(first.variableByteIntegers(0x0B) == [7])
        #expect(second.qos == 2 && !second.retain)
        #expect(second.variableByteIntegers(0x0B) == [268_435_455])
        #expect(try again.receivePublish().payloadText == "third")
        try again.expectQuiet()
    }

    @Test(
        "a session is there in every version, also for one who was never asked to disconnect", arguments: End.allCases)
    func versions(_ end: End) throws {
        let world = try RestartedBroker()
        let ids = [3, 4, 5].map { (UInt8($0), unique("v\($0)")) }
        let online = try ids.map { version, id in try world.client(id, version: version) }
        for client in online { try client.subscribe("t", 1) }
        let clean = unique("clean")
        try world.client(clean, version: 4, cleanStart: true).subscribe("t", 1)
        try world.restart(end)

        for (version, id) in ids where version > 3 { _ = try world.known(id, version: version) }
        #expect(try world.client(clean, version: 4).connack?.sessionPresent == false)
        // 3.1 is told nothing, and has it all the same.
        let oldest = try world.client(ids[0].1, version: 3)
        try world.client(cleanStart: true).publish("t", "x", qos: 1)
        #expect(try oldest.receivePublish().payloadText == "x")
    }

    @Test("a session's expiry goes on while no broker runs", arguments: End.allCases)
    func expiry(_ end: End) throws {
        let world = try RestartedBroker()
        let (short, long, online, none) = (unique("short"), unique("long"), unique("online"), unique("none"))
        try world.away(short, "t", 1, properties: [.sessionExpiryInterval(2)])
        try world.away(long, "t", 1, properties: [.sessionExpiryInterval(600)])
        try world.away(none, "t", 1, properties: [])
        let connected = try world.client(online, properties: [.sessionExpiryInterval(1)])
        try connected.subscribe("t", 1)
        try end.of(world.broker)
        usleep(2_200_000)
        try world.restart(end)
        // The one that was online when the broker went has its second from the restart on.
        let isGone = try Deadline(milliseconds: patienceMilliseconds).wait {
            usleep(1_200_000)
            return try present(online, world) == false
        }
        #expect(isGone)
        #expect(try present(short, world) == false)
        #expect(try present(long, world))
        #expect(try present(none, world) == false)
    }

    /// Whether the session is there; looking leaves it as short-lived as it was.
    private func present(_ id: String, _ world: RestartedBroker) throws -> Bool {
        let client = try world.client(id, properties: [.sessionExpiryInterval(1)])
        defer { client.send(Wire.disconnect) }
        return client.connack?.sessionPresent == true
    }

    @Test("a will that waits for its delay is published after the restart, once", arguments: End.allCases)
    func delayedWill(_ end: End) throws {
        try persistently {
            let world = try RestartedBroker()
            let (listener, lost, online, back) = (unique("l"), unique("lost"), unique("online"), unique("back"))
            try world.away(listener, "will/#", 1)
            func will(_ name: String, _ delay: UInt32) -> Wire.Will {
                Wire.Will(
                    topic: "will/\(name)", payload: name, qos: 1,
                    properties: [.willDelayInterval(delay), .contentType("text/will")])
            }
            let first = try world.client(lost, will: will("lost", 2))
            let second = try world.client(online, will: will("online", 1))
            let third = try world.client(back, will: will("back", 3))
            // CONNACK does not wait for the disk, SUBACK does: from then on the session is kept, and its will with it.
            for client in [first, second, third] { try client.subscribe("own", 0) }
            let begin = ContinuousClock.now
            first.close()
            third.close()
            try second.barrier()
            try world.restart(end)
            _ = try world.known(back)  // in time: no will
            guard ContinuousClock.now - begin < .seconds(2.5) else {
                throw Mismatch(.timedOut, "a busy machine: it came back too late", #fileID, #line)
            }

            let heard = try world.known(listener)
            var packets = try [heard.receivePublish(), heard.receivePublish()]
            packets.sort { $0.payloadText < $1.payloadText }
            #expect(packets.map(\.payloadText) == ["lost", "online"])
            #expect(packets.allSatisfy { $0.text(0x03) == "text/will" && $0.qos == 1 })
            try heard.expectNothing(forMilliseconds: 2_500)

            // Published is published: another restart repeats nothing.
            try world.restart(end)
            try world.known(listener).expectNothing(forMilliseconds: 1_500)
        }
    }

    @Test("Clean Start forgets a session for good", arguments: End.allCases, [UInt8(4), 5])
    func cleanStart(_ end: End, _ version: UInt8) throws {
        let world = try RestartedBroker()
        let id = unique("s")
        try world.away(id, "t", 1, version: version)
        try world.client(cleanStart: true).publish("t", "waiting", qos: 1)
        // Taken over while it is online, too.
        let old = try world.known(id, version: version)
        let new = try world.client(id, version: version, cleanStart: true)
        #expect(new.connack?.sessionPresent == false)
        try old.packetsUntilClosed()
        // CONNACK does not wait for the disk; what is acknowledged after it says that all before is kept.
        try new.publish("after", "x", qos: 1, retain: true)
        try world.restart(end)
        let again = try world.client(id, version: version)
        #expect(again.connack?.sessionPresent == false)
        try world.client(cleanStart: true).publish("t", "later", qos: 1)
        try again.expectQuiet()
    }

    @Test("without persistence everything is forgotten, and no file is made")
    func persistenceOff() throws {
        let store = try StoreFolder()
        let id = unique("s")
        var broker = try store.start(isPersistent: false)
        let client = try RawClient.patient(broker, id: id)
        try client.subscribe("t", 1)
        try client.disconnect()
        let publisher = try RawClient.patient(broker, cleanStart: true)
        try publisher.publish("t", "x", qos: 1, retain: true)
        try End.terminated.of(broker)
        #expect(store.bytes == 0)
        broker = try store.start(isPersistent: false)
        let again = try RawClient.patient(broker, id: id)
        #expect(again.connack?.sessionPresent == false)
        try again.subscribe("t", 1)
        try again.expectQuiet()
    }
}
