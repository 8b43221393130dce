import BrokerCore
import MQTTProtocol
import SeededRandom
import ShardTestKit

/// What clients do when they are online, and what the model is told of it.
extension Simulation {
    func publish(_ client: SimulatedClient) {
        let kind = random.below(10)
        // Every retained topic has one owner, so that the last message is a fact.
        let owned = Simulation.retainedTopics.enumerated().filter { $0.offset % clients.count == client.index }.map(
            \.element)
        let isRetained = kind < 3 && !owned.isEmpty
        let topic =
            isRetained ? random.pick(owned) : random.pick(kind > 7 ? Simulation.sharedTopics : Simulation.topics)
        var qos = random.pick(QoS.allCases)
        if qos != .atMostOnce, client.outgoing.count >= min(client.sendLimit, settings.inflightMessagesMax) {
            qos = .atMostOnce
        }

        client.sequence += 1
        let key = MessageKey(publisher: client.index, sequence: client.sequence)
        // Deletions have no payload, so nobody could tell them apart: they are sent without a key.
        let isDeletion = isRetained && random.chance(20)
        let size = random.chance(10) ? 2_000 + random.below(3_000) : random.below(60)
        let payload = isDeletion ? [] : key.bytes + [UInt8](repeating: 0x2E, count: size)
        var publish = Publish(qos: qos, retain: isRetained, topic: MQTTString(topic), payload: payload)
        if client.version == .v5, random.chance(20) {
            publish.properties.userProperties = [UserProperty(name: "n", value: MQTTString("\(client.sequence)"))]
        }
        if qos != .atMostOnce { publish.packetIdentifier = client.nextIdentifier() }
        if !isDeletion {
            tellModel(key, topic, qos)
        } else {
            model.send(key, topic: topic, qos: qos, owed: [], groups: [])
        }
        if isRetained { model.sendRetained(key, topic: topic, isDeletion: isDeletion) }
        if qos != .atMostOnce {
            client.outgoing.append(
                .init(identifier: publish.packetIdentifier, publish: publish, key: key, isRetained: isRetained))
        }
        client.put(.publish(publish))
    }

    /// Whoever has read the SUBACK of a matching subscription at QoS 1 or 2 must get an acknowledged message.
    private func tellModel(_ key: MessageKey, _ topic: String, _ qos: QoS) {
        var owed: Set<Int> = []
        var groups: Set<String> = []
        for receiver in clients where qos != .atMostOnce {
            for (filter, granted) in receiver.subscriptions where granted != .atMostOnce {
                if let group = receiver.group {
                    // One whose session ends with its connection may be gone before the message comes.
                    if topic.hasPrefix("s/"), receiver.kind != .clean { groups.insert(group) }
                } else if Simulation.matches(filter, topic) {
                    owed.insert(receiver.index)
                }
            }
        }
        model.send(key, topic: topic, qos: qos, owed: owed, groups: groups)
    }

    // MARK: Wills

    /// A new connection brings a new will. What the last one left was published if its time had come.
    func renewWill(_ client: SimulatedClient) {
        settleWill(client)
        guard client.willDelay != nil else { return }
        client.sequence += 1
        let key = MessageKey(publisher: client.index, sequence: client.sequence)
        let topic = random.pick(Simulation.willTopics)
        tellModel(key, topic, .atLeastOnce)
        client.will = .init(key: key, topic: topic)
    }

    /// The client has been away for longer than its will waits: by now it must be published.
    func settleWill(_ client: SimulatedClient) {
        guard let will = client.will, let delay = client.willDelay, will.isKept, let lostAt = will.lostAt else {
            return
        }
        // Nobody waits for a will to be kept: where storage refuses, or several shards share a crash, it may be lost.
        guard !model.hasRefusals, !model.hasNeighbours else { return }
        if world(of: client).now >= lostAt + Int64(delay) * 1000 { model.publishWill(will.key) }
    }

    func subscribe(_ client: SimulatedClient) {
        let filter = client.group ?? random.pick(Simulation.filters)
        guard !client.pending.values.contains(filter) else { return }
        let identifier = client.nextIdentifier()
        client.pending[identifier] = filter
        var packet = Subscribe(
            packetIdentifier: identifier,
            subscriptions: [Subscription(filter: MQTTString(filter), qos: client.qos(for: filter))])
        if client.version == .v5, random.chance(50) { packet.subscriptionIdentifier = UInt32(1 + random.below(300)) }
        client.put(.subscribe(packet))
    }

    func unsubscribe(_ client: SimulatedClient) {
        // Not while a SUBSCRIBE of the same filter is under way: its SUBACK would be taken for a subscription that stands.
        let filters = client.subscriptions.keys.filter { !client.pending.values.contains($0) }.sorted()
        guard !filters.isEmpty else { return }
        let filter = random.pick(filters)
        client.subscriptions[filter] = nil
        model.trace("client \(client.index) unsubscribes from \(filter)")
        if let group = client.group {
            // The others get what comes; without others nobody does.
            let hasOthers = clients.contains {
                $0.group == group && $0.kind != .clean && $0.subscriptions[group] != nil
            }
            if !hasOthers { model.forgive(group: group) }
        } else {
            model.forgive(client.index) { Simulation.matches(filter, $0) }
        }
        client.put(.unsubscribe(Unsubscribe(packetIdentifier: client.nextIdentifier(), filters: [MQTTString(filter)])))
    }

    /// §4.7, level by level.
    static func matches(_ filter: String, _ topic: String) -> Bool {
        let filter = filter.split(separator: "/", omittingEmptySubsequences: false)
        let topic = topic.split(separator: "/", omittingEmptySubsequences: false)
        for (i, level) in filter.enumerated() {
            if level == "#" { return true }
            guard i < topic.count, level == "+" || level == topic[i] else { return false }
        }
        return filter.count == topic.count
    }
}
