import MQTTClient
import MQTTProtocol
import MQTTTestKit
import Testing

/// The client against real brokers: ours and Debian's mosquitto, in both versions.
@Suite("MQTTClient and brokers", .timeLimit(.minutes(10)))
struct BrokerTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let broker: String
        let version: ProtocolVersion
        var testDescription: String { "\(broker) \(version)" }

        func start(_ configuration: String = BrokerProcess.anonymous) throws -> BrokerProcess {
            broker == "mosquitto"
                ? try BrokerProcess.start(configuration, program: BrokerProcess.mosquitto)
                : try BrokerProcess.start(configuration)
        }

        func configuration(_ identifier: String, _ change: (inout ClientConfiguration) -> Void = { _ in })
            -> ClientConfiguration
        {
            var configuration = ClientConfiguration(clientIdentifier: identifier, version: version)
            change(&configuration)
            return configuration
        }
    }

    static let all: [Case] = (BrokerProcess.mosquitto == nil ? ["martlet"] : ["martlet", "mosquitto"]).flatMap {
        broker in
        [ProtocolVersion.v311, .v5].map { Case(broker: broker, version: $0) }
    }

    @Test(
        "[3.1.1 MQTT-7.1.2-1] [3.1.1 MQTT-7.0.0-2] [5.0 MQTT-4.2.0-1] over TCP, to our broker and another: payloads of 0, 12 and 200,000 bytes arrive unchanged at every QoS",
        arguments: all)
    func payloads(_ setting: Case) async throws {
        let broker = try setting.start()
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: Int(broker.port)), setting.configuration("payloads")
        ) { client in
            var iterator = try await client.subscribe(to: "p/#", qos: .exactlyOnce).makeAsyncIterator()
            for qos in QoS.allCases {
                for size in [0, 12, 200_000] {
                    let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                    try await client.publish(Message("p/\(size)", payload, qos: qos))
                    let message = try #require(try await iterator.next())
                    #expect(message.payload == payload)
                    #expect(message.topic == Topic(stringLiteral: "p/\(size)"))
                    #expect(message.qos == qos)
                }
            }
        }
        broker.stop()
    }

    @Test("three filters in one SUBSCRIBE, each with its result; after UNSUBSCRIBE nothing comes", arguments: all)
    func filters(_ setting: Case) async throws {
        let broker = try setting.start(BrokerProcess.anonymous + "log_type all\n")
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: Int(broker.port)), setting.configuration("filters")
        ) { client in
            let subscription = try await client.subscribe(to: [
                SubscriptionFilter("a", qos: .atMostOnce), SubscriptionFilter("b/+", qos: .atLeastOnce),
                SubscriptionFilter("c/#", qos: .exactlyOnce),
            ])
            #expect(subscription.result.reasonCodes == [.grantedQoS0, .grantedQoS1, .grantedQoS2])
            let others = try await client.subscribe(to: "d")
            try await client.publish(Message("b/1", "x", qos: .exactlyOnce))
            try await client.publish(Message("d", "y"))
            var iterator = subscription.makeAsyncIterator()
            #expect(try await iterator.next()?.topic == "b/1")
            var otherIterator = others.makeAsyncIterator()
            #expect(try await otherIterator.next()?.topic == "d")
            let codes = try await subscription.unsubscribe().reasonCodes
            #expect(codes == [.success, .success, .success])
            try await client.publish(Message("a", "late", qos: .atLeastOnce))
            #expect(try await iterator.next() == nil)
            // What comes behind it has come, and it has not.
            try await client.publish(Message("d", "fence", qos: .atLeastOnce))
            #expect(try await otherIterator.next()?.text == "fence")
        }
        broker.stop()
        #expect(broker.log.matches(of: /Received PUBLISH from filters \(.*'a'/).count == 1)
        #expect(broker.log.matches(of: /Sending PUBLISH to filters \(.*'(?:b.1|d)'/).count == 3)
        #expect(!broker.log.contains(/Sending PUBLISH to filters \(.*'a'/))
    }

    @Test("retained, will, properties", arguments: all)
    func retainedAndWill(_ setting: Case) async throws {
        let broker = try setting.start()
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        try await MQTTClient.withConnection(to: endpoint, setting.configuration("watcher")) { watcher in
            var wills = try await watcher.subscribe(to: "will/+", qos: .atLeastOnce).makeAsyncIterator()
            let leaving = setting.configuration("leaving") {
                $0.will = ClientWill(Message("will/leaving", "gone", qos: .atLeastOnce))
            }
            try await MQTTClient.withConnection(to: endpoint, leaving) { client in
                var message = Message("kept", "r1", qos: .atLeastOnce, retain: true)
                if setting.version == .v5 {
                    message.properties.contentType = "text/plain"
                    message.properties.userProperties = [ClientUserProperty("k", "1"), ClientUserProperty("k", "2")]
                    message.properties.payloadFormatIndicator = .utf8
                    message.properties.responseTopic = "answers"
                    message.properties.correlationData = [1, 2]
                    message.properties.messageExpiryIntervalSeconds = 1_000
                }
                try await client.publish(message)
                var kept = try await client.subscribe(to: "kept").makeAsyncIterator()
                let received = try #require(try await kept.next())
                #expect(received.retain)
                #expect(received.text == "r1")
                var properties = received.properties
                if setting.version == .v5 {
                    #expect((properties.messageExpiryIntervalSeconds ?? 0) > 900)
                    properties.messageExpiryIntervalSeconds = 1_000
                }
                #expect(properties == message.properties)
                if setting.version == .v5 {
                    client.close(.disconnectWithWill)
                    #expect(try await wills.next()?.text == "gone")
                }
            }
        }
        broker.stop()
    }

    @Test("[FR-1] a goodbye: the broker logs it and publishes no will", arguments: all)
    func goodbye(_ setting: Case) async throws {
        let broker = try setting.start(BrokerProcess.anonymous + "log_type all\n")
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        try await MQTTClient.withConnection(to: endpoint, setting.configuration("watcher")) { watcher in
            var wills = try await watcher.subscribe(to: "will/+", qos: .atLeastOnce).makeAsyncIterator()
            let leaving = setting.configuration("leaving") {
                $0.will = ClientWill(Message("will/leaving", "gone", qos: .atLeastOnce))
            }
            try await MQTTClient.withConnection(to: endpoint, leaving) { _ in }
            let logged = Deadline(milliseconds: 60_000).wait { broker.log.contains("Client leaving disconnected.") }
            #expect(logged, "\(broker.log)")
            try await watcher.publish(Message("will/none", "fence", qos: .atLeastOnce))
            #expect(try await wills.next()?.text == "fence")
        }
        broker.stop()
        #expect(broker.log.contains("Received DISCONNECT from leaving"))
    }

    @Test("a session kept by the broker: messages sent meanwhile come with the return", arguments: all)
    func resumed(_ setting: Case) async throws {
        let broker = try setting.start()
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        let kept = setting.configuration("kept") {
            $0.cleanStart = false
            if setting.version == .v5 { $0.sessionExpiryIntervalSeconds = 100 }
        }
        try await MQTTClient.withConnection(to: endpoint, kept) { client in
            // Nobody holds it, and it stays: the session is kept.
            _ = try await client.subscribe(to: "away/#", qos: .exactlyOnce)
        }
        try await MQTTClient.withConnection(to: endpoint, setting.configuration("sender")) { client in
            for number in 0..<50 {
                try await client.publish(
                    Message("away/x", bytes(number), qos: QoS(rawValue: UInt8(1 + number % 2)) ?? .atLeastOnce))
            }
        }
        try await MQTTClient.withConnection(to: endpoint, kept) { client in
            guard case .connected(let server) = client.state else { throw ClientError.notConnected }
            #expect(server.sessionPresent)
            var iterator = try await client.subscribe(to: "away/#", qos: .exactlyOnce).makeAsyncIterator()
            for expected in 0..<50 {
                let message = try #require(try await iterator.next())
                #expect(number(message.payload) == expected)
            }
        }
        broker.stop()
    }

    @Test("a broker that restarts: subscriptions are made again, what was asked meanwhile is sent", arguments: all)
    func restarted(_ setting: Case) async throws {
        let broker = try setting.start()
        let endpoint = Endpoint.tcp("127.0.0.1", port: Int(broker.port))
        let policy = ReconnectPolicy(backoff: Backoff(baseMilliseconds: 20, maximumMilliseconds: 200))
        try await MQTTClient.withConnection(to: endpoint, setting.configuration("steady"), reconnect: policy) {
            client in
            var iterator = try await client.subscribe(to: "s", qos: .atLeastOnce).makeAsyncIterator()
            try await client.publish(Message("s", "before", qos: .atLeastOnce))
            #expect(try await iterator.next()?.text == "before")
            broker.stop()
            var states = client.states.makeAsyncIterator()
            while let state = await states.next() { if case .waiting = state { break } }
            async let offline = client.publish(Message("s", "meanwhile", qos: .atLeastOnce))
            let again = try BrokerProcess.start(
                "listener {port} 127.0.0.1\nlistener \(broker.port) 127.0.0.1\nallow_anonymous true\n",
                program: setting.broker == "mosquitto" ? BrokerProcess.mosquitto : nil)
            _ = try await offline
            #expect(try await iterator.next()?.text == "meanwhile")
            again.stop()
        }
    }

    @Test("many tasks at once, ten thousand messages", arguments: all)
    func many(_ setting: Case) async throws {
        let broker = try setting.start("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        try await MQTTClient.withConnection(
            to: .tcp("127.0.0.1", port: Int(broker.port)), setting.configuration("many")
        ) { client in
            let subscription = try await client.subscribe(to: "m/+", qos: .exactlyOnce)
            async let received = Self.count(10_000, of: subscription)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<100 {
                    group.addTask {
                        for number in 0..<100 {
                            let qos = QoS(rawValue: UInt8(1 + number % 2)) ?? .atLeastOnce
                            try await client.publish(Message("m/\(task)", bytes(number), qos: qos))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await received == 10_000)
        }
        broker.stop()
    }

    private static func count(_ total: Int, of subscription: ClientSubscription) async throws -> Int {
        var count = 0
        for try await _ in subscription {
            count += 1
            if count == total { break }
        }
        return count
    }
}
