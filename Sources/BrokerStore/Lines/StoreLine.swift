import BrokerCore
import MQTTProtocol

/// The lines of an exported store, written. First `store`; then a `session` each; then every `message` that waits, in the
/// order of the log, each followed by an `entry` for every session that waits for it; then a `retained` each. Reading
/// them back is `StoreImport+lines`.
enum StoreLine {
    /// The form's number; a newer one is refused.
    static let version = 1

    static func store() -> [UInt8] {
        var line = JSONLine(type: "store")
        line.add("version", version)
        line.add("program", text: Array("martlet".utf8))
        return line.end()
    }

    static func session(_ restored: RestoredSession) -> [UInt8] {
        let record = restored.record
        var line = JSONLine(type: "session")
        line.add("client", text: record.clientIdentifier.bytes)
        if record.expiryIntervalSeconds == .max {
            line.add("expiry", text: Array("never".utf8))
        } else {
            line.add("expiry", record.expiryIntervalSeconds)
        }
        if let moment = record.disconnectedAt { line.add("disconnectedAt", moment) }
        add(user: record.userName, listener: record.listener, to: &line)
        line.add("subscriptions", list: record.subscriptions) { line, subscription in
            line.addObject { line in
                line.add("filter", text: subscription.filter)
                line.add("qos", subscription.options.qos)
                line.add("noLocal", ifTrue: subscription.options.noLocal)
                line.add("retainAsPublished", ifTrue: subscription.options.retainAsPublished)
                if subscription.identifier != 0 { line.add("identifier", subscription.identifier) }
            }
        }
        if let will = record.will { add(will, due: record.willDueAt, to: &line) }
        if !restored.received.isEmpty {
            line.add("received", list: restored.received) { $0.element($1) }
        }
        if !restored.shares.isEmpty {
            line.add("shares", list: restored.shares) { line, share in
                line.addObject { line in
                    line.add("identifier", share.identifier)
                    line.add("part", share.part)
                }
            }
        }
        return line.end()
    }

    /// Whose rights somebody has.
    private static func add(user: MQTTString?, listener: UInt32, to line: inout JSONLine) {
        if let user { line.add("user", text: user.bytes) }
        if listener != 0 { line.add("listener", listener) }
    }

    private static func add(_ will: Will, due: Int64?, to line: inout JSONLine) {
        line.add("will") { line in
            line.add("topic", text: will.topic.bytes)
            line.add(bytes: will.payload, "payload", base64: "payloadBase64")
            line.add("qos", will.qos.rawValue)
            line.add("retain", ifTrue: will.retain)
            if will.delayIntervalSeconds > 0 { line.add("delay", will.delayIntervalSeconds) }
            if let expiry = will.messageExpiryIntervalSeconds { line.add("expiry", expiry) }
            if let due { line.add("dueAt", due) }
            add(properties: will.forwardedProperties, to: &line)
        }
    }

    /// `number` counts the file's messages from 1: entries name it.
    static func message(_ message: LoggedMessage, number: Int) -> [UInt8] {
        var line = JSONLine(type: "message")
        line.add("id", number)
        add(message, to: &line)
        return line.end()
    }

    static func retained(_ message: LoggedMessage) -> [UInt8] {
        var line = JSONLine(type: "retained")
        add(message, to: &line)
        return line.end()
    }

    private static func add(_ message: LoggedMessage, to line: inout JSONLine) {
        line.add("topic", text: message.topic)
        line.add(bytes: message.payload, "payload", base64: "payloadBase64")
        line.add("qos", message.qos)
        line.add("retain", ifTrue: message.retain)
        if message.expiresAt != .max { line.add("expiresAt", message.expiresAt) }
        add(properties: message.properties, to: &line)
        // As text: readers of JSON may not keep 64 bits of a number.
        if message.publisher != 0 { line.add("publisher", text: Array(String(message.publisher, radix: 16).utf8)) }
        if message.storedAt != 0 { line.add("storedAt", message.storedAt) }
        if let source = message.source {
            line.add("source") { line in
                line.add("client", text: source.clientIdentifier.bytes)
                add(user: source.userName, listener: source.listener, to: &line)
            }
        }
    }

    private static func add(properties: [UInt8], to line: inout JSONLine) {
        guard !properties.isEmpty, let lists = PropertyLines.lists(properties) else { return }
        line.add("properties", list: lists) { $0.elements($1) }
    }

    /// A session's claim on the message of that number. `inflight`: under which identifier it is on its way.
    static func entry(
        _ record: QueuedRecord, client: [UInt8], number: Int, inflight: RestoredSession.Inflight?
    ) -> [UInt8] {
        var line = JSONLine(type: "entry")
        line.add("client", text: client)
        line.add("message", number)
        line.add("qos", record.qos)
        line.add("retain", ifTrue: record.retain)
        if !record.subscriptionIdentifiers.isEmpty {
            line.add("identifiers", list: record.subscriptionIdentifiers) { $0.element($1) }
        }
        if record.group != 0 { line.add("group", record.group) }
        if let inflight {
            line.add("packet", inflight.identifier.value)
            line.add("released", ifTrue: inflight.isReleased)
        }
        return line.end()
    }
}
