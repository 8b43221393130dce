import MQTTTestKit
import Testing

/// The will: section 3.1.2.5 to 3.1.2.7, and DISCONNECT, which takes it back.
@Suite("3.1.1 will", .blocking) struct Will311Tests {
    /// How a connection can end without a DISCONNECT.
    enum Failure: CaseIterable, Sendable { case closed, reset, violation, halfPacket }

    private func end(_ client: RawClient, by failure: Failure) {
        switch failure {
        case .closed: client.close()
        case .reset: client.reset()
        case .violation: client.send([0x00, 0x00])
        case .halfPacket:
            client.send([0x30, 0x10, 0x00])
            client.close()
        }
    }

    @Test("[3.1.1 MQTT-3.1.2-8] the will is published when the connection fails", arguments: Failure.allCases)
    func published(failure: Failure) throws {
        let talk = try Conversation(subscribing: 1)
        let client = try RawClient.connected(to: .shared(), will: .init(topic: talk.topic, payload: "gone"))
        #expect(try talk.delivered().isEmpty)
        end(client, by: failure)
        #expect(try talk.subscriber.expect(.publish).payloadText == "gone")
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.2-8] a will of a refused CONNECT is never published")
    func refused() throws {
        let talk = try Conversation(subscribing: 1)
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: "", cleanStart: false, will: .init(topic: talk.topic, payload: "never")))
        try client.expect([0x20, 0x02, 0x00, 0x02])
        try client.expectClosed()
        #expect(try talk.delivered().isEmpty)
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-9] the will has the QoS and the retain flag that were asked for",
        arguments: [0, 1, 2] as [UInt8], [false, true])
    func flags(qos: UInt8, retain: Bool) throws {
        let talk = try Conversation(subscribing: 2)
        let client = try RawClient.connected(
            to: .shared(), will: .init(topic: talk.topic, payload: "w", qos: qos, retain: retain))
        client.close()
        let live = try talk.subscriber.receivePublish()
        #expect(live.qos == qos && !live.retain && live.payloadText == "w")
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(talk.topic, 2)
        let kept = try late.packets(retain ? 1 : 0)
        #expect(kept.map(\.qos) == (retain ? [qos] : []) && kept.allSatisfy { $0.retain })
    }

    @Test("[3.1.1 MQTT-3.1.2-9] the will flag without will fields gets no CONNACK")
    func fieldsMissing() throws {
        let id = unique("c")
        try Violation(
            "no fields", Wire.connect(id: id, flags: 0x06),
            good: Wire.connect(id: id, will: .init(topic: "w", payload: ""))
        ).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-10] a will is published once, and forgotten", arguments: [true, false])
    func forgotten(cleanSession: Bool) throws {
        let talk = try Conversation(subscribing: 1)
        let id = unique("c")
        try RawClient.connected(
            to: .shared(), id: id, cleanStart: cleanSession, will: .init(topic: talk.topic, payload: "once")
        ).close()
        #expect(try talk.subscriber.expect(.publish).payloadText == "once")
        try RawClient.connected(to: .shared(), id: id, cleanStart: cleanSession).close()
        try RawClient.connected(to: .shared(), id: id, cleanStart: cleanSession).disconnect()
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.2-10] a will taken back by DISCONNECT does not return with the session")
    func forgottenByDisconnect() throws {
        let talk = try Conversation(subscribing: 1)
        let id = unique("c")
        try RawClient.connected(to: .shared(), id: id, cleanStart: false, will: .init(topic: talk.topic, payload: "no"))
            .disconnect()
        let again = try RawClient.connected(to: .shared(), id: id, cleanStart: false)
        again.send([0x00, 0x00])
        try again.expectClosed()
        #expect(try talk.delivered().isEmpty)
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-11] without the will flag the other will bits and fields are forbidden",
        arguments: [
            Violation("QoS 1", Wire.connect(id: "w1", flags: 0x0A)),
            Violation("retain", Wire.connect(id: "w2", flags: 0x22)),
            Violation("fields", Wire.connect(id: "w3", will: .init(topic: "w", payload: ""), flags: 0x02)),
        ])
    func bitsWithoutFlag(violation: Violation) throws {
        try violation.closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-12] without a will nothing is published at the end", arguments: Failure.allCases)
    func noWill(failure: Failure) throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe("\(talk.topic)/#", 0)
        let client = try RawClient.connected(to: .shared(), id: unique("c"))
        client.send(Wire.publish(topic: talk.topic, payload: "last words"))
        try client.barrier()
        end(client, by: failure)
        #expect(try texts(talk.delivered()) == ["last words"])
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-13] will QoS bits without the will flag get no CONNACK",
        arguments: [0x08, 0x10, 0x18] as [UInt8])
    func qosWithoutFlag(bits: UInt8) throws {
        let id = unique("c")
        try Violation("QoS", Wire.connect(id: id, flags: 0x02 | bits), good: Wire.connect(id: id))
            .closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-14] will QoS 3 gets no CONNACK, 0 to 2 are accepted", arguments: [0, 1, 2] as [UInt8])
    func qosRange(lawful: UInt8) throws {
        let id = unique("c")
        let will = Wire.Will(topic: id, payload: "", qos: lawful)
        try Violation(
            "QoS 3", Wire.connect(id: id, will: will, flags: 0x1E | (lawful == 1 ? 0x20 : 0)),
            good: Wire.connect(id: id, will: will)
        ).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-15] will retain without the will flag gets no CONNACK")
    func retainWithoutFlag() throws {
        let id = unique("c")
        try Violation("retain", Wire.connect(id: id, flags: 0x22), good: Wire.connect(id: id)).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-16] a will without retain leaves nothing behind, and what was retained stays")
    func notRetained() throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "kept", retain: true)
        try talk.subscriber.subscribe(talk.topic, 0)
        #expect(try talk.subscriber.expect(.publish).retain)
        try RawClient.connected(to: .shared(), will: .init(topic: talk.topic, payload: "w")).close()
        #expect(try talk.subscriber.expect(.publish).bytes == Wire.publish(topic: talk.topic, payload: "w"))
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(talk.topic, 0)
        #expect(try texts(late.packets(1)) == ["kept"])
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-17] a will with retain replaces what was retained; an empty one removes it",
        arguments: ["new", ""])
    func retained(payload: String) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "old", retain: true)
        let watch = try RawClient.connected(to: .shared())
        try watch.subscribe(talk.topic, 0)
        #expect(try watch.expect(.publish).payloadText == "old")
        try RawClient.connected(to: .shared(), will: .init(topic: talk.topic, payload: payload, retain: true)).close()
        #expect(try watch.expect(.publish).bytes == Wire.publish(topic: talk.topic, payload: payload))
        try talk.subscriber.subscribe(talk.topic, 0)
        let kept = try talk.subscriber.packets(payload.isEmpty ? 0 : 1)
        #expect(
            kept.map(\.bytes)
                == (payload.isEmpty ? [] : [Wire.publish(topic: talk.topic, payload: payload, retain: true)]))
    }

    @Test("[3.1.1 MQTT-3.14.4-3] DISCONNECT takes the will back", arguments: [0, 1, 2] as [UInt8])
    func takenBack(qos: UInt8) throws {
        let talk = try Conversation(subscribing: 2)
        let client = try RawClient.connected(
            to: .shared(), will: .init(topic: talk.topic, payload: "no", qos: qos, retain: true))
        try client.disconnect()
        #expect(try talk.delivered().isEmpty)
        let late = try RawClient.connected(to: .shared())
        try late.subscribe(talk.topic, 0)
        try late.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.14.4-3] what is sent behind DISCONNECT is not processed")
    func behindDisconnect() throws {
        let talk = try Conversation(subscribing: 1)
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.disconnect + Wire.publish(topic: talk.topic, payload: "late", qos: 1, id: 1))
        try client.expectClosed()
        #expect(try talk.delivered().isEmpty)
    }

    @Test(
        "[3.1.1 MQTT-3.14.1-1] DISCONNECT with flag bits is no DISCONNECT: the will is published",
        arguments: [0xE1, 0xE2, 0xE8] as [UInt8])
    func disconnectFlags(first: UInt8) throws {
        let talk = try Conversation(subscribing: 1)
        let client = try RawClient.connected(to: .shared(), will: .init(topic: talk.topic, payload: "gone"))
        client.send([first, 0x00])
        try client.expectClosed()
        #expect(try talk.subscriber.expect(.publish).payloadText == "gone")
    }

    @Test(
        "[3.1.1 MQTT-4.8.0-1] DISCONNECT with content is no DISCONNECT: the will is published",
        arguments: [0x00, 0x04] as [UInt8])
    func disconnectWithContent(content: UInt8) throws {
        let talk = try Conversation(subscribing: 0)
        let client = try RawClient.connected(to: .shared(), will: .init(topic: talk.topic, payload: "gone"))
        client.send(Wire.packet(0xE0, [content]))
        try client.expectClosed()
        #expect(try texts(talk.delivered()) == ["gone"])
    }
}
