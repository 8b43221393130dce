import MQTTTools
import Testing

@Suite("A broker's URL")
struct BrokerAddressTests {
    @Test("schemes, ports, user and password, what follows")
    func parts() throws {
        let url = try BrokerAddress("mqtts://al%20ice:p%40ss@broker.example:8884/a/b")
        #expect(url.scheme == .mqtts && url.scheme.isEncrypted && !url.scheme.isWebSocket)
        #expect(url.host == "broker.example" && url.port == 8884 && url.rest == "a/b")
        #expect(url.userName == "al ice" && url.password == "p@ss")
        #expect(try BrokerAddress("localhost").port == 1883)
        #expect(try BrokerAddress("localhost:1884").port == 1884)
        #expect(try BrokerAddress("ssl://h").port == 8883)
        #expect(try BrokerAddress("wss://[::1]/mqtt").host == "::1")
        #expect(try BrokerAddress("ws://h").port == 80)
        #expect(try BrokerAddress("mqtt://user@h").password == nil)
    }

    @Test("what is none", arguments: ["", "http://h", "h:0", "h:99999", "h:x", "mqtt://", "mqtt://a%zz@h"])
    func wrong(_ text: String) {
        #expect(throws: BrokerAddress.Fault.self) { try BrokerAddress(text) }
    }
}
