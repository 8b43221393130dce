import MQTTTestKit
import Testing

/// Strings: sections 1.5.3 and 4.7.3, and the requirements that repeat them for one field.
@Suite("3.1.1 strings", .blocking) struct Strings311Tests {
    @Test(
        "[3.1.1 MQTT-1.5.3-1] invalid UTF-8 in a string field closes the connection", arguments: TextField.allCases,
        BadText.few)
    func invalidText(field: TextField, text: BadText) throws {
        try field.refuses(text.bytes)
    }

    @Test("[3.1.1 MQTT-1.5.3-2] U+0000 in a string field closes the connection", arguments: TextField.allCases)
    func nul(field: TextField) throws {
        try field.refuses([0x61, 0x00, 0x62])
        try field.refuses([0x00])
    }

    @Test("[3.1.1 MQTT-1.5.3-3] U+FEFF is an ordinary character at any position", arguments: [0, 1, 2])
    func byteOrderMark(position: Int) throws {
        let talk = try Conversation()
        let plain = unique("b")
        var marked = Array(plain.utf8)
        marked.insert(contentsOf: [0xEF, 0xBB, 0xBF], at: position)
        try talk.subscriber.subscribe(plain, 0)
        talk.subscriber.send(Wire.packet(0x82, [0, 2] + Wire.field(marked) + [0]))
        try talk.subscriber.expect([0x90, 0x03, 0x00, 0x02, 0x00])
        talk.publisher.send(Wire.publish(topic: marked, payload: [0x31]))
        let packets = try talk.delivered()
        #expect(packets.map(\.topic) == [marked])
    }

    @Test("[3.1.1 MQTT-3.1.3-4] a client id that is no UTF-8 gets no CONNACK", arguments: BadText.all)
    func clientID(text: BadText) throws {
        try TextField.clientID.refuses(text.bytes)
    }

    @Test("[3.1.1 MQTT-3.1.3-10] a will topic that is no UTF-8 gets no CONNACK", arguments: BadText.all)
    func willTopic(text: BadText) throws {
        try TextField.willTopic.refuses(text.bytes)
    }

    @Test("[3.1.1 MQTT-3.1.3-11] a user name that is no UTF-8 gets no CONNACK", arguments: BadText.all)
    func userName(text: BadText) throws {
        try TextField.userName.refuses(text.bytes)
    }

    @Test(
        "[3.1.1 MQTT-3.3.2-1] the topic comes first in PUBLISH, and one that is no UTF-8 closes", arguments: BadText.all
    )
    func publishTopic(text: BadText) throws {
        try TextField.publishTopic.refuses(text.bytes)
        let talk = try Conversation(subscribing: 1)
        talk.publisher.send(Wire.publish(topic: talk.topic, payload: "p", qos: 1, id: 9))
        let packet = try talk.subscriber.expect(.publish)
        #expect(Array(packet.body.prefix(2 + talk.topic.utf8.count)) == Wire.string(talk.topic))
    }

    @Test("[3.1.1 MQTT-3.8.3-1] a filter in SUBSCRIBE that is no UTF-8 closes", arguments: BadText.all)
    func subscribeFilter(text: BadText) throws {
        try TextField.subscribeFilter.refuses(text.bytes)
    }

    @Test("[3.1.1 MQTT-3.10.3-1] a filter in UNSUBSCRIBE that is no UTF-8 closes", arguments: BadText.all)
    func unsubscribeFilter(text: BadText) throws {
        try TextField.unsubscribeFilter.refuses(text.bytes)
    }

    @Test("[3.1.1 MQTT-3.10.3-1] a bad filter behind a good one in UNSUBSCRIBE closes too")
    func secondFilter() throws {
        try Violation(
            "second filter", Wire.packet(0xA2, [0, 1] + Wire.string("a") + Wire.field([0xFF])),
            good: Wire.packet(0xA2, [0, 1] + Wire.string("a") + Wire.string("b"))
        ).closesConnection()
    }

    @Test(
        "[3.1.1 MQTT-4.7.3-1] an empty topic or filter closes",
        arguments: [TextField.publishTopic, .subscribeFilter, .unsubscribeFilter])
    func empty(field: TextField) throws {
        try field.refuses([])
    }

    @Test(
        "[3.1.1 MQTT-4.7.3-2] a topic or filter with U+0000 closes",
        arguments: [TextField.publishTopic, .subscribeFilter, .unsubscribeFilter, .willTopic])
    func nulInTopic(field: TextField) throws {
        try field.refuses([0x61, 0x2F, 0x00])
    }

    @Test("[3.1.1 MQTT-4.7.3-3] a topic of 65535 bytes is carried", arguments: [65_535, 65_534])
    func longest(count: Int) throws {
        let talk = try Conversation()
        var topic = Array(unique("l").utf8)
        topic += [UInt8](repeating: 0x61, count: count - topic.count)
        talk.subscriber.send(Wire.packet(0x82, [0, 1] + Wire.field(topic) + [0]))
        try talk.subscriber.expect([0x90, 0x03, 0x00, 0x01, 0x00])
        talk.publisher.send(Wire.publish(topic: topic, payload: [0x31]))
        #expect(try talk.subscriber.expect(.publish).bytes == Wire.publish(topic: topic, payload: [0x31]))
    }

    @Test(
        "[3.1.1 MQTT-4.7.3-4] topics are compared character by character, without normalization",
        arguments: [
            ("\u{E9}", "e\u{301}"), ("A", "a"), ("a", "a "), ("a/b", "a//b"), ("/a", "a"), ("a", "a/"),
            ("\u{E9}", "\u{C9}"),
            ("\u{212B}", "\u{C5}"),
        ])
    func noNormalization(one: String, other: String) throws {
        let talk = try Conversation()
        let root = unique("n")
        try talk.subscriber.subscribe("\(root)/\(one)", 0)
        talk.publisher.send(Wire.publish(topic: "\(root)/\(other)", payload: "other"))
        talk.publisher.send(Wire.publish(topic: "\(root)/\(one)", payload: "one"))
        let packets = try talk.delivered()
        #expect(packets.map(\.topic) == [Array("\(root)/\(one)".utf8)])
    }
}
