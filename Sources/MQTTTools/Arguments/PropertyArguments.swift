import MQTTProtocol

/// `-D`: properties of 5.0 by the command they are for. Owns which is allowed where and what its value may be; the conversations
/// put them into packets.
package struct PropertyArguments: Sendable {
    /// The packets that may be told properties.
    enum Command: String, Sendable, CaseIterable {
        case connect, publish, subscribe, unsubscribe, disconnect, will

        /// What a complaint calls it.
        var title: String { self == .will ? "Will" : rawValue.uppercased() }
    }

    enum Value: Sendable, Hashable {
        case number(UInt32)
        case text(String)
        case binary([UInt8])
        case pair(String, String)
    }

    private(set) var lists: [Command: [(property: Property, value: Value)]] = [:]

    /// Whether there is any: it makes the client one of 5.0.
    var isGiven: Bool { !lists.isEmpty }

    subscript(_ command: Command) -> [(property: Property, value: Value)] { lists[command] ?? [] }

    /// `-D COMMAND PROPERTY VALUE`, or `-D COMMAND user-property NAME VALUE`.
    mutating func add(_ words: [Word]) throws(ArgumentFault) {
        let name = words[0].text.lowercased()
        guard Self.commands.contains(name) else {
            throw ArgumentFault("Error: Invalid command given in --property argument.")
        }
        guard let row = Self.rows.first(where: { $0.name == words[1].text.lowercased() }) else {
            throw ArgumentFault("Error: Invalid property name given in --property argument.")
        }
        guard let place = Self.places[name], row.isAllowed(in: place) else {
            throw ArgumentFault("Error: \(row.name) property not allowed for \(name) in --property argument.")
        }
        guard let command = Command(rawValue: name), !(command == .publish && row.property == .subscriptionIdentifier)
        else {
            throw ArgumentFault("Error: \(row.name) property not supported for \(name) in --property argument.")
        }
        lists[command, default: []].append((row.property, try row.value(words)))
    }

    /// `-x`, as the property it is.
    mutating func addSessionExpiry(_ seconds: UInt32) {
        lists[.connect, default: []].append((.sessionExpiryInterval, .number(seconds)))
    }

    /// What no packet can carry; in mosquitto's words.
    func check() throws(ArgumentFault) {
        for command in Command.allCases {
            var seen: Set<Property> = []
            for (property, value) in self[command] {
                if !seen.insert(property).inserted, property != .userProperty {
                    throw fault(command, "Duplicate property in property list")
                }
                let isWrong =
                    switch (property, value) {
                    case (.payloadFormatIndicator, .number(let number)),
                        (.requestProblemInformation, .number(let number)),
                        (.requestResponseInformation, .number(let number)):
                        number > 1
                    case (.receiveMaximum, .number(0)), (.maximumPacketSize, .number(0)), (.topicAlias, .number(0)):
                        true
                    case (.subscriptionIdentifier, .number(let number)): !(1...268_435_455 ~= number)
                    case (.responseTopic, .text(let topic)): !TopicArgument.isName(topic)
                    default: false
                    }
                if isWrong {
                    throw fault(
                        command, "A network protocol error occurred when communicating with the broker.")
                }
            }
        }
    }

    private func fault(_ command: Command, _ what: String) -> ArgumentFault {
        ArgumentFault("Error in \(command.title) properties: \(what)", emptyLine: false)
    }
}

extension PropertyArguments {
    /// All that mosquitto knows as a command; the acknowledgements are known and refused.
    private static let commands: Set<String> = [
        "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe",
        "unsuback", "disconnect", "auth", "will",
    ]
    private static let places: [String: Place] = [
        "connect": .connect, "connack": .connack, "publish": .publishFromServer, "puback": .puback, "pubrec": .pubrec,
        "pubrel": .pubrel, "pubcomp": .pubcomp, "subscribe": .subscribe, "suback": .suback,
        "unsubscribe": .unsubscribe, "unsuback": .unsuback, "disconnect": .disconnectFromClient,
        "auth": .authFromClient, "will": .will,
    ]

