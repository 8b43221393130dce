import MQTTTestKit
import Testing

/// Several event loops share the clients: everything works as with one, wherever two clients happen to live. There are
/// enough clients in each test that all loops have some, whichever way their names fall.
@Suite("Several event loops", .serialized, .blocking)
struct EventLoopTests {
    private static let conf = BrokerProcess.anonymous + "event_loops 3\nsys_interval 1\n"

    @Test("What several publish reaches several, complete and in each publisher's order", arguments: [UInt8(0), 1, 2])
    func publishSubscribe(qos: UInt8) throws {
        let broker = try BrokerProcess.start(Self.conf)
        let subscribers = try (0..<6).map { number in
            let client = try RawClient.patient(broker, version: number % 2 == 0 ? 4 : 5)
            try client.subscribe("all/+", 2)
            return client
        }
        let publishers = try (0..<6).map { number in try RawClient.patient(broker, version: number % 2 == 0 ? 5 : 4) }
        let perPublisher = 20
        for message in 0..<perPublisher {
            for (number, publisher) in publishers.enumerated() {
                try publisher.publish("all/\(number)", "\(message)", qos: qos)
            }
        }
        for subscriber in subscribers {
            var received: [String: [Int]] = [:]
            for _ in 0..<publishers.count * perPublisher {
                let packet = try subscriber.receivePublish()
                #expect(packet.qos == qos)
                received[packet.topicText, default: []].append(Int(packet.payloadText) ?? -1)
            }
            try subscriber.expectQuiet()
            #expect(received.count == publishers.count)
            #expect(received.values.allSatisfy { $0 == Array(0..<perPublisher) }, "\(received)")
        }
    }

