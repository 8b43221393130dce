package import MQTTClient

/// The constants of coreMQTT's demo, release 202012.00, as what they are there: defaults.
package struct DemoSettings: Sendable {
    /// The device's name; topics begin with it, so that demos side by side do not meet.
    package var clientIdentifier: String
    /// Nil = `<clientId>/example/topic`.
    package var topic: String?
    package var payload = "Hello World!"
    package var qos = QoS.atLeastOnce
    package var version = ProtocolVersion.v311
    package var keepAliveSeconds: UInt16 = 60
    /// 0 = for ever.
    package var iterations = 3
    package var publishes = 5
    /// Of the connection, and of SUBSCRIBE; each is tried once more than that.
    package var retriesMax: UInt32 = 5
    package var retryBaseMilliseconds: UInt16 = 500
    package var retryMaximumMilliseconds: UInt16 = 5_000
    /// For CONNACK, and before it for TCP and for TLS.
    package var connackTimeout = Duration.milliseconds(1_000)
    /// How long one packet may take: what 30 turns of a loop of 700 ms are.
    package var packetTimeout = Duration.milliseconds(700 * 30)
    package var publishPause = Duration.milliseconds(2_000)
    package var iterationPause = Duration.milliseconds(5_000)
    /// The largest packet we take, in bytes: the demo's network buffer.
    package var packetBytesMax: UInt32 = 1_024

    package init(clientIdentifier: String) { self.clientIdentifier = clientIdentifier }

    var fullTopic: String { topic ?? "\(clientIdentifier)/example/topic" }

    var backoff: Backoff {
        Backoff(
            baseMilliseconds: retryBaseMilliseconds, maximumMilliseconds: retryMaximumMilliseconds,
            retriesMax: retriesMax)
    }

    var client: ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: clientIdentifier, version: version)
        configuration.keepAliveSeconds = keepAliveSeconds
        configuration.connectTimeout = connackTimeout
        configuration.maximumPacketSize = packetBytesMax
        return configuration
    }

    /// More than half of them must succeed.
    func required(of iterations: Int) -> Int { iterations / 2 + 1 }
}

extension Duration {
    /// As the demo writes delays.
    var milliseconds: Int { Int(components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000) }
}
