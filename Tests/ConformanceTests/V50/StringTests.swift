import MQTTTestKit
import Testing

/// 5.0 §1.5.4 and §1.5.7: what a string may hold, in every place where a client can write one.
@Suite("V50 strings", .blocking) struct V50StringTests {
    /// A field of a packet that holds a string.
    enum Place: String, CaseIterable, CustomTestStringConvertible {
        case clientID, userName, willTopic, willContentType, willResponseTopic, willUserName, willUserValue
        case connectUserName, connectUserValue
        case publishTopic, contentType, responseTopic, publishUserName, publishUserValue
        case filter, subscribeUserName, unsubscribedFilter, reasonString

        var testDescription: String { rawValue }

        static let inConnect: [Place] = [
            .clientID, .userName, .willTopic, .willContentType, .willResponseTopic, .willUserName, .willUserValue,
            .connectUserName, .connectUserValue,
        ]
        static let later = allCases.filter { !inConnect.contains($0) }

        /// A packet that is right but for these bytes in this place.
        func packet(_ bytes: [UInt8]) -> [UInt8] {
            let topic = Array("t".utf8)
            func pair(_ name: [UInt8], _ value: [UInt8]) -> Property {
                Property(id: 0x26, bytes: Wire.field(name) + Wire.field(value))
            }
            func connect(
                id: [UInt8]? = nil, user: [UInt8]? = nil, _ properties: [Property] = [],
                willTopic: [UInt8]? = nil, will: [Property]? = nil
            ) -> [UInt8] {
                Wire.connect(
                    idBytes: id ?? Array(unique("c").utf8), version: 5,
                    will: willTopic == nil && will == nil
                        ? nil : .init(topic: willTopic ?? topic, payload: [], properties: will ?? []),
                    user: user, properties: properties)
            }
            func publish(_ property: Property) -> [UInt8] {
                Wire.publish(topic: topic, payload: [], properties: [property])
            }
            switch self {
            case .clientID: return connect(id: bytes)
            case .userName: return connect(user: bytes)
            case .willTopic: return connect(willTopic: bytes)
            case .willContentType: return connect(will: [.binary(0x03, bytes)])
            case .willResponseTopic: return connect(will: [.binary(0x08, bytes)])
            case .willUserName: return connect(will: [pair(bytes, topic)])
            case .willUserValue: return connect(will: [pair(topic, bytes)])
            case .connectUserName: return connect([pair(bytes, topic)])
            case .connectUserValue: return connect([pair(topic, bytes)])
            case .publishTopic: return Wire.publish(topic: bytes, payload: [], properties: [])
            case .contentType: return publish(.binary(0x03, bytes))
            case .responseTopic: return publish(.binary(0x08, bytes))
            case .publishUserName: return publish(pair(bytes, topic))
            case .publishUserValue: return publish(pair(topic, bytes))
            case .filter: return Wire.packet(0x82, [0, 1, 0] + Wire.field(bytes) + [0])
            case .subscribeUserName:
                return Wire.subscribe(id: 1, [("t", 0)], properties: [pair(bytes, topic)])
            case .unsubscribedFilter: return Wire.packet(0xA2, [0, 1, 0] + Wire.field(bytes))
            case .reasonString: return Wire.disconnect(reason: 0, properties: [.binary(0x1F, bytes)])
            }
        }

        /// The broker must take these bytes in this place for malformed.
        func expectMalformed(_ bytes: [UInt8]) throws {
            let broker = try BrokerProcess.shared()
            if Place.inConnect.contains(self) {
                try RawClient.sending(packet(bytes), to: broker).expectRefusal(0x81)
            } else {
                let client = try RawClient.v5(broker)
                client.send(packet(bytes))
                try client.expectDisconnect(0x81)
            }
        }
    }

    /// Not UTF-8: a byte that never occurs, surrogates, an overlong form, a number above U+10FFFF, half a character.
    static let broken: [[UInt8]] = [
        [0x61, 0xFF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0x61, 0xC3],
    ]

    @Test("[5.0 MQTT-1.5.4-1] a string that is not UTF-8 is malformed", arguments: Place.allCases, broken)
    func brokenUTF8(place: Place, bytes: [UInt8]) throws {
        try place.expectMalformed(bytes)
    }

    @Test("[5.0 MQTT-1.5.4-1] strings at the edges of UTF-8 are taken as they are")
    func goodUTF8() throws {
        let broker = try BrokerProcess.shared()
        // U+00E9, U+D7FF, U+E000, U+1F600 and U+10FFFD: the last before and the first behind each gap.
        let text = "\u{E9}\u{D7FF}\u{E000}\u{1F600}\u{10FFFD}"
        let topic = unique("t") + "/" + text
        let client = try RawClient.v5(broker, id: unique(text))
        try client.subscribe(topic, 0)
        client.send(
            Wire.publish(
                topic: topic, payload: "x",
                properties: [.contentType(text), .responseTopic(text), .user(text, text)]))
        let message = try client.expectMessage(topic, "x")
        #expect(message.properties.contains(.contentType(text)))
        #expect(message.properties.contains(.responseTopic(text)))
        #expect(message.properties.contains(.user(text, text)))
    }

    @Test("[5.0 MQTT-1.5.4-2] a string with U+0000 is malformed", arguments: Place.allCases)
    func null(place: Place) throws {
        try place.expectMalformed([0x61, 0x00, 0x62])
    }

    @Test("[5.0 MQTT-1.5.7-1] name and value of a user property are strings like any other")
    func stringPairs() throws {
        for place in [Place.connectUserName, .connectUserValue, .willUserName, .willUserValue] {
            try place.expectMalformed([0xFF])
        }
        for place in [Place.publishUserName, .publishUserValue, .subscribeUserName] {
            try place.expectMalformed([0xED, 0xA0, 0x80])
        }
    }

    @Test("[5.0 MQTT-1.5.4-3] EF BB BF is a character of the topic, wherever it stands", arguments: [0, 1, 2])
    func byteOrderMark(position: Int) throws {
        let broker = try BrokerProcess.shared()
        let plain = unique("t")
        var marked = Array(plain.utf8)
        marked.insert(contentsOf: [0xEF, 0xBB, 0xBF], at: position * plain.utf8.count / 2)
        let with = try RawClient.v5(broker)
        with.send(Wire.packet(0x82, [0, 1, 0] + Wire.field(marked) + [0]))
        try with.expect([0x90, 4, 0, 1, 0, 0])
        let without = try RawClient.v5(broker)
        try without.subscribe(plain, 0)
        let publisher = try RawClient.v5(broker)
        publisher.send(Wire.publish(topic: marked, payload: Array("x".utf8), properties: []))
        #expect(try with.receivePublish().topic == marked)
        try without.expectNoMessage()
        try publisher.publish(plain, "y")
        try without.expectMessage(plain, "y")
        try with.expectNoMessage()
    }
}
