import MQTTTestKit
import Testing

/// Keep alive: section 3.1.2.10. The only tests that need a clock; each has its own thread and they wait together.
@Suite("3.1.1 keep alive", .blocking) struct KeepAlive311Tests {
    /// mosquitto counts in whole seconds, and so may be up to one second early.
    private var earlyMilliseconds: Int { BrokerUnderTest.isMosquitto ? 1_000 : 100 }
    /// A timer on a busy machine; mosquitto looks only every five seconds.
    private var lateMilliseconds: Int { BrokerUnderTest.isMosquitto ? 7_000 : 1_500 }

    @Test(
        "[3.1.1 MQTT-3.1.2-24] a silent client is dropped after 1.5 times its keep alive, not before",
        arguments: [2, 3])
    func silent(keepAlive: Int) throws {
        try persistently {
            let talk = try Conversation(subscribing: 1)
            let client = try RawClient(.shared())
            let clock = ContinuousClock()
            let start = clock.now
            try client.connect(
                id: unique("k"), keepAlive: UInt16(keepAlive), will: .init(topic: talk.topic, payload: "silent"))
            try client.expectClosed()
            let silence = start.duration(to: clock.now)
            #expect(silence >= .milliseconds(keepAlive * 1_500 - earlyMilliseconds))
            #expect(try talk.subscriber.expect(.publish).payloadText == "silent")
            try expectSoon(silence, dueMilliseconds: keepAlive * 1_500)
        }
    }

    /// It was not late. For `persistently`.
    private func expectSoon(
        _ lived: Duration, dueMilliseconds: Int, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        guard lived > .milliseconds(dueMilliseconds + lateMilliseconds) else { return }
        throw Mismatch(.timedOut, "\(lived) instead of \(dueMilliseconds) ms", file, line)
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-24] any packet within 1.5 times the keep alive keeps the client", arguments: [true, false])
    func speaking(byPing: Bool) throws {
        try persistently {
            let client = try RawClient.connected(to: .shared(), keepAlive: 2)
            let topic = unique("k")
            for _ in 1...3 {
                try client.expectNothing(forMilliseconds: 2_600 - earlyMilliseconds)
                client.send(byPing ? Wire.pingreq : Wire.publish(topic: topic, payload: "", qos: 1, id: 1))
                try client.expect(byPing ? Wire.pingresp : Wire.puback(1))
            }
        }
    }

    @Test("[3.1.1 MQTT-3.1.2-24] what the broker sends does not count as a sign of life")
    func onlyReceiving() throws {
        try persistently {
            let talk = try Conversation()
            let client = try RawClient.connected(to: .shared(), keepAlive: 1)
            let clock = ContinuousClock()
            let start = clock.now
            try client.subscribe(talk.topic, 0)
            var sent = 0
            while start.duration(to: clock.now) < .seconds(10) {
                talk.publisher.send(Wire.publish(topic: talk.topic, payload: "\(sent)"))
                sent += 1
                do {
                    _ = try client.receive()
                    try client.expectNothing(forMilliseconds: 200)
                } catch let mismatch as Mismatch where mismatch.reason == .closed {
                    break
                }
            }
            let lived = start.duration(to: clock.now)
            #expect(lived >= .milliseconds(1_500 - earlyMilliseconds))
            try expectSoon(lived, dueMilliseconds: 1_500)
        }
    }

    @Test("[3.1.1 MQTT-3.1.2-24] bytes that make no whole packet do not count as a sign of life")
    func halfPackets() throws {
        try persistently {
            let clock = ContinuousClock()
            let start = clock.now
            let client = try RawClient.connected(to: .shared(), keepAlive: 1)
            client.send([0x30, 0x7F])
            while start.duration(to: clock.now) < .seconds(10) {
                client.send([0x00])
                do {
                    try client.expectNothing(forMilliseconds: 250)
                } catch let mismatch as Mismatch where mismatch.reason == .closed {
                    break
                }
            }
            let lived = start.duration(to: clock.now)
            #expect(lived >= .milliseconds(1_500 - earlyMilliseconds))
            try expectSoon(lived, dueMilliseconds: 1_500)
        }
    }

    @Test("[3.1.1 MQTT-3.1.2-24] keep alive 0 means no limit")
    func off() throws {
        let client = try RawClient.connected(to: .shared(), keepAlive: 0)
        try client.expectNothing(forMilliseconds: 5_000)
        try client.expectQuiet()
    }

    @Test(
        "[3.1.1 facts] a keep alive above max_keepalive is refused: 3.1.1 cannot be told another",
        arguments: [0, 11] as [UInt16])
    func aboveTheLimit(keepAlive: UInt16) throws {
        let limited = try BrokerProcess.shared(BrokerProcess.anonymous + "max_keepalive 10\n")
        let client = try RawClient(limited)
        client.send(Wire.connect(id: unique("c"), keepAlive: keepAlive))
        try withKnownDifference(.mosquitto, "2.0.11 takes it; 2.1 refuses") {
            try client.expect([0x20, 0x02, 0x00, 0x02])
            try client.expectClosed()
        }
        try RawClient.connected(to: limited, keepAlive: 10).disconnect()
    }
}
