import MQTTClient

/// A message as a JSON object: `%j` and `%J` as mosquitto 2.0 writes them, and `--json`, which is ours.
struct JSONMessage {
    private let message: Message
    private let moment: Moment

    init(_ message: Message, _ moment: Moment) {
        self.message = message
        self.moment = moment
    }

    /// `%j`: the payload as a string, or under `payloadBase64` where it is no text; `%J`: the payload as the JSON it is.
    /// - Returns: false where it is to be embedded and is no JSON.
    @discardableResult
    func append(embedsPayload: Bool, pretty: Bool, to line: inout [UInt8]) -> Bool {
        var object = JSONObject()
        object.add("tst", text: moment.mosquitto)
        addHead(to: &object, retain: message.retain ? "1" : "0")
        if embedsPayload, !message.payload.isEmpty {
            guard let payload = JSONDocument.rewrite(message.payload, pretty: false) else { return false }
            object.add("payload", raw: payload)
        } else {
            addPayload(to: &object)
        }
        let bytes = object.closed
        line += pretty ? JSONDocument.rewrite(bytes, pretty: true) ?? bytes : bytes
        return true
    }

    /// `--json`: `retain` is a boolean, the time RFC 3339, a payload that is JSON stands under `json` as well.
    func appendPlain(pretty: Bool, to line: inout [UInt8]) {
        var object = JSONObject()
        object.add("time", text: moment.rfc3339)
        addHead(to: &object, retain: message.retain ? "true" : "false")
        addPayload(to: &object)
        if let payload = JSONDocument.rewrite(message.payload, pretty: false) { object.add("json", raw: payload) }
        let bytes = object.closed
        line += pretty ? JSONDocument.rewrite(bytes, pretty: true) ?? bytes : bytes
    }

    private func addHead(to object: inout JSONObject, retain: String) {
        object.add("topic", text: message.topic.utf8)
        object.add("qos", raw: Array(String(message.qos.rawValue).utf8))
        object.add("retain", raw: Array(retain.utf8))
        object.add("payloadlen", raw: Array(String(message.payload.count).utf8))
        if message.qos != .atMostOnce, let receipt = message.receipt {
            object.add("mid", raw: Array(String(receipt.packetIdentifier).utf8))
        }
        if let properties { object.add("properties", raw: properties) }
    }

    private func addPayload(to object: inout JSONObject) {
        if message.payload.isEmpty {
            object.add("payload", raw: Array("null".utf8))
        } else if String(validating: message.payload, as: UTF8.self) != nil {
            object.add("payload", text: message.payload)
        } else {
            object.add("payloadBase64", text: Base64.encode(message.payload))
        }
    }

    private var properties: [UInt8]? {
        let properties = message.properties
        let subscriptions = message.receipt?.subscriptionIdentifiers ?? []
        guard properties != Message.Properties() || !subscriptions.isEmpty else { return nil }
        var object = JSONObject()
        if !properties.userProperties.isEmpty {
            var pairs = JSONObject()
            for pair in properties.userProperties { pairs.add(pair.name, text: Array(pair.value.utf8)) }
            object.add("user-properties", raw: pairs.closed)
        }
        if let type = properties.contentType { object.add("content-type", text: Array(type.utf8)) }
        if let topic = properties.responseTopic { object.add("response-topic", text: topic.utf8) }
        if let data = properties.correlationData {
            if String(validating: data, as: UTF8.self) != nil {
                object.add("correlation-data", text: data)
            } else {
                object.add("correlation-data-base64", text: Base64.encode(data))
            }
        }
        if let format = properties.payloadFormatIndicator {
            object.add("payload-format-indicator", raw: Array(String(format.rawValue).utf8))
        }
        if let seconds = properties.messageExpiryIntervalSeconds {
            object.add("message-expiry-interval", raw: Array(String(seconds).utf8))
        }
        for identifier in subscriptions {
            object.add("subscription-identifier", raw: Array(String(identifier).utf8))
        }
        return object.closed
    }
}

/// One object, its members in the order they are added.
struct JSONObject {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    mutating func add(_ name: String, text: [UInt8]) {
        begin(name)
        JSONText.append(text, to: &bytes)
    }

    /// - Parameter raw: JSON.
    mutating func add(_ name: String, raw: [UInt8]) {
        begin(name)
        bytes += raw
    }

    private mutating func begin(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        JSONText.append(name.utf8, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    var closed: [UInt8] { bytes + [UInt8(ascii: "}")] }
}

/// RFC 4648 §4.
enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for at in stride(from: 0, to: bytes.count, by: 3) {
            let rest = bytes[at..<min(at + 3, bytes.count)]
            let group = rest.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - rest.count))
            for place in 0..<4 {
                text.append(
                    place <= rest.count ? letters[group >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return text
    }
}
