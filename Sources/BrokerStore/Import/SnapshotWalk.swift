import BrokerCore
import MQTTProtocol

/// The second walk through a snapshot: sessions, then every message that somebody waits for, in the order of
/// `SnapshotOrder`, each with all its claims.
struct SnapshotWalk {
    private var index: SnapshotIndex
    private let now: Int64
    private var filler: StoreFiller
    /// Messages that become retained when their arrival is told: after all that was retained before.
    private var retainedAtLast: [LoggedMessage] = []

    init(_ index: SnapshotIndex, now: Int64, _ filler: StoreFiller) {
        self.index = index
        self.now = now
        self.filler = filler
    }

    mutating func run(
        _ reader: borrowing MosquittoSnapshotReader, _ progress: (Int, Int) -> Void
    ) throws -> ImportSummary {
        try routeArrivals(reader)
        for session in index.sessions { try filler.put(session.record) }
        countLeftOut()
        let order = SnapshotOrder(index) { id in
            guard let place = index.messages[id] else { return false }
            return !isOver(place)
        }
        var at = 0
        while at < order.steps.count {
            // All that wait for one message stand together; a copy stands alone.
            let first = order.steps[at]
            var end = at + 1
            while !first.isCopy, end < order.steps.count, order.steps[end].key == first.key, !order.steps[end].isCopy {
                end += 1
            }
            try write(order.steps[at..<end], reader)
            at = end
            progress(reader.size / 2 + reader.size / 2 * at / order.steps.count, reader.size)
        }
        for arrival in index.arrivals {
            filler.addReceived(arrival.identifier, index.sessions[arrival.session].record.queue)
        }
        try retainArrivals()
        try filler.finish()
        return index.summary
    }

    // MARK: Messages

    private func isOver(_ place: MosquittoSnapshot.MessagePlace) -> Bool {
        place.expiresAt.map { SnapshotTime.milliseconds($0) <= now } ?? false
    }

    private mutating func write(
        _ steps: ArraySlice<SnapshotOrder.Step>, _ reader: borrowing MosquittoSnapshotReader
    ) throws {
        guard let first = steps.first else { return }
        var id = first.key
        var claims: [StoreFiller.Claim] = []
        var isRetained = false
        for step in steps {
            guard step.session != SnapshotOrder.Step.noSession else {
                isRetained = true
                continue
            }
            let session = index.sessions[Int(step.session)]
            let claim = session.claims[Int(step.claim)]
            id = claim.message
            claims.append(storeClaim(claim, session.record.queue))
        }
        guard let place = index.messages[id] else { return }
        let message = try reader.message(at: place)
        guard message.topic.withUnsafeBytes({ TopicSyntax.isValidName($0) }) else {
            return index.summary.refused += steps.count
        }
        // A retained message without payload is none.
        if isRetained, message.payload.isEmpty { isRetained = false }
        guard isRetained || !claims.isEmpty else { return }
        try filler.add(logged(message, isRetained: isRetained), claims: claims, isRetained: isRetained)
        index.summary.queued += claims.count
        if isRetained { index.summary.retained += 1 }
    }

    private func storeClaim(_ claim: SnapshotIndex.Claim, _ queue: QueueID) -> StoreFiller.Claim {
        var kept = StoreFiller.Claim(
            queue: queue, qos: claim.qos, retain: claim.retain, subscriptionIdentifiers: claim.subscriptionIdentifiers)
        // QoS 2 goes on where it stopped, under the same identifier; QoS 1 may be sent anew.
        if claim.qos == 2, claim.identifier > 0 {
            switch claim.state {
            case .publishQoS2, .waitForPubrec: kept.sentAs = claim.identifier
            case .resendPubrel, .waitForPubcomp:
                kept.sentAs = claim.identifier
                kept.isReleased = true
            default: break
            }
        }
        return kept
    }

