import Foundation
import MQTTProtocol

/// A message by who published it and its number among that client's.
struct MessageKey: Hashable, CustomStringConvertible {
    var publisher: Int
    var sequence: Int

    /// The first six bytes of the payload.
    var bytes: [UInt8] {
        [publisher >> 8, publisher, sequence >> 24, sequence >> 16, sequence >> 8, sequence].map { UInt8($0 & 0xFF) }
    }

    init(publisher: Int, sequence: Int) {
        self.publisher = publisher
        self.sequence = sequence
    }

    init?(payload: [UInt8]) {
        guard payload.count >= 6 else { return nil }
        publisher = Int(payload[0]) << 8 | Int(payload[1])
        sequence = payload[2..<6].reduce(0) { $0 << 8 | Int($1) }
    }

    var description: String { "\(publisher).\(sequence)" }
}

/// What must hold, kept beside the shards by looking only at what clients sent and read. Every breach is a sentence in
/// `violations`.
struct Model {
    /// Whose messages to print, for looking at one seed: `SIMULATION_TRACE=6` and `SIMULATION_TRACE=6.6`.
    static let traced = ProcessInfo.processInfo.environment["SIMULATION_TRACE"]

    func trace(_ key: MessageKey, _ what: @autoclosure () -> String) {
        if let traced = Model.traced, "\(key)" == traced || "\(key.publisher)" == traced { print("\(key) \(what())") }
    }

    func trace(_ what: String) { if Model.traced != nil { print(what) } }

    private struct Sent {
        var topic: String
        var qos: QoS
        var isAcknowledged = false
        /// The publisher has sent it again: at QoS 1 it may have been published twice.
        var isRepeated = false
        /// The broker was lost while it was under way: what was handed on and not kept may be handed on again.
        var sawCrash = false
        /// Groups of which a member had it, unfinished, when it left: another gets it then, which is not one step with taking it
        /// out of the member's queue where that is another shard's. See `Docs/open-points.md`.
        var handedOn: Set<String> = []
        /// Clients that must get it once it is acknowledged.
        var owed: Set<Int>
        /// Shared subscriptions of which one member must get it.
        var owedGroups: Set<String>
    }

    private struct Stream: Hashable {
        var receiver: Int
        var publisher: Int
        var topic: String
        var qos: QoS
    }

    private(set) var violations: [String] = []
    /// Clients whose sessions never end.
    var lasting: Set<Int> = []
    /// Storage refuses at times. Then a publisher's repetition may come behind its later messages, and what was not kept
    /// for one subscriber is published again to all.
    var hasRefusals = false
    /// Several shards: one may have kept what another refused.
    var hasNeighbours = false

    private var messages: [MessageKey: Sent] = [:]
    private var last: [Stream: Int] = [:]
    /// Live deliveries at QoS 2, by receiver; a shared subscription counts as one receiver.
    private var exactly: [String: [MessageKey: Int]] = [:]
    private var seen: [Int: Set<MessageKey>] = [:]
    private var seenByGroup: [String: Set<MessageKey>] = [:]
    /// All sends of each retained topic in order; nil = it was deleted.
    private var retained: [String: [(key: MessageKey, isDeletion: Bool)]] = [:]
    /// The latest of them that is known to have been processed.
    private var processed: [String: Int] = [:]
    private(set) var deliveries = 0
    private(set) var acknowledged = 0
    private(set) var wills = 0

    mutating func breach(_ text: String) {
        if violations.count < 20 { violations.append(text) }
    }

    // MARK: What publishers know

    mutating func send(_ key: MessageKey, topic: String, qos: QoS, owed: Set<Int>, groups: Set<String>) {
        trace(key, "sent to \(topic) at \(qos), owed to \(owed.sorted()) \(groups.sorted())")
        messages[key] = Sent(topic: topic, qos: qos, owed: owed, owedGroups: groups)
    }

    mutating func `repeat`(_ key: MessageKey) {
        trace(key, "sent again")
        messages[key]?.isRepeated = true
    }

    /// A will must have been published by now.
    mutating func publishWill(_ key: MessageKey) {
        trace(key, "must have been published as a will")
        messages[key]?.isAcknowledged = true
        wills += 1
    }

    /// Called for every repetition too.
    mutating func sendRetained(_ key: MessageKey, topic: String, isDeletion: Bool) {
        trace(key, "sent as retained\(isDeletion ? ", a deletion" : "")")
        retained[topic, default: []].append((key, isDeletion))
    }

    /// PUBACK or PUBREC came, and said yes.
    mutating func acknowledge(_ key: MessageKey, reason: ReasonCode) {
        guard let message = messages[key] else { return breach("\(key) was acknowledged and never sent") }
        acknowledged += 1
        trace(key, "acknowledged: \(reason)")
        let certain = message.owed.intersection(lasting)
        if reason == .noMatchingSubscribers, !certain.isEmpty {
            breach("\(key) on \(message.topic) matched nobody, but \(certain.sorted()) subscribed")
        }
        messages[key]?.isAcknowledged = true
        guard let sends = retained[message.topic] else { return }
        let at =
            message.qos == .exactlyOnce
            ? sends.firstIndex { $0.key == key } : sends.lastIndex { $0.key == key }
        if let at { processed[message.topic] = max(processed[message.topic] ?? 0, at) }
    }

