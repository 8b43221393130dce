import MQTTTestKit
import Testing

/// 5.0 §3.3.1 and §3.3.4: DUP, QoS and what a PUBLISH is answered with.
@Suite("V50 PUBLISH flags", .blocking) struct V50PublishFlagTests {
    @Test("[5.0 MQTT-3.3.1-1] a PUBLISH that is sent again has DUP 1 and its old id", arguments: [1, 2] as [UInt8])
    func redelivered(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        try client.subscribe(topic, qos)
        let publisher = try RawClient.v5(broker)
        for number in 1...3 { try publisher.publish(topic, "\(number)", qos: qos) }
        let first = try (1...3).map { _ in try client.expect(.publish) }
        #expect(first.allSatisfy { !$0.dup })
        try client.disconnect()
        // This one was never sent before, so it is no resend.
        try publisher.publish(topic, "4", qos: qos)
        let back = try RawClient.v5(broker, id: id, clean: false)
        for message in first {
            let again = try back.expect(.publish)
            #expect(again.dup)
            #expect(again.qos == qos)
            #expect(again.packetID == message.packetID)
            #expect(again.payload == message.payload)
        }
        let new = try back.expect(.publish)
        #expect(!new.dup)
        #expect(new.payloadText == "4")
        try back.expectNoMessage()
    }

    @Test("[5.0 facts] 5.0 never sends again while the connection lasts", arguments: [1, 2] as [UInt8])
    func noResendWhileConnected(qos: UInt8) throws {
        let topic = unique("t")
        let client = try RawClient.v5(.shared())
        try client.subscribe(topic, qos)
        try RawClient.v5(.shared()).publish(topic, "x", qos: qos)
        _ = try client.expect(.publish)
        try client.expectNothing(forMilliseconds: 1_500)
    }

    @Test("[5.0 MQTT-3.3.1-2] DUP with QoS 0 is malformed, and the broker never sends it")
    func duplicateAtQoS0() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 0)
        // From a higher QoS with DUP set, down to 0 for this subscriber.
        let publisher = try RawClient.v5(broker)
        publisher.send(Wire.publish(topic: topic, payload: "x", qos: 1, id: 1, dup: true, properties: []))
        try publisher.expectAcknowledgement(.puback, 1)
        #expect(try watcher.expectMessage(topic, "x", qos: 0).bytes[0] == 0x30)
        publisher.send(Wire.publish(topic: topic, payload: "y", qos: 0, dup: true, properties: []))
        try withKnownDifference(.mosquitto, "DUP is not looked at in a QoS 0 PUBLISH") {
            try publisher.expectDisconnect(0x81, 0x82)
            try watcher.expectNoMessage()
        }
    }

    @Test("[5.0 MQTT-3.3.1-3] the publisher's DUP is not passed on", arguments: [1, 2] as [UInt8])
    func duplicateNotPassedOn(qos: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let publisher = try RawClient.v5(broker)
        publisher.send(Wire.publish(topic: topic, payload: "x", qos: qos, id: 7, dup: true, properties: []))
        try publisher.expectAcknowledgement(qos == 1 ? .puback : .pubrec, 7)
        if qos == 2 {
            publisher.send(Wire.pubrel(7))
            try publisher.expectAcknowledgement(.pubcomp, 7)
        }
        let message = try watcher.expectMessage(topic, "x", qos: qos)
        #expect(!message.dup)
    }

    @Test("[5.0 MQTT-3.3.1-4] a PUBLISH of QoS 3 is malformed", arguments: [0x36, 0x37, 0x3E, 0x3F] as [UInt8])
    func qos3(first: UInt8) throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let client = try RawClient.v5(broker)
        client.send(Wire.packet(first, Wire.string(topic) + [0, 1, 0]))
        try client.expectDisconnect(0x81)
        try watcher.expectNoMessage()
    }

    @Test("[5.0 MQTT-3.3.4-1] QoS 0 is answered with nothing, 1 with PUBACK, 2 with PUBREC and PUBCOMP")
    func answers() throws {
        let broker = try BrokerProcess.shared()
        let topic = unique("t")
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let client = try RawClient.v5(broker)
        client.send(Wire.publish(topic: topic, payload: "0", properties: []))
        try client.expectNoMessage()
        client.send(Wire.publish(topic: topic, payload: "1", qos: 1, id: 11, properties: []))
        try client.expect([0x40, 2, 0, 11])
        try client.expectNoMessage()
        client.send(Wire.publish(topic: topic, payload: "2", qos: 2, id: 12, properties: []))
        try client.expect([0x50, 2, 0, 12])
        try client.expectNoMessage()
        client.send(Wire.pubrel(12))
        try client.expect([0x70, 2, 0, 12])
        for qos in [0, 1, 2] as [UInt8] { try watcher.expectMessage(topic, "\(qos)", qos: qos) }
    }

    @Test("[5.0 facts] a QoS 2 message that comes twice before PUBREL is delivered once")
    func onceAtQoS2() throws {
        let broker = try BrokerProcess.shared()
        let (id, topic) = (unique("c"), unique("t"))
        let watcher = try RawClient.v5(broker)
        try watcher.subscribe(topic, 2)
        let client = try RawClient.v5(broker, id: id, [.sessionExpiryInterval(60)])
        func publish(_ client: RawClient, dup: Bool) throws {
            client.send(Wire.publish(topic: topic, payload: "x", qos: 2, id: 5, dup: dup, properties: []))
            try client.expectAcknowledgement(.pubrec, 5)
        }
        try publish(client, dup: false)
        try publish(client, dup: true)
        client.close()
        let back = try RawClient.v5(broker, id: id, clean: false)
        try publish(back, dup: true)
        back.send(Wire.pubrel(5))
        try back.expectAcknowledgement(.pubcomp, 5)
        try watcher.expectMessage(topic, "x", qos: 2)
        try watcher.expectNoMessage()
        // The id is free again: the same number is a new message.
        try publish(back, dup: false)
        back.send(Wire.pubrel(5))
        try back.expectAcknowledgement(.pubcomp, 5)
        try watcher.expectMessage(topic, "x", qos: 2)
    }

    @Test(
        "[5.0 facts] a message is delivered at the lower of its QoS and the subscription's",
        arguments: [0, 1, 2] as [UInt8], [0, 1, 2] as [UInt8])
    func lowerQoS(published: UInt8, granted: UInt8) throws {
        let topic = unique("t")
        let watcher = try RawClient.v5(.shared())
        try watcher.subscribe(topic, granted)
        try RawClient.v5(.shared()).publish(topic, "x", qos: published)
        try watcher.expectMessage(topic, "x", qos: min(published, granted))
    }
}
