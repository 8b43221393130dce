package import MQTTProtocol

/// What a shard wants done in the world. Bytes to be written are not among them: they gather in the `Outbox`.
package enum Effect: Sendable {
    /// Close once its output has been written.
    case close(ConnectionID)
    case pauseReading(ConnectionID)
    case resumeReading(ConnectionID)
    case storage(StorageRequest)
    /// Answered by `Shard.authenticated`.
    case authenticate(AuthenticationRequest)
    /// Hand this to a neighbour, after what it was handed before.
    case tell(shard: Int, PeerBatch)
    case log(LogEvent)
}

/// What the log says, as facts; the server has the words. `docs`: SEED_SYSTEMS §7.
package enum LogEvent: Sendable, Equatable {
    case connected(
        ConnectionID, client: MQTTString, version: ProtocolVersion, cleanStart: Bool, keepAlive: UInt16,
        userName: MQTTString?)
    case willSpecified(bytes: Int, retain: Bool, qos: QoS, topic: MQTTString)
    case noWillSpecified
    /// CONNACK with this code to a client that gets no session.
    case refused(ConnectionID, ReasonCode, version: ProtocolVersion)
    case sendingConnack(client: MQTTString, sessionPresent: Bool, code: UInt8)
    case disconnected(ConnectionID, client: MQTTString?, DisconnectCause)
    case takenOver(client: MQTTString)
    /// Why somebody is not let in; `refused` and `disconnected` follow.
    case loginRefused(ConnectionID, client: MQTTString, userName: MQTTString?, LoginRefusal)
    /// Something a client may not do, and the rule that says so. `isDetail`: one of many that are only of interest to
    /// somebody who looks for them.
    case denied(AccessAction, AccessSubject, topic: [UInt8], why: String, isDetail: Bool)
    case received(PacketType, client: MQTTString, identifier: UInt16, reason: UInt8)
    case sending(PacketType, client: MQTTString, identifier: UInt16, reason: UInt8)
    case publish(
        PublishDirection, client: MQTTString, duplicate: Bool, qos: UInt8, retain: Bool, identifier: UInt16,
        topic: [UInt8], bytes: Int)
    case subscription(client: MQTTString, filter: MQTTString, qos: UInt8)
    case unsubscription(client: MQTTString, filter: MQTTString)
    /// The first message that a queue's limit has cost since it was last empty.
    case queueFull(client: MQTTString, limit: QueueLimit)
    case readerStalled(client: MQTTString, milliseconds: Int64)
    case readerRecovered(client: MQTTString, dropped: UInt64)
    case storageFailed(StorageFailure, messages: Int)

    package enum PublishDirection: Sendable { case received, sending, denied }
}

/// What a queue has reached.
package enum QueueLimit: Sendable, Equatable {
    /// `max_queued_messages`
    case messages(Int)
    /// `max_queued_bytes`
    case bytes(Int)
    /// `queue_max_age`
    case age(seconds: Int)
    /// The limit of the whole store.
    case store
}

/// Why a connection ended.
package enum DisconnectCause: Sendable, Equatable {
    /// The client said DISCONNECT.
    case disconnected
    /// The network went without one.
    case closed
    case keepAliveTimeout
    case connectTimeout
    case takenOver
    case shuttingDown
    case administrative
    /// What let it in holds no longer.
    case dismissed(Dismissal)
    /// The peer broke the protocol.
    case fault(PacketError)
    /// Something the standard has a code for.
    case refused(ReasonCode)
}
