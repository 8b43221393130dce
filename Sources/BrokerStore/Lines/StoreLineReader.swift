import BrokerCore
import MQTTProtocol

/// The lines of an exported store, read: each becomes a value, or a reason why not. Names that it does not know are
/// passed over, so that people may add notes of their own.
enum StoreLineReader {
    typealias Failure = JSONFields.Failure

    static func session(_ fields: JSONFields, queue: QueueID) throws(Failure) -> RestoredSession {
        guard let client = MQTTString(try fields.text("client")), !client.isEmpty else {
            throw Failure(reason: "\"client\" is no client identifier")
        }
        var record = SessionRecord(
            clientIdentifier: client, queue: queue, expiryIntervalSeconds: try expiry(fields),
            disconnectedAt: try fields.optionalNumber("disconnectedAt", Int64.self), subscriptions: [],
            userName: try name(fields, "user"), listener: try fields.optionalNumber("listener", UInt32.self) ?? 0)
        for value in try fields.list("subscriptions") {
            record.subscriptions.append(try subscription(JSONFields(value)))
        }
        if let will = fields.object("will") {
            record.will = try Self.will(will)
            record.willDueAt = try will.optionalNumber("dueAt", Int64.self)
        }
        var session = RestoredSession(record: record, received: try fields.numbers("received", UInt16.self))
        for value in try fields.list("shares") {
            let share = JSONFields(value)
            session.shares.append(
                KeptShare(
                    identifier: try share.number("identifier", UInt16.self), part: try share.number("part", UInt64.self)
                ))
        }
        return session
    }

    private static func expiry(_ fields: JSONFields) throws(Failure) -> UInt32 {
        if let text = try? fields.optionalText("expiry") {
            guard text.elementsEqual("never".utf8) else { throw Failure(reason: "\"expiry\" is seconds, or \"never\"") }
            return .max
        }
        return try fields.number("expiry", UInt32.self)
    }

    private static func subscription(_ fields: JSONFields) throws(Failure) -> SessionRecord.Subscription {
        let filter = try fields.text("filter")
        let isValid = filter.withUnsafeBytes { bytes in
            switch TopicSyntax.sharedFilter(bytes) {
            case .invalid: false
            case .shared: true
            case .notShared: TopicSyntax.isValidFilter(bytes)
            }
        }
        guard isValid, let qos = QoS(rawValue: try fields.qos()) else {
            throw Failure(reason: "\"filter\" is no topic filter")
        }
        let identifier = try fields.optionalNumber("identifier", UInt32.self) ?? 0
        guard identifier <= 268_435_455 else { throw Failure(reason: "\"identifier\" is at most 268435455") }
        return .init(
            filter: filter,
            options: DeliveryOptions(
                qos: qos, noLocal: try fields.flag("noLocal"), retainAsPublished: try fields.flag("retainAsPublished")),
            identifier: identifier)
    }

    private static func will(_ fields: JSONFields) throws(Failure) -> Will {
        guard let topic = MQTTString(try topic(fields)), let qos = QoS(rawValue: try fields.qos()) else {
            throw Failure(reason: "\"topic\" is no topic name")
        }
        let payload = try fields.bytes("payload", base64: "payloadBase64")
        guard payload.count <= 65_535 else { throw Failure(reason: "a will holds 65535 bytes") }
        return Will(
            topic: topic, payload: payload, qos: qos, retain: try fields.flag("retain"),
            delayIntervalSeconds: try fields.optionalNumber("delay", UInt32.self) ?? 0,
            messageExpiryIntervalSeconds: try fields.optionalNumber("expiry", UInt32.self),
            forwardedProperties: try PropertyLines.encode(try fields.list("properties")))
    }

    private static func topic(_ fields: JSONFields) throws(Failure) -> [UInt8] {
        let topic = try fields.text("topic")
        guard topic.withUnsafeBytes({ TopicSyntax.isValidName($0) }) else {
            throw Failure(reason: "\"topic\" is no topic name")
        }
        return topic
    }

    static func message(_ fields: JSONFields) throws(Failure) -> LoggedMessage {
        var publisher: UInt64 = 0
        if let text = try fields.optionalText("publisher") {
            guard let value = UInt64(String(decoding: text, as: UTF8.self), radix: 16) else {
                throw Failure(reason: "\"publisher\" is no hexadecimal number")
            }
            publisher = value
        }
        return LoggedMessage(
            topic: try topic(fields), properties: try PropertyLines.encode(try fields.list("properties")),
            payload: try fields.bytes("payload", base64: "payloadBase64"), qos: try fields.qos(),
            retain: try fields.flag("retain"), expiresAt: try fields.optionalNumber("expiresAt", Int64.self) ?? .max,
            publisher: publisher, storedAt: try fields.optionalNumber("storedAt", UInt32.self) ?? 0,
            source: try fields.object("source").map { (source) throws(Failure) in try subject(source) })
    }

    /// Who published a message.
    private static func subject(_ fields: JSONFields) throws(Failure) -> AccessSubject {
        guard let client = try name(fields, "client") else { throw Failure(reason: "\"client\" is missing") }
        return AccessSubject(
            clientIdentifier: client, userName: try name(fields, "user"),
            listener: try fields.optionalNumber("listener", UInt32.self) ?? 0)
    }

    private static func name(_ fields: JSONFields, _ name: StaticString) throws(Failure) -> MQTTString? {
        guard let text = try fields.optionalText(name) else { return nil }
        guard let string = MQTTString(text) else { throw Failure(reason: "\"\(name)\" is no name") }
        return string
    }

    static func claim(_ fields: JSONFields, queue: QueueID) throws(Failure) -> StoreFiller.Claim {
        let packet = try fields.optionalNumber("packet", UInt16.self)
        let qos = try fields.qos()
        guard packet == nil || (packet != 0 && qos == 2) else {
            throw Failure(reason: "\"packet\" is the identifier of a QoS 2 message on its way: 1 to 65535")
        }
        return StoreFiller.Claim(
            queue: queue, qos: qos, retain: try fields.flag("retain"),
            subscriptionIdentifiers: try fields.numbers("identifiers", UInt32.self),
            group: try fields.optionalNumber("group", UInt32.self) ?? 0, sentAs: packet,
            isReleased: try fields.flag("released"))
    }
}
