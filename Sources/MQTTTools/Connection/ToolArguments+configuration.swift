import MQTTClient

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a command line puts into CONNECT. Before: options. After: `ClientSession`.
extension ToolArguments {
    /// How long CONNACK may take: a broker may think about a password.
    private static var connectTimeout: Duration { .seconds(30) }

    /// Messages of QoS 1 and 2 that a 5.0 server may have on the way to us, mosquitto's number. `-M` is for the other direction.
    private static var receiveMaximum: UInt16 { 20 }

    func configuration() -> ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: clientIdentifier, version: protocolVersion)
        configuration.cleanStart = cleanSession
        configuration.keepAliveSeconds = keepAliveSeconds
        configuration.userName = userName
        configuration.password = password
        configuration.will = mqttWill
        configuration.connectTimeout = Self.connectTimeout
        configuration.inflightMax = inflightMax
        configuration.usesSubscriptionIdentifiers = false
        configuration.sentTopicAliasesMax = 0
        configuration.topicAliasMaximum = 0
        // The tools hold back by themselves; one message may be as large as the standard allows.
        configuration.queuedBytesMax = .max / 2
        if protocolVersion == .v5 { addProperties(to: &configuration) }
        return configuration
    }

    private func addProperties(to configuration: inout ClientConfiguration) {
        configuration.sessionExpiryIntervalSeconds = properties.number(.connect, .sessionExpiryInterval) ?? 0
        // What comes beyond the last that is shown would be acknowledged and lost, so no more is let in than that.
        let shownMax = tool == .rr ? 1 : messageCount ?? .max
        configuration.receiveMaximum =
            properties.number(.connect, .receiveMaximum).map { UInt16(clamping: $0) }
            ?? min(Self.receiveMaximum, UInt16(clamping: shownMax))
        configuration.maximumPacketSize = properties.number(.connect, .maximumPacketSize)
        configuration.topicAliasMaximum = UInt16(clamping: properties.number(.connect, .topicAliasMaximum) ?? 0)
        configuration.requestResponseInformation = properties.number(.connect, .requestResponseInformation) == 1
        configuration.requestProblemInformation = properties.number(.connect, .requestProblemInformation) != 0
        configuration.userProperties = properties.users(.connect)
        configuration.authenticationMethod = properties.text(.connect, .authenticationMethod)
    }

    private var mqttWill: Will? {
        guard let topic = will.topic.flatMap({ try? Topic($0) }) else { return nil }
        var message = Message(topic, will.payload ?? [], qos: will.qos, retain: will.retain)
        if protocolVersion == .v5 { message.properties = properties.message(.will) }
        return Will(message, delayIntervalSeconds: properties.number(.will, .willDelayInterval) ?? 0)
    }

    private var clientIdentifier: String {
        if let identifier { return identifier }
        if let identifierPrefix { return "\(identifierPrefix)\(getpid())" }
        // Before 3.1.1 a server could not choose a name.
        guard protocolVersion == .v31 else { return "" }
        let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        return "mosq-" + String((0..<18).compactMap { _ in letters.randomElement() })
    }
}
