import MQTTClient

/// The flow of the paho script (`on_connect`, `on_message`, `loop_forever`), for those who know it. The subscription is made once:
/// a reconnection makes it again by itself.
@main
struct Callbacks {
    static func onConnect(_ client: MQTTClient, _ server: ServerInformation) {
        print("Connected with result code 0")
    }

    static func onMessage(_ client: MQTTClient, _ message: Message) {
        print(message.topic, message.text ?? "")
    }

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let host = arguments.first ?? "localhost"
        let port = arguments.dropFirst().first.flatMap { Int($0) } ?? 1883
        var configuration = ClientConfiguration(version: .v311)
        configuration.keepAliveSeconds = 60
        let client = try MQTTClient(.tcp(host, port: port), configuration, reconnect: .always)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await state in client.states {
                    if case .connected(let server) = state { onConnect(client, server) }
                }
            }
            group.addTask {
                for try await message in try await client.subscribe(to: "test/topic") { onMessage(client, message) }
            }
            try await client.run()  // loop_forever
            group.cancelAll()
        }
    }
}
