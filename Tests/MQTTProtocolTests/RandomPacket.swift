import MQTTProtocol
import SeededRandom

/// Random packets that are allowed in a version, from a seed.
struct RandomPacket {
    var random: SeededGenerator
    let version: ProtocolVersion

    init(seed: UInt64, version: ProtocolVersion) {
        random = SeededGenerator(seed: seed)
        self.version = version
    }

    mutating func next() -> Packet {
        let types = PacketType.allCases.filter { $0 != .auth || version == .v5 }
        switch types.randomElement(using: &random) ?? .pingreq {
        case .connect: return .connect(connect())
        case .connack: return .connack(connack())
        case .publish: return .publish(publish())
        case .puback: return .puback(acknowledgement(.puback))
        case .pubrec: return .pubrec(acknowledgement(.pubrec))
        case .pubrel: return .pubrel(acknowledgement(.pubrel))
        case .pubcomp: return .pubcomp(acknowledgement(.pubcomp))
        case .subscribe: return .subscribe(subscribe())
        case .suback: return .suback(suback())
        case .unsubscribe:
            return .unsubscribe(
                Unsubscribe(
                    packetIdentifier: identifier(), filters: (0...int(3)).map { _ in text(atLeast: 1) },
                    userProperties: userProperties()))
        case .unsuback:
            return .unsuback(
                Unsuback(
                    packetIdentifier: identifier(),
                    reasonCodes: version == .v5 ? (0...int(3)).map { _ in code(in: .unsuback) } : [],
                    reasonString: property { $0.text() }, userProperties: userProperties()))
        case .pingreq: return .pingreq(Pingreq())
        case .pingresp: return .pingresp(Pingresp())
        case .disconnect: return .disconnect(disconnect())
        case .auth:
            return .auth(
                Auth(
                    reasonCode: code(in: .authFromClient), authenticationMethod: text(),
                    authenticationData: property { $0.bytes() }, reasonString: property { $0.text() },
                    userProperties: userProperties()))
        }
    }

    // MARK: - Packets

    private mutating func connect() -> Connect {
        var connect = Connect(
            version: version, isBridge: bool(), cleanStart: bool(), keepAliveSeconds: UInt16(int(65_535)),
            clientIdentifier: text())
        if bool() { connect.userName = text() }
        if bool(), connect.userName != nil || version == .v5 { connect.password = bytes() }
        if bool() {
            connect.will = Will(topic: topic(), payload: bytes(), qos: qos(), retain: bool())
            if version == .v5 {
                connect.will?.delayIntervalSeconds = UInt32(int(1_000))
                connect.will?.messageExpiryIntervalSeconds = property { $0.number() }
                connect.will?.forwardedProperties = forwardedProperties()
            }
        }
        guard version == .v5 else { return connect }
        connect.properties.sessionExpiryIntervalSeconds = property { $0.number() }
        connect.properties.receiveMaximum = property { $0.identifier() }
        connect.properties.maximumPacketSize = property { $0.number(atLeast: 1) }
        connect.properties.topicAliasMaximum = property { $0.identifier() }
        connect.properties.requestResponseInformation = property { $0.bool() }
        connect.properties.requestProblemInformation = property { $0.bool() }
        connect.properties.userProperties = userProperties()
        connect.properties.authenticationMethod = property { $0.text() }
        if connect.properties.authenticationMethod != nil {
            connect.properties.authenticationData = property { $0.bytes() }
        }
        return connect
    }

    private mutating func connack() -> Connack {
        guard version == .v5 else {
            let codes: [ReasonCode] = [
                .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable,
                .badUserNameOrPassword, .notAuthorized,
            ]
            let code = codes.randomElement(using: &random) ?? .success
            return Connack(sessionPresent: version == .v311 && code == .success && bool(), reasonCode: code)
        }
        let reason = code(in: .connack)
        var connack = Connack(sessionPresent: reason == .success && bool(), reasonCode: reason)
        connack.properties.topicAliasMaximum = property { $0.identifier() }
        connack.properties.assignedClientIdentifier = property { $0.text() }
        connack.properties.serverKeepAliveSeconds = property { $0.identifier() }
        connack.properties.authenticationMethod = property { $0.text() }
        connack.properties.responseInformation = property { $0.text() }
        connack.properties.reasonString = property { $0.text() }
        connack.properties.serverReference = property { $0.text() }
        connack.properties.sessionExpiryIntervalSeconds = property { $0.number() }
        connack.properties.wildcardSubscriptionAvailable = property { $0.bool() }
        connack.properties.subscriptionIdentifierAvailable = property { $0.bool() }
        connack.properties.sharedSubscriptionAvailable = property { $0.bool() }
        connack.properties.userProperties = userProperties()
        connack.properties.retainAvailable = property { $0.bool() }
        connack.properties.maximumPacketSize = property { $0.number(atLeast: 1) }
        connack.properties.receiveMaximum = property { $0.identifier() }
        connack.properties.maximumQoS = property { $0.bool() ? .atMostOnce : .atLeastOnce }
        return connack
    }

