import Glibc
import MQTTTestKit
import Testing

/// No room on the disk: what cannot be kept is not acknowledged, what needs no keeping goes on, and room makes all well.
@Suite("A full disk", .blocking, .enabled(if: Box.isPossible, "needs mounting, which only root may"))
struct FullDiskTests {
    private static let bytes = 16 << 20
    private static let payload = String(repeating: "0123456789", count: 2_000)

    @Test(
        "nothing is acknowledged that was not kept; QoS 0 goes on; with room it goes on; a crash later shows what was kept",
        arguments: [1, 2])
    func full(_ eventLoops: Int) throws {
        let box = try Box(diskBytes: Self.bytes, settings: "event_loops \(eventLoops)")
        let subscriber = try box.client("away")
        try subscriber.subscribe("kept/#", 1)
        try subscriber.disconnect()
        let online = try box.client(cleanStart: true)
        try online.subscribe("live", 0)
        let publisher = try box.client("publisher")
        var acknowledged: [String] = []

        // With room, then without, until the broker says no.
        var number = 0
        func publish() throws -> Bool {
            number += 1
            publisher.send(
                Wire.publish(
                    topic: "kept/\(number)", payload: "\(number) " + Self.payload, qos: 1, id: UInt16(number),
                    properties: []))
            guard let answer = try publisher.next() else {
                throw Trouble("no answer to message \(number):\n\(box.log.suffix(2_000))")
            }
            let isTaken = (answer.reasonCode ?? 0) < 0x80
            if isTaken { acknowledged.append("\(number)") } else { #expect([0x83, 0x97].contains(answer.reasonCode)) }
            return isTaken
        }
        for _ in 0..<20 { #expect(try publish()) }
        try box.fillDisk()
        var refusals = 0
        for _ in 0..<2_000 where refusals < 5 {
            if try !publish() {
                refusals += 1
                try box.fillDisk()
            }
        }
        #expect(refusals == 5, "a full disk refused nothing:\n\(box.log.suffix(2_000))")

        // 3.1.1 cannot be told: its connection is closed, without an acknowledgement.
        let older = try box.client(version: 4, cleanStart: true)
        older.send(Wire.publish(topic: "kept/old", payload: "old " + Self.payload, qos: 1, id: 1))
        let answers = try older.packetsUntilClosed(withinMilliseconds: patienceMilliseconds)
        #expect(answers.isEmpty)
        let olderStill = try box.client(version: 4, cleanStart: true)
        olderStill.send(Wire.publish(topic: "kept/old", payload: "old " + Self.payload, qos: 2, id: 1))
        let moreAnswers = try olderStill.packetsUntilClosed(withinMilliseconds: patienceMilliseconds)
        #expect(moreAnswers.isEmpty)

        // What touches no disk goes on.
        for text in ["one", "two"] {
            try box.client(cleanStart: true).publish("live", text)
            #expect(try online.receivePublish().payloadText == text)
        }
        #expect(box.log.contains("There is no room to write to the store"), "\(box.log.suffix(2_000))")
        #expect(box.log.contains("martlet.db"))

        // Room again: it goes on by itself.
        box.emptyDisk()
        let deadline = Deadline(milliseconds: patienceMilliseconds)
        let isTakenAgain = try deadline.wait { try publish() }
        #expect(isTakenAgain, "\(box.log.suffix(2_000))")
        for _ in 0..<5 { #expect(try publish()) }

        try box.killAndRestart()
        let again = try box.client("away")
        #expect(again.connack?.sessionPresent == true)
        var got: [String] = []
        for _ in acknowledged {
            let packet = try again.receivePublish()
            got.append(packet.payloadText.split(separator: " ").first.map(String.init) ?? "")
        }
        #expect(got == acknowledged)
        try again.expectNothing(forMilliseconds: 300)
    }

    @Test("SUBSCRIBE of a lasting session is refused while it cannot be kept")
    func subscription() throws {
        let box = try Box(diskBytes: Self.bytes)
        let subscriber = try box.client("away")
        let publisher = try box.client(cleanStart: true)
        try subscriber.subscribe("first", 1)
        try box.fillDisk()
        // The write-ahead log may have some room left: retained messages take it.
        var isFull = false
        for number in 1...2_000 where !isFull {
            publisher.send(
                Wire.publish(
                    topic: "r/\(number)", payload: Self.payload, qos: 1, id: UInt16(number), retain: true,
                    properties: []))
            isFull = (try publisher.receive { $0.kind == .puback }.reasonCode ?? 0) >= 0x80
        }
        #expect(isFull)
        var refused = false
        for number in 1...2_000 where !refused {
            subscriber.send(Wire.subscribe(id: UInt16(number), [("more/\(number)", 1)], properties: []))
            let suback = try subscriber.receive { $0.kind == .suback }
            refused = (suback.reasonCode ?? 0) >= 0x80
        }
        #expect(refused, "\(box.log.suffix(2_000))")
        box.emptyDisk()
        let isGranted = try Deadline(milliseconds: patienceMilliseconds).wait {
            subscriber.send(Wire.subscribe(id: 9_999, [("late", 1)], properties: []))
            return try subscriber.receive { $0.kind == .suback }.reasonCodes == [1]
        }
        #expect(isGranted)
        subscriber.send(Wire.disconnect)
        try box.killAndRestart()
        let again = try box.client("away")
        for topic in ["first", "late"] {
            try box.client(cleanStart: true).publish(topic, topic, qos: 1)
            #expect(try again.receivePublish().payloadText == topic)
        }
    }
}
