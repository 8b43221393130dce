import MQTTDelivery
import MQTTProtocol

extension Outgoing {
    /// Stands in `subscriptionIdentifier` where the identifiers are in the message.
    static let severalIdentifiers = UInt32.max

    var encoder: PublishEncoder {
        var encoder = PublishEncoder(version: .v311, qos: qos, retain: retain)
        if subscriptionIdentifier != Outgoing.severalIdentifiers {
            encoder.subscriptionIdentifier = subscriptionIdentifier
        }
        return encoder
    }

    var parts: PublishEncoder.Parts {
        let several = subscriptionIdentifier == Outgoing.severalIdentifiers
        return PublishEncoder.Parts(
            message.parts, identifiers: several ? message.identifiers : UnsafeRawBufferPointer(start: nil, count: 0))
    }
}

extension Shard {
    // MARK: What a session cannot take now

    /// Messages for a session without a connection. [5.0 MQTT-4.5.0-1] [3.1.1 MQTT-4.5.0-1]
    @inline(never)
    mutating func deliverOffline(
        _ delivery: Delivery, _ session: UnsafeMutablePointer<Session>, _ dispatch: inout Dispatch
    ) {
        if delivery.qos == 0, !settings.queuesQoS0 { return }  // QoS 0 is for those who are there: §4.3.1
        if session.pointee.details?.storage != nil { return store(delivery, session, &dispatch) }
        let message = dispatch.owned()
        message.retain()
        enqueue(
            Outgoing(
                message: message, subscriptionIdentifier: delivery.identifier, qos: delivery.qos,
                retain: delivery.retain, position: .start, group: delivery.group), delivery.session, &dispatch)
    }

    /// Whether messages of a persistent session wait, in memory, in the log or on their way there.
    @inline(never)
    func hasWaiting(_ session: UnsafeMutablePointer<Session>) -> Bool {
        guard let details = session.pointee.details, let stored = details.storage else { return false }
        return !session.pointee.queue.isEmpty || stored.hasBeyond || details.arriving > 0 || !details.leaving.isEmpty
    }

    // MARK: What waits goes on

    /// Sends what waits, as far as window and socket allow: the queue, then retained messages.
    mutating func pump(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard session.pointee.isOnline else { return }
        let connectionSlot = session.pointee.connection
        let connection = connections.pointer(connectionSlot)
        guard connection.pointee.phase == .open else { return }
        if session.pointee.details?.resends.isEmpty == false {
            pumpResends(session, connection, connectionSlot)
            guard session.pointee.details?.resends.isEmpty == true else { return }
        }
        while let next = session.pointee.queue.first {
            let leaving = session.pointee.details?.leaving.bytes ?? 0
            guard connection.pointee.flow == .flowing,
                connection.pointee.outputCount &+ connection.pointee.outputShared &+ leaving < Outbox.earlyFlushBytes,
                next.qos == 0 || hasRoom(session, connection, next),
                next.qos == 2 || session.pointee.details?.sends.isEmpty != false, next.qos != 1 || leaving == 0
            else { break }
            session.pointee.queue.removeFirst()
            session.pointee.queuedBytes -= next.message.queuedSize
            // Expired before sending began: gone, for this subscriber. [5.0 MQTT-3.3.2-5]
            if next.message.isExpired(at: now) {
                discard(next, slot)
                continue
            }
            if settings.queueSecondsMax > 0, isAged(next.message) {
                dropQueued(next, slot, .age(seconds: settings.queueSecondsMax))
                continue
            }
            if session.pointee.rechecks, !mayReceive(slot, next.message.topic) {
                counters.publishesDropped &+= 1
                discard(next, slot)
                continue
            }
            sendQueued(next, slot, session, connection, connectionSlot)
        }
        if session.pointee.queue.isEmpty { session.pointee.details?.hasReportedDrops = false }
        if session.pointee.details != nil { pumpSlow(slot, session, connection) }
        if session.pointee.rechecks { recheck(slot) }
    }

