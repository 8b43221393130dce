import MQTTClient

/// A service that answers and a client that asks, §4.10: the question says where the answer goes and what it must carry.
@main
struct RequestResponse {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let port = arguments.dropFirst().first.flatMap { Int($0) } ?? 1883
        let broker = Endpoint.tcp(arguments.first ?? "localhost", port: port)
        try await MQTTClient.withConnection(to: broker, ClientConfiguration(clientIdentifier: "service")) {
            service in
            let questions = try await service.subscribe(to: "service/double", qos: .atLeastOnce)
            async let answering: Void = answer(questions, service)
            try await MQTTClient.withConnection(to: broker) { client in
                for number in 1...3 {
                    let answer = try await client.request(
                        "service/double", Array("\(number)".utf8), timeout: .seconds(5))
                    print(number, "doubled is", answer.text ?? "?")
                }
            }
            service.close()
            try await answering
        }
    }

    static func answer(_ questions: Subscription, _ service: MQTTClient) async throws {
        for try await question in questions {
            guard let number = question.text.flatMap({ Int($0) }), let topic = question.properties.responseTopic else {
                continue
            }
            var answer = Message(topic, "\(number * 2)", qos: .atLeastOnce)
            answer.properties.correlationData = question.properties.correlationData
            try await service.publish(answer)
        }
    }
}
