import MQTTProtocol
import ShardTestKit

extension SimulatedClient {
    /// Takes what the connection has read.
    func receive(_ model: inout Model) {
        guard let wire else { return }
        for packet in wire.takePackets() { receive(packet, &model) }
        if let fault = wire.fault { model.breach("client \(index) cannot read what it is sent: \(fault)") }
    }

    private func receive(_ packet: Packet, _ model: inout Model) {
        if case .connack(let connack) = packet { return receive(connack, &model) }
        guard phase == .online else { return model.breach("client \(index) got \(packet.type) before CONNACK") }
        switch packet {
        case .publish(let publish): receive(publish, &model)
        case .pubrel(let pubrel):
            held.remove(pubrel.packetIdentifier)
            heldRetained.remove(pubrel.packetIdentifier)
            replies.append(.pubcomp(Pubcomp(packetIdentifier: pubrel.packetIdentifier)))
        case .puback(let puback): acknowledge(puback.packetIdentifier, .puback, puback.reasonCode, &model)
        case .pubrec(let pubrec): acknowledge(pubrec.packetIdentifier, .pubrec, pubrec.reasonCode, &model)
        case .pubcomp(let pubcomp):
            guard let at = outgoing.firstIndex(where: { $0.identifier == pubcomp.packetIdentifier }) else { return }
            if !outgoing[at].isReleased { model.breach("client \(index) got PUBCOMP before it sent PUBREL") }
            outgoing.remove(at: at)
        case .suback(let suback):
            guard let filter = pending.removeValue(forKey: suback.packetIdentifier) else { return }
            if suback.reasonCodes.count == 1, suback.reasonCodes[0].rawValue <= 2 {
                isKept = kind != .clean
                will?.isKept = true
                subscriptions[filter] = qos(for: filter)
                model.trace("client \(index) is subscribed to \(filter)")
            }
        case .unsuback, .pingresp, .disconnect: break
        case .connect, .connack, .subscribe, .unsubscribe, .pingreq, .auth:
            model.breach("client \(index) got \(packet.type)")
        }
    }

    private func receive(_ connack: Connack, _ model: inout Model) {
        guard phase == .connecting else { return model.breach("client \(index) got a second CONNACK") }
        guard connack.reasonCode == .success else {
            return model.breach("client \(index) was refused: \(connack.reasonCode)")
        }
        phase = .online
        checkExpiry(connack, &model)
        // 3.1 does not say; a session that never ends is there.
        let isPresent = version == .v31 ? kind == .persistent && isEstablished : connack.sessionPresent
        if kind == .persistent, isEstablished, !isPresent { model.breach("the session of client \(index) is gone") }
        if !isPresent { forgetSession(&model) }
        mustReconnect = isUncertain && kind == .persistent && version != .v5
        isEstablished = !mustReconnect
        isAnew = isUncertain || (isAnew && !isKept)
        isUncertain = false
        sendLimit = min(20, Int(connack.properties.receiveMaximum ?? 20))
        for i in outgoing.indices { resend(i, &model) }
    }

    /// A session that the disk had goes on until its time is over, and no longer.
    private func checkExpiry(_ connack: Connack, _ model: inout Model) {
        guard let endsAt, kind == .mortal else { return }
        self.endsAt = nil
        if connack.sessionPresent, connectedAt >= endsAt {
            model.breach("client \(index) found a session that was over")
        }
        if !connack.sessionPresent, !isUncertain, clock < endsAt {
            model.breach("the session of client \(index) ended before its time")
        }
    }

    /// Unfinished exchanges go on, in their order. [5.0 MQTT-4.4.0-1]
    private func resend(_ i: Int, _ model: inout Model) {
        if outgoing[i].isReleased {
            return put(.pubrel(Pubrel(packetIdentifier: outgoing[i].identifier)))
        }
        var again = outgoing[i].publish
        again.duplicate = true
        model.repeat(outgoing[i].key)
        if outgoing[i].isRetained {
            model.sendRetained(
                outgoing[i].key, topic: again.topic.description, isDeletion: again.payload.isEmpty)
        }
        put(.publish(again))
    }

    private func acknowledge(_ identifier: UInt16, _ type: PacketType, _ reason: ReasonCode, _ model: inout Model) {
        guard let at = outgoing.firstIndex(where: { $0.identifier == identifier }) else { return }
        let isExact = outgoing[at].publish.qos == .exactlyOnce
        guard isExact == (type == .pubrec) else {
            return model.breach("client \(index) got \(type) for a message at \(outgoing[at].publish.qos)")
        }
        if reason.isError {
            outgoing.remove(at: at)
            return
        }
        if !outgoing[at].isReleased { model.acknowledge(outgoing[at].key, reason: reason) }
        guard isExact else {
            outgoing.remove(at: at)
            return
        }
        outgoing[at].isReleased = true
        put(.pubrel(Pubrel(packetIdentifier: identifier)))
    }

    private func receive(_ publish: Publish, _ model: inout Model) {
        if publish.qos != .atMostOnce {
            unacknowledged.insert(publish.packetIdentifier)
            if unacknowledged.count > receiveMaximum {
                model.breach("client \(index) takes \(receiveMaximum) messages at once and got \(unacknowledged.count)")
            }
        }
        let isRepetition = publish.qos == .exactlyOnce && !held.insert(publish.packetIdentifier).inserted
        if publish.retain, publish.qos == .exactlyOnce { heldRetained.insert(publish.packetIdentifier) }
        if !isRepetition {
            model.deliver(publish, to: index, group: group)
            if publish.retain, let key = MessageKey(payload: publish.payload) {
                retained[publish.topic.description] = key
            }
        }
        switch publish.qos {
        case .atMostOnce: break
        case .atLeastOnce: replies.append(.puback(Puback(packetIdentifier: publish.packetIdentifier)))
        case .exactlyOnce: replies.append(.pubrec(Pubrec(packetIdentifier: publish.packetIdentifier)))
        }
    }

    /// Hands up to `count` replies to the network, in the order they became due.
    func reply(_ count: Int) {
        for reply in replies.prefix(count) {
            switch reply {
            case .puback(let puback): unacknowledged.remove(puback.packetIdentifier)
            case .pubcomp(let pubcomp): unacknowledged.remove(pubcomp.packetIdentifier)
            default: break
            }
            put(reply)
        }
        replies.removeFirst(min(count, replies.count))
    }
}
