import MQTTTestKit
import Testing

/// Chapters 3.15 and 4.12 at a broker that offers no authentication method: what it must refuse, and how.
@Suite(.blocking) struct V50AuthTests {
    @Test("[5.0 MQTT-3.15.1-1] AUTH has flag bits 0000", arguments: [0xF1, 0xF2, 0xF4, 0xF8, 0xFF] as [UInt8])
    func flags(first: UInt8) throws {
        let client = try RawClient.v5()
        client.send([first] + Wire.auth(reason: 0x18, properties: [.authenticationMethod("m")]).dropFirst())
        try withKnownDifference(.mosquitto, "wrong flags of AUTH close without a DISCONNECT") {
            try client.expectFault(0x81)
        }
    }

    @Test("[5.0 MQTT-3.15.2-1] AUTH uses only 00, 18 and 19", arguments: [0x01, 0x17, 0x1A, 0x80, 0xFF] as [UInt8])
    func reasons(reason: UInt8) throws {
        let client = try RawClient.v5()
        client.send(Wire.auth(reason: reason, properties: [.authenticationMethod("m")]))
        try withKnownDifference(.mosquitto, "a strange AUTH closes without a DISCONNECT") {
            try client.expectFault(0x81, 0x82)
        }
    }

    @Test("[5.0 MQTT-4.12.0-1] an unsupported Authentication Method ends the connection with CONNACK 8C")
    func unknownMethod() throws {
        for properties in [
            [.authenticationMethod("none-such")],
            [.authenticationMethod("none-such"), .authenticationData([1, 2, 3])],
        ] as [[Property]] {
            let client = try RawClient(.shared(), version: 5)
            client.send(Wire.connect(id: unique("c"), version: 5, properties: properties))
            let packets = try client.packetsUntilClosed()
            #expect(packets.map(\.kind) == [.connack])
            #expect(packets.first?.reasonCodes == [0x8C])
            #expect(packets.first?.sessionPresent == false)
        }
    }

    @Test("[5.0 MQTT-4.12.0-4] a broker that refuses authentication closes, and serves nothing")
    func refusalCloses() throws {
        let topic = unique("t")
        let id = unique("c")
        let watcher = try RawClient.v5()
        try watcher.subscribe(topic, 0)
        let old = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        let client = try RawClient(.shared(), version: 5)
        let will = Wire.Will(topic: topic, payload: "will")
        client.send(
            Wire.connect(id: id, version: 5, will: will, properties: [.authenticationMethod("none-such")])
                + Wire.publish(topic: topic, payload: "behind", properties: []))
        #expect(try client.packetsUntilClosed().map(\.kind) == [.connack])
        #expect(try watcher.everything(from: RawClient.v5()).isEmpty)
        // Who is refused takes nothing over.
        try old.expectQuiet()
    }

    @Test("[5.0 MQTT-4.12.0-6] without a method in CONNECT there is no AUTH and no method in CONNACK")
    func noMethod() throws {
        let client = try RawClient(.shared(), version: 5)
        let connack = try client.connect(id: unique("c"), version: 5)
        #expect(connack.property(0x15).isEmpty)
        #expect(connack.property(0x16).isEmpty)
        try client.subscribe(unique("t"), 2)
        try client.publish(unique("t"), "x", qos: 1)
        try client.expectQuiet()
    }

    @Test("[5.0 facts] AUTH on a connection without a method is a protocol error")
    func authWithoutMethod() throws {
        let forms = [
            [0xF0, 0x00], Wire.auth(reason: 0x18), Wire.auth(reason: 0x19),
            Wire.auth(reason: 0x18, properties: [.authenticationMethod("m")]),
            Wire.auth(reason: 0x19, properties: [.authenticationMethod("m"), .authenticationData([1])]),
        ]
        for form in forms {
            let client = try RawClient.v5()
            client.send(form)
            try withKnownDifference(.mosquitto, "AUTH closes without a DISCONNECT") {
                try client.expectFault(0x82)
            }
        }
    }

    @Test("[5.0 facts] Authentication Data without a method is a protocol error")
    func dataWithoutMethod() throws {
        try withKnownDifference(.mosquitto, "Authentication Data alone is ignored") {
            let client = try RawClient(.shared(), version: 5)
            client.send(Wire.connect(id: unique("c"), version: 5, properties: [.authenticationData([1])]))
            let packets = try client.packetsUntilClosed()
            #expect(packets.map(\.reasonCodes) == [[0x82]])
        }
    }
}