    /// The rest of `pump` for sessions that have more than a queue.
    @inline(never)
    private mutating func pumpSlow(
        _ slot: UInt32, _ session: UnsafeMutablePointer<Session>, _ connection: UnsafeMutablePointer<Connection>
    ) {
        if session.pointee.details?.publishersWaiting.isEmpty == false { releasePublishers(slot) }
        if session.pointee.queue.isEmpty { readOn(slot) }
        if session.pointee.queue.isEmpty, session.pointee.details?.retained.isEmpty == false { pumpRetained(slot) }
    }

    /// Whether `pump` would send this message at once if it stood alone in the queue.
    func goesAtOnce(_ outgoing: Outgoing, _ session: UnsafeMutablePointer<Session>, _ details: SessionDetails) -> Bool {
        guard session.pointee.isOnline, session.pointee.queue.isEmpty, !session.pointee.rechecks else { return false }
        let connection = connections.pointer(session.pointee.connection)
        return connection.pointee.phase == .open && connection.pointee.flow == .flowing
            && connection.pointee.outputCount &+ connection.pointee.outputShared &+ details.leaving.bytes
                < Outbox.earlyFlushBytes
            && (outgoing.qos == 0 || hasRoom(session, connection, outgoing)) && details.resends.isEmpty
            && (outgoing.qos == 2 || details.sends.isEmpty) && (outgoing.qos != 1 || details.leaving.isEmpty)
            && !outgoing.message.isExpired(at: now)
    }

    private func hasRoom(
        _ session: UnsafeMutablePointer<Session>, _ connection: UnsafeMutablePointer<Connection>, _ next: Outgoing
    ) -> Bool {
        guard session.pointee.window.hasRoom(limit: connection.pointee.sendLimit) else { return false }
        return settings.inflightBytesMax == 0 || hasBytes(session, for: next.message)
    }

    /// Whether a message more may be on its way under `max_inflight_bytes`; one always may.
    @inline(never)
    func hasBytes(_ session: UnsafeMutablePointer<Session>, for message: Message) -> Bool {
        guard !session.pointee.window.isEmpty else { return true }
        var bytes = message.size
        session.pointee.window.forEach { bytes += $0.payload.message.size }
        return bytes <= settings.inflightBytesMax
    }

    /// Sends one message that waited; its reference moves into the window, or ends.
    mutating func sendQueued(
        _ outgoing: Outgoing, _ slot: UInt32, _ session: UnsafeMutablePointer<Session>,
        _ connection: UnsafeMutablePointer<Connection>, _ connectionSlot: UInt32
    ) {
        guard !exceeds(connection, outgoing, remainingSeconds(outgoing.message)) else {
            counters.publishesDropped &+= 1
            return discard(outgoing, slot)
        }
        guard outgoing.qos > 0 else {
            guard outgoing.position == .start else { return sendOnce(outgoing, slot) }
            write(outgoing, 0, duplicate: false, connection, connectionSlot, publisher: nil)
            return outgoing.message.release()
        }
        let identifier = session.pointee.window.open(outgoing, awaiting: outgoing.qos == 1 ? .puback : .pubrec)
        if outgoing.qos == 2, outgoing.position != .start {
            return keepSent(identifier, outgoing.position, slot)
        }
        // Nothing says whether an earlier run had sent it: it might have. [5.0 MQTT-3.3.1-1] [3.1.1 MQTT-3.3.1-1]
        let mayHaveLeft = storage.isOfEarlierRun(outgoing.position)
        write(outgoing, identifier, duplicate: mayHaveLeft, connection, connectionSlot, publisher: nil)
    }

    /// Ends a message's way to this session: in the log too.
    mutating func discard(_ outgoing: Outgoing, _ slot: UInt32) {
        if outgoing.position != .start { keepAcknowledged(outgoing.position, slot) }
        outgoing.message.release()
    }

    // MARK: Bytes

