import MQTTDelivery
import MQTTProtocol

extension Shard {
    /// A PUBLISH from a client, §3.3. The road of a frame that needs no thought is straight: parse in place, one look
    /// into the route cache, copies into the receivers' runs.
    @inline(__always)
    mutating func receivePublish(
        _ whole: UnsafeRawBufferPointer, _ header: FrameHeader, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) throws(Fault) {
        let body = UnsafeRawBufferPointer(rebasing: whole[header.headerLength...])
        let version = connection.pointee.version
        let publish: PublishFrame
        do throws(PacketError) {
            publish = try PublishFrame.parse(body, flags: header.flags, version: version)
        } catch {
            throw .malformed(error)
        }
        counters.publishesReceived &+= 1
        counters.payloadBytesReceived &+= UInt64(publish.payload.count)

        let isPlain =
            publish.properties.isEmpty && !publish.retain && publish.qos != .exactlyOnce
            && !settings.logInterest.contains(.debug) && settings.queueFullPolicy != .refusePublisher
        guard isPlain, publish.qos.rawValue <= connection.pointee.qosMax,
            settings.payloadSizeMax == 0 || publish.payload.count <= settings.payloadSizeMax
        else { return try receiveFullPublish(publish, whole, connection, slot) }

        var dispatch = Dispatch(
            parts: MessageParts(
                topic: publish.topic, properties: publish.properties, payload: publish.payload,
                qos: publish.qos.rawValue, retain: false, expiresAt: MessageParts.never, publisher: 0))
        dispatch.frame = whole
        dispatch.frameShape = Template.shape(version, qos: publish.qos.rawValue)
        dispatch.session = connection.pointee.session
        dispatch.connection = slot
        let plan = try plan(for: publish.topic)
        guard !plan.pointee.isReserved, connection.pointee.isFree || mayForward(plan, connection) else {
            return try receiveFullPublish(publish, whole, connection, slot)
        }
        guard publish.qos == .atLeastOnce else { return forward(plan, &dispatch) }
        try openReceive(connection)
        forward(plan, &dispatch)
        reply(.puback, publish.packetIdentifier, to: &dispatch, connection, slot)
    }

    /// Whether a message of a connection that is not free may go straight on.
    @inline(never)
    private mutating func mayForward(
        _ plan: UnsafeMutablePointer<RouteCache.Plan>, _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        !connection.pointee.isMounted && mayPublish(plan, connection)
    }

