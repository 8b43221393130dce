import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A new connection takes up what the last one left, §4.4 and §3.1.2.4. Before: CONNACK. After: traffic as usual.
extension ClientSession {
    mutating func resume(sessionPresent: Bool, at now: Instant) {
        publishesInFlight = 0
        resends = []
        if sessionPresent {
            repeatUnacknowledged(at: now)
        } else {
            startAnew()
        }
        restoreSubscriptions(sessionPresent: sessionPresent, at: now)
        drain(at: now)
    }

    /// The server has the session: PUBRELs in the order PUBRECs came, then PUBLISHes in the order they were sent, each
    /// under its old identifier [5.0 MQTT-4.4.0-1] [5.0 MQTT-4.6.0-1].
    private mutating func repeatUnacknowledged(at now: Instant) {
        var unreleased: [(release: UInt64, identifier: UInt16)] = []
        var unsent: [UInt16] = []
        window.forEach { [flows] entry in
            guard case .publish(let publish) = flows[entry.payload] else { return }
            if entry.state == .pubcomp {
                unreleased.append((publish.release, entry.identifier))
            } else {
                unsent.append(entry.identifier)
            }
        }
        unreleased.sort { $0.release < $1.release }
        for (_, identifier) in unreleased {
            uncount(identifier)
            sendAcknowledgement(.pubrel, identifier, at: now)
        }
        for identifier in unsent {
            uncount(identifier)
            resends.append(identifier)
        }
    }

    /// Quotas are of a connection, not of a session: a repeated PUBLISH counts when it is sent, a PUBREL does not.
    private mutating func uncount(_ identifier: UInt16) {
        guard let slot = window.payload(of: identifier), case .publish(var publish) = flows[slot] else { return }
        publish.isCounted = false
        publish.isSent = false
        flows[slot] = .publish(publish)
    }

    mutating func resend(_ identifier: UInt16, at now: Instant) {
        guard let slot = window.payload(of: identifier), case .publish(var publish) = flows[slot],
            let message = publish.message
        else { return }
        publish.isCounted = true
        publish.isSent = true
        flows[slot] = .publish(publish)
        publishesInFlight += 1
        // DUP, the whole topic, the old identifier [5.0 MQTT-3.3.1-1].
        let packet = ControlPacket(.publish(PublishPacket(message, packetIdentifier: identifier, duplicate: true)))
        if let error = sizeError(packet) {
            _ = window.close(identifier)
            flows.remove(slot)
            publishesInFlight -= 1
            return complete(publish.request, .failed(error))
        }
        send(packet, at: now)
    }

    /// The server has no session, so ours ends too [5.0 MQTT-3.2.2-5]. What callers still wait for is sent as new messages, before
    /// anything else; what the server has acknowledged with PUBREC it has taken over, so that is done.
    private mutating func startAnew() {
        var again: [WaitingMessage] = []
        for publish in unacknowledged() {
            if let message = publish.message {
                guard let request = publish.request else { continue }
                again.append(WaitingMessage(message: message, request: request, expiry: nil))
            } else {
                complete(publish.request, .published(publish.result))
            }
        }
        window.removeAll { _ in }
        flows.removeAll()
        for waiting in again {
            queuedBytes += waiting.message.queuedBytes
        }
        queue.prepend(contentsOf: again)
        received.removeAll()
        held = [:]
    }

    /// Messages in flight, in the order they were sent.
    mutating func unacknowledged() -> [Flows.Publish] {
        var found: [Flows.Publish] = []
        window.forEach { [flows] entry in
            if case .publish(let publish) = flows[entry.payload] { found.append(publish) }
        }
        return found
    }
}
