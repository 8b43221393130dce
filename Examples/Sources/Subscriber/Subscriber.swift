import MQTTClient

/// `Subscriber [FILTER [HOST]]`: prints topic and payload of every message, over reconnections, until it is interrupted.
@main
struct Subscriber {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let filter = try TopicFilter(arguments.first ?? "#")
        let host = arguments.dropFirst().first ?? "localhost"
        try await MQTTClient.withConnection(to: .tcp(host)) { client in
            for try await message in try await client.subscribe(to: filter, qos: .atLeastOnce) {
                print(message.topic, message.text ?? "(\(message.payload.count) bytes)")
            }
        }
    }
}
