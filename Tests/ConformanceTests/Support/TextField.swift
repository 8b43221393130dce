import MQTTTestKit
import Testing

/// Every place where a 3.1.1 client sends a string.
enum TextField: CaseIterable, Sendable {
    case clientID, willTopic, userName, publishTopic, subscribeFilter, unsubscribeFilter

    /// Only these are in CONNECT, and so are refused without a CONNACK.
    var isInConnect: Bool {
        switch self {
        case .clientID, .willTopic, .userName: true
        case .publishTopic, .subscribeFilter, .unsubscribeFilter: false
        }
    }

    /// A packet that is flawless except for what `text` may do to it.
    func packet(_ text: [UInt8]) -> [UInt8] {
        let id = unique("t")
        return switch self {
        case .clientID: Wire.connect(idBytes: text)
        case .willTopic: Wire.connect(id: id, will: Wire.Will(topic: text, payload: []))
        case .userName: Wire.connect(idBytes: Array(id.utf8), user: text)
        case .publishTopic: Wire.publish(topic: text, payload: [])
        case .subscribeFilter: Wire.packet(0x82, [0, 1] + Wire.field(text) + [0])
        case .unsubscribeFilter: Wire.packet(0xA2, [0, 1] + Wire.field(text))
        }
    }

    /// A close for `text`, and none for an ordinary name in the same place.
    func refuses(_ text: [UInt8]) throws {
        let violation = Violation("\(self)", packet(text), good: packet(Array(unique("ok").utf8)))
        if isInConnect {
            try violation.closesWithoutConnack()
        } else {
            try violation.closesConnection()
        }
    }
}

/// Bytes inside a string that are no UTF-8, with the reason.
struct BadText: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]

    static let all: [BadText] = [
        BadText(testDescription: "FF", bytes: [0x61, 0xFF]),
        BadText(testDescription: "a lone continuation byte", bytes: [0x80, 0x61]),
        BadText(testDescription: "a sequence cut short", bytes: [0x61, 0xC3]),
        BadText(testDescription: "a sequence interrupted", bytes: [0xE2, 0x82, 0x61]),
        BadText(testDescription: "overlong in two bytes", bytes: [0xC1, 0xA1]),
        BadText(testDescription: "overlong in three bytes", bytes: [0xE0, 0x81, 0xA1]),
        BadText(testDescription: "overlong in four bytes", bytes: [0xF0, 0x80, 0x81, 0xA1]),
        BadText(testDescription: "a high surrogate", bytes: [0xED, 0xA0, 0x80]),
        BadText(testDescription: "a low surrogate", bytes: [0xED, 0xBF, 0xBF]),
        BadText(testDescription: "above U+10FFFF", bytes: [0xF4, 0x90, 0x80, 0x80]),
        BadText(testDescription: "first byte F5", bytes: [0xF5, 0x80, 0x80, 0x80]),
    ]
    /// The two that the requirement names, for tests over all fields.
    static let few = [all[0], all[7]]
}
