import MQTTTestKit
import Testing

/// Two clients and a topic of their own: what most tests of delivery need.
struct Conversation {
    let publisher: RawClient
    let subscriber: RawClient
    let subscriberID: String
    let topic: String

    /// Connects both; subscribes to the topic when `qos` is given.
    init(subscribing qos: UInt8? = nil, cleanStart: Bool = true, version: UInt8 = 4) throws {
        let broker = try BrokerProcess.shared()
        subscriberID = unique("s")
        topic = unique("t") + "/x"
        publisher = try RawClient.connected(to: broker, version: version)
        subscriber = try RawClient.connected(to: broker, id: subscriberID, version: version, cleanStart: cleanStart)
        if let qos { try subscriber.subscribe(topic, qos) }
    }

    /// The subscriber's session on a new connection.
    func reconnected(cleanStart: Bool = false) throws -> RawClient {
        try RawClient.connected(
            to: .shared(), id: subscriberID, version: subscriber.version, cleanStart: cleanStart)
    }

    /// Everything that the subscriber gets for what was published so far. The last step is a message that must arrive,
    /// so that "nothing" is never a matter of being too early.
    func delivered() throws -> [ReceivedPacket] {
        try delivered(to: subscriber)
    }

    /// The same for another client. It is subscribed to a topic of its own for this.
    func delivered(to client: RawClient, file: StaticString = #fileID, line: UInt = #line) throws -> [ReceivedPacket] {
        let mark = unique("mark")
        client.send(Wire.subscribe(id: 65_000, [(mark, 0)], properties: client.version == 5 ? [] : nil))
        var packets: [ReceivedPacket] = []
        while true {
            let packet = try client.receive(file: file, line: line)
            if packet.kind == .suback, packet.packetID == 65_000 { break }
            packets.append(packet)
        }
        try publisher.publish(mark, "", file: file, line: line)
        while true {
            let packet = try client.receive(file: file, line: line)
            if packet.kind == .publish, packet.topicText == mark { return packets }
            packets.append(packet)
        }
    }
}

/// The payloads, for comparing a delivery at a glance.
func texts(_ packets: [ReceivedPacket]) -> [String] { packets.map(\.payloadText) }