    /// A PUBLISH with properties, RETAIN or QoS 2, or with somebody watching the log.
    @inline(never)
    private mutating func receiveFullPublish(
        _ publish: PublishFrame, _ whole: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32
    ) throws(Fault) {
        let version = connection.pointee.version
        var properties = PublishProperties()
        if !publish.properties.isEmpty {
            do throws(PacketError) { properties = try PublishProperties.scan(publish.properties) } catch {
                throw .malformed(error)
            }
        }
        var aliased: [UInt8] = []
        if let alias = properties.topicAlias {
            aliased = try resolve(alias, publish.topic, connection)
        } else if publish.topic.isEmpty {
            throw .malformed(.topicMissing)
        }
        if connection.pointee.isMounted {
            aliased = try mount(publish.topic.isEmpty ? aliased : [UInt8](publish.topic), connection)
        }
        try aliased.borrowed { (aliasedBytes: UnsafeRawBufferPointer) throws(Fault) -> Void in
            let topic = aliasedBytes.isEmpty ? publish.topic : aliasedBytes
            let plan = try plan(for: topic)
            let isDenied = plan.pointee.isReserved && !isControl(topic) || !mayPublish(plan, connection)
            // [5.0 MQTT-3.2.2-11]: above the Maximum QoS that CONNACK announced.
            guard publish.qos.rawValue <= connection.pointee.qosMax else { throw .refused(.qosNotSupported) }
            // [5.0 MQTT-3.2.2-14]
            guard !publish.retain || connection.pointee.mayRetain else { throw .refused(.retainNotSupported) }

            var expiresAt = MessageParts.never
            if let seconds = properties.messageExpiryIntervalSeconds { expiresAt = now + Int64(seconds) * 1000 }
            let publisher = sessions.pointer(connection.pointee.session).pointee.clientKey
            var parts = MessageParts(
                topic: topic, properties: publish.properties, payload: publish.payload, qos: publish.qos.rawValue,
                retain: publish.retain && settings.retainAvailable, expiresAt: expiresAt, publisher: publisher)
            if !properties.forwardedIsWhole {
                forwardedProperties.removeAll()
                properties.appendForwarded(from: publish.properties, to: &forwardedProperties)
                parts.properties = forwardedProperties.bytes
            }
            var dispatch = Dispatch(parts: parts)
            dispatch.expirySeconds = properties.messageExpiryIntervalSeconds
            if properties.forwardedIsWhole, !connection.pointee.isMounted {
                dispatch.frame = whole
                dispatch.frameShape = Template.shape(version, qos: publish.qos.rawValue)
            }
            dispatch.session = connection.pointee.session
            dispatch.connection = slot
            if let client = debugName(connection) {
                log(
                    .debug,
                    .publish(
                        isDenied ? .denied : .received, client: client, duplicate: publish.duplicate,
                        qos: publish.qos.rawValue,
                        retain: publish.retain, identifier: publish.packetIdentifier, topic: [UInt8](topic),
                        bytes: publish.payload.count))
            }
            try accept(publish, plan, isDenied: isDenied, &dispatch, connection, slot)
        }
    }

    private func mount(
        _ topic: [UInt8], _ connection: UnsafeMutablePointer<Connection>
    ) throws(Fault) -> [UInt8] {
        let mounted = topic.withUnsafeBytes { self.mounted($0, connection) }
        guard mounted.count <= 65_535 else { throw .refused(.topicNameInvalid) }
        return mounted
    }

    /// Quotas, QoS 2's memory, retained, routes, and the reply.
    private mutating func accept(
        _ publish: PublishFrame, _ plan: UnsafeMutablePointer<RouteCache.Plan>, isDenied: Bool,
        _ dispatch: inout Dispatch, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) throws(Fault) {
        let identifier = publish.packetIdentifier
        if publish.qos == .exactlyOnce {
            let session = sessions.pointer(connection.pointee.session)
            guard !session.pointee.received.contains(identifier) else {
                return receiveRepetition(identifier, connection, slot)
            }
        }
        var isFull = false
        if settings.queueFullPolicy == .refusePublisher, publish.qos != .atMostOnce, !isDenied {
            if let full = full(plan, dispatch) {
                guard connection.pointee.version == .v5 else { throw hold(full, dispatch, connection, slot) }
                isFull = true
            } else {
                connection.pointee.extras?.roomWaitEndsAt = nil
            }
        }
        if publish.qos != .atMostOnce { try openReceive(connection) }
        if let refusal = refusal(of: dispatch.parts, isDenied: isDenied) ?? (isFull ? .quotaExceeded : nil) {
            guard publish.qos != .atMostOnce else { return }
            return reply(publish.qos == .atLeastOnce ? .puback : .pubrec, identifier, refusal, connection, slot)
        }
        if publish.qos == .exactlyOnce {
            holdReceived(identifier, connection)
            dispatch.exchange = exchange(identifier, isRepeated: publish.duplicate, connection)
        }
        if plan.pointee.isReserved {
            answerControl(&dispatch)
        } else {
            if dispatch.parts.retain { setRetained(&dispatch, by: subject(of: connection.pointee.session)) }
            forward(plan, &dispatch)
        }
        if publish.qos == .exactlyOnce {
            keepReceived(identifier, &dispatch, connection)
            awaitReceived(identifier, &dispatch, connection)
        }
        if publish.qos != .atMostOnce {
            reply(publish.qos == .atLeastOnce ? .puback : .pubrec, identifier, to: &dispatch, connection, slot)
        }
    }

