import MQTTTestKit
import Testing

/// Chapters 4.1, 4.2, 4.5 and 4.6: what a session holds, how long, and in which order it gives it out.
@Suite(.blocking) struct V50StateAndOrderTests {
    @Test(
        "[5.0 MQTT-4.1.0-1] session state is not dropped while the connection is open", arguments: [0, 1] as [UInt32])
    func keptWhileOpen(expiry: UInt32) throws {
        let topic = unique("t")
        let client = try RawClient.v5(.sessionExpiryInterval(expiry))
        let publisher = try RawClient.v5()
        try client.subscribe(topic, 2)
        try publisher.publish(topic, "open", qos: 2)
        let id = try #require(try client.receiveUnanswered().packetID)
        pause(milliseconds: 2_600)
        client.send(Wire.pubrec(id))
        try client.expect(Wire.pubrel(id))
        client.send(Wire.pubcomp(id))
        try publisher.publish(topic, "still there", qos: 1)
        #expect(try client.receivePublish().payloadText == "still there")
    }

    @Test("[5.0 MQTT-4.1.0-2] session state is dropped once the connection is closed and the interval has passed")
    func droppedAfterInterval() throws {
        let topic = unique("t")
        let publisher = try RawClient.v5()
        /// A client that stays away, and whether its session was there when it came back.
        func present(expiry: UInt32, away milliseconds: UInt32) throws -> (Bool, [ReceivedPacket]) {
            let id = unique("c")
            let farewell = unique("w")
            try publisher.subscribe(farewell, 0)
            let client = try RawClient.v5(
                .sessionExpiryInterval(expiry), id: id, will: .init(topic: farewell, payload: "gone"))
            try client.subscribe(topic, 1)
            client.close()
            // The broker has seen it go; else the client would take over.
            #expect(try publisher.receivePublish().payloadText == "gone")
            pause(milliseconds: milliseconds)
            let again = try RawClient(.shared(), version: 5)
            let connack = try again.connect(id: id, version: 5, cleanStart: false)
            try publisher.publish(topic, "x", qos: 1)
            return (connack.sessionPresent, try again.everything(from: publisher))
        }
        let long = try present(expiry: 60, away: 50)
        #expect(long.0 && long.1.count == 1)
        let short = try present(expiry: 1, away: 3_200)
        #expect(!short.0 && short.1.isEmpty)
        let none = try present(expiry: 0, away: 200)
        #expect(!none.0 && none.1.isEmpty)
        let never = try present(expiry: 0xFFFF_FFFF, away: 1_200)
        #expect(never.0 && never.1.count == 1)
    }

    @Test("[5.0 facts] the interval of the newest connection counts, and starts when it ends")
    func newestInterval() throws {
        let id = unique("c")
        let first = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        try first.subscribe(unique("t"), 1)
        first.close()
        let second = try RawClient(.shared(), version: 5)
        #expect(try second.connect(id: id, version: 5, cleanStart: false).sessionPresent)
        try second.disconnect()  // expiry 0 by default
        let third = try RawClient(.shared(), version: 5)
        #expect(try third.connect(id: id, version: 5, cleanStart: false).sessionPresent == false)
    }

