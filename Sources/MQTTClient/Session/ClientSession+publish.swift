import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Messages to the server: checked, queued, sent, acknowledged, §4.3 and §4.9. Before: the program. After: a completion.
/// A message of QoS 0 is done when it is sent; of QoS 1 with PUBACK; of QoS 2 with PUBCOMP.
extension ClientSession {
    /// Publishes, now or as soon as connection, window and transport allow.
    /// - Parameter request: named by the completion: `.published`, or `.failed` with `refused` and the reason code of the
    ///   server, with `expired`, or with a limit that a later server has.
    /// - Throws: what is known at once: `queueFull`, `queueFullOfBytes`, `invalidField`; when connected also
    ///   `qosNotSupported`, `retainNotSupported`, `packetTooLarge`. Nothing is kept then and no completion follows.
    public mutating func publish(
        _ message: Message, as request: RequestIdentifier?, at now: Instant
    ) throws(ClientError) {
        if message.hasProperties { try message.properties.check() }
        if state == .connected, isWritable, mayOvertake(message.qos), message.qos == .atMostOnce || hasRoom {
            if let error = limit(on: message) { throw error }
            return send(message, request, at: now)
        }
        if state == .connected, let error = limit(on: message) { throw error }
        guard queue.count < configuration.queuedMessagesMax else {
            throw .queueFull(limitMessages: configuration.queuedMessagesMax)
        }
        guard queuedBytes + message.queuedBytes <= configuration.queuedBytesMax else {
            throw .queueFullOfBytes(limitBytes: configuration.queuedBytesMax)
        }
        let expiry = message.hasProperties ? message.properties.messageExpiryIntervalSeconds : nil
        enqueue(WaitingMessage(message: message, request: request, expiry: expiry.map { now + .seconds(Int($0)) }))
    }

    /// The transport takes more, or does not for now: nothing new is sent until it does.
    public mutating func setWritable(_ isWritable: Bool, at now: Instant) {
        self.isWritable = isWritable
        if isWritable { drain(at: now) }
    }

    /// Nobody waits for this request any more. A message that has not been sent is forgotten; one that has been keeps its
    /// packet identifier until the server is done with it, as the standard demands [5.0 MQTT-2.2.1-3] [3.1.1 MQTT-2.3.1-3].
    public mutating func cancel(_ request: RequestIdentifier) {
        if let at = queue.firstIndex(where: { $0.request == request }) {
            forgetQueued(queue.remove(at: at).message)
            return complete(request, .failed(.cancelled))
        }
        if let index = flows.index(of: request), case .publish(var publish) = flows[index] {
            publish.request = nil
            flows[index] = .publish(publish)
            return complete(request, .failed(.cancelled))
        }
        if reauthentication == request {
            reauthentication = nil
            return complete(request, .failed(.cancelled))
        }
        cancelSubscriptionCall(request)
    }

    // MARK: Queue

    /// A queue that has held more messages than this gives its memory back when it runs empty.
    private static var keptWaitingMax: Int { 4_096 }

    private mutating func enqueue(_ waiting: WaitingMessage) {
        queuedBytes += waiting.message.queuedBytes
        if waiting.message.qos == .atMostOnce { queuedAtMostOnce += 1 }
        queue.append(waiting)
        queuedMost = max(queuedMost, queue.count)
    }

    mutating func forgetQueued(_ message: Message) {
        queuedBytes -= message.queuedBytes
        if message.qos == .atMostOnce { queuedAtMostOnce -= 1 }
    }

    /// Whether a new message may go before those that wait. Order is kept among messages of a QoS, §4.6.
    private func mayOvertake(_ qos: QoS) -> Bool {
        qos == .atMostOnce ? queuedAtMostOnce == 0 : queue.isEmpty && resends.isEmpty
    }

    /// The server's Receive Maximum, §4.9, and ours.
    private var hasRoom: Bool {
        let ours = configuration.inflightMax ?? (version == .v5 ? 1_024 : 20)
        let limit = Int(min(server?.receiveMaximum ?? .max, ours))
        guard publishesInFlight < limit else { return false }  // [5.0 MQTT-3.3.4-7]
        return window.hasRoom(limit: window.count + limit - publishesInFlight)
    }

    /// Sends what waits, as far as window and transport allow: repetitions first.
    mutating func drain(at now: Instant) {
        guard state == .connected else { return }
        while isWritable, !resends.isEmpty, hasRoom, let identifier = resends.popFirst() { resend(identifier, at: now) }
        guard resends.isEmpty else { return }
        while isWritable, let next = queue.first, next.message.qos == .atMostOnce || hasRoom {
            _ = queue.popFirst()
            forgetQueued(next.message)
            var message = next.message
            if let expiry = next.expiry {
                guard now < expiry else {
                    complete(next.request, .failed(.expired))
                    continue
                }
                // Whole seconds of waiting are taken off, as a server does, §3.3.2.3.3.
                let left = (expiry - now).components
                message.properties.messageExpiryIntervalSeconds = UInt32(
                    clamping: left.seconds + (left.attoseconds > 0 ? 1 : 0))
            }
            if let error = limit(on: message) {
                complete(next.request, .failed(error))
            } else {
                send(message, next.request, at: now)
            }
        }
        if queue.isEmpty, queuedMost > Self.keptWaitingMax { (queue, queuedMost) = ([], 0) }
    }

