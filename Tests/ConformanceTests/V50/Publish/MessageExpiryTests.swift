import MQTTTestKit
import Testing

/// 5.0 §3.3.2.3.3: how long a message is worth delivering.
@Suite("V50 message expiry", .blocking) struct V50MessageExpiryTests {
    /// A session that waits at `topic`, its client away.
    static func absent(_ topic: String, _ broker: BrokerProcess) throws -> String {
        let id = unique("c")
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, 2)
        try client.disconnect()
        return id
    }

    @Test(
        "[5.0 MQTT-3.3.2-5] a message that expired before its delivery began is deleted", arguments: [1, 2] as [UInt8])
    func expired(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let id = try Self.absent(topic, broker)
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "short", qos: qos, properties: [.messageExpiryInterval(1)])
        try publisher.publish(topic, "long", qos: qos, properties: [.messageExpiryInterval(60)])
        try publisher.publish(topic, "endless", qos: qos)
        pause(milliseconds: 2_200)
        let client = try RawClient.v5(broker, id: id, clean: false)
        let (long, endless) = (try client.expect(.publish), try client.expect(.publish))
        #expect(long.payloadText == "long")
        #expect(endless.payloadText == "endless")
        #expect(endless.property(0x02).isEmpty)
        try client.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.3.2-5] a message that waits for room in the window expires there, too")
    func expiredBehindWindow() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let client = try RawClient.v5(broker, [.receiveMaximum(1)])
        try client.subscribe(topic, 1)
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "first", qos: 1)
        try publisher.publish(topic, "short", qos: 1, properties: [.messageExpiryInterval(1)])
        try publisher.publish(topic, "last", qos: 1)
        let first = try client.expect(.publish)
        pause(milliseconds: 2_200)
        client.send(Wire.puback(try #require(first.packetID)))
        try withKnownDifference(.mosquitto, "the queue stops at an expired message") {
            try client.expectMessage(topic, "last", qos: 1)
        }
    }

    @Test("[5.0 MQTT-3.3.2-6] the interval sent on is what is left of it")
    func reduced() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let live = try RawClient.v5(broker)
        try live.subscribe(topic, 1)
        let id = try Self.absent(topic, broker)
        try RawClient.v5(broker).publish(topic, "x", qos: 1, properties: [.messageExpiryInterval(100)])
        let atOnce = try #require(try live.expectMessage(topic, "x").number(0x02))
        #expect((40...100).contains(atOnce))  // a busy machine may take a minute
        pause(milliseconds: 2_100)
        let client = try RawClient.v5(broker, id: id, clean: false)
        let later = try #require(try client.expectMessage(topic, "x").number(0x02))
        #expect((38...98).contains(later))
    }

    @Test("[5.0 facts] retained messages expire, and say what is left")
    func retained() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic + "/short", "x", qos: 1, retain: true, properties: [.messageExpiryInterval(3)])
        try publisher.publish(topic + "/long", "x", qos: 1, retain: true, properties: [.messageExpiryInterval(100)])
        #expect(try V50RetainTests.stored(topic + "/short", broker) != nil)
        pause(milliseconds: 4_200)
        #expect(try V50RetainTests.stored(topic + "/short", broker) == nil)
        let long = try #require(try V50RetainTests.stored(topic + "/long", broker))
        #expect((36...96).contains(long.number(0x02) ?? 0))
        #expect(long.property(0x02).count == 1)
    }

    @Test("[5.0 facts] a message under way does not expire: it is sent again, and its handshake finished")
    func underWay() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, 2)
        try RawClient.v5(broker).publish(topic, "x", qos: 2, properties: [.messageExpiryInterval(1)])
        _ = try client.expect(.publish)
        client.close()
        pause(milliseconds: 2_200)
        let back = try RawClient.v5(broker, id: id, clean: false)
        try withKnownDifference(.mosquitto, "it is dropped") {
            let again = try back.expectMessage(topic, "x", qos: 2)
            #expect(again.dup)
        }
    }

    @Test("[5.0 facts] the largest interval does not overflow, and 0 reaches nobody late")
    func edges() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let id = try Self.absent(topic, broker)
        let publisher = try RawClient.v5(broker)
        try publisher.publish(topic, "zero", qos: 1, properties: [.messageExpiryInterval(0)])
        try publisher.publish(topic, "most", qos: 1, properties: [.messageExpiryInterval(0xFFFF_FFFF)])
        pause(milliseconds: 1_200)
        let client = try RawClient.v5(broker, id: id, clean: false)
        try withKnownDifference(.mosquitto, "an interval of 0 is taken for none") {
            let left = try #require(try client.expectMessage(topic, "most").number(0x02))
            #expect(left >= 0xFFFF_FFFF - 60)
        }
    }
}
