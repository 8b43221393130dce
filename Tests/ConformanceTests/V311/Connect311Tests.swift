import MQTTTestKit
import Testing

/// CONNECT and CONNACK: what is refused, and how. Sections 3.1 and 3.2; sessions and wills have files of their own.
@Suite("3.1.1 CONNECT", .blocking) struct Connect311Tests {
    @Test(
        "[3.1.1 MQTT-3.1.0-1] nothing is served before CONNECT",
        arguments: [
            Violation("PINGREQ", Wire.pingreq),
            Violation("SUBSCRIBE", Wire.subscribe(id: 1, [("a", 0)])),
            Violation("UNSUBSCRIBE", Wire.unsubscribe(id: 1, ["a"])),
            Violation("PUBLISH QoS 1", Wire.publish(topic: "a", payload: "", qos: 1, id: 1)),
            Violation("PUBREL", Wire.pubrel(1)),
            Violation("DISCONNECT", Wire.disconnect),
        ])
    func connectFirst(violation: Violation) throws {
        let client = try RawClient(.shared())
        client.send(violation.bad)
        try client.expectClosed()
    }

    @Test("[3.1.1 MQTT-3.1.0-1] a PUBLISH before CONNECT reaches nobody")
    func publishFirst() throws {
        let talk = try Conversation(subscribing: 0)
        let stranger = try RawClient(.shared())
        stranger.send(Wire.publish(topic: talk.topic, payload: "early") + Wire.connect(id: unique("c")))
        try stranger.expectClosed()
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.0-2] a second CONNECT closes the connection", arguments: [true, false])
    func secondConnect(sameID: Bool) throws {
        let id = unique("c")
        let client = try RawClient.connected(to: .shared(), id: id)
        client.send(Wire.connect(id: sameID ? id : unique("c")))
        try client.expectClosed()
    }

