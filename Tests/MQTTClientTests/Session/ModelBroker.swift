import MQTTProtocol

/// A server of a hundred lines for one client: it keeps one session, remembers what it was given, and sends messages of its
/// own. Packets come in and go out as values.
struct ModelBroker {
    struct Outgoing {
        var identifier: UInt16
        var publish: Publish
        var isReleased = false
    }

    var receiveMaximum: UInt16?
    var topicAliasMaximum: UInt16?
    /// How many messages it sends before it waits for acknowledgements.
    var windowMax = 8

    private(set) var hasSession = false
    /// Payloads as they were taken over, in order.
    private(set) var taken: [QoS: [Int]] = [:]
    private var receivedIdentifiers: Set<UInt16> = []
    private var outgoing: [Outgoing] = []
    private var backlog: [Publish] = []
    private var lastIdentifier: UInt16 = 0
    private var aliases: [UInt16: MQTTString] = [:]
    private(set) var unacknowledgedMax = 0
    private var unacknowledged: Set<UInt16> = []
    private(set) var faults: [String] = []
    var filters: Set<MQTTString> = []
    private(set) var isConnected = false

    var isIdle: Bool { outgoing.isEmpty && backlog.isEmpty }

    /// The server forgets: as after a restart without storage.
    mutating func forgetSession() {
        hasSession = false
        receivedIdentifiers = []
        outgoing = []
        filters = []
    }

    mutating func cut() {
        isConnected = false
        aliases = [:]
        unacknowledged = []
    }

    /// A message for the client.
    mutating func send(_ number: Int, _ qos: QoS) {
        backlog.append(Publish(qos: qos, topic: "down", payload: bytes(number)))
    }

    /// Messages that may go out now.
    mutating func flush() -> [Packet] {
        guard isConnected, !filters.isEmpty else { return [] }
        var out: [Packet] = []
        while !backlog.isEmpty, outgoing.count < windowMax {
            var publish = backlog.removeFirst()
            guard publish.qos != .atMostOnce else {
                out.append(.publish(publish))
                continue
            }
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
            publish.packetIdentifier = lastIdentifier
            outgoing.append(Outgoing(identifier: lastIdentifier, publish: publish))
            out.append(.publish(publish))
        }
        return out
    }

    mutating func receive(_ packet: Packet) -> [Packet] {
        switch packet {
        case .connect(let connect): return receive(connect)
        case .publish(let publish): return receive(publish)
        case .pubrel(let pubrel):
            receivedIdentifiers.remove(pubrel.packetIdentifier)
            unacknowledged.remove(pubrel.packetIdentifier)
            return [.pubcomp(Pubcomp(packetIdentifier: pubrel.packetIdentifier))]
        case .puback(let puback):
            outgoing.removeAll { $0.identifier == puback.packetIdentifier }
            return []
        case .pubrec(let pubrec):
            guard let at = outgoing.firstIndex(where: { $0.identifier == pubrec.packetIdentifier }) else {
                return [
                    .pubrel(Pubrel(packetIdentifier: pubrec.packetIdentifier, reasonCode: .packetIdentifierNotFound))
                ]
            }
            outgoing[at].isReleased = true
            return [.pubrel(Pubrel(packetIdentifier: pubrec.packetIdentifier))]
        case .pubcomp(let pubcomp):
            outgoing.removeAll { $0.identifier == pubcomp.packetIdentifier }
            return []
        case .subscribe(let subscribe):
            filters.formUnion(subscribe.subscriptions.map(\.filter))
            return [
                .suback(
                    Suback(
                        packetIdentifier: subscribe.packetIdentifier,
                        reasonCodes: subscribe.subscriptions.map { ReasonCode(rawValue: $0.qos.rawValue) }))
            ]
        case .unsubscribe(let unsubscribe):
            filters.subtract(unsubscribe.filters)
            return [
                .unsuback(
                    Unsuback(
                        packetIdentifier: unsubscribe.packetIdentifier,
                        reasonCodes: unsubscribe.filters.map { _ in .success }))
            ]
        case .pingreq: return [.pingresp(Pingresp())]
        case .disconnect(let disconnect):
            if disconnect.reasonCode.isError { faults.append("\(disconnect)") }
            return []
        default:
            faults.append("\(packet.type)")
            return []
        }
    }

    private mutating func receive(_ connect: Connect) -> [Packet] {
        if connect.cleanStart { forgetSession() }
        let isPresent = hasSession
        hasSession = true
        isConnected = true
        var properties = Connack.Properties()
        properties.receiveMaximum = receiveMaximum
        properties.topicAliasMaximum = topicAliasMaximum
        var out: [Packet] = [.connack(Connack(sessionPresent: isPresent, reasonCode: .success, properties: properties))]
        for flow in outgoing {
            if flow.isReleased {
                out.append(.pubrel(Pubrel(packetIdentifier: flow.identifier)))
            } else {
                var publish = flow.publish
                publish.duplicate = true
                out.append(.publish(publish))
            }
        }
        return out
    }

    private mutating func receive(_ publish: Publish) -> [Packet] {
        if let alias = publish.properties.topicAlias {
            if publish.topic.isEmpty {
                if aliases[alias] == nil { faults.append("unknown alias \(alias)") }
            } else {
                aliases[alias] = publish.topic
            }
        }
        switch publish.qos {
        case .atMostOnce:
            taken[.atMostOnce, default: []].append(number(publish.payload))
            return []
        case .atLeastOnce:
            taken[.atLeastOnce, default: []].append(number(publish.payload))
            return [.puback(Puback(packetIdentifier: publish.packetIdentifier))]
        case .exactlyOnce:
            unacknowledged.insert(publish.packetIdentifier)
            unacknowledgedMax = max(unacknowledgedMax, unacknowledged.count)
            if receivedIdentifiers.insert(publish.packetIdentifier).inserted {
                taken[.exactlyOnce, default: []].append(number(publish.payload))
            } else if !publish.duplicate {
                faults.append("identifier \(publish.packetIdentifier) used twice")
            }
            return [.pubrec(Pubrec(packetIdentifier: publish.packetIdentifier))]
        }
    }
}

func bytes(_ number: Int) -> [UInt8] { Array(String(number).utf8) }
func number(_ bytes: [UInt8]) -> Int { Int(String(decoding: bytes, as: UTF8.self)) ?? -1 }
