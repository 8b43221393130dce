import BrokerCore
import BrokerStore
import MQTTProtocol
import SeededRandom
import Testing

/// A store as lines of JSON: what goes out comes in again, exactly.
@Suite("Export and import of lines")
struct StoreLineTests {
    /// Something of everything that a store can hold.
    private func filled() -> ModelStore {
        let store = ModelStore()
        func ask(_ request: StorageRequest) { _ = store.perform(request) }
        let will = Will(
            topic: "wills/1", payload: [1, 2, 0xFE], qos: .exactlyOnce, retain: true, delayIntervalSeconds: 5,
            messageExpiryIntervalSeconds: 60, forwardedProperties: [0x26, 0, 1, 0x6B, 0, 2, 0x22, 0x5C])
        let first = SessionRecord(
            clientIdentifier: "ä \"quoted\" \\ \u{1}", queue: QueueID(11), expiryIntervalSeconds: .max,
            disconnectedAt: 1_795_000_000_123,
            subscriptions: [
                .init(filter: Array("a/+/#".utf8), options: DeliveryOptions(qos: .atLeastOnce), identifier: 0),
                .init(
                    filter: Array("$share/g/x".utf8),
                    options: DeliveryOptions(qos: .exactlyOnce, noLocal: true, retainAsPublished: true),
                    identifier: 268_435_455),
            ], userName: "ü\u{1}", listener: 8883, will: will, willDueAt: 1_795_000_005_123)
        let second = SessionRecord(
            clientIdentifier: "second", queue: QueueID(12), expiryIntervalSeconds: 7, disconnectedAt: nil,
            subscriptions: [])
        ask(.put(StorageToken(1), first.stateRecord))
        ask(.put(StorageToken(2), second.stateRecord))

        var batch = LogBatch()
        // In an order that no writer would choose.
        let properties: [UInt8] =
            [0x26, 0, 1, 0x61, 0, 1, 0x62, 0x03, 0, 2, 0x74, 0x09, 0x01, 1, 0x08, 0, 1, 0x72, 0x09, 0, 2, 0, 255]
            + [0x26, 0, 0, 0, 0]
        let payloads: [[UInt8]] = [
            [], Array("plain text\nwith \"lines\"\tand tabs".utf8), [0, 1, 2], Array("\u{1B}[31m".utf8),
            [0xC2, 0x85], [0xFF], Array("日本 🎉".utf8), [0x7F], [UInt8](0...255),
        ]
        for (number, payload) in payloads.enumerated() {
            let isLast = number == payloads.count - 1
            let message = batch.append(
                LoggedMessage(
                    topic: Array("topic/\(number)".utf8), properties: isLast ? properties : [], payload: payload,
                    qos: UInt8(number % 3), retain: number % 2 == 0, expiresAt: isLast ? 1_795_000_000_000 : .max,
                    publisher: isLast ? .max : 0, storedAt: UInt32(number),
                    source: isLast
                        ? AccessSubject(clientIdentifier: "c \"1\"", userName: "u", listener: .max)
                        : number > 6 ? AccessSubject(clientIdentifier: "", userName: nil) : nil))
            batch.entries.append(
                QueueEntry(
                    queue: QueueID(11), message: message, qos: 2, retain: number == 1,
                    subscriptionIdentifiers: number == 2 ? [1, 268_435_455] : [], group: number == 3 ? .max : 0))
            if number % 2 == 0 {
                batch.entries.append(
                    QueueEntry(
                        queue: QueueID(12), message: message, qos: 1, retain: false, subscriptionIdentifiers: []))
            }
            if number > 6 { batch.retained.append(message) }
        }
        ask(.append(StorageToken(3), batch))
        var steps = LogBatch()
        steps.changes = [
            .received(QueueID(11), identifier: 65_535), .received(QueueID(11), identifier: 1),
            .sent(QueueID(11), LogPosition(1), identifier: 40), .sent(QueueID(11), LogPosition(2), identifier: 41),
            .pubrec(QueueID(11), LogPosition(1)),
        ]
        ask(.append(StorageToken(4), steps))
        return store
    }

    private func imported(_ text: String) throws -> (store: ModelStore, summary: ImportSummary) {
        let scratch = try Scratch()
        let path = try scratch.write(Array(text.utf8), "store.jsonl")
        let store = ModelStore()
        var random = SeededGenerator(seed: 3)
        let summary = try StoreImport.lines(from: path, using: &random) { store.perform($0) }
        return (store, summary)
    }