    private mutating func publish() -> Publish {
        let qos = qos()
        var publish = Publish(
            duplicate: qos != .atMostOnce && bool(), qos: qos, retain: bool(), topic: topic(),
            packetIdentifier: qos == .atMostOnce ? 0 : identifier(), payload: bytes())
        guard version == .v5 else { return publish }
        publish.properties.payloadFormatIndicator = property { $0.bool() ? 1 : 0 }
        publish.properties.messageExpiryIntervalSeconds = property { $0.number() }
        publish.properties.contentType = property { $0.text() }
        publish.properties.responseTopic = property { $0.topic() }
        publish.properties.correlationData = property { $0.bytes() }
        publish.properties.subscriptionIdentifiers = (0..<int(3)).map { _ in UInt32(1 + int(268_435_454)) }
        publish.properties.topicAlias = property { $0.identifier() }
        publish.properties.userProperties = userProperties()
        if publish.properties.topicAlias != nil, bool() { publish.topic = "" }
        return publish
    }

    private mutating func acknowledgement<Kind: AcknowledgementPacket>(_ place: Place) -> Kind {
        Kind(
            packetIdentifier: identifier(), reasonCode: version == .v5 ? code(in: place) : .success,
            reasonString: property { $0.text() }, userProperties: userProperties())
    }

    private mutating func subscribe() -> Subscribe {
        Subscribe(
            packetIdentifier: identifier(), subscriptionIdentifier: property { UInt32(1 + $0.int(268_435_454)) },
            userProperties: userProperties(),
            subscriptions: (0...int(3)).map { _ in
                guard version == .v5 else { return Subscription(filter: text(atLeast: 1), qos: qos()) }
                return Subscription(
                    filter: text(atLeast: 1), qos: qos(), noLocal: bool(), retainAsPublished: bool(),
                    retainHandling: RetainHandling.allCases.randomElement(using: &random) ?? .sendAlways)
            })
    }

    private mutating func suback() -> Suback {
        let codes: [ReasonCode] = (0...int(3)).map { _ in
            switch version {
            case .v5: code(in: .suback)
            case .v311: [.grantedQoS0, .grantedQoS1, .grantedQoS2, .unspecifiedError][int(3)]
            case .v31: [.grantedQoS0, .grantedQoS1, .grantedQoS2][int(2)]
            }
        }
        return Suback(
            packetIdentifier: identifier(), reasonCodes: codes, reasonString: property { $0.text() },
            userProperties: userProperties())
    }

    private mutating func disconnect() -> Disconnect {
        guard version == .v5 else { return Disconnect() }
        var disconnect = Disconnect(reasonString: property { $0.text() }, userProperties: userProperties())
        if bool() {
            disconnect.reasonCode = code(in: .disconnectFromClient)
            disconnect.sessionExpiryIntervalSeconds = property { $0.number() }
        } else {
            disconnect.reasonCode = .serverMoved
            disconnect.serverReference = text()
        }
        return disconnect
    }

    // MARK: - Fields

    mutating func bool() -> Bool { Bool.random(using: &random) }
    mutating func int(_ most: Int) -> Int { Int.random(in: 0...most, using: &random) }
    mutating func identifier() -> UInt16 { UInt16(1 + int(65_534)) }
    mutating func number(atLeast: UInt32 = 0) -> UInt32 { UInt32.random(in: atLeast...UInt32.max, using: &random) }
    mutating func qos() -> QoS { QoS.allCases.randomElement(using: &random) ?? .atMostOnce }

    mutating func bytes() -> [UInt8] {
        let count = int(9) == 0 ? int(20_000) : int(20)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    mutating func text(atLeast: Int = 0) -> MQTTString {
        let letters = ["a", "/", "z", " ", "ß", "é", "e\u{301}", "世", "𝄞", "\u{7F}", "\u{FEFF}", "$", "+", "#"]
        return MQTTString((0..<(atLeast + int(12))).map { _ in letters[int(letters.count - 1)] }.joined())
    }

    mutating func topic() -> MQTTString {
        let letters = ["a", "/", "z", " ", "ß", "世", "𝄞", "$"]
        return MQTTString((0...int(20)).map { _ in letters[int(letters.count - 1)] }.joined())
    }

    mutating func userProperties() -> [UserProperty] {
        guard version == .v5, bool() else { return [] }
        return (0..<int(4)).map { _ in UserProperty(name: text(), value: text()) }
    }

    /// Half of the time, and in 5.0 only.
    mutating func property<Value>(_ make: (inout Self) -> Value) -> Value? {
        version == .v5 && bool() ? make(&self) : nil
    }

    mutating func code(in place: Place) -> ReasonCode {
        let allowed = (UInt8(0)...255).map { ReasonCode(rawValue: $0) }.filter { $0.isAllowed(in: place) }
        return allowed.randomElement(using: &random) ?? .success
    }

    /// Properties 01, 03, 08, 09 and 26, each at most once but the last, in any order.
    mutating func forwardedProperties() -> [UInt8] {
        var parts: [[UInt8]] = userProperties().map { [0x26] + prefixed($0.name.bytes) + prefixed($0.value.bytes) }
        if bool() { parts.append([0x01, bool() ? 1 : 0]) }
        if bool() { parts.append([0x03] + prefixed(text().bytes)) }
        if bool() { parts.append([0x08] + prefixed(topic().bytes)) }
        if bool() { parts.append([0x09] + prefixed(bytes())) }
        return parts.shuffled(using: &random).flatMap { $0 }
    }
}
