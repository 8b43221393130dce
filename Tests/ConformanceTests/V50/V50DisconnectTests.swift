import MQTTTestKit
import Testing

/// Chapter 3.14, and 4.13: how either side ends a connection.
@Suite(.blocking) struct V50DisconnectTests {
    @Test("[5.0 MQTT-3.14.0-1] no DISCONNECT before a CONNACK below 80")
    func notBeforeConnack() throws {
        let refused: [[UInt8]] = [
            Wire.pingreq,
            Wire.publish(topic: unique("t"), payload: "", properties: []),
            Wire.subscribe(id: 1, [(unique("t"), 3)], properties: []),
            Wire.disconnect(reason: 0x04),
            Wire.auth(reason: 0x18, properties: [.authenticationMethod("none")]),
            [0x00, 0x00],
            [0x82, 0xFF, 0xFF, 0xFF, 0xFF],
            Wire.connect(id: unique("c"), version: 5, flags: 0x03),
            Wire.connect(id: unique("c"), version: 5, properties: [.receiveMaximum(0)]),
            Wire.connect(id: unique("c"), version: 5, properties: [.authenticationMethod("none-such")]),
        ]
        for bytes in refused {
            let client = try RawClient(.shared(), version: 5)
            client.send(bytes)
            let packets = try client.packetsUntilClosed()
            #expect(packets.allSatisfy { $0.kind == .connack && $0.reasonCode ?? 0 >= 0x80 }, "\(bytes): \(packets)")
            #expect(packets.count <= 1)
        }
    }

    @Test(
        "[5.0 MQTT-3.14.1-1] DISCONNECT with reserved bits is malformed",
        arguments: [0xE1, 0xE2, 0xE4, 0xE8, 0xEF] as [UInt8])
    func reservedBits(first: UInt8) throws {
        let (client, watcher) = try clientWithWill()
        client.send([first, 0x00])
        try withKnownDifference(.mosquitto, "wrong flags of DISCONNECT close without a DISCONNECT") {
            try client.expectFault(0x81)
        }
        #expect(try watcher.receivePublish().payloadText == "will")
    }

