import MQTTProtocol
import MQTTTools
import Testing

@Suite("A version's name on a command line")
struct VersionNameTests {
    @Test(
        "with and without mqttv",
        arguments: [("5", ProtocolVersion.v5), ("311", .v311), ("31", .v31)])
    func names(_ name: String, _ version: ProtocolVersion) {
        #expect(ProtocolVersion(commandLineName: name) == version)
        #expect(ProtocolVersion(commandLineName: "mqttv\(name)") == version)
    }

    @Test("what is none", arguments: ["", "4", "3.1.1", "5.0", "mqttv", "mqttvmqttv5", "MQTTV5", " 5"])
    func wrong(_ name: String) {
        #expect(ProtocolVersion(commandLineName: name) == nil)
    }
}
