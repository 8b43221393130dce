import MQTTClient
import MQTTProtocol

/// What a tool does with its connection: publishes, listens, or asks. Called on the connection's loop.
protocol Conversation: AnyObject {
    /// CONNACK was favourable, for the first time or again.
    func began(_ connection: ToolConnection, sessionPresent: Bool)
    /// A message has come, and what the standard wants done before it is seen has been done.
    func received(_ message: Message, _ connection: ToolConnection)
    /// The answer to our SUBSCRIBE.
    func answered(_ suback: Suback, _ connection: ToolConnection)
    /// A request is done.
    func completed(_ request: RequestIdentifier, _ result: RequestResult, _ connection: ToolConnection)
    /// Everything that came has been looked at: more may be sent.
    func ticked(_ connection: ToolConnection)
    /// Whether to connect again when the connection is lost.
    var reconnects: Bool { get }
}

extension Conversation {
    func received(_ message: Message, _ connection: ToolConnection) {}
    func answered(_ suback: Suback, _ connection: ToolConnection) {}
    func completed(_ request: RequestIdentifier, _ result: RequestResult, _ connection: ToolConnection) {}
    func ticked(_ connection: ToolConnection) {}
}
