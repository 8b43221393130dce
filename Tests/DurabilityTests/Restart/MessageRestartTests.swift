import Glibc
import MQTTTestKit
import Testing

/// What was on its way when the broker ended: queues, handshakes of QoS 2, retained messages.
@Suite("Messages over a restart", .blocking)
struct MessageRestartTests {
    private static let properties: [Property] = [
        .payloadFormatIndicator(1), .messageExpiryInterval(1_000), .contentType("text/plain"),
        .responseTopic("answers"),
        .correlationData([0, 1, 255]), .user("name", "value"), .user("name", "again"),
    ]

    private func expectProperties(of packet: ReceivedPacket) {
        #expect((900...1_000).contains(packet.number(0x02) ?? 0))
        let others = Self.properties.filter { $0.id != 0x02 }
        #expect(packet.properties.filter { $0.id != 0x02 && $0.id != 0x0B } == others)
    }

    @Test("queued messages keep order, properties and expiry, large ones and empty ones too", arguments: End.allCases)
    func queued(_ end: End) throws {
        let world = try RestartedBroker()
        let id = unique("s")
        try world.away(id, "q/#", 2)
        let publisher = try world.client(cleanStart: true)
        try publisher.publish("q/first", "first", qos: 2, properties: Self.properties)
        try publisher.publish("q/short", "expires", qos: 1, properties: [.messageExpiryInterval(1)])
        let large = String(repeating: "0123456789", count: 30_000)
        try publisher.publish("q/large", large, qos: 1)
        try publisher.publish("q/empty", "", qos: 2)
        for number in 0..<300 { try publisher.publish("q/many", "\(number)", qos: UInt8(1 + number % 2)) }
        try publisher.publish("q/zero", "QoS 0 to nobody", qos: 0)
        try world.restart(end)
        usleep(1_100_000)
        let subscriber = try world.known(id)
        let first = try subscriber.receivePublish()
        #expect(first.payloadText == "first" && first.qos == 2)
        expectProperties(of: first)
        #expect(try subscriber.receivePublish().payloadText == large)
        let rest = try payloads(301, subscriber)
        #expect(rest == [""] + (0..<300).map(String.init))
        try subscriber.expectQuiet()
        // Nobody waits for a subscriber's acknowledgements to be kept: they are with the next message that is.
        try subscriber.publish("elsewhere", "x", qos: 1, retain: true)
        try subscriber.disconnect()
        // What was delivered is not delivered again.
        try world.restart(end)
        try world.known(id).expectQuiet()
    }

    @Test("retained messages keep properties and expiry; deleted ones stay deleted", arguments: End.allCases, [1, 3])
    func retained(_ end: End, _ eventLoops: Int) throws {
        let world = try RestartedBroker(eventLoops: eventLoops)
        let publisher = try world.client(cleanStart: true)
        try publisher.publish("r/kept", "old", qos: 1, retain: true)
        try publisher.publish("r/kept", "kept", qos: 2, retain: true, properties: Self.properties)
        try publisher.publish("r/one", "at QoS 1", qos: 1, retain: true)
        try publisher.publish("r/gone", "x", qos: 1, retain: true)
        try publisher.publish("r/gone", "", qos: 1, retain: true)
        try publisher.publish("r/short", "x", qos: 1, retain: true, properties: [.messageExpiryInterval(1)])
        try publisher.publish("r/back", "x", qos: 1, retain: true)
        try publisher.publish("r/back", "", qos: 1, retain: true)
        try publisher.publish("r/back", "back", qos: 1, retain: true)
        try world.restart(end)
        usleep(1_100_000)
        let found = try world.retained("r/#", count: 3).sorted { $0.topicText < $1.topicText }
        #expect(found.map(\.topicText) == ["r/back", "r/kept", "r/one"])
        #expect(found.map(\.payloadText) == ["back", "kept", "at QoS 1"])
        #expect(found.map(\.qos) == [1, 2, 1])
        #expect(found.map(\.retain) == [true, true, true])
        if found.count == 3 { expectProperties(of: found[1]) }
    }

    @Test("a QoS 2 identifier that was received stays received", arguments: End.allCases, [UInt8(4), 5])
    func inbound(_ end: End, _ version: UInt8) throws {
        let world = try RestartedBroker()
        let (id, publisherID) = (unique("s"), unique("p"))
        try world.away(id, "t", 2)
        let publisher = try world.client(publisherID, version: version)
        func message(_ identifier: UInt16, dup: Bool = false) -> [UInt8] {
            Wire.publish(
                topic: "t", payload: "\(identifier)", qos: 2, id: identifier, dup: dup,
                properties: version == 5 ? [] : nil)
        }
        for identifier in [UInt16(10), 11] {
            publisher.send(message(identifier))
            try publisher.expectAcknowledgement(.pubrec, identifier)
        }
        try publisher.publish("t", "12", qos: 2, id: 12)
        try world.restart(end)

        let again = try world.known(publisherID, version: version)
        again.send(Wire.pubrel(10))
        let answer = try again.expectAcknowledgement(.pubcomp, 10)
        #expect((answer.reasonCode ?? 0) == 0)
        again.send(message(11, dup: true))
        try again.expectAcknowledgement(.pubrec, 11)
        again.send(Wire.pubrel(11))
        try again.expectAcknowledgement(.pubcomp, 11)
        // Released is free: the same identifier is a new message.
        again.send(message(12))
        try again.expectAcknowledgement(.pubrec, 12)
        let subscriber = try world.known(id)
        #expect(try payloads(4, subscriber) == ["10", "11", "12", "12"])
        try subscriber.expectQuiet()
    }