    @Test("[5.0 MQTT-4.2.0-1] TCP carries MQTT both ways, ordered and whole, however it is cut")
    func transport() throws {
        let topic = unique("t")
        let client = try RawClient(.shared(), version: 5)
        let payload = String(repeating: "0123456789abcdef", count: 4_096)
        client.sendSlowly(Wire.connect(id: unique("c"), version: 5))
        try client.expect(.connack)
        client.sendSlowly(Wire.subscribe(id: 1, [(topic, 0)], properties: []), pieceBytes: 3)
        try client.expect(.suback)
        client.sendSlowly(Wire.publish(topic: topic, payload: payload, properties: []), pieceBytes: 5_000)
        #expect(try client.receivePublish().payloadText == payload)
        // Many packets in one piece.
        client.send((0..<200).flatMap { Wire.publish(topic: topic, payload: "\($0)", properties: []) })
        for number in 0..<200 { #expect(try client.receivePublish().payloadText == "\(number)") }
    }

    @Test(
        "[5.0 MQTT-4.5.0-1] a message is added to the session of every matching subscriber",
        arguments: [1, 2] as [UInt8])
    func everyMatchingSession(qos: UInt8) throws {
        let base = unique("t")
        let filters = [base + "/a", base + "/+", base + "/#", base + "/a/#", "$share/g/\(base)/a"]
        let online = try filters.map { filter in
            let client = try RawClient.v5()
            try client.subscribe(filter, qos)
            return client
        }
        let offline = try filters.dropLast().map { filter in
            let id = unique("c")
            let client = try RawClient.v5(.sessionExpiryInterval(60), id: id)
            try client.subscribe(filter, qos)
            try client.disconnect()
            return id
        }
        let stranger = try RawClient.v5()
        try stranger.subscribe(base + "/b", qos)
        let publisher = try RawClient.v5()
        try publisher.publish(base + "/a", "for all", qos: qos)
        for client in online { #expect(try client.everything(from: publisher).map(\.payloadText) == ["for all"]) }
        for id in offline {
            let packets = try RawClient.resumed(id).everything(from: publisher)
            #expect(packets.map(\.payloadText) == ["for all"])
        }
        #expect(try stranger.everything(from: publisher).isEmpty)
    }

    // MARK: order

    /// Publishes `numbers`, at most ten at a time on their way to the broker, with all steps of the handshake.
    private func publish(_ numbers: Range<Int>, to topics: [String], qos: UInt8, from publisher: RawClient) throws {
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 10) {
            let batch = start..<min(start + 10, numbers.upperBound)
            let ids = batch.indices.map { UInt16($0 - start + 1) }
            for (number, id) in zip(batch, ids) {
                publisher.send(
                    Wire.publish(
                        topic: topics[number % topics.count], payload: "\(number)", qos: qos, id: id, properties: []))
            }
            guard qos > 0 else { continue }
            for id in ids { try publisher.expectAcknowledgement(qos == 1 ? .puback : .pubrec, id) }
            guard qos == 2 else { continue }
            for id in ids { publisher.send(Wire.pubrel(id)) }
            for id in ids { try publisher.expectAcknowledgement(.pubcomp, id) }
        }
    }

    @Test(
        "[5.0 MQTT-4.6.0-5] messages of one publisher, topic and QoS arrive in order", arguments: [0, 1, 2] as [UInt8])
    func ordered(qos: UInt8) throws {
        let topic = unique("t")
        let readers = try (0..<2).map { _ in
            let reader = try RawClient.v5()
            try reader.subscribe(topic, 2)
            return reader
        }
        let publisher = try RawClient.v5()
        let wanted = (0..<1_000).map(String.init)
        var received: [[String]] = [[], []]
        for start in stride(from: 0, to: 1_000, by: 250) {
            try publish(start..<start + 250, to: [topic], qos: qos, from: publisher)
            for (index, reader) in readers.enumerated() {
                received[index] += try reader.everything(from: publisher).map(\.payloadText)
            }
        }
        for list in received { #expect(list == wanted) }
    }

    @Test(
        "[5.0 MQTT-4.6.0-6] every topic is ordered by default for non-shared subscriptions",
        arguments: [1, 2] as [UInt8])
    func orderedByDefault(qos: UInt8) throws {
        let base = unique("t")
        let id = unique("c")
        let reader = try RawClient.v5(.sessionExpiryInterval(60), .receiveMaximum(3), id: id)
        try reader.subscribe(base + "/#", qos)
        let publisher = try RawClient.v5()
        let topics = [base + "/x", base + "/y"]
        // Through a small window, a queue behind it, and a connection that breaks in between.
        try publish(0..<60, to: topics, qos: qos, from: publisher)
        let before = try (0..<20).map { _ in try received(by: reader) }
        reader.reset()
        try publish(60..<120, to: topics, qos: qos, from: publisher)
        let again = try RawClient.resumed(id, .receiveMaximum(4))
        let after = try again.everything(from: publisher)
        for remainder in 0...1 {
            // A message whose answer the broker had not seen may come twice, but only right at the break.
            var numbers: [Int] = []
            for packet in before + after {
                let number = try #require(Int(packet.payloadText))
                if number % 2 == remainder, !(packet.dup && numbers.contains(number)) { numbers.append(number) }
            }
            #expect(numbers == Array(stride(from: remainder, to: 120, by: 2)))
        }
    }

    /// One PUBLISH, answered; a PUBREL in between is answered too.
    private func received(by reader: RawClient) throws -> ReceivedPacket {
        for _ in 0..<100 {
            let packet = try reader.receive()
            reader.answer(packet)
            if packet.kind == .publish { return packet }
        }
        throw Mismatch(.unexpected, "a hundred packets, and none is PUBLISH", #fileID, #line)
    }

    // MARK: message expiry

    @Test("[5.0 facts] a message that waits loses whole seconds of its expiry, and goes when nothing is left")
    func expiryWhileWaiting() throws {
        let topic = unique("t")
        let id = unique("c")
        let client = try RawClient.v5(.sessionExpiryInterval(60), id: id)
        try client.subscribe(topic, 1)
        client.close()
        let publisher = try RawClient.v5()
        for (name, expiry) in [("short", 1), ("long", 100), ("longest", 0xFFFF_FFFF)] as [(String, UInt32)] {
            try publisher.publish(topic, name, qos: 1, properties: [.messageExpiryInterval(expiry)])
        }
        try publisher.publish(topic, "forever", qos: 1)
        pause(milliseconds: 2_200)
        let packets = try RawClient.resumed(id).everything(from: publisher)
        #expect(packets.map(\.payloadText) == ["long", "longest", "forever"])
        let left = packets.map { $0.number(0x02) }
        #expect(left.count == 3 && (38...98).contains(left[0] ?? 0))
        #expect(left.count == 3 && (0xFFFF_FFC1...0xFFFF_FFFD).contains(left[1] ?? 0))
        #expect(left.last == .some(nil))
    }

    @Test("[5.0 facts] a message that does not wait keeps its expiry")
    func expiryAtOnce() throws {
        let topic = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        try client.subscribe(topic, 0)
        try publisher.publish(topic, "x", qos: 1, properties: [.messageExpiryInterval(100)])
        #expect((40...100).contains(try client.receivePublish().number(0x02) ?? 0))
        try publisher.publish(topic, "x", qos: 1)
        #expect(try client.receivePublish().property(0x02).isEmpty)
    }

    @Test("[5.0 facts] a retained message expires, and until then tells what is left")
    func retainedExpiry() throws {
        let base = unique("t")
        let publisher = try RawClient.v5()
        try publisher.publish(base + "/short", "x", qos: 1, retain: true, properties: [.messageExpiryInterval(1)])
        try publisher.publish(base + "/long", "x", qos: 1, retain: true, properties: [.messageExpiryInterval(100)])
        pause(milliseconds: 2_200)
        let client = try RawClient.v5()
        try client.subscribe(base + "/#", 1)
        let packet = try client.receivePublish()
        #expect(packet.topicText == base + "/long")
        #expect((38...98).contains(packet.number(0x02) ?? 0))
        #expect(try client.everything(from: publisher).isEmpty)
    }

    // MARK: overlapping subscriptions

    @Test("[5.0 facts] overlapping subscriptions give one copy at the highest QoS with all identifiers")
    func overlapping() throws {
        let base = unique("t")
        let client = try RawClient.v5()
        let publisher = try RawClient.v5()
        let filters: [(String, UInt8, Int)] = [("/a", 0, 7), ("/+", 2, 8), ("/#", 1, 9), ("/b", 2, 10)]
        for (filter, qos, identifier) in filters {
            try client.subscribe(base + filter, qos, properties: [.subscriptionIdentifier(identifier)])
        }
        try withKnownDifference(.mosquitto, "overlapping subscriptions give one copy each") {
            try publisher.publish(base + "/a", "x", qos: 2)
            let packets = try client.everything(from: publisher)
            #expect(packets.map(\.qos) == [2])
            #expect(packets.map { Set($0.variableByteIntegers(0x0B)) } == [[7, 8, 9]])
        }
    }
}
