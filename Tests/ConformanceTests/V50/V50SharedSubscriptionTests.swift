import MQTTTestKit
import Testing

/// Chapter 4.8: shared subscriptions.
@Suite(.blocking) struct V50SharedSubscriptionTests {
    /// A group of members on one topic, each at its own QoS. Sessions last when `keeps` is set.
    private final class Group {
        let name = unique("g")
        let topic = unique("t")
        let ids: [String]
        let members: [RawClient]
        let publisher: RawClient
        var filter: String { "$share/\(name)/\(topic)" }

        init(_ qos: [UInt8], keeps: Bool = false) throws {
            let ids = qos.map { _ in unique("m") }
            self.ids = ids
            members = try ids.map { try RawClient.v5(.sessionExpiryInterval(keeps ? 60 : 0), id: $0) }
            publisher = try RawClient.v5()
            for (member, qos) in zip(members, qos) { try member.subscribe(filter, qos) }
        }

        /// The member that gets the next PUBLISH, and what it gets, unanswered.
        func receiver() throws -> (index: Int, packet: ReceivedPacket) {
            let deadline = Deadline(milliseconds: patienceMilliseconds)
            while deadline.millisecondsLeft > 0 {
                for (index, member) in members.enumerated() {
                    guard let packet = try member.next(withinMilliseconds: 10) else { continue }
                    try #require(packet.kind == .publish)
                    return (index, packet)
                }
            }
            throw Mismatch(.timedOut, "no member got the message", #fileID, #line)
        }

        /// All that every member gets, until nothing is on its way.
        func everything() throws -> [[ReceivedPacket]] {
            try members.map { try $0.everything(from: publisher) }
        }
    }

    /// The broker refuses a filter, by SUBACK 8F or by hanging up, and says so.
    private func expectRefused(_ filter: String) throws {
        let client = try RawClient.v5()
        client.send(Wire.subscribe(id: 1, [(filter, 0)], properties: []))
        let answer = try client.receive()
        if answer.kind == .suback {
            #expect(answer.reasonCodes == [0x8F], "\(filter)")
        } else {
            #expect(answer.kind == .disconnect && [0x81, 0x82, 0x8F].contains(answer.reasonCode), "\(filter)")
        }
    }

    @Test("[5.0 MQTT-4.8.2-1] a shared filter has a share name", arguments: ["$share//f", "$share//", "$share///f"])
    func nameIsNotEmpty(filter: String) throws {
        try withKnownDifference(.mosquitto, "an empty share name is taken") { try expectRefused(filter) }
        // One character will do.
        let client = try RawClient.v5()
        let topic = unique("t")
        #expect(try client.subscribe(all: [("$share/g/\(topic)", 1)]) == [1])
        let publisher = try RawClient.v5()
        try publisher.publish(topic, "x", qos: 1)
        #expect(try client.receivePublish().topicText == topic)
    }

    @Test(
        "[5.0 MQTT-4.8.2-2] a share name has no wildcard, and is followed by / and a filter",
        arguments: [
            ("$share/g", true), ("$share/g/", true), ("$share/+/f", true), ("$share/#/f", false),
            ("$share/g+/f", false),
            ("$share/a#b/f", false), ("$share/+g/f", false), ("$share/#", true), ("$share/", true),
        ])
    func nameIsPlain(filter: String, isTakenByMosquitto: Bool) throws {
        try withKnownDifference(isTakenByMosquitto ? "\(filter) is taken" : nil) { try expectRefused(filter) }
    }

    @Test(
        "[5.0 facts] the filter of a shared subscription follows the ordinary rules",
        arguments: ["a#", "a/#/b", "a+", "#/a"])
    func badFilterInside(filter: String) throws { try expectRefused("$share/g/" + filter) }