    // MARK: Sending

    /// What the server's limits say to a message, nil = it may go.
    private func limit(on message: Message) -> ClientError? {
        guard let server else { return nil }
        if message.qos > server.maximumQoS { return .qosNotSupported(maximum: server.maximumQoS) }  // [5.0 MQTT-3.2.2-11]
        if message.retain, !server.retainAvailable { return .retainNotSupported }  // [5.0 MQTT-3.2.2-14]
        guard server.maximumPacketSize != nil else { return nil }
        // The identifier's value does not change the size; an alias is used only where it fits.
        return sizeError(
            ControlPacket(.publish(PublishPacket(message, packetIdentifier: message.qos == .atMostOnce ? 0 : 1))))
    }

    private mutating func send(_ message: Message, _ request: RequestIdentifier?, at now: Instant) {
        var packet = PublishPacket(message)
        if sentAliases.maximum > 0 { useAlias(&packet) }
        guard message.qos != .atMostOnce else {
            send(ControlPacket(.publish(packet)), at: now)
            return complete(request, .published(PublishResult(.success)))
        }
        let slot = flows.insert(
            .publish(Flows.Publish(message: message, request: request, isCounted: true, isSent: true)))
        publishesInFlight += 1
        packet.packetIdentifier = window.open(slot, awaiting: message.qos == .atLeastOnce ? .puback : .pubrec)
        send(ControlPacket(.publish(packet)), at: now)  // DUP 0 [5.0 MQTT-4.3.2-2] [5.0 MQTT-4.3.3-2]
    }

    /// An alias is set with the first message of a topic and used by those that follow, §3.3.2.3.4.
    private mutating func useAlias(_ packet: inout PublishPacket) {
        if server?.maximumPacketSize != nil {
            var longest = packet
            longest.topicAlias = .max
            longest.packetIdentifier = packet.message.qos == .atMostOnce ? 0 : .max
            guard sizeError(ControlPacket(.publish(longest))) == nil else { return }
        }
        switch packet.message.topic.name.bytes.withUnsafeBytes({ sentAliases.use(for: $0) }) {
        case .none: break
        case .introduce(let alias): packet.topicAlias = alias
        case .use(let alias):
            packet.topicAlias = alias
            packet.omitsTopic = true
        }
    }

    // MARK: Acknowledgements

    /// The message under `identifier`; nil where it is none of ours, or a SUBSCRIBE.
    private func publish(under identifier: UInt16) -> (slot: UInt32, publish: Flows.Publish)? {
        guard let slot = window.payload(of: identifier), case .publish(let publish) = flows[slot] else { return nil }
        return (slot, publish)
    }

    private mutating func finish(_ identifier: UInt16, _ slot: UInt32, _ publish: Flows.Publish) {
        _ = window.close(identifier)
        flows.remove(slot)
        if publish.isCounted { publishesInFlight -= 1 }
    }

    mutating func receivePuback(_ identifier: UInt16, _ result: PublishResult, at now: Instant) {
        // Nothing under that identifier: somebody repeats himself, and nobody waits.
        guard let state = window.state(of: identifier) else { return }
        guard state == .puback, let (slot, publish) = publish(under: identifier) else {
            return violate("PUBACK \(identifier) for something else than QoS 1", at: now)
        }
        finish(identifier, slot, publish)
        var result = result
        result.packetIdentifier = identifier
        complete(publish.request, Self.outcome(result))
        drain(at: now)
    }

    mutating func receivePubrec(_ identifier: UInt16, _ result: PublishResult, at now: Instant) {
        guard let state = window.state(of: identifier) else {
            return sendAcknowledgement(
                .pubrel, identifier, version == .v5 ? .packetIdentifierNotFound : .success, at: now)
        }
        guard state != .puback, case let (slot, found)? = publish(under: identifier) else {
            return violate("PUBREC \(identifier) for something else than QoS 2", at: now)
        }
        var publish = found
        if result.reasonCode.isError, state == .pubrec {
            finish(identifier, slot, publish)
            complete(publish.request, Self.outcome(result))
            return drain(at: now)
        }
        if state == .pubrec {
            releases += 1
            publish.message = nil  // The server has taken it over.
            publish.result = result
            publish.result.packetIdentifier = identifier
            publish.release = releases
            flows[slot] = .publish(publish)
            window.advance(identifier, to: .pubcomp)
        }
        sendAcknowledgement(.pubrel, identifier, at: now)  // [5.0 MQTT-4.3.3-4]
    }

    mutating func receivePubcomp(_ identifier: UInt16, at now: Instant) {
        guard let state = window.state(of: identifier) else { return }
        guard state == .pubcomp, let (slot, publish) = publish(under: identifier) else {
            return violate("PUBCOMP \(identifier) before its PUBREL", at: now)
        }
        finish(identifier, slot, publish)
        complete(publish.request, .published(publish.result))
        drain(at: now)
    }

    private static func outcome(_ result: PublishResult) -> RequestResult {
        result.reasonCode.isError
            ? .failed(.refused(result.reasonCode, reasonString: result.reasonString)) : .published(result)
    }
}

extension Message {
    /// What a waiting message counts for.
    var queuedBytes: Int { topic.name.bytes.count + payload.count }
}
