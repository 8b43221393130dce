import MQTTTestKit
import Testing

/// `enable_control_api`: questions about the broker by PUBLISH, MOSQUITTO_COMPAT §7.4. mosquitto has it since 2.1.
@Suite("The control API", .blocking, .enabled(if: !BrokerUnderTest.isMosquitto, "since 2.1"))
struct ControlKeyTests {
    private static let requests = "$CONTROL/broker/v1"
    private static let answers = "$CONTROL/broker/v1/response"

    /// What the broker answers to a request, and what the request's acknowledgement says.
    private func ask(
        _ broker: BrokerProcess, _ request: String, user: String? = nil, qos: UInt8 = 1
    ) throws -> (code: UInt8, answer: String?) {
        let client = try RawClient.connected(to: broker, version: 5, user: user)
        client.send(Wire.subscribe(id: 1, [(Self.answers, 0)], properties: []))
        _ = try client.expect(.suback)
        client.send(Wire.publish(topic: Self.requests, payload: request, qos: qos, id: 2, properties: []))
        let acknowledgement = try client.receive { $0.kind == .puback || $0.kind == .pubrec }
        let answer = try client.barrier().first { $0.kind == .publish }
        if let answer { #expect(answer.topicText == Self.answers && !answer.retain) }
        return (acknowledgement.reasonCode ?? 0, answer?.payloadText)
    }

    @Test("[enable_control_api] listListeners and listPlugins, in mosquitto's envelope", arguments: [1, 3])
    func commands(_ loops: Int) throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "enable_control_api true\nevent_loops \(loops)\nlistener 0 {directory}/s\n")
        for qos in [1, 2] as [UInt8] {
            let (code, answer) = try ask(
                broker, #"{"commands":[{"command":"listListeners","correlationData":"a"},{"command":"LISTPLUGINS"}]}"#,
                qos: qos)
            #expect(code == 0)
            #expect(
                answer
                    == #"{"responses":[{"command":"listListeners","correlationData":"a","data":{"listeners":["#
                    + #"{"bind-address":"127.0.0.1","port":\#(broker.port),"protocol":"mqtt","tls":false},"#
                    + #"{"port":0,"protocol":"mqtt","socket-path":"\#(broker.directory)/s","tls":false}]}},"#
                    + #"{"command":"LISTPLUGINS","data":{"plugins":[]}}]}"#)
        }
    }

    @Test(
        "What is no request is told so, command by command",
        arguments: [
            ("x", "Payload not valid JSON"), ("{}", "Invalid/missing commands"), ("[1]", "Invalid/missing commands"),
            (#"{"commands":[1]}"#, "Command not an object"), (#"{"commands":[{}]}"#, "Missing command"),
            (#"{"commands":[{"command":"x"}]}"#, "Unknown command"),
            (#"{"commands":[{"command":"listPlugins","correlationData":1}]}"#, "Invalid correlationData data type."),
        ])
    func faults(_ request: String, _ error: String) throws {
        let broker = try BrokerProcess.start(BrokerProcess.anonymous + "enable_control_api true\n")
        let answer = try #require(try ask(broker, request).answer)
        #expect(answer.contains(#""error":"\#(error)""#), "\(answer)")
    }

    @Test("Only who may publish there may ask; nobody else's answers are passed on")
    func rights() throws {
        let broker = try BrokerProcess.start(
            BrokerProcess.anonymous + "enable_control_api true\nacl_file {directory}/acl\n",
            files: ["acl": "topic read $CONTROL/#\nuser admin\ntopic $CONTROL/#\n"])
        let request = #"{"commands":[{"command":"listPlugins"}]}"#
        #expect(try ask(broker, request).code == 0x87)
        #expect(try ask(broker, request).answer == nil)
        #expect(try ask(broker, request, user: "admin").answer?.contains("plugins") == true)
        let listener = try RawClient.connected(to: broker)
        try listener.subscribe("$CONTROL/#", 0)
        let forger = try RawClient.connected(to: broker, version: 5, user: "admin")
        forger.send(Wire.publish(topic: Self.answers, payload: "{}", qos: 1, id: 2, properties: []))
        #expect(try forger.expect(.puback).reasonCode == 0x87)
        forger.send(Wire.publish(topic: Self.requests, payload: "{}", qos: 1, id: 3, retain: true, properties: []))
        #expect(try forger.expect(.puback).reasonCode == 0)
        let heard = try listener.barrier().filter { $0.kind == .publish }
        #expect(heard.map(\.topicText) == [Self.answers])
        let late = try RawClient.connected(to: broker)
        try late.subscribe("$CONTROL/#", 0)
        try late.expectQuiet()
    }

    @Test("Without the key it is a topic like others")
    func off() throws {
        let broker = try BrokerProcess.shared()
        let reader = try RawClient.connected(to: broker)
        try reader.subscribe(Self.requests, 0)
        try RawClient.connected(to: broker).publish(Self.requests, "x", qos: 1)
        try reader.expectMessage(Self.requests, "x")
    }
}