    /// Why a valid message is not accepted, or nil. 3.x gets its acknowledgement all the same. [3.1.1 MQTT-3.3.5-2]
    private func refusal(of parts: MessageParts, isDenied: Bool) -> ReasonCode? {
        if settings.payloadSizeMax > 0, parts.payload.count > settings.payloadSizeMax { return .quotaExceeded }
        // Clients do not speak for the server: §4.7.2.
        return isDenied ? .notAuthorized : nil
    }

    /// The topic that an alias stands for, set first where the packet brings one. §3.3.2.3.4
    private func resolve(
        _ alias: UInt16, _ topic: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>
    ) throws(Fault) -> [UInt8] {
        guard alias >= 1, alias <= connection.pointee.receivedAliasMaximum else {
            throw .refused(.topicAliasInvalid)  // [5.0 MQTT-3.3.2-8] [5.0 MQTT-3.3.2-9]
        }
        let extras = extras(of: connection)
        if extras.received.maximum == 0 {
            extras.received = ReceivedTopicAliases(maximum: connection.pointee.receivedAliasMaximum)
        }
        if !topic.isEmpty {
            extras.received.set(alias, to: topic)
            return []
        }
        guard let known = extras.received.topic(of: alias) else { throw .refused(.protocolError) }
        return known
    }

    /// Counts a QoS 1 or 2 message against our Receive Maximum. [5.0 MQTT-3.3.4-9]
    @inline(__always)
    private func openReceive(_ connection: UnsafeMutablePointer<Connection>) throws(Fault) {
        guard connection.pointee.unacknowledged < connection.pointee.receiveMaximum else {
            throw .refused(.receiveMaximumExceeded)
        }
        connection.pointee.unacknowledged &+= 1
    }

    /// The plan for a topic: remembered, or resolved now. A topic's bytes are validated once, when they are new.
    @inline(__always)
    mutating func plan(for topic: UnsafeRawBufferPointer) throws(Fault) -> UnsafeMutablePointer<RouteCache.Plan> {
        guard topic.count > 0 else { throw .malformed(.topicEmpty) }
        let hash = cache.hash(topic)
        if let plan = cache.find(topic, hash: hash), plan.pointee.version == versions.version(plan.pointee.stamp) {
            return plan
        }
        return try resolvePlan(topic, hash)
    }

    @inline(never)
    private mutating func resolvePlan(
        _ topic: UnsafeRawBufferPointer, _ hash: UInt64
    ) throws(Fault) -> UnsafeMutablePointer<RouteCache.Plan> {
        if cache.find(topic, hash: hash) == nil, let fault = TopicFault.ofName(topic) { throw fault }
        let stamp = versions.stamp(topic)
        routes.match(topic, into: &matches)
        if policy != nil { withhold(topic) }
        return cache.keep(
            topic, hash: hash, version: versions.version(stamp), stamp: stamp, matches: matches,
            isReserved: isReserved(topic))
    }
}

/// Limits and grammar of topics, as faults.
enum TopicFault {
    /// Levels of a topic or filter, at most: mosquitto's limit too.
    static let levelsMax = 200

    static func ofName(_ topic: UnsafeRawBufferPointer) -> Fault? {
        guard TopicSyntax.isValidName(topic) else {
            // [5.0 MQTT-3.3.2-2] [3.1.1 MQTT-3.3.2-2] and [5.0 MQTT-1.5.4-1] [3.1.1 MQTT-1.5.3-1]
            return .malformed(UTF8Validation.isValid(topic) ? .topicWildcard : .invalidUTF8)
        }
        return levels(of: topic) > levelsMax ? .refused(.topicNameInvalid) : nil
    }

    static func levels(of bytes: UnsafeRawBufferPointer) -> Int {
        var count = 1
        for byte in bytes where byte == UInt8(ascii: "/") { count += 1 }
        return count
    }
}
