package import MQTTClient

/// Everything a run of the chat is told: who, where, how.
package struct ChatSettings: Sendable {
    /// How long a broker keeps messages for somebody who is away, in seconds; 5.0 only.
    package static let keptSeconds: UInt32 = 7 * 24 * 3600
    /// A will is sent by the broker when it has heard nothing for one and a half of these, in seconds.
    package static let keepAliveSeconds: UInt16 = 20

    package var name: ChatName
    package var endpoint: Endpoint
    package var version = ProtocolVersion.v5
    package var userName: String?
    package var password: [UInt8]?
    /// Keep the groups over the logout.
    package var stays = false
    package var isJSON = false
    package var explains = false
    /// Lines, also on a terminal.
    package var isPlain = false
    /// Where the groups of `--stay` are kept; nil = nowhere.
    package var memory: GroupMemory?

    package init(name: ChatName, endpoint: Endpoint) {
        (self.name, self.endpoint) = (name, endpoint)
    }

    var versionText: String { version == .v5 ? "MQTT 5.0" : version == .v31 ? "MQTT 3.1" : "MQTT 3.1.1" }

    /// CONNECT: a session that is the name's own and outlives the connection, and the logout as the last will. [CH-7]
    func configuration() throws(ClientError) -> ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: "chat-\(name)", version: version)
        configuration.cleanStart = false
        configuration.sessionExpiryIntervalSeconds = version == .v5 ? Self.keptSeconds : 0
        configuration.keepAliveSeconds = Self.keepAliveSeconds
        configuration.userName = userName
        configuration.password = password
        let logout = ChatTopic.logout
        configuration.will = Will(Message(try Topic(logout.text), name.text, qos: logout.qos))
        // Who looks at packets wants to see topics.
        configuration.topicAliasMaximum = 0
        configuration.sentTopicAliasesMax = 0
        return configuration
    }
}
