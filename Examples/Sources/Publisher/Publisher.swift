import MQTTClient

/// `Publisher TOPIC [HOST [PORT]]`: each line of standard input becomes a message at QoS 1; a line that the server refuses is said.
@main
struct Publisher {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.first else { return print("Publisher TOPIC [HOST [PORT]]") }
        let topic = try Topic(name)
        let host = arguments.dropFirst().first ?? "localhost"
        let port = arguments.dropFirst(2).first.flatMap { Int($0) } ?? 1883
        try await MQTTClient.withConnection(to: .tcp(host, port: port)) { client in
            while let line = readLine() {
                do throws(ClientError) {
                    let result = try await client.publish(Message(topic, line, qos: .atLeastOnce))
                    if result.reasonCode == .noMatchingSubscribers { print("nobody listens to \(topic)") }
                } catch .refused(let code, _) {
                    print("refused: \(code)")
                }
            }
        }
    }
}
