package import MQTTProtocol

/// A persistent session as the `StateStore` keeps it: who, for how long, and its subscriptions. Messages and QoS 2 steps
/// are in the `MessageLog`, under the queue's name.
package struct SessionRecord: Equatable, Sendable {
    package struct Subscription: Equatable, Sendable {
        /// The whole filter, `$share/…` included.
        package var filter: [UInt8]
        package var options: DeliveryOptions
        package var identifier: UInt32

        package init(filter: [UInt8], options: DeliveryOptions, identifier: UInt32) {
            self.filter = filter
            self.options = options
            self.identifier = identifier
        }
    }

    package var clientIdentifier: MQTTString
    package var queue: QueueID
    package var expiryIntervalSeconds: UInt32
    /// When the connection was lost, milliseconds since 1970; nil = connected.
    package var disconnectedAt: Int64?
    package var subscriptions: [Subscription]
    /// What its rights go by while it is away.
    package var userName: MQTTString?
    /// `ListenerSettings.name` of the listener it last came by.
    package var listener: UInt32
    package var will: Will?
    package var willDueAt: Int64?

    package init(
        clientIdentifier: MQTTString, queue: QueueID, expiryIntervalSeconds: UInt32, disconnectedAt: Int64?,
        subscriptions: [Subscription], userName: MQTTString? = nil, listener: UInt32 = 0, will: Will? = nil,
        willDueAt: Int64? = nil
    ) {
        self.clientIdentifier = clientIdentifier
        self.queue = queue
        self.expiryIntervalSeconds = expiryIntervalSeconds
        self.disconnectedAt = disconnectedAt
        self.subscriptions = subscriptions
        self.userName = userName
        self.listener = listener
        self.will = will
        self.willDueAt = willDueAt
    }

    /// The layout's number; a newer one is refused. Layout 1 had neither user name nor listener.
    static let layout: UInt8 = 2

    package static func key(_ clientIdentifier: MQTTString) -> [UInt8] {
        Array("session/".utf8) + clientIdentifier.bytes
    }

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
        run.append(UInt8(userName == nil ? 0 : 1))
        run.append(prefixed: userName?.bytes ?? [])
        run.append(listener)
        return StateRecord(key: SessionRecord.key(clientIdentifier), value: [UInt8](run.bytes))
    }
}

extension SessionRecord {
    /// Reads what `stateRecord` wrote; nil where it is not that, or of a newer layout.
    package init?(_ state: StateRecord) {
        let prefix = Array("session/".utf8)
        guard state.key.starts(with: prefix), let client = MQTTString(Array(state.key.dropFirst(prefix.count))) else {
            return nil
        }
        let decoded = state.value.withUnsafeBytes { bytes in
            var fields = FieldReader(bytes, of: .connect)
            return try? SessionRecord(client, &fields)  // a damaged record is the engine's to report
        }
        guard let decoded else { return nil }
        self = decoded
    }

    private init(_ client: MQTTString, _ fields: inout FieldReader) throws(PacketError) {
        let layout = try fields.byte()
        guard 1...SessionRecord.layout ~= layout else { throw .trailingBytes }
        clientIdentifier = client
        queue = QueueID(UInt64(try fields.uint32()) << 32 | UInt64(try fields.uint32()))
        expiryIntervalSeconds = try fields.uint32()
        disconnectedAt = try fields.moment()
        subscriptions = []
        listener = 0
        for _ in 0..<(try fields.uint32()) {
            let filter = [UInt8](try fields.prefixed())
            let options = DeliveryOptions(rawValue: try fields.byte())
            subscriptions.append(Subscription(filter: filter, options: options, identifier: try fields.uint32()))
        }
        if try fields.byte() == 1 {
            let topic = try fields.string()
            let payload = [UInt8](try fields.prefixed())
            let flags = try fields.byte()
            let delay = try fields.uint32()
            let hasExpiry = try fields.byte() == 1
            let expiry = try fields.uint32()
            let properties = [UInt8](try fields.take(Int(try fields.uint32())))
            will = Will(
                topic: topic, payload: payload, qos: QoS(rawValue: flags & 3) ?? .atMostOnce, retain: flags & 4 != 0,
                delayIntervalSeconds: delay, messageExpiryIntervalSeconds: hasExpiry ? expiry : nil,
                forwardedProperties: properties)
            willDueAt = try fields.moment()
        }
        if layout >= 2 {
            let hasUserName = try fields.byte() == 1
            let name = try fields.string()
            userName = hasUserName ? name : nil
            listener = try fields.uint32()
        }
        try fields.finish()
    }
}

extension FieldReader {
    /// What `append(moment:)` wrote.
    fileprivate mutating func moment() throws(PacketError) -> Int64? {
        let bits = UInt64(try uint32()) << 32 | UInt64(try uint32())
        let value = Int64(bitPattern: bits)
        return value == .min ? nil : value
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
            disconnectedAt: session.pointee.details?.disconnectedAt, subscriptions: subscriptions,
            userName: session.pointee.userName, listener: session.pointee.listener,
            will: session.pointee.details?.will, willDueAt: session.pointee.details?.willDueAt)
    }
}
