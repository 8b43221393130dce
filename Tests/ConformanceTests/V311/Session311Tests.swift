import MQTTTestKit
import Testing

/// What is kept between connections, and what is not: sections 3.1.2.4, 3.2.2.2, 4.1, 4.4 and 4.5.
@Suite("3.1.1 sessions", .blocking) struct Session311Tests {
    /// Connects and says what the CONNACK's first byte was.
    private func connect(_ id: String, cleanSession: Bool) throws -> (client: RawClient, flags: UInt8?) {
        let client = try RawClient(.shared())
        let connack = try client.connect(id: id, cleanStart: cleanSession)
        return (client, connack.connackFlags)
    }

    @Test("[3.1.1 MQTT-3.1.2-4] CleanSession 0 resumes the subscriptions of the session", arguments: [true, false])
    func resumed(byDisconnect: Bool) throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        if byDisconnect { try talk.subscriber.disconnect() } else { talk.subscriber.close() }
        let (again, flags) = try connect(talk.subscriberID, cleanSession: false)
        #expect(flags == 1)
        try talk.publisher.publish(talk.topic, "later", qos: 1)
        let packet = try again.receivePublish()
        #expect(packet.payloadText == "later" && packet.qos == 1)
    }

    @Test("[3.1.1 MQTT-3.1.2-5] messages of QoS 1 and 2 wait for a client that is away", arguments: [1, 2] as [UInt8])
    func queued(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        try talk.subscriber.disconnect()
        for number in 1...30 { try talk.publisher.publish(talk.topic, "\(number)", qos: qos, id: UInt16(number)) }
        let again = try talk.reconnected()
        let packets = try (1...30).map { _ in try again.receivePublish() }
        #expect(texts(packets) == (1...30).map(String.init))
        #expect(packets.allSatisfy { $0.qos == qos && !$0.dup && !$0.retain })
        try again.expectQuiet()
    }

    @Test("[3.1.1 MQTT-3.1.2-5] a message waits at the QoS granted, for each subscription of the session")
    func queuedMixed() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.subscribe(talk.topic + "/two", 2)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "a", qos: 2)
        try talk.publisher.publish(talk.topic + "/two", "b", qos: 2)
        let again = try talk.reconnected()
        let packets = try [again.receivePublish(), again.receivePublish()]
        #expect(packets.map(\.qos) == [1, 2] && texts(packets) == ["a", "b"])
    }

    /// The standard leaves this open; mosquitto's default, and Martlet's, is not to keep them (`queue_qos0_messages`).
    @Test(
        "[3.1.1 MQTT-3.1.2-5] messages of QoS 0 do not wait", arguments: [(0, 1), (1, 0), (0, 0)] as [(UInt8, UInt8)])
    func notQueued(published: UInt8, granted: UInt8) throws {
        let talk = try Conversation(subscribing: granted, cleanStart: false)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "lost", qos: published)
        let again = try talk.reconnected()
        #expect(try talk.delivered(to: again).isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.2-6] CleanSession 1 throws the old session away")
    func thrownAway() throws {
        let talk = try Conversation(subscribing: 1, cleanStart: false)
        try talk.subscriber.disconnect()
        try talk.publisher.publish(talk.topic, "old", qos: 1)
        let (clean, cleanFlags) = try connect(talk.subscriberID, cleanSession: true)
        #expect(cleanFlags == 0)
        try talk.publisher.publish(talk.topic, "between", qos: 1)
        #expect(try talk.delivered(to: clean).isEmpty)
        try clean.disconnect()
        let (kept, keptFlags) = try connect(talk.subscriberID, cleanSession: false)
        #expect(keptFlags == 0)
        try talk.publisher.publish(talk.topic, "new", qos: 1)
        #expect(try talk.delivered(to: kept).isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.2-6] a CleanSession 1 session ends with its connection", arguments: [true, false])
    func endsWithConnection(byDisconnect: Bool) throws {
        let talk = try Conversation(subscribing: 1)
        if byDisconnect { try talk.subscriber.disconnect() } else { talk.subscriber.close() }
        try talk.publisher.publish(talk.topic, "missed", qos: 1)
        let (again, flags) = try connect(talk.subscriberID, cleanSession: false)
        #expect(flags == 0)
        try talk.publisher.publish(talk.topic, "missed too", qos: 1)
        #expect(try talk.delivered(to: again).isEmpty)
    }

    @Test("[3.1.1 MQTT-3.1.2-7] retained messages outlive the session that published them", arguments: [true, false])
    func retainedOutlives(byDisconnect: Bool) throws {
        let talk = try Conversation()
        try talk.publisher.publish(talk.topic, "kept", qos: 1, retain: true)
        if byDisconnect { try talk.publisher.disconnect() } else { talk.publisher.close() }
        try talk.subscriber.subscribe(talk.topic, 0)
        #expect(try talk.subscriber.expect(.publish).payloadText == "kept")
    }

    @Test("[3.1.1 MQTT-3.1.3-2] each client id has its own session")
    func perClient() throws {
        let talk = try Conversation()
        let ids = [unique("s"), unique("s")]
        for id in ids {
            let (client, _) = try connect(id, cleanSession: false)
            try client.subscribe("\(talk.topic)/\(id)", 1)
            try client.disconnect()
        }
        for id in ids { try talk.publisher.publish("\(talk.topic)/\(id)", id, qos: 1) }
        for id in ids {
            let (client, flags) = try connect(id, cleanSession: false)
            #expect(flags == 1)
            #expect(try client.receivePublish().payloadText == id)
            try client.expectQuiet()
        }
        // Ids differ by case, and one may begin another.
        for id in [ids[0].uppercased(), String(ids[0].dropLast()) + "_"] {
            #expect(try connect(id, cleanSession: false).flags == 0)
        }
    }

    @Test("[3.1.1 MQTT-3.1.4-3] CleanSession is obeyed in every combination", arguments: [true, false], [true, false])
    func combinations(first: Bool, second: Bool) throws {
        let id = unique("s")
        let topic = unique("t")
        let (one, flags) = try connect(id, cleanSession: first)
        #expect(flags == 0)
        try one.subscribe(topic, 0)
        try one.disconnect()
        let (two, again) = try connect(id, cleanSession: second)
        let isResumed = !first && !second
        #expect(again == (isResumed ? 1 : 0))
        two.send(Wire.publish(topic: topic, payload: "1"))
        #expect(try texts(two.packets(isResumed ? 1 : 0)) == (isResumed ? ["1"] : []))
    }

    @Test("[3.1.1 MQTT-3.2.2-1] CleanSession 1 gets session present 0, even where a session was kept")
    func presentClean() throws {
        let id = unique("s")
        try connect(id, cleanSession: false).client.disconnect()
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: id, cleanStart: true))
        try client.expect([0x20, 0x02, 0x00, 0x00])
    }

    @Test("[3.1.1 MQTT-3.2.2-2] CleanSession 0 with a kept session gets session present 1")
    func presentKept() throws {
        let id = unique("s")
        for flags in [0, 1, 1] as [UInt8] {
            let client = try RawClient(.shared())
            client.send(Wire.connect(id: id, cleanStart: false))
            try client.expect([0x20, 0x02, flags, 0x00])
            try client.disconnect()
        }
    }

    @Test("[3.1.1 MQTT-3.2.2-2] a session that is taken over is present, too")
    func presentTakenOver() throws {
        let id = unique("s")
        let (old, _) = try connect(id, cleanSession: false)
        #expect(try connect(id, cleanSession: false).flags == 1)
        try old.expectClosed()
    }

    @Test("[3.1.1 MQTT-3.2.2-3] CleanSession 0 without a kept session gets session present 0")
    func presentNew() throws {
        let client = try RawClient(.shared())
        client.send(Wire.connect(id: unique("s"), cleanStart: false))
        try client.expect([0x20, 0x02, 0x00, 0x00])
    }

    @Test("[3.1.1 MQTT-4.1.0-1] a session is kept through several absences, with everything in it")
    func kept() throws {
        let talk = try Conversation(subscribing: 2, cleanStart: false)
        try talk.subscriber.subscribe(talk.topic + "/more", 1)
        try talk.subscriber.disconnect()
        for round in 1...3 {
            try talk.publisher.publish(talk.topic, "a\(round)", qos: 2)
            try talk.publisher.publish(talk.topic + "/more", "b\(round)", qos: 2)
            let again = try talk.reconnected()
            #expect(try texts([again.receivePublish(), again.receivePublish()]) == ["a\(round)", "b\(round)"])
            try again.expectQuiet()
            if round == 2 { again.close() } else { try again.disconnect() }
        }
    }

    @Test("[3.1.1 MQTT-4.1.0-2] a session lasts as long as its connection", arguments: [true, false])
    func lastsWhileConnected(cleanSession: Bool) throws {
        let talk = try Conversation(subscribing: 1, cleanStart: cleanSession)
        for number in 1...50 {
            try talk.subscriber.barrier()
            guard number % 10 == 0 else { continue }
            try talk.publisher.publish(talk.topic, "\(number)", qos: 1)
            #expect(try talk.subscriber.receivePublish().payloadText == "\(number)")
        }
    }

    @Test("[3.1.1 MQTT-4.4.0-1] what was not acknowledged is sent again on reconnect, with its ids and in order")
    func resent() throws {
        let talk = try Conversation(cleanStart: false)
        try talk.subscriber.subscribe(talk.topic + "/1", 1)
        try talk.subscriber.subscribe(talk.topic + "/2", 2)
        for (number, qos) in [(1, 1), (2, 2), (3, 1), (4, 2)] as [(Int, UInt8)] {
            try talk.publisher.publish("\(talk.topic)/\(qos)", "\(number)", qos: qos, id: UInt16(number))
        }
        let first = try (1...4).map { _ in try talk.subscriber.expect(.publish) }
        #expect(first.allSatisfy { !$0.dup })
        let ids = first.compactMap(\.packetID)
        // 1 is finished, 2 has come as far as PUBREL, 3 and 4 are open.
        talk.subscriber.send(Wire.puback(ids[0]))
        talk.subscriber.send(Wire.pubrec(ids[1]))
        try talk.subscriber.expect(Wire.pubrel(ids[1]))
        talk.subscriber.reset()
        let again = try talk.reconnected()
        let packets = try (1...3).map { _ in try again.receive() }
        #expect(packets.filter { $0.kind == .pubrel }.map(\.bytes) == [Wire.pubrel(ids[1])])
        let publishes = packets.filter { $0.kind == .publish }
        #expect(publishes.map(\.packetID) == [ids[2], ids[3]] && texts(publishes) == ["3", "4"])
        #expect(publishes.allSatisfy { $0.dup })
        again.send(Wire.pubcomp(ids[1]) + Wire.puback(ids[2]) + Wire.pubrec(ids[3]))
        try again.expect(Wire.pubrel(ids[3]))
        again.send(Wire.pubcomp(ids[3]))
        try again.expectQuiet()
        again.close()
        try talk.reconnected().expectQuiet()
    }

    @Test("[3.1.1 MQTT-4.4.0-1] a session that is taken over goes on where it was", arguments: [1, 2] as [UInt8])
    func takenOver(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        for number in 1...3 { try talk.publisher.publish(talk.topic, "\(number)", qos: qos) }
        let first = try (1...3).map { _ in try talk.subscriber.expect(.publish) }
        let again = try talk.reconnected()
        try talk.subscriber.expectClosed()
        let second = try (1...3).map { _ in try again.receivePublish() }
        #expect(second.map(\.packetID) == first.map(\.packetID) && texts(second) == ["1", "2", "3"])
        #expect(second.allSatisfy { $0.dup })
        try talk.publisher.publish(talk.topic, "4", qos: qos)
        let fourth = try again.receivePublish()
        #expect(fourth.payloadText == "4" && !fourth.dup)
    }

    @Test(
        "[3.1.1 MQTT-4.4.0-1] what is resent comes before what waited, in the order of publishing",
        arguments: [1, 2] as [UInt8])
    func resentBeforeQueued(qos: UInt8) throws {
        let talk = try Conversation(subscribing: qos, cleanStart: false)
        for number in 1...3 { try talk.publisher.publish(talk.topic, "\(number)", qos: qos) }
        for _ in 1...3 { try talk.subscriber.expect(.publish) }
        // Not `close`: the broker might not have noticed yet when 4 comes, and would send it to nobody.
        try talk.subscriber.disconnect()
        for number in 4...6 { try talk.publisher.publish(talk.topic, "\(number)", qos: qos) }
        let again = try talk.reconnected()
        let packets = try (1...6).map { _ in try again.receivePublish() }
        #expect(texts(packets) == (1...6).map(String.init))
        #expect(packets.map(\.dup) == [true, true, true, false, false, false])
    }

    @Test("[3.1.1 MQTT-4.4.0-1] the broker remembers the QoS 2 ids it has received, across connections")
    func receivedIDsKept() throws {
        let talk = try Conversation(subscribing: 2)
        let id = unique("p")
        let (before, _) = try connect(id, cleanSession: false)
        before.send(Wire.publish(topic: talk.topic, payload: "once", qos: 2, id: 7))
        try before.expect(Wire.pubrec(7))
        before.reset()
        let (after, flags) = try connect(id, cleanSession: false)
        #expect(flags == 1)
        after.send(Wire.publish(topic: talk.topic, payload: "once", qos: 2, id: 7, dup: true))
        try after.expect(Wire.pubrec(7))
        after.send(Wire.pubrel(7))
        try after.expect(Wire.pubcomp(7))
        #expect(try talk.subscriber.receivePublish().payloadText == "once")
        #expect(try talk.delivered().isEmpty)
    }

    @Test("[3.1.1 MQTT-4.5.0-1] a message goes to every matching subscriber, present or away")
    func everySubscriber() throws {
        let talk = try Conversation(subscribing: 1)
        let away = unique("s")
        let (client, _) = try connect(away, cleanSession: false)
        try client.subscribe(talk.topic + "/#", 1)
        try client.disconnect()
        let third = try RawClient.connected(to: .shared())
        try third.subscribe(talk.topic, 2)
        try talk.publisher.publish(talk.topic, "all", qos: 2)
        #expect(try talk.subscriber.receivePublish().payloadText == "all")
        #expect(try third.receivePublish().payloadText == "all")
        let (back, _) = try connect(away, cleanSession: false)
        #expect(try back.receivePublish().payloadText == "all")
    }

    @Test("[3.1.1 MQTT-4.5.0-1] who publishes to a topic he has subscribed to gets his own message")
    func ownMessage() throws {
        let client = try RawClient.connected(to: .shared())
        let topic = unique("t")
        try client.subscribe(topic, 0)
        client.send(Wire.publish(topic: topic, payload: "mine"))
        #expect(try texts(client.packets(1)) == ["mine"])
    }
}