    @Test("[5.0 MQTT-3.14.2-1] DISCONNECT uses only its own reason codes")
    func ownReasons() throws {
        let own: Set<UInt8> = [
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
            0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ]
        for fault in Fault.all {
            for packet in try fault.answers() { #expect(own.isSuperset(of: packet.reasonCodes), "\(fault)") }
        }
        try withKnownDifference(.mosquitto, "a DISCONNECT with a code that it does not have gets no answer") {
            for reason: UInt8 in [0x01, 0x05, 0x10, 0x92, 0xFF] {
                let (client, watcher) = try clientWithWill()
                client.send(Wire.disconnect(reason: reason))
                try client.expectFault(0x81, 0x82)
                #expect(try watcher.receivePublish().payloadText == "will")
            }
        }
    }

    @Test("[5.0 MQTT-3.14.2-2] the broker never puts Session Expiry Interval in DISCONNECT")
    func noSessionExpiry() throws {
        for fault in Fault.all {
            for packet in try fault.answers(.sessionExpiryInterval(5)) { #expect(packet.property(0x11).isEmpty) }
        }
        let id = unique("c")
        let old = try RawClient.v5(.sessionExpiryInterval(5), id: id)
        let new = try RawClient.v5(id: id)
        try withKnownDifference(.mosquitto, "takeover closes without a DISCONNECT") {
            let takenOver = try old.expectFault(0x8E)
            #expect(takenOver.property(0x11).isEmpty)
        }
        try new.expectQuiet()
    }

    @Test("[5.0 MQTT-3.14.2-3] DISCONNECT leaves Reason String out where it does not fit")
    func reasonStringFits() throws {
        for fault in Fault.all {
            let packets = try fault.answers(.maximumPacketSize(20))
            for packet in packets { #expect(packet.bytes.count <= 20, "\(fault)") }
            try fault.expectNamed(packets)
        }
    }

    @Test("[5.0 MQTT-3.14.2-4] DISCONNECT leaves User Property out where it does not fit")
    func userPropertyFits() throws {
        let talkative = Property.user("a name of some length", "and a value of some length")
        for fault in Fault.all {
            for packet in try fault.answers(.maximumPacketSize(20), talkative) {
                #expect(packet.bytes.count <= 20, "\(fault)")
            }
        }
    }

    @Test("[5.0 MQTT-3.14.4-1] nothing follows a DISCONNECT", arguments: Fault.all)
    func lastPacket(fault: Fault) throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        try client.subscribe(topic, 0)
        // What comes behind the fault is not served any more.
        let behind = Wire.publish(topic: topic, payload: "late", properties: []) + Wire.pingreq
        client.send(fault.bytes + behind)
        let packets = try client.packetsUntilClosed()
        #expect(packets.allSatisfy { $0.kind == .disconnect })
        #expect(packets.count <= 1)
    }

    @Test("[5.0 MQTT-3.14.4-2] the sender of DISCONNECT closes", arguments: Fault.all)
    func closes(fault: Fault) throws {
        // `answers` waits for the end of the connection.
        try fault.expectNamed(try fault.answers())
    }

    @Test("[5.0 MQTT-3.14.4-3] DISCONNECT 00 drops the will; other codes do not")
    func willAtDisconnect() throws {
        for form in [Wire.disconnect, Wire.disconnect(reason: 0), Wire.disconnect(reason: 0, properties: [])] {
            let (client, watcher) = try clientWithWill()
            client.send(form)
            try client.expectClosed()
            #expect(try watcher.everything(from: RawClient.v5()).isEmpty)
        }
        for reason: UInt8 in [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x98] {
            let (client, watcher) = try clientWithWill()
            client.send(Wire.disconnect(reason: reason))
            try client.expectClosed()
            try withKnownDifference(reason == 0x04 ? nil : "only 04 keeps the will") {
                let publisher = try RawClient.v5()
                #expect(try watcher.everything(from: publisher).map(\.payloadText) == ["will"], "reason \(reason)")
            }
        }
    }

    @Test("[5.0 MQTT-4.13.1-1] an error with a defined code closes the connection", arguments: Fault.all)
    func errorsClose(fault: Fault) throws {
        let id = unique("c")
        let client = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        client.send(fault.bytes)
        try fault.expectNamed(try client.packetsUntilClosed())
        // The session is no part of the damage.
        let loses = fault.name == "a second CONNECT" ? "a second CONNECT ends the session too" : nil
        try withKnownDifference(loses) { try RawClient.resumed(id).expectQuiet() }
    }

    @Test("[5.0 MQTT-4.13.2-1] a reason of 80 or above in CONNACK or DISCONNECT means the end")
    func errorReasonsEnd() throws {
        for fault in Fault.all {
            let packets = try fault.answers()
            #expect(packets.last.map { $0.reasonCode ?? 0 >= 0x80 } ?? true)
        }
        for connect in [
            Wire.connect(id: unique("c"), version: 5, properties: [.authenticationMethod("none-such")]),
            Wire.connect(id: unique("c"), version: 5, properties: [.maximumPacketSize(0)]),
        ] {
            let client = try RawClient(.shared(), version: 5)
            client.send(connect + Wire.pingreq)
            let packets = try client.packetsUntilClosed()
            #expect(packets.allSatisfy { $0.kind == .connack && $0.reasonCode ?? 0 >= 0x80 })
        }
        // The client's own DISCONNECT of an error: nothing comes back.
        let client = try RawClient.v5()
        client.send(Wire.disconnect(reason: 0x81) + Wire.pingreq)
        try client.expectClosed()
    }

    // MARK: rules without an id

    @Test("[5.0 facts] DISCONNECT may be short, or carry properties")
    func forms() throws {
        let explained: [Property] = [.reasonString("because"), .user("a", "1"), .user("a", "2")]
        for form in [[], [0x00], [0x00, 0x00], [0x00] + Wire.properties(explained)] as [[UInt8]] {
            let (client, watcher) = try clientWithWill()
            client.send(Wire.packet(0xE0, form))
            try client.expectClosed()
            #expect(try watcher.everything(from: RawClient.v5()).isEmpty)
        }
    }

    @Test("[5.0 facts] a DISCONNECT that is malformed does not count, so the will is sent")
    func brokenForms() throws {
        let forms: [([UInt8], UInt8)] = [
            ([0x00, 0x05], 0x81), ([0x00, 0x00, 0x00], 0x81),
            ([0x00] + Wire.properties([.payloadFormatIndicator(1)]), 0x81),
            ([0x00] + Wire.properties([.reasonString("a"), .reasonString("b")]), 0x82),
            ([0x00] + Wire.properties([.sessionExpiryInterval(0), .sessionExpiryInterval(0)]), 0x82),
        ]
        for (form, reason) in forms {
            let (client, watcher) = try clientWithWill()
            client.send(Wire.packet(0xE0, form))
            try withKnownDifference(.mosquitto, "a malformed DISCONNECT closes without a DISCONNECT") {
                try client.expectFault(reason)
            }
            #expect(try watcher.receivePublish().payloadText == "will")
        }
    }

    @Test("[5.0 facts] DISCONNECT may not raise Session Expiry Interval from 0, and then does not count")
    func raisedExpiry() throws {
        for properties in [[], [Property.sessionExpiryInterval(0)]] {
            let (client, watcher) = try clientWithWill(properties)
            client.send(Wire.disconnect(reason: 0, properties: [.sessionExpiryInterval(5)]))
            try client.expectFault(0x82)
            #expect(try watcher.receivePublish().payloadText == "will")
        }
        // 0 stays 0, and anything else may change.
        let allowed: [(UInt32, UInt32)] = [(0, 0), (60, 0), (60, 5), (5, 60), (60, 0xFFFF_FFFF)]
        for (first, second) in allowed {
            let id = unique("c")
            let client = try RawClient.v5(.sessionExpiryInterval(first), id: id)
            client.send(Wire.disconnect(reason: 0, properties: [.sessionExpiryInterval(second)]))
            try client.expectClosed()
            let again = try RawClient(.shared(), version: 5)
            #expect(try again.connect(id: id, version: 5, cleanStart: false).sessionPresent == (second > 0))
            try again.disconnect()
        }
    }

    @Test("[5.0 facts] a client puts no Subscription Identifier into PUBLISH", arguments: [0, 1, 2] as [UInt8])
    func identifierFromClient(qos: UInt8) throws {
        let client = try RawClient.v5()
        client.send(
            Wire.publish(topic: unique("t"), payload: "", qos: qos, id: 1, properties: [.subscriptionIdentifier(1)]))
        try withKnownDifference(.mosquitto, "a Subscription Identifier from a client is taken") {
            try client.expectFault(0x82)
        }
    }

    @Test(
        "[5.0 facts] PINGREQ has no flags and no body",
        arguments: [[0xC1, 0x00], [0xC8, 0x00], [0xC0, 0x01, 0x00]] as [[UInt8]])
    func strangePing(bytes: [UInt8]) throws {
        let client = try RawClient.v5()
        client.send(bytes)
        try withKnownDifference(.mosquitto, "a PINGREQ with flags or a body is taken") {
            try client.expectFault(0x81)
        }
    }

    @Test("[5.0 facts] packets of the other direction and of no direction are refused")
    func wrongDirection() throws {
        for first: UInt8 in [0x20, 0x90, 0xB0, 0xD0] {
            let client = try RawClient.v5()
            client.send(Wire.packet(first, first == 0xD0 ? [] : [0, 1, 0, 0]))
            try withKnownDifference(.mosquitto, "closes without a word, or passes") {
                try client.expectFault(0x81, 0x82)
            }
        }
    }

    /// A client with a will, and somebody who waits for it.
    private func clientWithWill(_ properties: [Property] = []) throws -> (client: RawClient, watcher: RawClient) {
        let topic = unique("w")
        let watcher = try RawClient.v5()
        try watcher.subscribe(topic, 0)
        let will = Wire.Will(topic: topic, payload: "will")
        let client = try RawClient.connected(to: .shared(), version: 5, will: will, properties: properties)
        return (client, watcher)
    }

    @Test("[5.0 facts] a broker that goes down says so with 8B, and only to those who can read it")
    func shutDown() throws {
        let broker = try BrokerProcess.start()
        let client = try RawClient.v5(on: broker)
        let older = try RawClient.connected(to: broker)
        #expect(broker.stop(), "it had to be killed")
        try withKnownDifference(.mosquitto, "closes silently") { try client.expectFault(0x8B) }
        try older.expectClosed()
    }
}

/// Something a connected client may not send, and what the broker calls it.
struct Fault: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    /// What DISCONNECT may carry; several where the standard leaves it open.
    let reasons: [UInt8]
    /// How mosquitto differs, if it does: its close is still checked.
    var mosquitto: String?

    var testDescription: String { name }

    /// Everything the broker says until it has closed.
    func answers(_ properties: Property...) throws -> [ReceivedPacket] {
        let client = try RawClient.connected(to: .shared(), version: 5, properties: properties)
        client.send(bytes)
        let packets = try client.packetsUntilClosed()
        #expect(packets.count <= 1 && packets.allSatisfy { $0.kind == .disconnect }, "\(name): \(packets)")
        return packets
    }

    func expectNamed(_ packets: [ReceivedPacket]) throws {
        try withKnownDifference(mosquitto) {
            #expect(packets.count == 1, "\(name)")
            #expect(packets.first.map { reasons.contains($0.reasonCode ?? 0) } ?? false, "\(name): \(packets)")
        }
    }

    private static func publish(_ topic: String, _ properties: [Property] = []) -> [UInt8] {
        Wire.publish(topic: topic, payload: "", properties: properties)
    }

    static let all: [Fault] = [
        Fault(
            name: "a second CONNECT", bytes: Wire.connect(id: "second", version: 5), reasons: [0x82],
            mosquitto: "closes without a DISCONNECT"),
        Fault(name: "PUBLISH with a wildcard", bytes: publish("a/#"), reasons: [0x81, 0x82, 0x90]),
        Fault(name: "PUBLISH without topic and alias", bytes: publish(""), reasons: [0x82]),
        Fault(
            name: "PUBLISH with QoS 3", bytes: [0x36, 0x06, 0, 1, 0x61, 0, 1, 0], reasons: [0x81]),
        Fault(
            name: "topic alias 0", bytes: publish("a", [.topicAlias(0)]), reasons: [0x94],
            mosquitto: "calls it malformed (81)"),
        Fault(name: "an alias above the maximum", bytes: publish("a", [.topicAlias(65_535)]), reasons: [0x94]),
        Fault(
            name: "SUBSCRIBE without filter", bytes: Wire.subscribe(id: 1, [], properties: []), reasons: [0x82],
            mosquitto: "calls it malformed (81)"),
        Fault(
            name: "UNSUBSCRIBE without filter", bytes: Wire.unsubscribe(id: 1, [], properties: []), reasons: [0x82],
            mosquitto: "calls it malformed (81)"),
        Fault(
            name: "SUBSCRIBE with flags 0000", bytes: [0x80, 0x07, 0, 1, 0, 0, 1, 0x61, 0], reasons: [0x81]),
        Fault(
            name: "PUBREL with flags 0000", bytes: [0x60, 0x02, 0, 1], reasons: [0x81],
            mosquitto: "closes without a DISCONNECT"),
        Fault(
            name: "AUTH without a method", bytes: Wire.auth(reason: 0x18), reasons: [0x82],
            mosquitto: "closes without a DISCONNECT"),
        Fault(name: "packet type 0", bytes: [0x00, 0x00], reasons: [0x81, 0x82]),
    ]
}