    @Test("[3.1.1 MQTT-3.1.0-2] a second CONNECT is a failure: the will is published")
    func secondConnectWill() throws {
        let talk = try Conversation(subscribing: 0)
        let id = unique("c")
        let client = try RawClient.connected(to: .shared(), id: id, will: .init(topic: talk.topic, payload: "will"))
        client.send(Wire.connect(id: id))
        try client.expectClosed()
        try withKnownDifference(.mosquitto, "the will is lost when a second CONNECT ends the connection") {
            let will = try talk.subscriber.expect(.publish)
            #expect(will.payloadText == "will")
        }
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-1] another protocol name is not served as 3.1.1",
        arguments: ["MQTX", "mqtt", "MQT", "MQTTT", "", "MQIsdp", "MQISDP"])
    func protocolName(name: String) throws {
        let why = "MQIsdp with another level than 3 is answered with CONNACK 1"
        try Violation(
            "name", Wire.connect(id: unique("c"), name: name), good: Wire.connect(id: unique("c")),
            keptByMosquitto: name == "MQIsdp" ? why : nil
        ).closesWithoutConnack()
    }

    @Test(
        "[3.1.1 MQTT-3.1.2-2] an unsupported level below 5 gets CONNACK 1 and a close",
        arguments: [0, 1, 2, 3] as [UInt8])
    func lowLevel(level: UInt8) throws {
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: unique("c"), version: level, name: "MQTT"))
        try client.expect([0x20, 0x02, 0x00, 0x01])
        try client.expectClosed()
    }

    /// A level that nobody has defined may be answered in the words of 3.1.1 or of 5.0, or not at all.
    @Test("[3.1.1 MQTT-3.1.2-2] a level above 5 is refused", arguments: [6, 7, 0x7F] as [UInt8])
    func highLevel(level: UInt8) throws {
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: unique("c"), version: level, name: "MQTT"))
        let answers = try client.packetsUntilClosed().map(\.bytes)
        #expect([[], [[0x20, 0x02, 0x00, 0x01]], [[0x20, 0x03, 0x00, 0x84, 0x00]]].contains(answers))
    }

    @Test("[3.1.1 MQTT-3.1.2-3] a set reserved flag gets no CONNACK", arguments: [0x01, 0x03, 0xC3] as [UInt8])
    func reservedFlag(flags: UInt8) throws {
        let fields = flags & 0x80 != 0
        let id = unique("c")
        try Violation(
            "reserved flag",
            Wire.connect(id: id, user: fields ? "u" : nil, password: fields ? [0x70] : nil, flags: flags),
            good: Wire.connect(id: id, user: fields ? "u" : nil, password: fields ? [0x70] : nil, flags: flags & 0xFE)
        ).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-18] a user name without its flag gets no CONNACK")
    func userNameWithoutFlag() throws {
        try Violation(
            "user", Wire.connect(id: unique("c"), user: "u", flags: 0x02),
            good: Wire.connect(id: unique("c"), user: "u")
        )
        .closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-19] the user name flag without a user name gets no CONNACK")
    func flagWithoutUserName() throws {
        try Violation(
            "user", Wire.connect(id: unique("c"), flags: 0x82),
            good: Wire.connect(id: unique("c"), user: "", flags: 0x82)
        )
        .closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-20] a password without its flag gets no CONNACK")
    func passwordWithoutFlag() throws {
        let id = unique("c")
        try Violation(
            "password", Wire.connect(id: id, user: "u", password: [1], flags: 0x82),
            good: Wire.connect(id: id, user: "u", password: [1])
        ).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-21] the password flag without a password gets no CONNACK")
    func flagWithoutPassword() throws {
        let id = unique("c")
        try Violation(
            "password", Wire.connect(id: id, user: "u", flags: 0xC2),
            good: Wire.connect(id: id, user: "u", password: [], flags: 0xC2)
        ).closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.2-22] a password without a user name gets no CONNACK")
    func passwordAlone() throws {
        let id = unique("c")
        try Violation(
            "password", Wire.connect(id: id, password: [0x70]), good: Wire.connect(id: id, user: "u", password: [0x70])
        )
        .closesWithoutConnack()
    }

    /// Bytes that are no text are legal in the will message and in the password only: a broker that took the fields
    /// in another order would refuse them.
    @Test("[3.1.1 MQTT-3.1.3-1] the payload is read as id, will topic, will message, user name, password")
    func payloadOrder() throws {
        let talk = try Conversation(subscribing: 0)
        let id = unique("c")
        let client = try RawClient(.shared())
        client.send(
            Wire.connect(
                idBytes: Array(id.utf8), will: .init(topic: Array(talk.topic.utf8), payload: [0xFF, 0x00, 0xFE]),
                user: Array("user".utf8), password: [0xFF, 0xFD]))
        try client.expect([0x20, 0x02, 0x00, 0x00])
        client.close()
        #expect(try talk.subscriber.expect(.publish).payload == [0xFF, 0x00, 0xFE])
    }

    @Test("[3.1.1 MQTT-3.1.3-3] a CONNECT without a client id gets no CONNACK")
    func noClientID() throws {
        let header = Wire.string("MQTT") + [0x04, 0x02, 0x00, 0x3C]
        try Violation("no id", Wire.packet(0x10, header), good: Wire.packet(0x10, header + [0x00, 0x00]))
            .closesWithoutConnack()
    }

    @Test("[3.1.1 MQTT-3.1.3-5] client ids of 1 to 23 digits and letters are accepted")
    func plainClientIDs() throws {
        let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        let long = stride(from: 0, to: alphabet.count, by: 23).map { start in
            (0..<23).map { alphabet[(start + $0) % alphabet.count] }
        }
        for id in alphabet.map({ [$0] }) + long {
            let client = try RawClient(.shared())
            client.send(Wire.connect(idBytes: id))
            try client.expect([0x20, 0x02, 0x00, 0x00])
            try client.disconnect()
        }
    }

    @Test("[3.1.1 MQTT-3.1.3-6] clients without an id get one each, and do not disturb each other")
    func emptyClientIDs() throws {
        let topic = unique("e")
        let clients = try (1...3).map { _ in try RawClient.connected(to: .shared(), id: "") }
        for client in clients { try client.subscribe(topic, 0) }
        try clients[0].publish(unique("e"), "")
        clients[1].send(Wire.publish(topic: topic, payload: "hello"))
        for client in clients { #expect(try client.expect(.publish).payloadText == "hello") }
        for client in clients { try client.expectQuiet() }
    }

    @Test("[3.1.1 MQTT-3.1.3-8] an empty client id with CleanSession 0 gets CONNACK 2 and a close")
    func emptyClientIDKept() throws {
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: "", cleanStart: false))
        try client.expect([0x20, 0x02, 0x00, 0x02])
        try client.expectClosed()
    }

    @Test("[3.1.1 MQTT-3.1.3-9] a refused client id gets CONNACK 2 and a close", arguments: [true, false])
    func refusedClientID(cleanSession: Bool) throws {
        let broker = try BrokerProcess.shared(BrokerProcess.anonymous + "allow_zero_length_clientid false\n")
        let client = try RawClient(broker)
        client.send(Wire.connect(id: "", cleanStart: cleanSession))
        try client.expect([0x20, 0x02, 0x00, 0x02])
        try client.expectClosed()
        _ = try RawClient.connected(to: broker)
    }

    @Test(
        "[3.1.1 MQTT-3.1.4-1] a malformed CONNECT is closed without one byte",
        arguments: [
            Violation("empty body", [0x10, 0x00]),
            Violation("name only", Wire.packet(0x10, Wire.string("MQTT"))),
            Violation("no keep alive", Wire.packet(0x10, Wire.string("MQTT") + [0x04, 0x02])),
            Violation("half a keep alive", Wire.packet(0x10, Wire.string("MQTT") + [0x04, 0x02, 0x00])),
            Violation(
                "id cut short", Wire.packet(0x10, Wire.string("MQTT") + [0x04, 0x02, 0x00, 0x3C, 0x00, 0x05, 0x61])),
            Violation(
                "bytes behind",
                Wire.packet(0x10, Wire.string("MQTT") + [0x04, 0x02, 0x00, 0x3C, 0x00, 0x01, 0x61, 0x00])),
            Violation(
                "will message missing",
                Wire.packet(0x10, Wire.string("MQTT") + [0x04, 0x06, 0x00, 0x3C, 0x00, 0x01, 0x61] + Wire.string("w"))),
        ])
    func malformed(violation: Violation) throws {
        try violation.closesWithoutConnack()
    }

    @Test(
        "[3.1.1 MQTT-3.1.4-2] a second client with the same id takes the place of the first", arguments: [true, false])
    func takeover(cleanSession: Bool) throws {
        let talk = try Conversation(subscribing: 1)
        let id = unique("c")
        let old = try RawClient.connected(
            to: .shared(), id: id, cleanStart: cleanSession, will: .init(topic: talk.topic, payload: "will of the old"))
        let new = try RawClient.connected(to: .shared(), id: id, cleanStart: cleanSession)
        try old.expectClosed()
        try withKnownDifference(.mosquitto, "the will is lost when a kept session is taken over", when: !cleanSession) {
            let will = try talk.subscriber.expect(.publish)
            #expect(will.payloadText == "will of the old")
        }
        let topic = unique("t")
        try new.subscribe(topic, 0)
        new.send(Wire.publish(topic: topic, payload: "alive"))
        #expect(try new.expect(.publish).payloadText == "alive")
        try new.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.1.4-4] a valid CONNECT is answered with CONNACK 0", arguments: [true, false])
    func accepted(cleanSession: Bool) throws {
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: unique("c"), cleanStart: cleanSession))
        try client.expect([0x20, 0x02, 0x00, 0x00])
        try client.expectQuiet()
    }

    @Test(
        "[3.1.1 MQTT-3.1.4-5] what follows a refused CONNECT is not processed",
        arguments: [
            Violation("level 2", Wire.connect(id: unique("c"), version: 2, name: "MQTT")),
            Violation("empty id", Wire.connect(id: "", cleanStart: false)),
            Violation("reserved flag", Wire.connect(id: unique("c"), flags: 0x03)),
        ])
    func pipelinedAfterRefusal(violation: Violation) throws {
        let talk = try Conversation(subscribing: 0)
        let client = try RawClient(.shared())
        client.send(violation.bad + Wire.publish(topic: talk.topic, payload: "refused", retain: true) + Wire.pingreq)
        let answers = try client.packetsUntilClosed()
        #expect(answers.count <= 1 && answers.allSatisfy { $0.kind == .connack && $0.reasonCode != 0 })
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-3.2.0-1] CONNACK comes before the messages that waited")
    func connackFirst() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.disconnect()
        for number in 1...3 { try talk.publisher.publish(talk.topic, "\(number)", qos: 1) }
        let again = try RawClient(.shared())
        again.send(Wire.connect(id: talk.subscriberID, cleanStart: false))
        try again.expect([0x20, 0x02, 0x01, 0x00])
        #expect(try texts((1...3).map { _ in try again.expect(.publish) }) == ["1", "2", "3"])
    }

    @Test("[3.1.1 MQTT-3.2.2-4] a refusing CONNACK has session present 0, also where a session is kept")
    func refusalHasNoSession() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.disconnect()
        let refused = try RawClient(.shared())
        refused.send(Wire.connect(id: talk.subscriberID, version: 2, cleanStart: false, name: "MQTT"))
        try refused.expect([0x20, 0x02, 0x00, 0x01])
        try refused.expectClosed()
        let again = try RawClient(.shared())
        again.send(Wire.connect(id: talk.subscriberID, cleanStart: false))
        try again.expect([0x20, 0x02, 0x01, 0x00])
    }

    @Test("[3.1.1 MQTT-3.2.2-5] a CONNACK that refuses is followed by a close")
    func refusalCloses() throws {
        let broker = try BrokerProcess.shared("listener {port} 127.0.0.1\nallow_anonymous false\n")
        let client = try RawClient(broker)
        client.send(Wire.connect(id: unique("c")))
        try client.expect([0x20, 0x02, 0x00, 0x05])
        try client.expectClosed()
    }
}