    @Test("A subscription counts from its SUBACK on, for publishers of every loop")
    func subackMeansSubscribed() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let publishers = try (0..<6).map { _ in try RawClient.patient(broker) }
        for round in 0..<10 {
            let subscriber = try RawClient.patient(broker)
            try subscriber.subscribe("round/\(round)", 0)
            for publisher in publishers { publisher.send(Wire.publish(topic: "round/\(round)", payload: "x")) }
            #expect(try subscriber.payloads(publishers.count).count == publishers.count)
        }
    }

    @Test("Retained messages: every loop has the last one of each topic, once; a deleted one nowhere")
    func retained() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let publishers = try (0..<6).map { _ in try RawClient.patient(broker) }
        for round in 0..<3 {
            for topic in 0..<20 {
                try publishers[(round + topic) % 6].publish("r/\(topic)", "\(round)", qos: 1, retain: true)
            }
        }
        try publishers[0].publish("r/0", "", qos: 1, retain: true)
        for _ in 0..<6 {
            let client = try RawClient.patient(broker)
            try client.subscribe("r/#", 1)
            var seen: [String: String] = [:]
            for _ in 1..<20 {
                let packet = try client.receivePublish()
                #expect(packet.retain && seen[packet.topicText] == nil)
                seen[packet.topicText] = packet.payloadText
            }
            try client.expectQuiet()
            #expect(seen.values.allSatisfy { $0 == "2" } && seen["r/0"] == nil, "\(seen)")
        }
    }

    @Test("A shared subscription: each message to one member, and all members get some", arguments: [UInt8(0), 1, 2])
    func sharedSubscription(qos: UInt8) throws {
        let broker = try BrokerProcess.start(Self.conf)
        let members = try (0..<6).map { _ in
            let client = try RawClient.patient(broker, version: 5)
            try client.subscribe("$share/team/work/#", 2)
            return client
        }
        let publishers = try (0..<3).map { _ in try RawClient.patient(broker) }
        let total = 60
        for number in 0..<total { try publishers[number % 3].publish("work/x", "\(number)", qos: qos) }
        var all: [Int] = []
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        var shares = [Int](repeating: 0, count: members.count)
        while all.count < total, deadline.millisecondsLeft > 0 {
            for (number, member) in members.enumerated() {
                while let payload = try member.nextPayload(withinMilliseconds: 20) {
                    all.append(Int(payload) ?? -1)
                    shares[number] += 1
                }
            }
        }
        for member in members { try member.expectQuiet() }
        #expect(all.sorted() == Array(0..<total))
        #expect(shares.allSatisfy { $0 > 0 }, "\(shares)")
    }

    @Test("A kept session is found from every loop, with what was queued for it; the older connection is closed")
    func takeover() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let publishers = try (0..<3).map { _ in try RawClient.patient(broker) }
        for number in 0..<6 {
            let id = unique("kept")
            let expiry = [Property.sessionExpiryInterval(300)]
            let first = try RawClient.patient(broker, id: id, version: 5, cleanStart: false, properties: expiry)
            try first.subscribe("for/\(number)", 1)
            first.close()
            for message in 0..<30 {
                try publishers[message % 3].publish("for/\(number)", "\(message)", qos: 1)
            }
            let second = try RawClient.patient(broker, id: id, version: 5, cleanStart: false, properties: expiry)
            #expect(second.connack?.sessionPresent == true)
            #expect(try second.payloads(30).compactMap { Int($0) }.sorted() == Array(0..<30))
            let third = try RawClient.patient(broker, id: id, version: 5, cleanStart: false, properties: expiry)
            #expect(third.connack?.sessionPresent == true)
            #expect(try second.packetsUntilClosed().last?.reasonCode == 0x8E)
            try publishers[0].publish("for/\(number)", "last", qos: 1)
            #expect(try third.payloads(1) == ["last"])
        }
    }

    @Test("A lost client's will reaches every loop")
    func will() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let watchers = try (0..<6).map { _ in
            let client = try RawClient.patient(broker)
            try client.subscribe("gone/+", 1)
            return client
        }
        for number in 0..<6 {
            let client = try RawClient.patient(
                broker, will: Wire.Will(topic: "gone/\(number)", payload: "\(number)", qos: 1))
            client.reset()
            for watcher in watchers { #expect(try watcher.payloads(1) == ["\(number)"]) }
        }
    }

    @Test("A reader on another loop that stops: its publisher goes on, and what it misses is counted")
    func slowReader() throws {
        let broker = try BrokerProcess.start(Self.conf + "slow_reader_wait 300\noutput_buffer_bytes 65536\n")
        let sys = try SysReader(broker)
        let reader = try RawClient.patient(broker, receiveBufferBytes: 4_096)
        try reader.subscribe("f", 0)
        // Several, so that at least one is not on the reader's loop.
        let floods = try (0..<4).map { _ in try Flood(broker, topic: "f", payloadBytes: 10_000) }
        let each = 500
        for flood in floods { #expect(flood.send(upTo: each, withinMilliseconds: patienceMilliseconds)) }
        #expect(try sys.wait { ($0["publish/messages/dropped"] ?? 0) > 0 })
        var received = 0
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        while deadline.millisecondsLeft > 0, received + (sys["publish/messages/dropped"] ?? 0) < each * floods.count {
            while try reader.next(withinMilliseconds: 200) != nil { received += 1 }
            try sys.listen(forMilliseconds: 100)
        }
        #expect(received + (sys["publish/messages/dropped"] ?? 0) == each * floods.count)
    }

    @Test("$SYS counts what all loops did, and each thing once")
    func sys() throws {
        let broker = try BrokerProcess.start(Self.conf)
        let sys = try SysReader(broker)
        let clients = try (0..<9).map { number in
            let client = try RawClient.patient(broker)
            try client.subscribe("own/\(number)", 0)
            return client
        }
        for (number, client) in clients.enumerated() {
            try client.publish("other/\(number)", "12345", qos: 1, retain: true)
        }
        #expect(try sys.wait { $0["publish/messages/received"] == 9 && $0["publish/bytes/received"] == 45 })
        #expect(try sys.wait { $0["clients/connected"] == 10 && $0["clients/total"] == 10 })
        #expect(try sys.wait { $0["subscriptions/count"] == 10 }, "\(sys["subscriptions/count"] ?? -1)")
        #expect(
            try sys.wait { $0["retained messages/count"] == $0.values.count + 9 },
            "\(sys["retained messages/count"] ?? -1), \(sys.values.count) of them $SYS")
    }
}

extension RawClient {
    /// The payload of the next PUBLISH, its handshake finished; nil where nothing comes in this time.
    func nextPayload(withinMilliseconds limit: Int) throws -> String? {
        do {
            return try receivePublish(withinMilliseconds: limit).payloadText
        } catch let mismatch as Mismatch where mismatch.reason == .timedOut {
            return nil
        }
    }
}
