import BrokerCore
import MQTTProtocol

/// The first walk through a snapshot: who waits for which message, and where that lies in the file. Payloads stay where
/// they are, so a million waiting messages cost some tens of megabytes and not their size.
///
/// After: `StoreImport+mosquitto` walks the messages in the order this index gives.
struct SnapshotIndex {
    struct Session {
        var record: SessionRecord
        /// Bytes of its name, as claims of its own messages name it.
        var claims: [Claim] = []
    }

    /// A message that a session waits for.
    struct Claim {
        var message: UInt64
        var identifier: UInt16
        var qos: UInt8
        var retain: Bool
        var state: MosquittoSnapshot.State
        /// Almost always one or none.
        var subscriptionIdentifiers: [UInt32]
    }

    /// A QoS 2 message whose PUBREC was sent: mosquitto passes it on when PUBREL comes, and we when PUBLISH comes.
    struct Arrival {
        var session: Int
        var message: UInt64
        var identifier: UInt16
    }

    var sessions: [Session] = []
    var arrivals: [Arrival] = []
    var retained: [UInt64] = []
    var messages: [UInt64: MosquittoSnapshot.MessagePlace] = [:]
    var summary = ImportSummary()
    private var names: [[UInt8]: Int] = [:]
    /// Sessions of the file that are over, whose claims are passed over without a word.
    private var ended: Set<[UInt8]> = []

    /// Reads a snapshot to its end. `now` is in milliseconds since 1970.
    init(
        _ reader: inout MosquittoSnapshotReader, now: Int64, using random: inout some RandomNumberGenerator,
        progress: (Int, Int) -> Void
    ) throws(MosquittoSnapshotError) {
        while let chunk = try reader.next() {
            progress(reader.offset, reader.size)
            switch chunk {
            case .configuration, .unknown: break
            case .message(let place): messages[place.id] = place
            case .client(let client): add(client, now, &random)
            case .clientMessage(let claim): add(claim)
            case .subscription(let subscription): add(subscription)
            case .retained(let message): retained.append(message)
            }
        }
    }

    private mutating func add(
        _ client: MosquittoSnapshot.Client, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) {
        guard let name = MQTTString(client.identifier), !name.isEmpty, names[client.identifier] == nil else {
            return summary.refused += 1
        }
        let ends = client.expiresAt.map { SnapshotTime.milliseconds($0) }
        // A session without an interval ends with its connection, and that is gone. The largest = it never ends.
        let isOver = client.expiryInterval == 0 || (client.expiryInterval != .max && (ends ?? .max) <= now)
        guard !isOver else {
            ended.insert(client.identifier)
            return summary.sessionsExpired += 1
        }
        let lost = ends.map { max(0, $0 - Int64(client.expiryInterval) * 1_000) } ?? now
        names[client.identifier] = sessions.count
        sessions.append(
            Session(
                record: SessionRecord(
                    clientIdentifier: name, queue: QueueID(random.next() | 1),
                    expiryIntervalSeconds: client.expiryInterval, disconnectedAt: min(lost, now), subscriptions: [],
                    userName: SnapshotSubject.userName(client.username), listener: UInt32(client.port))))
        summary.sessions += 1
    }

    private mutating func add(_ claim: MosquittoSnapshot.ClientMessage) {
        guard let session = names[claim.client] else { return countStray(claim.client) }
        guard claim.isIncoming else {
            sessions[session].claims.append(
                Claim(
                    message: claim.message, identifier: claim.identifier, qos: claim.qos, retain: claim.retain,
                    state: claim.state, subscriptionIdentifiers: claim.subscriptionIdentifiers))
            return
        }
        // Others were not acknowledged, or are done with: their publishers send again, or have forgotten them.
        guard claim.qos == 2, claim.state == .waitForPubrel || claim.state == .resendPubcomp, claim.identifier > 0
        else { return }
        arrivals.append(Arrival(session: session, message: claim.message, identifier: claim.identifier))
    }

    private mutating func add(_ subscription: MosquittoSnapshot.Subscription) {
        guard let session = names[subscription.client] else { return countStray(subscription.client) }
        let isValid = subscription.filter.withUnsafeBytes { filter in
            switch TopicSyntax.sharedFilter(filter) {
            case .invalid: false
            case .shared: true
            case .notShared: TopicSyntax.isValidFilter(filter)
            }
        }
        guard isValid, subscription.identifier <= 268_435_455, let qos = QoS(rawValue: subscription.qos) else {
            return summary.refused += 1
        }
        let kept = SessionRecord.Subscription(
            filter: subscription.filter,
            options: DeliveryOptions(
                qos: qos, noLocal: subscription.noLocal, retainAsPublished: subscription.retainAsPublished),
            identifier: subscription.identifier)
        sessions[session].record.subscriptions.append(kept)
        summary.subscriptions += 1
    }

    private mutating func countStray(_ client: [UInt8]) {
        if !ended.contains(client) { summary.refused += 1 }
    }
}

/// Whose rights somebody in the file has.
enum SnapshotSubject {
    /// mosquitto writes no user name as an empty one.
    static func userName(_ bytes: [UInt8]) -> MQTTString? { bytes.isEmpty ? nil : MQTTString(bytes) }

    /// Who published a message; nil = mosquitto itself.
    static func source(_ message: MosquittoSnapshot.Message) -> AccessSubject? {
        guard !message.source.isEmpty, let client = MQTTString(message.source) else { return nil }
        return AccessSubject(
            clientIdentifier: client, userName: userName(message.username), listener: UInt32(message.port))
    }
}

/// mosquitto counts in seconds, we in milliseconds.
enum SnapshotTime {
    /// The largest where it does not fit: a time that far away never comes.
    static func milliseconds(_ seconds: Int64) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : product
    }
}
