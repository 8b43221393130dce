import MQTTTestKit
import Testing

/// 5.0 §3.1.2.4, §3.1.2.11.2, §3.1.4: when a session begins, goes on and ends, and what CONNACK says of it.
@Suite("V50 sessions", .blocking) struct V50SessionTests {
    /// Leaves a session behind that ends in a minute, subscribed to `topic` at QoS 1, with one message waiting.
    static func leaveSession(_ id: String, _ topic: String, _ broker: BrokerProcess) throws {
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, 1)
        try client.disconnect()
        try RawClient.v5(broker).publish(topic, "waiting", qos: 1)
    }

    @Test("[5.0 MQTT-3.1.2-4] Clean Start 1 throws the old session away")
    func cleanStart() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        try Self.leaveSession(id, topic, broker)
        let client = try RawClient.v5(broker, id: id, clean: true, [.sessionExpiryInterval(60)])
        #expect(client.connack?.connackFlags == 0)
        try RawClient.v5(broker).publish(topic, "later", qos: 1)
        try client.expectNoMessage()
        // It is gone for good, not set aside: the next connection finds the new session, which has no subscription.
        try client.disconnect()
        let next = try RawClient.v5(broker, id: id, clean: false)
        #expect(next.connack?.connackFlags == 1)
        try RawClient.v5(broker).publish(topic, "later still", qos: 1)
        try next.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.1.2-5] Clean Start 0 resumes the session that is there")
    func resume() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        try Self.leaveSession(id, topic, broker)
        let client = try RawClient.v5(broker, id: id, clean: false)
        #expect(client.connack?.connackFlags == 1)
        try client.expectMessage(topic, "waiting", qos: 1)
        try RawClient.v5(broker).publish(topic, "later", qos: 1)
        try client.expectMessage(topic, "later", qos: 1)
    }

    @Test("[5.0 MQTT-3.1.2-6] Clean Start 0 without a session makes a new one")
    func nothingToResume() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, clean: false)
        #expect(client.connack?.connackFlags == 0)
        try client.subscribe(topic, 1)
        try RawClient.v5(broker).publish(topic, "x", qos: 1)
        try client.expectMessage(topic, "x", qos: 1)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let stored: Bool, clean: Bool, expiry: UInt32?
        var testDescription: String {
            "stored \(stored), Clean Start \(clean), expiry \(expiry.map(String.init) ?? "absent")"
        }
        static let all = [true, false].flatMap { stored in
            [true, false].flatMap { clean in
                [nil, 0, 60, 0xFFFF_FFFF].map { Case(stored: stored, clean: clean, expiry: $0) }
            }
        }
    }

    @Test("[5.0 facts] the table of Clean Start and Session Expiry", arguments: Case.all)
    func table(row: Case) throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        if row.stored { try Self.leaveSession(id, topic, broker) }
        let resumes = row.stored && !row.clean
        let watcher = try RawClient.v5(broker)
        let farewell = unique("w")
        try watcher.subscribe(farewell, 0)
        let client = try RawClient.v5(
            broker, id: id, clean: row.clean, will: .init(topic: farewell, payload: "gone"),
            row.expiry.map { [.sessionExpiryInterval($0)] } ?? [])
        #expect(client.connack?.connackFlags == (resumes ? 1 : 0))
        if resumes { try client.expectMessage(topic, "waiting", qos: 1) }
        try RawClient.v5(broker).publish(topic, "live", qos: 1)
        if resumes { try client.expectMessage(topic, "live", qos: 1) }
        try client.expectNoMessage()
        client.close()
        // Until the broker has seen the close a client with this id would take over, which is another rule.
        try watcher.expectMessage(farewell, "gone")
        let next = try RawClient.v5(broker, id: id, clean: false)
        #expect(next.connack?.connackFlags == ((row.expiry ?? 0) > 0 ? 1 : 0))
        try next.disconnect()
    }

    @Test("[5.0 MQTT-3.1.2-23] a session outlives its connection if it has an expiry interval")
    func kept() throws {
        let broker = try BrokerProcess.shared()
        for (expiry, present) in [(60, 1), (0, 0)] as [(UInt32, UInt8)] {
            let id = unique("c")
            try RawClient.v5(broker, id: id, [.sessionExpiryInterval(expiry)]).disconnect()
            let client = try RawClient.v5(broker, id: id, clean: false)
            #expect(client.connack?.connackFlags == present)
        }
    }

    @Test("[5.0 facts] the session ends when its interval has passed since the link was lost, not since CONNECT")
    func expiry() throws {
        let broker = try BrokerProcess.shared()
        let (short, long, topic) = (unique("c"), unique("c"), unique("t"))
        for (id, expiry) in [(short, 1), (long, 4)] as [(String, UInt32)] {
            let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(expiry)])
            try client.subscribe(topic, 1)
            pause(milliseconds: 1_200)
            try client.expectQuiet()
            client.close()
        }
        // The link of `long` was lost just now, that of `short` 1.2 s ago.
        #expect(try RawClient.v5(broker, id: long, clean: false).connack?.connackFlags == 1)
        pause(milliseconds: 1_300)
        #expect(try RawClient.v5(broker, id: short, clean: false).connack?.connackFlags == 0)
    }

    @Test("[5.0 facts] the expiry of the newest connection counts, and DISCONNECT may change it")
    func newestExpiry() throws {
        let broker = try BrokerProcess.shared()
        let id = unique("c")
        func connect(_ expiry: UInt32) throws -> RawClient {
            try .v5(broker, id: id, clean: false, [.sessionExpiryInterval(expiry)])
        }
        try connect(60).disconnect()
        let second = try connect(0)
        #expect(second.connack?.connackFlags == 1)
        try second.disconnect()
        let third = try connect(60)
        #expect(third.connack?.connackFlags == 0)
        third.send(Wire.disconnect(reason: 0, properties: [.sessionExpiryInterval(0)]))
        try third.expectClosed()
        let fourth = try connect(1)
        #expect(fourth.connack?.connackFlags == 0)
        fourth.send(Wire.disconnect(reason: 0, properties: [.sessionExpiryInterval(60)]))
        try fourth.expectClosed()
        pause(milliseconds: 2_200)
        #expect(try connect(0).connack?.connackFlags == 1)
    }

    @Test(
        "[5.0 facts] an expiry above the broker's limit is shortened, and CONNACK says so",
        arguments: [3_601, 86_400, 0xFFFF_FFFF] as [UInt32])
    func limitedExpiry(asked: UInt32) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "persistent_client_expiration 1h\n")
        let within = try RawClient.v5(broker, [.sessionExpiryInterval(3_600)])
        #expect(within.connack?.property(0x11).isEmpty == true)
        let client = try RawClient.v5(broker, [.sessionExpiryInterval(asked)])
        try withKnownDifference(.mosquitto, "the limit is kept in silence") {
            #expect(client.connack?.number(0x11) == 3_600)
        }
    }

    @Test(
        "[5.0 facts] a DISCONNECT that raises an expiry of 0 is a protocol error and does not count: the will is sent")
    func raisedExpiry() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        let client = try RawClient.v5(broker, will: .init(topic: topic, payload: "gone"))
        client.send(Wire.disconnect(reason: 0, properties: [.sessionExpiryInterval(5)]))
        try client.expectDisconnect(0x82)
        try watcher.expectMessage(topic, "gone")
    }

    @Test("[5.0 MQTT-3.1.3-2] the session is found by its client id and by nothing else")
    func oneSessionAnID() throws {
        let broker = try BrokerProcess.shared()
        let ids = [unique("c"), unique("C"), unique("c")]
        let topics = ids.map { _ in unique("t") }
        for (id, topic) in zip(ids, topics) { try Self.leaveSession(id, topic, broker) }
        // A longer id, a shorter one and another case are other sessions.
        for stranger in [ids[0] + "1", String(ids[0].dropLast()) + "-", ids[0].uppercased()] {
            #expect(try RawClient.v5(broker, id: stranger, clean: false).connack?.connackFlags == 0)
        }
        for index in [2, 0, 1] {
            let client = try RawClient.v5(broker, id: ids[index], clean: false)
            #expect(client.connack?.connackFlags == 1)
            try client.expectMessage(topics[index], "waiting", qos: 1)
            try client.expectNoMessage()
        }
    }

    @Test("[5.0 facts] ids that only look alike are different: bytes count, not canonical equivalence")
    func canonicalEquivalence() throws {
        let broker = try BrokerProcess.shared()
        let base = unique("c")
        try RawClient.v5(broker, id: base + "\u{E9}", [.sessionExpiryInterval(60)]).disconnect()
        #expect(try RawClient.v5(broker, id: base + "e\u{301}", clean: false).connack?.connackFlags == 0)
        #expect(try RawClient.v5(broker, id: base + "\u{E9}", clean: false).connack?.connackFlags == 1)
    }

    // MARK: takeover

    @Test("[5.0 MQTT-3.1.4-3] a new connection with the same id ends the older one with 8E", arguments: [true, false])
    func takeover(clean: Bool) throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 1)
        let second = try RawClient.v5(broker, id: id, clean: clean, [.sessionExpiryInterval(60)])
        try first.expectDisconnect(0x8E)
        #expect(second.connack?.connackFlags == (clean ? 0 : 1))
        try RawClient.v5(broker).publish(topic, "x", qos: 1)
        if !clean { try second.expectMessage(topic, "x", qos: 1) }
        try second.expectNoMessage()
    }

    @Test("[5.0 facts] a session with expiry 0 is resumed by the connection that takes it over")
    func takeoverOfShortSession() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id)
        try first.subscribe(topic, 1)
        let second = try RawClient.v5(broker, id: id, clean: false)
        try first.expectDisconnect(0x8E)
        // §3.1.2.11.2: with expiry 0 the session ends when the connection is closed, which is at the takeover or after
        // it; both are right. What CONNACK says must be true.
        let present = try #require(second.connack).sessionPresent
        try RawClient.v5(broker).publish(topic, "x", qos: 1)
        if present { try second.expectMessage(topic, "x", qos: 1) }
        try second.expectNoMessage()
    }

    @Test("[5.0 facts] takeover works across versions: a 3.1.1 connection is just closed")
    func takeoverAcrossVersions() throws {
        let broker = try BrokerProcess.shared()
        let id = unique("c")
        let old = try RawClient.connected(to: broker, id: id, version: 4)
        let new = try RawClient.v5(broker, id: id)
        try old.expectClosed()
        let older = try RawClient.connected(to: broker, id: id, version: 4)
        try new.expectDisconnect(0x8E)
        try older.expectQuiet()
    }

    @Test("[5.0 MQTT-3.1.4-4] after a valid CONNECT the Clean Start rules are applied, also to a session in use")
    func cleanStartAtTakeover() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let first = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try first.subscribe(topic, 0)
        let second = try RawClient.v5(broker, id: id, clean: false, [.sessionExpiryInterval(60)])
        #expect(second.connack?.connackFlags == 1)
        let third = try RawClient.v5(broker, id: id, clean: true, [.sessionExpiryInterval(60)])
        #expect(third.connack?.connackFlags == 0)
        try RawClient.v5(broker).publish(topic, "x", qos: 1)
        try third.expectNoMessage()
    }

    @Test("[5.0 facts] a CONNECT that is refused takes nothing over, and ends no session")
    func refusedTakeover() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, 1)
        for clean in [true, false] {
            let bad = Wire.connect(id: id, version: 5, cleanStart: clean, properties: [.receiveMaximum(0)])
            try RawClient.sending(bad, to: broker).expectRefusal(0x82)
        }
        let unknown = Wire.connect(id: id, version: 5, properties: [.authenticationMethod("no-such-method")])
        try RawClient.sending(unknown, to: broker).expectRefusal(0x8C)
        try RawClient.v5(broker).publish(topic, "x", qos: 1)
        try client.expectMessage(topic, "x", qos: 1)
        try client.expectQuiet()
    }
}
