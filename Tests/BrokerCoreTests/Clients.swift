import BrokerCore
import MQTTProtocol
import ShardTestKit

extension ShardHarness {
    /// A client of 5.0, unless said otherwise; persistent where `expiry` is given.
    func client(
        _ name: String, _ version: ProtocolVersion = .v5, cleanStart: Bool = true, expiry: UInt32? = nil,
        keepAlive: UInt16 = 0, will: Will? = nil, _ change: (inout Connect.Properties) -> Void = { _ in }
    ) -> TestConnection {
        var connect = Connect(
            version: version, cleanStart: cleanStart, keepAliveSeconds: keepAlive, clientIdentifier: MQTTString(name),
            will: will)
        connect.properties.sessionExpiryIntervalSeconds = expiry
        change(&connect.properties)
        let connection = self.connect(connect)
        _ = connection.takePackets()
        return connection
    }

    func subscribe(_ connection: TestConnection, _ filter: String, _ qos: QoS = .atMostOnce, identifier: UInt32? = nil)
    {
        send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 100, subscriptionIdentifier: identifier,
                    subscriptions: [Subscription(filter: MQTTString(filter), qos: qos)])), on: connection)
        run()
        _ = connection.takePackets()
    }

    func publish(
        _ connection: TestConnection, _ topic: String, _ payload: [UInt8] = [1], qos: QoS = .atMostOnce,
        identifier: UInt16 = 1, retain: Bool = false, duplicate: Bool = false
    ) {
        send(
            .publish(
                Publish(
                    duplicate: duplicate, qos: qos, retain: retain, topic: MQTTString(topic),
                    packetIdentifier: qos == .atMostOnce ? 0 : identifier, payload: payload)), on: connection)
    }

    func puback(_ connection: TestConnection, _ identifier: UInt16) {
        send(.puback(Puback(packetIdentifier: identifier)), on: connection)
    }
}

extension TestConnection {
    /// The payloads' first bytes, in order, taken.
    func takePayloads() -> [UInt8] { takePublishes().map { $0.payload.first ?? 0 } }

    func takePublishes() -> [Publish] {
        takePackets().compactMap { if case .publish(let publish) = $0 { publish } else { nil } }
    }
}
