import MQTTClient

/// What happens on a connection: subscribe, publish and hear it back, unsubscribe.
extension MutualAuthDemo {
    func exchange(_ client: MQTTClient) async throws {
        if case .connected(let server) = client.state {
            guard !server.sessionPresent else {
                throw DemoTrouble(description: "a session was there, though none was asked for")
            }
        }
        say(
            "MQTT: connected as '\(settings.clientIdentifier)', clean session, keep-alive \(settings.keepAliveSeconds) s"
        )
        let subscription = try await subscribe(client)
        let (arrivals, input) = AsyncStream.makeStream(of: Message.self)
        async let reading: Void = {
            defer { input.finish() }
            for try await message in subscription { input.yield(message) }
        }()
        for number in 1...max(settings.publishes, 1) {
            try await publish(client, number, arrivals)
            say("Idle for \(settings.publishPause.milliseconds) ms.")
            guard await pause(settings.publishPause) else { throw CancellationError() }
        }
        try await unsubscribe(subscription)
        try await reading
    }

    /// SUBSCRIBE, and again under the same packet identifier where the server refuses. [FR-7]
    private func subscribe(_ client: MQTTClient) async throws -> Subscription {
        var backoff = settings.backoff
        let filter = SubscriptionFilter(try TopicFilter(settings.fullTopic), qos: settings.qos)
        while true {
            say("Subscribing to \(settings.fullTopic) at QoS \(settings.qos.rawValue)")
            do {
                let subscription = try await within(settings.packetTimeout, "SUBACK") {
                    try await client.subscribe(to: [filter], packetIdentifier: Self.subscribeIdentifier)
                }
                let granted = subscription.result.reasonCodes.first.map { "\($0.rawValue)" } ?? "?"
                say("Subscribed to \(settings.fullTopic), granted QoS \(granted)")
                return subscription
            } catch ClientError.refused(let code, _) {
                say("The server refused the subscription: \(code) (\(code.rawValue))")
                if let trouble = await wait(&backoff, "the subscription") { throw DemoTrouble(description: trouble) }
            }
        }
    }

    /// The first of a connection, as coreMQTT counts. [CM-13]
    private static var subscribeIdentifier: UInt16 { 1 }

    /// PUBLISH, its PUBACK, and the message coming back, in whichever order the two arrive. [FR-4]
    private func publish(_ client: MQTTClient, _ number: Int, _ arrivals: AsyncStream<Message>) async throws {
        let message = Message(try Topic(settings.fullTopic), Array(settings.payload.utf8), qos: settings.qos)
        say("Publishing \(number) of \(settings.publishes) to \(settings.fullTopic) at QoS \(settings.qos.rawValue)")
        let result = try await within(settings.packetTimeout, "the acknowledgement") {
            try await client.publish(message)
        }
        if let identifier = result.packetIdentifier { say("Acknowledged: packet \(identifier)") }
        try await within(settings.packetTimeout, "the message coming back") {
            for await arrival in arrivals where report(arrival) { return }
            throw DemoTrouble(description: "the connection ended before the message came back")
        }
    }

    /// - Returns: whether it is on our topic, byte for byte. [FR-6]
    private func report(_ message: Message) -> Bool {
        let isOurs = message.topic.utf8.elementsEqual(settings.fullTopic.utf8)
        say(
            "Incoming at QoS \(message.qos.rawValue) on \(message.topic) (\(isOurs ? "matches" : "does not match")): "
                + String(decoding: message.payload, as: UTF8.self))
        return isOurs
    }

    private func unsubscribe(_ subscription: Subscription) async throws {
        say("Unsubscribing from \(settings.fullTopic)")
        _ = try await within(settings.packetTimeout, "UNSUBACK") { try await subscription.unsubscribe() }
        say("Unsubscribed from \(settings.fullTopic)")
    }

    /// Something the server owes us, with a limit. A packet that stays away is a failure.
    private func within<Value: Sendable>(
        _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                throw DemoTrouble(description: "\(what) did not come within \(limit.milliseconds) ms")
            }
            return value
        }
    }
}
