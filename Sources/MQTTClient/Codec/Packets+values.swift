// The standard's packets as `MQTTProtocol` knows them, made from and into the values our users hold.

import MQTTProtocol

extension Message.Properties {
    init(_ wire: Publish.Properties) {
        payloadFormatIndicator = wire.payloadFormatIndicator.flatMap(PayloadFormat.init)
        messageExpiryIntervalSeconds = wire.messageExpiryIntervalSeconds
        contentType = wire.contentType?.text
        responseTopic = wire.responseTopic.map(Topic.init(checked:))
        correlationData = wire.correlationData
        userProperties = wire.userProperties.map(UserProperty.init)
    }
}

extension Publish.Properties {
    init(_ properties: Message.Properties) {
        self.init()
        payloadFormatIndicator = properties.payloadFormatIndicator?.rawValue
        messageExpiryIntervalSeconds = properties.messageExpiryIntervalSeconds
        contentType = properties.contentType.map { MQTTString($0) }
        responseTopic = properties.responseTopic?.name
        correlationData = properties.correlationData
        userProperties = properties.userProperties.map(\.wire)
    }
}

extension UserProperty {
    init(_ wire: MQTTProtocol.UserProperty) {
        self.init(wire.name.text, wire.value.text)
    }

    var wire: MQTTProtocol.UserProperty {
        MQTTProtocol.UserProperty(name: MQTTString(name), value: MQTTString(value))
    }
}

extension MQTTString {
    /// The bytes have been validated when they came.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Will {
    var wire: MQTTProtocol.Will {
        var properties = Publish.Properties(message.properties)
        properties.messageExpiryIntervalSeconds = nil
        var run = ByteRun()
        properties.writeProperties(to: &run)
        return MQTTProtocol.Will(
            topic: message.topic.name, payload: message.payload, qos: message.qos, retain: message.retain,
            delayIntervalSeconds: delayIntervalSeconds,
            messageExpiryIntervalSeconds: message.properties.messageExpiryIntervalSeconds,
            forwardedProperties: [UInt8](run.bytes))
    }
}

extension ClientConfiguration {
    /// The CONNECT of one connection. `check` has found nothing wrong with the configuration.
    func connect(clientIdentifier: String, cleanStart: Bool, authenticationData: [UInt8]?) -> Connect {
        var connect = Connect(
            version: version, cleanStart: cleanStart, keepAliveSeconds: keepAliveSeconds,
            clientIdentifier: MQTTString(clientIdentifier), userName: userName.map { MQTTString($0) },
            password: password, will: will?.wire)
        guard version == .v5 else { return connect }
        var properties = Connect.Properties()
        if sessionExpiryIntervalSeconds != 0 {
            properties.sessionExpiryIntervalSeconds = sessionExpiryIntervalSeconds
        }
        properties.receiveMaximum = receiveMaximum
        properties.maximumPacketSize = maximumPacketSize
        properties.topicAliasMaximum = topicAliasMaximum == 0 ? nil : topicAliasMaximum
        properties.requestResponseInformation = requestResponseInformation ? true : nil
        properties.requestProblemInformation = requestProblemInformation ? nil : false
        properties.userProperties = userProperties.map(\.wire)
        properties.authenticationMethod = authenticationMethod.map { MQTTString($0) }
        properties.authenticationData = authenticationMethod == nil ? nil : authenticationData
        connect.properties = properties
        return connect
    }
}

extension ServerInformation {
    /// - Parameter requested: what CONNECT asked for, which holds where the server says nothing.
    init(_ connack: Connack, requested: ClientConfiguration) {
        let properties = connack.properties
        sessionPresent = connack.sessionPresent
        assignedClientIdentifier = properties.assignedClientIdentifier?.text
        keepAliveSeconds = properties.serverKeepAliveSeconds ?? requested.keepAliveSeconds
        if requested.version == .v5 {
            sessionExpiryIntervalSeconds =
                properties.sessionExpiryIntervalSeconds ?? requested.sessionExpiryIntervalSeconds
        } else {
            sessionExpiryIntervalSeconds = requested.cleanStart ? 0 : .max
        }
        receiveMaximum = properties.receiveMaximum ?? .max
        maximumQoS = properties.maximumQoS ?? .exactlyOnce
        retainAvailable = properties.retainAvailable ?? true
        maximumPacketSize = properties.maximumPacketSize
        topicAliasMaximum = properties.topicAliasMaximum ?? 0
        wildcardSubscriptionAvailable = properties.wildcardSubscriptionAvailable ?? true
        subscriptionIdentifierAvailable =
            requested.version == .v5 && (properties.subscriptionIdentifierAvailable ?? true)
        sharedSubscriptionAvailable = properties.sharedSubscriptionAvailable ?? true
        responseInformation = properties.responseInformation?.text
        serverReference = properties.serverReference?.text
        reasonString = properties.reasonString?.text
        userProperties = properties.userProperties.map(UserProperty.init)
    }
}
