import MQTTClient

/// `Publisher TOPIC [HOST]`: each line of standard input becomes a message at QoS 1; a line that the server refuses is said.
@main
struct Publisher {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.first else { return print("Publisher TOPIC [HOST]") }
        let topic = try Topic(name)
        try await MQTTClient.withConnection(to: .tcp(arguments.dropFirst().first ?? "localhost")) { client in
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