    @Test(
        "what goes out goes on where it was: PUBREL after PUBREC, else PUBLISH with DUP and its identifier",
        arguments: End.allCases, [UInt8(4), 5])
    func outbound(_ end: End, _ version: UInt8) throws {
        let world = try RestartedBroker()
        let id = unique("s")
        let subscriber = try world.client(id, version: version)
        try subscriber.subscribe("t", 2)
        let publisher = try world.client(cleanStart: true)
        for (payload, qos) in [("released", UInt8(2)), ("unanswered", 2), ("at one", 1), ("done", 2)] {
            try publisher.publish("t", payload, qos: qos)
        }
        var identifiers: [String: UInt16] = [:]
        for _ in 0..<4 {
            let packet = try subscriber.expect(.publish)
            identifiers[packet.payloadText] = packet.packetID
        }
        let released = try #require(identifiers["released"])
        let done = try #require(identifiers["done"])
        for identifier in [released, done] {
            subscriber.send(Wire.pubrec(identifier))
            try subscriber.expectAcknowledgement(.pubrel, identifier)
        }
        subscriber.send(Wire.pubcomp(done))
        // A message behind it: its answer tells that the PUBCOMP was taken, and is kept with it or before.
        try subscriber.publish("elsewhere", "", qos: 1, id: 99)
        try publisher.publish("t", "behind", qos: 1)
        _ = try subscriber.expect(.publish)
        try world.restart(end)

        let again = try world.known(id, version: version)
        var seen: [String] = []
        for _ in 0..<4 {
            let packet = try again.receive()
            let identifier = try #require(packet.packetID)
            if packet.kind == .pubrel {
                seen.append("PUBREL \(identifier == released ? "released" : "other")")
                again.send(Wire.pubcomp(identifier))
                continue
            }
            seen.append(packet.payloadText)
            #expect(packet.kind == .publish && packet.dup)
            if packet.payloadText != "behind" { #expect(identifiers[packet.payloadText] == identifier) }
            again.send(packet.qos == 2 ? Wire.pubrec(identifier) : Wire.puback(identifier))
        }
        #expect(seen == ["PUBREL released", "unanswered", "at one", "behind"])
        _ = try again.expect(.pubrel)
        try again.expectQuiet()
    }

    @Test("another number of event loops loses nothing", arguments: End.allCases)
    func eventLoops(_ end: End) throws {
        let world = try RestartedBroker(eventLoops: 1)
        let ids = (0..<24).map { "\($0)" + unique("s") }
        for id in ids { try world.away(id, "to/\(id)", 1) }
        try world.away("all", "to/#", 2)
        var expected: [String] = []
        for (round, loops) in [3, 2, 4, 1].enumerated() {
            let publisher = try world.client(cleanStart: true)
            for id in ids {
                try publisher.publish("to/\(id)", "\(round)", qos: 2)
                try publisher.publish("kept/\(id)", "\(round)", qos: 1, retain: true)
            }
            expected.append("\(round)")
            try world.restart(end, eventLoops: loops)
        }
        for id in ids {
            let subscriber = try world.known(id)
            #expect(try payloads(4, subscriber) == expected)
            try subscriber.expectQuiet()
        }
        let all = try world.known("all")
        let payloads = try payloads(4 * ids.count, all)
        #expect(payloads == expected.flatMap { round in ids.map { _ in round } })
        let kept = try world.retained("kept/#", count: ids.count)
        #expect(kept.map(\.payloadText) == ids.map { _ in "3" })
    }

    @Test(
        "the process's death loses nothing, whatever 'durability' says",
        arguments: ["sync", "os", "interval 1", "interval 3600"])
    func durability(_ setting: String) throws {
        let world = try RestartedBroker("durability \(setting)")
        let id = unique("s")
        try world.away(id, "t", 1)
        let publisher = try world.client(cleanStart: true)
        for number in 0..<50 { try publisher.publish("t", "\(number)", qos: 1, retain: true) }
        try world.restart(.killed)
        let subscriber = try world.known(id)
        let waiting = try payloads(50, subscriber)
        #expect(waiting == (0..<50).map(String.init))
        let kept = try world.retained("t", count: 1)
        #expect(kept.map(\.payloadText) == ["49"])
    }
}
