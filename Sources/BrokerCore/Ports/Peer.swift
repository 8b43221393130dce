package import MQTTProtocol

/// What shards say to each other: gathered over a tick, one batch a neighbour, in order. The same values travel between
/// event loops of one machine and, one day, between machines.
package struct PeerBatch: Equatable, Sendable {
    package var events: [PeerEvent] = []
    /// Messages that events point into.
    package var bytes: [UInt8] = []
    /// What the messages count for while they are on the way: their bytes, and about what their events take.
    package var wayBytes = 0
    /// To be answered with `kept` when everything in the batch, and what it set off, is kept.
    package var confirm: StorageToken?
    /// The same for what neighbours' batches set off. It is answered from storage alone, never waits for a third
    /// shard, and so nobody can come to wait for himself.
    package var relayConfirm: StorageToken?
    /// The same for messages of groups that come back, because their member has left: their publishers wait still.
    package var returnConfirm: StorageToken?

    package init() {}
    package var isEmpty: Bool { events.isEmpty && confirm == nil && relayConfirm == nil && returnConfirm == nil }
}

/// A message in a batch: its parts stand in the batch's bytes, one after another.
package struct PeerMessage: Equatable, Sendable {
    /// Where the topic begins.
    var offset: Int
    var topicLength: Int
    var propertiesLength: Int
    var payloadLength: Int
    var qos: UInt8
    var retain: Bool
    var expiresAt: Int64
    var publisher: UInt64
    /// Who is asked to wait where this cannot go on; nil = nobody can be.
    var origin: Origin?
    /// How its publisher's session knows it, at QoS 2.
    var exchange: Exchange?

    /// Its part of `PeerBatch.wayBytes`.
    var wayBytes: Int { topicLength + propertiesLength + payloadLength + 128 }
}

/// A publisher's connection, and the shard that has it.
package struct Origin: Hashable, Sendable {
    var shard: Int
    var connection: ConnectionID
}

/// A member of a shared subscription that lives in another shard.
package struct PeerMember: Hashable, Sendable {
    var shard: Int
    var session: UInt32
    var generation: UInt32
}

package enum PeerEvent: Equatable, Sendable {
    /// The sender has subscribers for this filter from now on, or no more.
    case interest(filter: [UInt8], isWanted: Bool)
    /// A message for the receiver's subscribers.
    case publish(PeerMessage)
    /// A retained message (or its deletion) for the shard that puts those of its topic in order.
    case retain(PeerMessage, by: AccessSubject?)
    /// From that shard: the topic's retained message from now on.
    case retained(PeerMessage, by: AccessSubject?)
    /// The batch with this `confirm` is kept; or is not.
    case kept(StorageToken, StorageFailure?)
    /// A session joins, or changes its options in, a group that the receiver keeps.
    case join(
        group: MQTTString, session: UInt32, generation: UInt32, options: DeliveryOptions, identifier: UInt32,
        subject: AccessSubject)
    case leave(group: MQTTString, session: UInt32, generation: UInt32)
    /// A member got or lost its connection.
    case presence(group: MQTTString, session: UInt32, generation: UInt32, isOnline: Bool)
    /// The group's turn is this session's.
    case hand(
        session: UInt32, generation: UInt32, PeerMessage, group: MQTTString, options: DeliveryOptions,
        identifier: UInt32)
    /// A message of the group that its member could not finish: another gets it.
    case orphan(group: MQTTString, PeerMessage)
    /// The receiver's connection fills a reader, or a way, of the sender: it is not to be read until `letGo`.
    case hold(ConnectionID)
    case letGo(ConnectionID)
    /// The publisher's session has done with this: what is sent under it from now on is another message.
    case forget(Exchange.Key)
    /// So many bytes of messages have been taken: they are on the way no longer.
    case taken(Int)
}