    /// The broker is gone with everything it had not kept.
    mutating func crash() {
        for (key, message) in messages where !message.isAcknowledged { messages[key]?.sawCrash = true }
    }

    // MARK: What subscribers know

    mutating func deliver(_ publish: Publish, to receiver: Int, group: String?) {
        deliveries += 1
        if publish.payload.isEmpty { return }  // a deletion, passed on: it carries no key
        guard let key = MessageKey(payload: publish.payload), let message = messages[key] else {
            return breach("client \(receiver) got a message nobody sent, on \(publish.topic)")
        }
        if message.topic != publish.topic.description {
            breach("\(key) was published to \(message.topic) and came on \(publish.topic)")
        }
        if publish.qos > message.qos { breach("\(key) was published at \(message.qos) and came at \(publish.qos)") }
        trace(
            key,
            "delivered to \(receiver) at \(publish.qos)\(publish.duplicate ? " again" : "")\(publish.retain ? " as retained" : "")"
        )
        guard !publish.retain else { return }
        let isNew = seen[receiver, default: []].insert(key).inserted
        if let group {
            seenByGroup[group, default: []].insert(key)
            if publish.qos == .atLeastOnce { messages[key]?.handedOn.insert(group) }
        }
        // A message published at QoS 1 may be published again, whatever it is delivered at.
        // A member without storage may have had it before storage refused it.
        let isCertain =
            !hasRefusals
            || (!hasNeighbours && publish.qos == .exactlyOnce && lasting.contains(receiver) && group == nil)
        let isStored = publish.qos == .exactlyOnce && lasting.contains(receiver) && !(hasNeighbours && hasRefusals)
        let isHandedOn = hasNeighbours && message.sawCrash && group.map(message.handedOn.contains) == true
        if publish.qos != .atLeastOnce, message.qos != .atLeastOnce, isCertain, !isHandedOn {
            // A subscriber that had it at QoS 0, before a crash, and has another QoS now, may have it again.
            let name = group ?? "client \(receiver)"
            if isStored { count(key, message, for: "\(name) at exactlyOnce") }
            if !message.sawCrash { count(key, message, for: name) }
        }
        guard isNew, !hasRefusals, group == nil, !message.isRepeated || message.qos == .exactlyOnce,
            isStored || !message.sawCrash,
            // Who was no subscriber yet when it was first sent gets it behind what was kept meanwhile.
            !message.sawCrash || !hasNeighbours || message.owed.contains(receiver)
        else { return }
        let stream = Stream(receiver: receiver, publisher: key.publisher, topic: message.topic, qos: publish.qos)
        if let before = last[stream], before > key.sequence {
            breach("client \(receiver) got \(key) on \(message.topic) at \(publish.qos) after \(before)")
        }
        last[stream] = key.sequence
    }

    private mutating func count(_ key: MessageKey, _ message: Sent, for name: String) {
        exactly[name, default: [:]][key, default: 0] += 1
        if exactly[name]?[key] != 1 { breach("\(key) on \(message.topic) came twice to \(name)") }
    }

    /// The client's session or subscription has ended: what it has not got it need not get.
    mutating func forgive(_ receiver: Int, where matches: (String) -> Bool = { _ in true }) {
        for (key, message) in messages where message.owed.contains(receiver) && matches(message.topic) {
            messages[key]?.owed.remove(receiver)
        }
    }

    /// A member's session has ended: what it had goes to others.
    mutating func handOn(group: String) {
        for key in messages.keys { messages[key]?.handedOn.insert(group) }
    }

    /// A member's session has ended, and with it what it had begun at QoS 2: nobody else gets that. [5.0 MQTT-4.8.2-5]
    mutating func forgive(group: String) {
        for key in messages.keys { messages[key]?.owedGroups.remove(group) }
    }

    // MARK: The end

    mutating func finish() {
        for (key, message) in messages where message.isAcknowledged {
            for receiver in message.owed where seen[receiver]?.contains(key) != true {
                breach(
                    "\(key) on \(message.topic) at \(message.qos) was acknowledged and client \(receiver) has not got it"
                )
            }
            // A message that a member gives back goes from shard to shard without its publisher waiting: storage may refuse
            // it there. See `Docs/open-points.md`.
            if hasRefusals && hasNeighbours { continue }
            for group in message.owedGroups where seenByGroup[group]?.contains(key) != true {
                breach(
                    "\(key) on \(message.topic) at \(message.qos) was acknowledged and nobody of \(group) has got it")
            }
        }
    }

    /// What a new subscriber finds retained must be the last send that was processed.
    mutating func finish(retained found: [String: MessageKey]) {
        for (topic, sends) in retained {
            let allowed = sends[(processed[topic] ?? 0)...]
            let isNeverProcessed = processed[topic] == nil
            let isRight =
                if let key = found[topic] {
                    allowed.contains { $0.key == key && !$0.isDeletion }
                } else {
                    isNeverProcessed || allowed.contains { $0.isDeletion }
                }
            if !isRight { breach("retained on \(topic): \(found[topic].map { "\($0)" } ?? "nothing")") }
        }
    }
}
