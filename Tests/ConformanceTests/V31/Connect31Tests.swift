import MQTTTestKit
import Testing

/// MQTT 3.1 (MQIsdp): how a connection begins. The text has no numbered requirements; what is asked here is in
/// MQTT_FACTS, section 3.1.
@Suite("3.1 connections", .blocking) struct Connect31Tests {
    @Test("[3.1] name MQIsdp with level 3 is accepted", arguments: [true, false])
    func accepted(cleanSession: Bool) throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(
            Wire.packet(
                0x10, Wire.string("MQIsdp") + [0x03, cleanSession ? 0x02 : 0x00, 0x00, 0x3C] + Wire.string(unique("c")))
        )
        try client.expect([0x20, 0x02, 0x00, 0x00])
        try client.expectQuiet()
        try client.disconnect()
    }

    @Test("[3.1] CONNACK has no session present bit", arguments: [true, false])
    func noSessionPresent(cleanSession: Bool) throws {
        let id = unique("c")
        for _ in 1...2 {
            let client = try RawClient(.shared(), version: 3)
            client.send(Wire.connect(id: id, version: 3, cleanStart: cleanSession))
            try client.expect([0x20, 0x02, 0x00, 0x00])
            try client.disconnect()
        }
    }

    @Test("[3.1] an empty client id is refused with code 2", arguments: [true, false])
    func emptyClientID(cleanSession: Bool) throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.connect(id: "", version: 3, cleanStart: cleanSession))
        try client.expect([0x20, 0x02, 0x00, 0x02])
        try client.expectClosed()
    }

    @Test("[3.1] client ids of 1 to 23 characters are accepted", arguments: [1, 22, 23])
    func clientIDLength(count: Int) throws {
        // A single character is one that no other test uses: they run at the same time.
        let id = count == 1 ? "-" : String((unique("c") + String(repeating: "x", count: 23)).prefix(count))
        _ = try RawClient.connected(to: .shared(), id: id, version: 3)
    }

    @Test("[3.1] a client id of 24 characters is accepted, or refused with code 2")
    func longClientID() throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.connect(id: String((unique("c") + String(repeating: "x", count: 24)).prefix(24)), version: 3))
        let connack = try client.expect(.connack)
        #expect([0, 2].contains(connack.reasonCode))
        if connack.reasonCode == 2 { try client.expectClosed() }
    }

    @Test("[3.1] MQIsdp with another level is closed", arguments: [0, 2, 4, 5, 6] as [UInt8])
    func otherLevel(level: UInt8) throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(
            Wire.packet(
                0x10,
                Wire.string("MQIsdp") + [level, 0x02, 0x00, 0x3C] + (level == 5 ? [0x00] : [])
                    + Wire.string(unique("c"))))
        try withKnownDifference(.mosquitto, "MQIsdp with another level than 3 is answered with CONNACK 1") {
            try client.expectClosed()
        }
    }

    @Test("[3.1] name MQTT with level 3 gets CONNACK 1 and a close")
    func otherName() throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.connect(id: unique("c"), version: 3, name: "MQTT"))
        try client.expect([0x20, 0x02, 0x00, 0x01])
        try client.expectClosed()
    }

    @Test("[3.1] name MQTT with the unknown level 6 is answered with a refusal, or closed")
    func unknownLevel() throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.connect(id: unique("c"), version: 6, name: "MQTT"))
        let answers = try client.packetsUntilClosed().map(\.bytes)
        #expect([[], [[0x20, 0x02, 0x00, 0x01]], [[0x20, 0x03, 0x00, 0x84, 0x00]]].contains(answers))
    }

    @Test("[3.1] the user name flag may be set without a user name", arguments: [0x82, 0xC2] as [UInt8])
    func flagWithoutUserName(flags: UInt8) throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.connect(id: unique("c"), version: 3, flags: flags))
        try client.expect([0x20, 0x02, 0x00, 0x00])
        try client.expectQuiet()
    }

    @Test("[3.1] user name and password are read")
    func userName() throws {
        _ = try RawClient.connected(to: .shared(), version: 3, user: "user", password: "password")
    }

    @Test("[3.1] a client that is not allowed gets CONNACK 5 and a close")
    func notAllowed() throws {
        let broker = try BrokerProcess.shared("listener {port} 127.0.0.1\nallow_anonymous false\n")
        let client = try RawClient(broker, version: 3)
        client.send(Wire.connect(id: unique("c"), version: 3))
        try client.expect([0x20, 0x02, 0x00, 0x05])
        try client.expectClosed()
    }

    @Test("[3.1] nothing is served before CONNECT")
    func connectFirst() throws {
        let client = try RawClient(.shared(), version: 3)
        client.send(Wire.pingreq)
        try client.expectClosed()
    }

    @Test(
        "[3.1] a second client with the same id takes the place of the first, whatever its version",
        arguments: [3, 4] as [UInt8])
    func takeover(version: UInt8) throws {
        let id = unique("c")
        let old = try RawClient.connected(to: .shared(), id: id, version: 3)
        let new = try RawClient.connected(to: .shared(), id: id, version: version)
        try old.expectClosed()
        try new.expectQuiet()
    }

    @Test(
        "[3.1] the will is published when the connection fails, and not after DISCONNECT",
        arguments: [0, 1, 2] as [UInt8], [true, false])
    func will(qos: UInt8, retain: Bool) throws {
        let talk = try Conversation(subscribing: 2, version: 3)
        let will = Wire.Will(topic: talk.topic, payload: "will", qos: qos, retain: retain)
        try RawClient.connected(to: .shared(), version: 3, will: will).disconnect()
        #expect(try talk.delivered().isEmpty)
        try RawClient.connected(to: .shared(), version: 3, will: will).close()
        let packet = try talk.subscriber.receivePublish()
        #expect(packet.payloadText == "will" && packet.qos == qos && !packet.retain)
        let late = try RawClient.connected(to: .shared(), version: 3)
        try late.subscribe(talk.topic, 0)
        #expect(try texts(late.packets(retain ? 1 : 0)) == (retain ? ["will"] : []))
    }

    @Test("[3.1] a silent client is dropped after 1.5 times its keep alive")
    func keepAlive() throws {
        try persistently {
            let start = ContinuousClock.now
            let client = try RawClient.connected(to: .shared(), version: 3, keepAlive: 1)
            try client.expectClosed()
            let lived = start.duration(to: .now)
            #expect(lived >= .milliseconds(BrokerUnderTest.isMosquitto ? 500 : 1_400))
            guard lived > .milliseconds(BrokerUnderTest.isMosquitto ? 8_500 : 3_000) else { return }
            throw Mismatch(.timedOut, "\(lived) instead of 1.5 s", #fileID, #line)
        }
    }
}