    @Test("[5.0 MQTT-4.8.2-3] each member gets at most its granted QoS")
    func grantedQoS() throws {
        for qos: UInt8 in 0...2 {
            let group = try Group([qos])
            for published: UInt8 in 0...2 { try group.publisher.publish(group.topic, "", qos: published) }
            #expect(try group.everything()[0].map(\.qos) == [0, min(1, qos), qos])
        }
        let group = try Group([0, 1, 2])
        for number in 0..<30 { try group.publisher.publish(group.topic, "\(number)", qos: 2) }
        let received = try group.everything()
        for (index, packets) in received.enumerated() { #expect(packets.allSatisfy { $0.qos == UInt8(index) }) }
        #expect(received.flatMap { $0 }.count == 30)
    }

    @Test("[5.0 MQTT-4.8.2-4] a QoS 2 delivery is finished with the member that it began with")
    func begunStays() throws {
        let group = try Group([2, 2, 2], keeps: true)
        try group.publisher.publish(group.topic, "mine", qos: 2)
        let (index, packet) = try group.receiver()
        group.members[index].reset()
        for (other, member) in group.members.enumerated() where other != index {
            try member.expectNothing(forMilliseconds: 150)
        }
        let again = try RawClient.resumed(group.ids[index])
        let resent = try again.receivePublish()
        #expect((resent.packetID, resent.payloadText, resent.dup) == (packet.packetID, "mine", true))
        for (other, member) in group.members.enumerated() where other != index { try member.expectQuiet() }
    }

    @Test("[5.0 MQTT-4.8.2-5] if that member's session ends, the QoS 2 message goes to nobody else")
    func begunEndsWithSession() throws {
        for afterPubrec in [false, true] {
            let group = try Group([2, 2])
            try group.publisher.publish(group.topic, "mine", qos: 2)
            let (index, packet) = try group.receiver()
            if afterPubrec {
                group.members[index].send(Wire.pubrec(packet.packetID ?? 0))
                try group.members[index].expectAcknowledgement(.pubrel, packet.packetID ?? 0)
            }
            group.members[index].close()  // the session ends with the connection
            let other = group.members[1 - index]
            try other.expectNothing(forMilliseconds: 150)
            #expect(try other.everything(from: group.publisher).isEmpty)
        }
    }

    @Test(
        "[5.0 MQTT-4.8.2-6] a message refused with 80 or above goes to no other member", arguments: [1, 2] as [UInt8])
    func refusedIsDiscarded(qos: UInt8) throws {
        for reason: UInt8 in [0x80, 0x87, 0x97] {
            let group = try Group([qos, qos])
            try group.publisher.publish(group.topic, "refused", qos: qos)
            let (index, packet) = try group.receiver()
            let id = packet.packetID ?? 0
            group.members[index].send(qos == 1 ? Wire.puback(id, reason: reason) : Wire.pubrec(id, reason: reason))
            try group.members[index].expectQuiet()
            group.members[index].close()
            try group.members[1 - index].expectNothing(forMilliseconds: 100)
            #expect(try group.members[1 - index].everything(from: group.publisher).isEmpty)
        }
    }

    // MARK: rules without an id

    @Test("[5.0 facts] a group gets one copy of each message, whoever gets it", arguments: [0, 1, 2] as [UInt8])
    func oneCopy(qos: UInt8) throws {
        let group = try Group([qos, qos, qos])
        for number in 0..<30 {
            group.publisher.send(Wire.publish(topic: group.topic, payload: "\(number)", properties: []))
            try group.publisher.publish(group.topic, "q\(number)", qos: qos == 0 ? 1 : qos)
        }
        let received = try group.everything()
        let all = received.flatMap { $0.map(\.payloadText) }
        #expect(all.count == 60)
        #expect(Set(all).count == 60)
        // Each member sees its part in order.
        for packets in received {
            let numbers = packets.map(\.payloadText).filter { $0.hasPrefix("q") }.compactMap { Int($0.dropFirst()) }
            #expect(numbers == numbers.sorted())
        }
    }

    @Test("[5.0 facts] the members of a group share the work", arguments: [0, 1] as [UInt8])
    func turns(qos: UInt8) throws {
        let group = try Group([qos, qos, qos])
        for number in 1...9 { try group.publisher.publish(group.topic, "\(number)", qos: qos, id: UInt16(number)) }
        #expect(try group.everything().map(\.count) == [3, 3, 3])
    }

    @Test("[5.0 facts] name and filter make the group: others get copies of their own, and so do plain subscriptions")
    func groupsAreSeparate() throws {
        let topic = unique("t")
        let publisher = try RawClient.v5()
        let filters = [
            "$share/\(unique("g"))/\(topic)", "$share/\(unique("g"))/\(topic)", "$share/x/\(topic)/#", topic,
        ]
        let members = try filters.map { filter in
            let client = try RawClient.v5()
            try client.subscribe(filter, 1)
            return client
        }
        try publisher.publish(topic, "x", qos: 1)
        for member in members { #expect(try member.everything(from: publisher).count == 1) }
    }

    @Test("[5.0 facts] a member that also subscribes plainly gets a further copy")
    func sharedAndPlain() throws {
        let group = try Group([1])
        try group.members[0].subscribe(group.topic, 0)
        try group.publisher.publish(group.topic, "x", qos: 1)
        #expect(try group.everything()[0].map(\.qos).sorted() == [0, 1])
    }

    @Test("[5.0 facts] subscribing again changes a member's QoS, and does not double it")
    func memberOnce() throws {
        let group = try Group([0])
        try group.members[0].subscribe(group.filter, 2)
        for _ in 0..<4 { try group.publisher.publish(group.topic, "x", qos: 2) }
        #expect(try group.everything()[0].map(\.qos) == [2, 2, 2, 2])
        try group.members[0].unsubscribe(group.filter)
        try group.publisher.publish(group.topic, "x", qos: 2)
        #expect(try group.everything()[0].isEmpty)
    }

    @Test(
        "[5.0 facts] retained messages are never sent for a shared subscription",
        arguments: [0x00, 0x10, 0x20] as [UInt8])
    func noRetained(handling: UInt8) throws {
        let topic = unique("t")
        let publisher = try RawClient.v5()
        try publisher.publish(topic, "kept", qos: 1, retain: true)
        try withKnownDifference(handling == 0x20 ? nil : "retained messages go to shared subscriptions too") {
            let client = try RawClient.v5()
            for _ in 0..<2 { try client.subscribe("$share/g/\(topic)", 1 | handling) }
            #expect(try client.everything(from: publisher).isEmpty)
            try client.subscribe(topic, 1)  // it is there all the same
            #expect(try client.receivePublish().payloadText == "kept")
        }
    }

    @Test("[5.0 facts] UNSUBSCRIBE needs the whole string")
    func unsubscribeWhole() throws {
        let group = try Group([1])
        let member = group.members[0]
        for filter in [group.topic, "$share/other/\(group.topic)", "$share/\(group.name)/#"] {
            member.send(Wire.unsubscribe(id: 4, [filter], properties: []))
            #expect(try member.expect(.unsuback).reasonCodes == [0x11])
        }
        try group.publisher.publish(group.topic, "still", qos: 1)
        #expect(try group.everything()[0].map(\.payloadText) == ["still"])
        member.send(Wire.unsubscribe(id: 5, [group.filter], properties: []))
        #expect(try member.expect(.unsuback).reasonCodes == [0x00])
        try group.publisher.publish(group.topic, "no more", qos: 1)
        #expect(try group.everything()[0].isEmpty)
    }

    @Test("[5.0 facts] a filter in a group may begin with / or a wildcard, and then hides $ topics as ever")
    func filtersInside() throws {
        let broker = try BrokerProcess.start()
        let publisher = try RawClient.v5(on: broker)
        let slash = try RawClient.v5(on: broker)
        let wild = try RawClient.v5(on: broker)
        try slash.subscribe("$share/g//a", 0)
        try wild.subscribe("$share/g/#", 0)
        for topic in ["a", "/a", "$t/a"] { try publisher.publish(topic, topic, qos: 1) }
        func topics(_ client: RawClient) throws -> [String] {
            try client.everything(from: publisher).map(\.payloadText).filter { !$0.isEmpty }
        }
        #expect(try topics(slash) == ["/a"])
        #expect(try topics(wild) == ["a", "/a"])
    }

    @Test("[5.0 facts] a member gets its own Subscription Identifier, and no other's")
    func ownIdentifier() throws {
        let group = try Group([1])
        let other = try RawClient.v5()
        try group.members[0].subscribe(group.filter, 1, properties: [.subscriptionIdentifier(5)])
        try other.subscribe("$share/other/\(group.topic)", 1, properties: [.subscriptionIdentifier(6)])
        try group.publisher.publish(group.topic, "x", qos: 1)
        #expect(try group.members[0].receivePublish().variableByteIntegers(0x0B) == [5])
        #expect(try other.receivePublish().variableByteIntegers(0x0B) == [6])
    }

    @Test("[5.0 facts] a QoS 1 message that a leaving member had not answered goes to another")
    func redelivered() throws {
        try withKnownDifference(.mosquitto, "what a leaving member had not answered is lost") {
            let group = try Group([1, 1])
            var open = 0
            for number in 0..<6 { try group.publisher.publish(group.topic, "\(number)", qos: 1) }
            var texts: Set<String> = []
            // Nobody answers; then one leaves, and the other gets what is missing.
            let other = group.members[1]
            while let packet = try group.members[0].next(withinMilliseconds: 500) {
                texts.insert(packet.payloadText)
                open += 1
            }
            #expect(open > 0)
            group.members[0].close()
            var left = Set((0..<6).map(String.init))
            while !left.isEmpty { left.remove(try other.receivePublish().payloadText) }
            #expect(try other.everything(from: group.publisher).isEmpty)
        }
    }

    @Test(
        "[5.0 facts] a member that has left gets nothing, and the rest get everything", arguments: [0, 1, 2] as [UInt8])
    func leaving(qos: UInt8) throws {
        let group = try Group([qos, qos, qos])
        try group.members[0].disconnect()
        try group.members[1].unsubscribe(group.filter)
        for number in 0..<9 { try group.publisher.publish(group.topic, "\(number)", qos: 2) }
        #expect(try group.members[1].everything(from: group.publisher).isEmpty)
        #expect(try group.members[2].everything(from: group.publisher).map(\.payloadText) == (0..<9).map(String.init))
    }

    @Test("[5.0 facts] a group ends with its last session, its backlog too")
    func groupEnds() throws {
        let group = try Group([1], keeps: true)
        group.members[0].close()
        for number in 0..<3 { try group.publisher.publish(group.topic, "\(number)", qos: 1) }
        let fresh = try RawClient.v5(id: group.ids[0])  // a clean start ends the old session
        try fresh.subscribe(group.filter, 1)
        #expect(try fresh.everything(from: group.publisher).isEmpty)
        try group.publisher.publish(group.topic, "new", qos: 1)
        #expect(try fresh.receivePublish().payloadText == "new")
    }
}
