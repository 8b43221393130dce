import MQTTClient
import MQTTProtocol

/// What `-D` asks to be put into packets and `ClientSession` has no word for: it hands out subscription identifiers and topic aliases
/// itself. Applied to a packet on its way to the codec.
final class PacketAdditions {
    private let subscriptionIdentifier: UInt32?
    private let topicAlias: UInt16?
    private var hasSetAlias = false
    /// The first data of an enhanced authentication.
    let authenticationData: [UInt8]?

    init(_ arguments: ToolArguments) {
        let properties = arguments.properties
        subscriptionIdentifier = properties.number(.subscribe, .subscriptionIdentifier)
        topicAlias = properties.number(.publish, .topicAlias).map { UInt16(clamping: $0) }
        authenticationData = properties.binary(.connect, .authenticationData)
    }

    func apply(to packet: inout ControlPacket) {
        switch packet.content {
        case .publish(var publish):
            guard let topicAlias else { return }
            publish.topicAlias = topicAlias
            // The alias is set with the first message, and stands for the topic in those that follow.
            publish.omitsTopic = hasSetAlias
            hasSetAlias = true
            packet.content = .publish(publish)
        case .other(.subscribe(var subscribe)):
            guard let subscriptionIdentifier else { return }
            subscribe.subscriptionIdentifier = subscriptionIdentifier
            packet.content = .other(.subscribe(subscribe))
        case .other(.connect): hasSetAlias = false
        default: break
        }
    }
}

/// Properties by name.
extension PropertyArguments {
    func number(_ command: Command, _ property: Property) -> UInt32? {
        for case (property, .number(let number)) in self[command] { return number }
        return nil
    }

    func text(_ command: Command, _ property: Property) -> String? {
        for case (property, .text(let text)) in self[command] { return text }
        return nil
    }

    func binary(_ command: Command, _ property: Property) -> [UInt8]? {
        for case (property, .binary(let bytes)) in self[command] { return bytes }
        return nil
    }

    func users(_ command: Command) -> [ClientUserProperty] {
        self[command].compactMap { if case .pair(let name, let value) = $0.value { .init(name, value) } else { nil } }
    }

    /// Those of an Application Message, §3.3.2.3.
    func message(_ command: Command) -> Message.Properties {
        var properties = Message.Properties()
        properties.payloadFormatIndicator = number(command, .payloadFormatIndicator)
            .flatMap { PayloadFormat(rawValue: UInt8(clamping: $0)) }
        properties.messageExpiryIntervalSeconds = number(command, .messageExpiryInterval)
        properties.contentType = text(command, .contentType)
        properties.responseTopic = text(command, .responseTopic).flatMap { try? Topic($0) }
        properties.correlationData = binary(command, .correlationData)
        properties.userProperties = users(command)
        return properties
    }
}