    @Test("What was exported is imported exactly, and exports to the same lines")
    func roundTrip() throws {
        let original = filled()
        let text = try original.exported()
        let (copy, summary) = try imported(text)
        #expect(try copy.exported() == text)
        #expect(summary.description == "2 sessions, 2 subscriptions, 2 retained messages, 14 queued messages")

        #expect(copy.all.sessions.count == 2)
        for (before, after) in zip(original.all.sessions, copy.all.sessions) {
            var after = after
            #expect(after.queue != before.queue)
            after.queue = before.queue
            #expect(after == before)
        }
        for name in ["ä \"quoted\" \\ \u{1}", "second"] {
            #expect(copy.queue(name).map(\.message) == original.queue(name).map(\.message))
            #expect(copy.queue(name).map(\.identifiers) == original.queue(name).map(\.identifiers))
            #expect(copy.queue(name).map(\.group) == original.queue(name).map(\.group))
            #expect(copy.queue(name).map(\.sentAs) == original.queue(name).map(\.sentAs))
            #expect(copy.queue(name).map(\.isReleased) == original.queue(name).map(\.isReleased))
            #expect(copy.received(name) == original.received(name))
        }
        #expect(copy.all.retained == original.all.retained)
    }

    @Test("Each message stands once; text stays readable, and nothing in it can write to a terminal")
    func readable() throws {
        let text = try filled().exported()
        let lines = text.split(separator: "\n")
        #expect(lines.first == #"{"type":"store","version":1,"program":"martlet"}"#)
        #expect(lines.filter { $0.hasPrefix(#"{"type":"message""#) }.count == 9)
        #expect(lines.filter { $0.hasPrefix(#"{"type":"entry""#) }.count == 14)
        #expect(text.contains(#""payload":"plain text\nwith \"lines\"\tand tabs""#))
        #expect(text.contains(#""payload":"日本 🎉""#))
        #expect(text.contains(#""payloadBase64":"wgU="#) == false)
        #expect(text.contains(#""payloadBase64":"wYU="#) == false)
        #expect(text.contains(#""payloadBase64":"woU=""#))
        #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A })
        #expect(text.contains(#"["user-property","a","b"],["content-type","t\t"],["payload-format-indicator","1"]"#))
    }

    @Test(
        "A line that cannot be taken stops the import and is named",
        arguments: [
            ("", 1, "the file is empty"),
            ("{}\n", 1, "\"type\" is missing"),
            (#"{"type":"session","client":"a","expiry":1}"#, 1, "the first line is not"),
            (#"{"type":"store","version":2}"#, 1, "version 2"),
            ("{\"type\":\"store\",\"version\":1}\n{\"type\":\"session\"}", 2, "\"client\" is missing"),
            ("{\"type\":\"store\",\"version\":1}\n\n{\"type\":\"what\"}", 3, "\"what\" is no type"),
            ("{\"type\":\"store\",\"version\":1}\n{\"type\":", 2, "the text ends too early, at byte 9"),
            (
                "{\"type\":\"store\",\"version\":1}\n{\"type\":\"message\",\"id\":1,\"topic\":\"#\",\"payload\":\"\",\"qos\":1}",
                2,
                "\"topic\" is no topic name"
            ),
            (
                "{\"type\":\"store\",\"version\":1}\n{\"type\":\"entry\",\"client\":\"a\",\"message\":1,\"qos\":1}", 2,
                "an entry stands behind the message"
            ),
        ])
    func refused(_ text: String, _ line: Int, _ reason: String) throws {
        let error = #expect(throws: StoreImportError.self) { _ = try imported(text) }
        guard case .lines(let lines)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(lines.line == line)
        #expect(lines.reason.hasPrefix(reason), "\(lines)")
    }

    @Test("10,000 damaged exports: each is taken or refused with a line")
    func damaged() throws {
        let whole = Array(try filled().exported().utf8)
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 77)
        var refused = 0
        for _ in 0..<10_000 {
            var bytes = whole
            for _ in 0...random.next() % 3 {
                let at = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[at] = Array("{}[]\",:\\0-".utf8)[Int(random.next() % 10)]
                case 2: bytes.remove(at: at)
                default: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.next() % 80)))
                }
            }
            let path = try scratch.write(bytes, "store.jsonl")
            let store = ModelStore()
            do {
                _ = try StoreImport.lines(from: path, using: &random) { store.perform($0) }
            } catch StoreImportError.lines(let error) {
                refused += 1
                try #require(error.line >= 1)
            }
        }
        #expect(refused > 3_000)
    }
}
