import MQTTClient

/// `Secure CAFILE [HOST [PORT [CERTIFICATE KEY]]]`: TLS with an authority of one's own, and mutual TLS where a certificate of ours is given.
/// Says who we are to the broker, sends itself a message, and says in words what is wrong where the broker is not to be trusted.
@main
struct Secure {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let authority = arguments.first else {
            return print("Secure CAFILE [HOST [PORT [CERTIFICATE KEY]]]")
        }
        let host = arguments.count > 1 ? arguments[1] : "localhost"
        let port = arguments.count > 2 ? Int(arguments[2]) ?? 8883 : 8883
        var tls = ClientTLS(trust: .file(authority))
        if arguments.count > 4 { tls.identity = .files(certificate: arguments[3], key: arguments[4]) }
        do {
            try await MQTTClient.withConnection(to: .tls(host, port: port, tls)) { client in
                let subscription = try await client.subscribe(to: "secure/example", qos: .atLeastOnce)
                try await client.publish(Message("secure/example", "nobody else reads this", qos: .atLeastOnce))
                for try await message in subscription {
                    print(message.topic, message.text ?? "")
                    break
                }
            }
        } catch ClientError.connectFailed(let failure) {
            print(failure.reason)
            if let remedy = failure.remedy { print("→ \(remedy)") }
        }
    }
}
