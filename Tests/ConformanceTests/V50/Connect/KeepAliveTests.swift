import MQTTTestKit
import Testing

/// 5.0 §3.1.2.10 and §3.2.2.3.14: how long a client may be silent, by its own word or by the broker's.
@Suite("V50 keep alive", .blocking) struct V50KeepAliveTests {
    /// How much later than due a thing of the clock may happen, in seconds: mosquitto looks at it every five.
    static let slack = BrokerUnderTest.isMosquitto ? 6.5 : 1.5

    /// Waits for the broker to close, which is due after one and a half times the keep alive.
    static func expectTimeout(keepAlive: Double, of connect: () throws -> RawClient) throws {
        try persistently {
            let client = try connect()
            var last: [ReceivedPacket] = []
            let waited = try seconds { last = try client.packetsUntilClosed() }
            #expect(waited > keepAlive * 1.5 - 0.2)
            // A word in parting is allowed, and only this one.
            #expect(last.isEmpty || last.map(\.reasonCode) == [0x8D])
            if !BrokerUnderTest.isMosquitto { #expect(last.map(\.kind) == [.disconnect]) }
            try expectSoon(waited, due: keepAlive * 1.5)
        }
    }

    /// What was due after so many seconds was not late. For `persistently`.
    static func expectSoon(_ waited: Double, due: Double, file: StaticString = #fileID, line: UInt = #line) throws {
        if waited > due + slack { throw Mismatch(.timedOut, "\(waited) s instead of \(due) s", file, line) }
    }

    @Test("[5.0 MQTT-3.1.2-22] a client silent for 1.5 times its keep alive is closed as on network failure")
    func silent() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("w")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        try Self.expectTimeout(keepAlive: 2) {
            try .v5(broker, keepAlive: 2, will: .init(topic: topic, payload: "gone"))
        }
        try watcher.expectMessage(topic, "gone")
    }

    @Test("[5.0 MQTT-3.1.2-22] a client that sends anything in time stays")
    func busy() throws {
        try persistently {
            let client = try RawClient.v5(.shared(), keepAlive: 1)
            for step in 0..<5 {
                pause(milliseconds: 900)
                if step % 2 == 0 {
                    try client.expectQuiet()
                } else {
                    client.send(Wire.publish(topic: unique("t"), payload: "x", properties: []))
                }
            }
            try client.expectQuiet()
        }
    }

    @Test("[5.0 facts] what the broker sends does not count, only what the client does")
    func receivingDoesNotCount() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try persistently {
            let client = try RawClient.v5(broker, keepAlive: 1)
            try client.subscribe(topic, 0)
            let waited = try seconds {
                for _ in 1...12 {
                    publisher.send(Wire.publish(topic: topic, payload: "x", properties: []))
                    pause(milliseconds: 250)
                }
                _ = try client.packetsUntilClosed()
            }
            try Self.expectSoon(waited, due: 3.5)
        }
    }

    @Test("[5.0 facts] keep alive 0 switches it off")
    func off() throws {
        let client = try RawClient.v5(.shared(), keepAlive: 0)
        try withKnownDifference(.mosquitto, "2.0.11 has a limit of 65535 s where none is set; 2.1 has none") {
            #expect(client.connack?.property(0x13).isEmpty == true)
        }
        try client.expectNothing(forMilliseconds: 3_500)
        try client.expectQuiet()
    }

    @Test("[5.0 MQTT-3.2.2-22] without Server Keep Alive the client's own value is enforced")
    func ownValue() throws {
        try Self.expectTimeout(keepAlive: 1) {
            let client = try RawClient.v5(.shared(), keepAlive: 1)
            #expect(client.connack?.property(0x13).isEmpty == true)
            return client
        }
    }

    // MARK: Server Keep Alive

    static let limited = BrokerProcess.anonymous + "max_keepalive 10\n"

    @Test(
        "[5.0 facts] a keep alive above max_keepalive is answered with Server Keep Alive",
        arguments: [11, 60, 65_535] as [UInt16])
    func above(keepAlive: UInt16) throws {
        #expect(try RawClient.v5(.shared(Self.limited), keepAlive: keepAlive).connack?.number(0x13) == 10)
    }

    @Test("[5.0 facts] the broker's Server Keep Alive is the one it enforces")
    func enforced() throws {
        try Self.expectTimeout(keepAlive: 10) { try .v5(.shared(Self.limited), keepAlive: 600) }
    }

    @Test("[5.0 facts] a client that asks for no keep alive gets the broker's limit")
    func zero() throws {
        let connack = try RawClient.v5(.shared(Self.limited), keepAlive: 0).connack
        #expect(connack?.number(0x13) == 10)
    }

    @Test("[5.0 facts] a keep alive within max_keepalive is left alone", arguments: [1, 10] as [UInt16])
    func within(keepAlive: UInt16) throws {
        #expect(try RawClient.v5(.shared(Self.limited), keepAlive: keepAlive).connack?.property(0x13).isEmpty == true)
    }
}
