import MQTTTestKit
import Testing

/// UNSUBSCRIBE and UNSUBACK: section 3.10.
@Suite("3.1.1 UNSUBSCRIBE and PINGREQ", .blocking) struct Unsubscribe311Tests {
    @Test("[3.1.1 MQTT-3.10.3-2] an UNSUBSCRIBE without a filter closes")
    func noFilter() throws {
        try Violation("no filter", [0xA2, 0x02, 0x00, 0x01], good: Wire.unsubscribe(id: 1, ["a"])).closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-3.10.4-1] only the filter that is spelt the same is removed",
        arguments: ["b", "+", "", "#/", "B/#", "x/#", "b/#"])
    func exactly(other: String) throws {
        let talk = try Conversation()
        try talk.subscriber.subscribe("\(talk.topic)/#", 0)
        if other != "#/" { try talk.subscriber.unsubscribe("\(talk.topic)/\(other)") }
        try talk.subscriber.unsubscribe(talk.topic)
        talk.publisher.send(Wire.publish(topic: "\(talk.topic)/b", payload: "still"))
        #expect(try texts(talk.delivered()) == ["still"])
        try talk.subscriber.unsubscribe("\(talk.topic)/#")
        talk.publisher.send(Wire.publish(topic: "\(talk.topic)/b", payload: "gone"))
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.10.4-1] a subscription that matches the same topics by another filter stays")
    func overlapping() throws {
        let talk = try Conversation(subscribing: 0)
        try talk.subscriber.subscribe("\(talk.topic)/#", 1)
        try talk.subscriber.unsubscribe("\(talk.topic)/#")
        try talk.publisher.publish(talk.topic, "one", qos: 1)
        let packets = try talk.delivered()
        #expect(texts(packets) == ["one"] && packets.map(\.qos) == [0])
    }

    @Test("[3.1.1 MQTT-3.10.4-2] after UNSUBACK nothing new is sent", arguments: [0, 1, 2] as [UInt8])
    func nothingNew(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos)
        try talk.publisher.publish(talk.topic, "before", qos: qos)
        #expect(try talk.subscriber.receivePublish().payloadText == "before")
        try talk.subscriber.unsubscribe(talk.topic)
        try talk.publisher.publish(talk.topic, "after", qos: qos)
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.10.4-2] a kept session forgets the filter, too")
    func forgottenBySession() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.unsubscribe(talk.topic)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "after", qos: 1)
        let again = try talk.reconnected()
        #expect(try talk.delivered(to: again).isEmpty)
    }

    @Test("[3.1.1 MQTT-3.10.4-3] deliveries that have begun are finished", arguments: [1, 2] as [UInt8])
    func finished(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        try talk.publisher.publish(talk.topic, "begun", qos: qos)
        let id = try #require(talk.subscriber.expect(.publish).packetID)
        try talk.subscriber.unsubscribe(talk.topic)
        if qos == 2 {
            talk.subscriber.send(Wire.pubrec(id))
            try talk.subscriber.expect(Wire.pubrel(id))
        }
        talk.subscriber.close()
        let again = try talk.reconnected()
        let packet = try again.receive()
        #expect(packet.packetID == id && packet.kind == (qos == 2 ? .pubrel : .publish))
        again.send(qos == 2 ? Wire.pubcomp(id) : Wire.puback(id))
        try again.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.10.4-4] UNSUBACK has the packet id of its UNSUBSCRIBE")
    func packetIDs() throws {
        let client = try RawClient.connected(to: .shared())
        let ids: [UInt16] = [9, 1, 65_535, 256]
        client.send(ids.flatMap { Wire.unsubscribe(id: $0, ["f\($0)"]) })
        #expect(try client.packets(ids.count).map(\.bytes) == ids.map { [0xB0, 0x02] + Wire.u16($0) })
    }

    @Test("[3.1.1 MQTT-3.10.4-5] UNSUBACK comes also when nothing was removed", arguments: [1, 3])
    func unknown(count: Int) throws {
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.unsubscribe(id: 4, (1...count).map { _ in unique("never") }))
        try client.expect([0xB0, 0x02, 0x00, 0x04])
        try client.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.10.4-6] many filters in one UNSUBSCRIBE act like many, with one UNSUBACK")
    func manyFilters() throws {
        let talk = try Conversation()
        let topics = (1...4).map { "\(talk.topic)/\($0)" }
        talk.subscriber.send(Wire.subscribe(id: 1, topics.map { ($0, 0) }))
        try talk.subscriber.expect(.suback)
        talk.subscriber.send(Wire.unsubscribe(id: 2, [topics[0], unique("never"), topics[2], topics[3]]))
        #expect(try talk.subscriber.packets(1).map(\.bytes) == [[0xB0, 0x02, 0x00, 0x02]])
        for topic in topics { talk.publisher.send(Wire.publish(topic: topic, payload: topic)) }
        #expect(try texts(talk.delivered()) == [topics[1]])
    }

    @Test("[3.1.1 MQTT-3.12.4-1] PINGREQ is answered with PINGRESP, each with its own")
    func ping() throws {
        let client = try RawClient.connected(to: .shared())
        client.send(Wire.pingreq)
        try client.expect([0xD0, 0x00])
        client.send(Wire.pingreq + Wire.pingreq + Wire.pingreq)
        for _ in 1...3 { try client.expect([0xD0, 0x00]) }
        try client.expectQuiet()
    }
}
