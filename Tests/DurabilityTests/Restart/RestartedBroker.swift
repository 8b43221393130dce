import Glibc
import MQTTTestKit
import Testing

/// A broker on a store of its own that can be ended and started again, and the steps that most of these tests take.
final class RestartedBroker {
    let store: StoreFolder
    private(set) var broker: BrokerProcess
    private let settings: String
    private let eventLoops: Int?

    init(_ settings: String = "", eventLoops: Int? = nil) throws {
        store = try StoreFolder()
        self.settings = settings
        self.eventLoops = eventLoops
        broker = try store.start(settings, eventLoops: eventLoops)
    }

    /// Ends it, and starts another one on the same store.
    func restart(_ end: End, eventLoops: Int? = nil) throws {
        try end.of(broker)
        broker = try store.start(settings, eventLoops: eventLoops ?? self.eventLoops)
    }

    func client(
        _ id: String = unique("c"), version: UInt8 = 5, cleanStart: Bool = false, will: Wire.Will? = nil,
        properties: [Property]? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws -> RawClient {
        try .patient(
            broker, id: id, version: version, cleanStart: cleanStart, will: will, properties: properties, file: file,
            line: line)
    }

    /// A client whose session must be there.
    func known(
        _ id: String, version: UInt8 = 5, properties: [Property]? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) throws -> RawClient {
        let client = try client(id, version: version, properties: properties, file: file, line: line)
        guard client.connack?.sessionPresent == true else {
            throw Mismatch(.unexpected, "the session of \(id) is gone\n\(broker.log)", file, line)
        }
        return client
    }

    /// A session that subscribes and leaves.
    func away(
        _ id: String, _ filter: String, _ options: UInt8, version: UInt8 = 5, properties: [Property]? = nil
    ) throws {
        let client = try client(id, version: version, properties: properties)
        try client.subscribe(filter, options)
        try client.disconnect()
    }

    /// What a new subscriber is told of this filter: at least `count` messages, and no more while a message goes round.
    func retained(_ filter: String, count: Int) throws -> [ReceivedPacket] {
        let (client, mark) = (try client(cleanStart: true), unique("mark"))
        try client.subscribe(mark, 1, id: 2)
        try client.subscribe(filter, 2)
        var packets: [ReceivedPacket] = []
        for _ in 0..<count { packets.append(try client.receivePublish()) }
        try self.client(cleanStart: true).publish(mark, "", qos: 1)
        while true {
            let packet = try client.receivePublish()
            if packet.topicText == mark { return packets }
            packets.append(packet)
        }
    }
}

/// Receives this many PUBLISH packets and finishes their handshakes; their payloads, in order.
func payloads(_ count: Int, _ client: RawClient) throws -> [String] {
    try (0..<count).map { _ in try client.receivePublish().payloadText }
}