    private func logged(_ message: MosquittoSnapshot.Message, isRetained: Bool) -> LoggedMessage {
        LoggedMessage(
            topic: message.topic, properties: message.properties, payload: message.payload, qos: message.qos,
            retain: message.retain || isRetained,
            expiresAt: message.expiresAt.map { SnapshotTime.milliseconds($0) } ?? .max,
            storedAt: UInt32(clamping: now / 1_000),
            source: isRetained ? SnapshotSubject.source(message) : nil)
    }

    private mutating func countLeftOut() {
        func count(_ id: UInt64) {
            guard let place = index.messages[id] else { return index.summary.messagesMissing += 1 }
            if isOver(place) { index.summary.messagesExpired += 1 }
        }
        for session in index.sessions {
            for claim in session.claims { count(claim.message) }
        }
        for id in index.retained { count(id) }
    }

    // MARK: Messages that wait for their PUBREL

    /// mosquitto passes a QoS 2 message on when its PUBREL comes, and we do when the PUBLISH comes. What lies between the
    /// two in the snapshot is acknowledged and not yet with its receivers: it is given to them now, as the last in their
    /// queues, and the identifier is kept, so that the PUBREL will only be confirmed. [5.0 MQTT-4.3.3-8]
    private mutating func routeArrivals(_ reader: borrowing MosquittoSnapshotReader) throws {
        for arrival in index.arrivals.sorted(by: { $0.message < $1.message }) {
            guard let place = index.messages[arrival.message], !isOver(place) else { continue }
            let message = try reader.message(at: place)
            guard message.topic.withUnsafeBytes({ TopicSyntax.isValidName($0) }) else { continue }
            if message.retain { retainedAtLast.append(logged(message, isRetained: true)) }
            for session in index.sessions.indices {
                guard let claim = claim(of: session, on: message, from: arrival.session) else { continue }
                index.sessions[session].claims.append(claim)
            }
        }
    }

    /// What the session's subscriptions make of a message, as one claim; nil where none matches.
    private func claim(
        of session: Int, on message: MosquittoSnapshot.Message, from publisher: Int
    ) -> SnapshotIndex.Claim? {
        var claim: SnapshotIndex.Claim?
        for subscription in index.sessions[session].record.subscriptions {
            let options = subscription.options
            guard !(options.noLocal && session == publisher), FilterMatch.matches(subscription.filter, message.topic)
            else { continue }
            var found =
                claim
                ?? SnapshotIndex.Claim(
                    message: message.id, identifier: 0, qos: 0, retain: false, state: .queued,
                    subscriptionIdentifiers: [])
            found.qos = max(found.qos, min(options.qos, message.qos))
            found.retain = found.retain || (options.retainAsPublished && message.retain)
            if subscription.identifier > 0 { found.subscriptionIdentifiers.append(subscription.identifier) }
            claim = found
        }
        // Nobody is connected: QoS 0 is not kept for later.
        return claim.flatMap { $0.qos > 0 ? $0 : nil }
    }

    private mutating func retainArrivals() throws {
        for message in retainedAtLast {
            if message.payload.isEmpty {
                filler.removeRetained(message.topic)
            } else {
                try filler.add(message, claims: [], isRetained: true)
                index.summary.retained += 1
            }
        }
    }
}

/// Whether a topic name matches a filter, §4.7: for the few messages of an import. The broker asks its tree.
enum FilterMatch {
    static func matches(_ filter: [UInt8], _ topic: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        let levels = filter.split(separator: slash, omittingEmptySubsequences: false)
        let names = topic.split(separator: slash, omittingEmptySubsequences: false)
        let many: [UInt8] = [UInt8(ascii: "#")]
        let one: [UInt8] = [UInt8(ascii: "+")]
        // [5.0 MQTT-4.7.2-1]
        if topic.first == UInt8(ascii: "$"), levels[0].elementsEqual(many) || levels[0].elementsEqual(one) {
            return false
        }
        for (place, level) in levels.enumerated() {
            if level.elementsEqual(many) { return true }
            guard place < names.count, level.elementsEqual(one) || level.elementsEqual(names[place]) else {
                return false
            }
        }
        return levels.count == names.count
    }
}
