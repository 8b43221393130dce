package import MQTTProtocol

/// A persistent session as the `StateStore` keeps it: who, for how long, and its subscriptions. Messages and QoS 2 steps
/// are in the `MessageLog`, under the queue's name.
package struct SessionRecord: Equatable, Sendable {
    package struct Subscription: Equatable, Sendable {
        /// The whole filter, `$share/…` included.
        package var filter: [UInt8]
        package var options: DeliveryOptions
        package var identifier: UInt32
    }

    package var clientIdentifier: MQTTString
    package var queue: QueueID
    package var expiryIntervalSeconds: UInt32
    /// When the connection was lost, milliseconds since 1970; nil = connected.
    package var disconnectedAt: Int64?
    package var subscriptions: [Subscription]
    package var will: Will?
    package var willDueAt: Int64?

    /// The layout's number; a newer one is refused.
    static let layout: UInt8 = 1

    package static func key(_ clientIdentifier: MQTTString) -> [UInt8] { Array("session/".utf8) + clientIdentifier.bytes }

    package var stateRecord: StateRecord {
        var run = ByteRun(capacity: 256)
        run.append(SessionRecord.layout)
        run.append(UInt32(truncatingIfNeeded: queue.value >> 32))
        run.append(UInt32(truncatingIfNeeded: queue.value))
        run.append(expiryIntervalSeconds)
        run.append(moment: disconnectedAt)
        run.append(UInt32(subscriptions.count))
        for subscription in subscriptions {
            run.append(prefixed: subscription.filter)
            run.append(subscription.options.rawValue)
            run.append(subscription.identifier)
        }
        run.append(UInt8(will == nil ? 0 : 1))
        if let will {
            run.append(prefixed: will.topic.bytes)
            run.append(prefixed: will.payload)
            run.append(will.qos.rawValue | (will.retain ? 4 : 0))
            run.append(will.delayIntervalSeconds)
            run.append(UInt8(will.messageExpiryIntervalSeconds == nil ? 0 : 1))
            run.append(will.messageExpiryIntervalSeconds ?? 0)
            run.append(UInt32(will.forwardedProperties.count))
            run.append(will.forwardedProperties)
            run.append(moment: willDueAt)
        }
        return StateRecord(key: SessionRecord.key(clientIdentifier), value: [UInt8](run.bytes))
    }
}

extension ByteRun {
    /// A moment in milliseconds, or none.
    fileprivate mutating func append(moment: Int64?) {
        let bits = UInt64(bitPattern: moment ?? .min)
        append(UInt32(truncatingIfNeeded: bits >> 32))
        append(UInt32(truncatingIfNeeded: bits))
    }
}

extension Shard {
    /// The record of a session as it stands.
    func sessionRecord(_ slot: UInt32) -> SessionRecord {
        let session = sessions.pointer(slot)
        var subscriptions: [SessionRecord.Subscription] = []
        for place in session.pointee.subscriptions {
            let subscriber = routes.subscriber(at: place)
            var filter: [UInt8] = []
            routes.levels.path(to: place.node, into: &filter)
            subscriptions.append(.init(filter: filter, options: subscriber.options, identifier: subscriber.identifier))
        }
        for membership in session.pointee.shared {
            subscriptions.append(
                .init(
                    filter: membership.group.bytes, options: membership.options, identifier: membership.identifier))
        }
        return SessionRecord(
            clientIdentifier: session.pointee.clientIdentifier,
            queue: session.pointee.details?.storage?.queue ?? QueueID(0),
            expiryIntervalSeconds: session.pointee.expiryIntervalSeconds,
            disconnectedAt: session.pointee.isOnline ? nil : now, subscriptions: subscriptions,
            will: session.pointee.details?.will, willDueAt: session.pointee.details?.willDueAt)
    }
}
