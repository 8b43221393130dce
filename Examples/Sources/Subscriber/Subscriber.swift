import MQTTClient

/// `Subscriber [FILTER [HOST [PORT]]]`: prints topic and payload of every message, over reconnections, until it is interrupted.
@main
struct Subscriber {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let filter = try TopicFilter(arguments.first ?? "#")
        let host = arguments.dropFirst().first ?? "localhost"
        let port = arguments.dropFirst(2).first.flatMap { Int($0) } ?? 1883
        try await MQTTClient.withConnection(to: .tcp(host, port: port)) { client in
            for try await message in try await client.subscribe(to: filter, qos: .atLeastOnce) {
                print(message.topic, message.text ?? "(\(message.payload.count) bytes)")
            }
        }
    }
}