    enum Kind: Sendable { case byte, short, long, variable, text, binary, pair }

    struct Row: Sendable {
        let name: String
        let property: Property
        let kind: Kind

        func isAllowed(in place: Place) -> Bool { property.isAllowed(in: place) }

        func value(_ words: [Word]) throws(ArgumentFault) -> Value {
            let word = words[2]
            switch kind {
            case .byte: return .number(try number(word, 255))
            case .short: return .number(try number(word, 65_535))
            case .long: return .number(try number(word, Int(UInt32.max)))
            case .variable: return .number(try number(word, Int(UInt32.max)))
            case .binary:
                try checkLength(word)
                return .binary(word.bytes)
            case .text: return .text(try text(word))
            case .pair: return .pair(try text(word), try text(words[3]))
            }
        }

        private func number(_ word: Word, _ maximum: Int) throws(ArgumentFault) -> UInt32 {
            let value = CNumber.integer(word)
            guard 0...maximum ~= value else {
                throw ArgumentFault("Error: Property value (\(value)) out of range for property \(name).")
            }
            return UInt32(value)
        }

        private func text(_ word: Word) throws(ArgumentFault) -> String {
            try checkLength(word)
            guard let text = word.validText else {
                throw ArgumentFault("Error: Malformed UTF-8 in --property argument.")
            }
            return text
        }

        private func checkLength(_ word: Word) throws(ArgumentFault) {
            guard word.bytes.count <= 65_535 else {
                throw ArgumentFault("Error: Property value too long for property \(name).")
            }
        }
    }

    static func name(of property: Property) -> String {
        rows.first { $0.property == property }?.name ?? "property"
    }

    static let rows: [Row] = [
        Row(name: "payload-format-indicator", property: .payloadFormatIndicator, kind: .byte),
        Row(name: "message-expiry-interval", property: .messageExpiryInterval, kind: .long),
        Row(name: "content-type", property: .contentType, kind: .text),
        Row(name: "response-topic", property: .responseTopic, kind: .text),
        Row(name: "correlation-data", property: .correlationData, kind: .binary),
        Row(name: "subscription-identifier", property: .subscriptionIdentifier, kind: .variable),
        Row(name: "session-expiry-interval", property: .sessionExpiryInterval, kind: .long),
        Row(name: "assigned-client-identifier", property: .assignedClientIdentifier, kind: .text),
        Row(name: "server-keep-alive", property: .serverKeepAlive, kind: .short),
        Row(name: "authentication-method", property: .authenticationMethod, kind: .text),
        Row(name: "authentication-data", property: .authenticationData, kind: .binary),
        Row(name: "request-problem-information", property: .requestProblemInformation, kind: .byte),
        Row(name: "will-delay-interval", property: .willDelayInterval, kind: .long),
        Row(name: "request-response-information", property: .requestResponseInformation, kind: .byte),
        Row(name: "response-information", property: .responseInformation, kind: .text),
        Row(name: "server-reference", property: .serverReference, kind: .text),
        Row(name: "reason-string", property: .reasonString, kind: .text),
        Row(name: "receive-maximum", property: .receiveMaximum, kind: .short),
        Row(name: "topic-alias-maximum", property: .topicAliasMaximum, kind: .short),
        Row(name: "topic-alias", property: .topicAlias, kind: .short),
        Row(name: "maximum-qos", property: .maximumQoS, kind: .byte),
        Row(name: "retain-available", property: .retainAvailable, kind: .byte),
        Row(name: "user-property", property: .userProperty, kind: .pair),
        Row(name: "maximum-packet-size", property: .maximumPacketSize, kind: .long),
        Row(name: "wildcard-subscription-available", property: .wildcardSubscriptionAvailable, kind: .byte),
        Row(name: "subscription-identifier-available", property: .subscriptionIdentifierAvailable, kind: .byte),
        Row(name: "shared-subscription-available", property: .sharedSubscriptionAvailable, kind: .byte),
    ]
}
