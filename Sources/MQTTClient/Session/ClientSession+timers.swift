import DequeModule
import MQTTDelivery
import MQTTProtocol

/// Time passes: CONNACK that does not come, PINGREQ that is due, a server that is silent.
extension ClientSession {
    /// A deadline of ``ClientAction/setDeadline(_:)`` has passed. Too early does no harm.
    public mutating func timerFired(at now: Instant) {
        armed = nil
        switch state {
        case .disconnected: return
        case .connecting:
            guard let due = connackDue else { return }
            guard now >= due else { return arm(due) }
            fail(.connectTimedOut, .normalDisconnection, at: now)
        case .connected:
            switch keepAlive.timerFired(at: now) {
            case .none: return
            case .rearm(let due): arm(due)
            case .sendPingreq(let due):
                actions.append(.send(ControlPacket(.pingreq(Pingreq()))))  // [5.0 MQTT-3.1.2-20]
                arm(due)
            case .expired: fail(.keepAliveTimedOut, .unspecifiedError, at: now)
            }
        }
    }

    /// Sends PINGREQ now, §3.12.
    /// - Throws: `ClientError.notConnected`.
    public mutating func ping(at now: Instant) throws(ClientError) {
        guard state == .connected else { throw .notConnected }
        send(.pingreq(Pingreq()), at: now)
    }

    /// The driver stops reading, or goes on: a server is not given up for silence that is ours.
    public mutating func setReading(paused: Bool, at now: Instant) {
        guard state == .connected else { return }
        keepAlive.pause(paused, at: now)
        if !paused { arm(now) }
    }

    mutating func arm(_ due: Instant) {
        if let armed, armed <= due { return }
        armed = due
        actions.append(.setDeadline(due))
    }
}