    /// Encodes one packet for one receiver.
    mutating func write(
        _ outgoing: Outgoing, _ identifier: UInt16, duplicate: Bool, _ connection: UnsafeMutablePointer<Connection>,
        _ slot: UInt32, publisher: Origin?
    ) {
        let message = outgoing.message
        let parts = parts(of: outgoing, connection)
        var encoder = outgoing.encoder
        encoder.version = connection.pointee.version
        encoder.duplicate = duplicate
        encoder.packetIdentifier = identifier
        encoder.messageExpiryIntervalSeconds = remainingSeconds(message)
        // An alias that is introduced makes the packet larger, by its property and perhaps a byte of each length.
        let sizeMax = connection.pointee.maximumPacketSize
        if connection.pointee.encodesEach, let extras = connection.pointee.extras,
            sizeMax == Int.max || encoder.layout(parts).totalLength + 5 <= sizeMax
        {
            switch extras.sent.use(for: message.topic) {
            case .none: break
            case .introduce(let alias): encoder.topicAlias = alias
            case .use(let alias):
                encoder.topicAlias = alias
                encoder.omitsTopic = true
            }
        }
        let layout = encoder.layout(parts)
        if message.payload.count >= Shard.sharedPayloadBytesMin {
            let head = layout.totalLength - message.payload.count
            _ = encoder.writeHead(to: outbox.room(head, connection, slot), parts, layout)
            message.retain()
            extras(of: connection).shared.append((connection.pointee.outputCount, message))
            connection.pointee.outputShared &+= message.payload.count
            outbox.count(shared: message.payload.count)
        } else {
            encoder.write(to: outbox.room(layout.totalLength, connection, slot), parts, layout)
        }
        counters.packetsSent &+= 1
        counters.publishesSent &+= 1
        counters.payloadBytesSent &+= UInt64(message.payload.count)
        if let client = debugName(connection) {
            log(
                .debug,
                .publish(
                    .sending, client: client, duplicate: duplicate, qos: outgoing.qos, retain: outgoing.retain,
                    identifier: identifier, topic: [UInt8](message.topic), bytes: message.payload.count))
        }
        if connection.pointee.outputCount &+ connection.pointee.outputShared >= settings.outputBytesMax {
            fill(connection, slot, from: publisher)
        }
    }

    /// Whether the packet would be larger than the receiver takes. [5.0 MQTT-3.1.2-24]
    func exceeds(_ connection: UnsafeMutablePointer<Connection>, _ outgoing: Outgoing, _ expirySeconds: UInt32?) -> Bool
    {
        guard connection.pointee.maximumPacketSize != Int.max else { return false }
        var encoder = outgoing.encoder
        encoder.version = connection.pointee.version
        encoder.messageExpiryIntervalSeconds = expirySeconds
        return encoder.layout(parts(of: outgoing, connection)).totalLength > connection.pointee.maximumPacketSize
    }

    /// The packet's parts as this client names its topics.
    @inline(__always)
    private func parts(
        of outgoing: Outgoing, _ connection: UnsafeMutablePointer<Connection>
    ) -> PublishEncoder.Parts {
        connection.pointee.isMounted ? mountedParts(of: outgoing, connection) : outgoing.parts
    }

    @inline(never)
    private func mountedParts(
        of outgoing: Outgoing, _ connection: UnsafeMutablePointer<Connection>
    ) -> PublishEncoder.Parts {
        var parts = outgoing.parts
        parts.topic = unmounted(parts.topic, connection)
        return parts
    }

    /// Seconds left of the message's expiry: what it had less what it waited. [5.0 MQTT-3.3.2-6]
    func remainingSeconds(_ message: Message) -> UInt32? { remainingSeconds(message.header.pointee.expiresAt) }

    func remainingSeconds(_ expiresAt: Int64) -> UInt32? {
        guard expiresAt != MessageParts.never else { return nil }
        return UInt32(clamping: max(0, (expiresAt - now + 999) / 1000))
    }

    func extras(of connection: UnsafeMutablePointer<Connection>) -> ConnectionExtras {
        if let extras = connection.pointee.extras { return extras }
        let extras = ConnectionExtras()
        connection.pointee.extras = extras
        return extras
    }

    func details(of slot: UInt32) -> SessionDetails {
        let session = sessions.pointer(slot)
        if let details = session.pointee.details { return details }
        let details = SessionDetails()
        session.pointee.details = details
        return details
    }
}
