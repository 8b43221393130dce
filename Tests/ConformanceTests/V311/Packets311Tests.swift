import MQTTTestKit
import Testing

@Suite(.blocking) struct Ping311Tests {
    @Test("[3.1.1 MQTT-3.12.4-1] PINGREQ is answered with PINGRESP")
    func ping() throws {
        let client = try RawClient.connected(to: .shared())
        client.send([0xC0, 0x00])
        try client.expect([0xD0, 0x00])
    }
}
