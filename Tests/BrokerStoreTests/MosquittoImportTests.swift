import BrokerCore
import BrokerStore
import MQTTProtocol
import SeededRandom
import Testing

/// What becomes of a snapshot in a store of ours: nothing that was acknowledged is lost, and every queue keeps its order.
@Suite("Import of mosquitto.db")
struct MosquittoImportTests {
    /// In the year 2026, milliseconds.
    static let now: Int64 = 1_795_000_000_000

    private func imported(
        _ file: SnapshotWriter, now: Int64 = now
    ) throws -> (store: ModelStore, summary: ImportSummary) {
        let scratch = try Scratch()
        let path = try scratch.write(file.bytes)
        let store = ModelStore()
        var random = SeededGenerator(seed: 1)
        let summary = try StoreImport.mosquitto(from: path, now: now, using: &random) { store.perform($0) }
        return (store, summary)
    }

    private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(
        "Sessions, subscriptions, queues, steps of QoS 2 and retained messages arrive",
        arguments: [4, 5, 6] as [UInt32])
    func everything(version: UInt32) throws {
        var file = SnapshotWriter(version: version)
        file.message(3, "q/3", payload: text("three"), qos: 2)
        file.message(2, "q/2", payload: text("two"), qos: 2)
        file.message(1, "q/1", payload: [0, 0xFF], qos: 1, retain: true)
        file.client("one")
        file.claim("one", 1, identifier: 1, qos: 1, state: .waitForPuback)
        file.claim("one", 2, identifier: 2, qos: 2, state: .waitForPubrec)
        file.claim("one", 3, identifier: 3, qos: 2, state: .waitForPubcomp)
        file.client("two")
        file.claim("two", 3, identifier: 9, qos: 1, state: .queued)
        file.subscription("one", "q/+", qos: 2)
        file.subscription("two", "#", qos: 1)
        file.retained(1)
        let (store, summary) = try imported(file)

        #expect(
            summary.description == "2 sessions, 2 subscriptions, 1 retained message, 4 queued messages")
        #expect(store.all.messageCount == 3)
        #expect(store.payloads("one").dropFirst() == ["two", "three"])
        #expect(store.queue("one").map(\.sentAs) == [nil, 2, 3])
        #expect(store.queue("one").map(\.isReleased) == [false, false, true])
        #expect(store.queue("one").map(\.qos) == [1, 2, 2])
        #expect(store.payloads("two") == ["three"])
        #expect(store.queue("two").map(\.sentAs) == [nil])
        #expect(store.all.retained[text("q/1")]?.payload == [0, 0xFF])
        #expect(store.all.retained[text("q/1")]?.retain == true)
        let session = try #require(store.session("one"))
        #expect(session.expiryIntervalSeconds == .max)
        #expect(session.subscriptions.map(\.filter) == [text("q/+")])
        #expect(session.subscriptions.first?.options.qos == 2)
        #expect(session.queue != store.session("two")?.queue)
    }

    @Test(
        "Whose rights sessions and retained messages have comes too, as far as the file knows it",
        arguments: [4, 5, 6] as [UInt32])
    func rights(version: UInt32) throws {
        var file = SnapshotWriter(version: version)
        file.message(1, "kept/a", payload: text("1"), qos: 1, retain: true, source: "pub", username: "alice")
        file.message(2, "kept/b", payload: text("2"), qos: 1, retain: true, source: "nameless")
        file.message(3, "kept/c", payload: text("3"), qos: 1, retain: true)
        file.message(4, "queued", payload: text("4"), qos: 1, source: "pub", username: "alice")
        file.client("one", username: "bob")
        file.client("two")
        file.claim("one", 4, identifier: 1, qos: 1, state: .queued)
        for message in 1...3 as ClosedRange<UInt64> { file.retained(message) }
        let (store, _) = try imported(file)
        let one = try #require(store.session("one"))
        #expect(one.userName == (version < 6 ? nil : "bob") && one.listener == (version < 6 ? 0 : 1883))
        #expect(try #require(store.session("two")).userName == nil)
        let kept = store.all.retained
        #expect(
            kept[text("kept/a")]?.source == AccessSubject(clientIdentifier: "pub", userName: "alice", listener: 1883))
        #expect(
            kept[text("kept/b")]?.source == AccessSubject(clientIdentifier: "nameless", userName: nil, listener: 1883))
        #expect(kept[text("kept/c")]?.source == nil)
        #expect(store.queue("one").first?.message.source == nil)
    }

    @Test("Times go on: sessions and messages that are over stay behind")
    func expiry() throws {
        let seconds = UInt64(Self.now / 1_000)
        var file = SnapshotWriter(version: 6)
        file.message(1, "a", payload: text("over"), qos: 1, expiresAt: seconds - 1)
        file.message(2, "b", payload: text("not over"), qos: 1, expiresAt: seconds + 60)
        file.client("over", expiryInterval: 100, expiresAt: seconds - 5)
        file.claim("over", 2, identifier: 1, qos: 1, state: .queued)
        file.client("with its connection", expiryInterval: 0)
        file.client("on", expiryInterval: 100, expiresAt: seconds + 40)
        file.claim("on", 1, identifier: 1, qos: 1, state: .queued)
        file.claim("on", 2, identifier: 2, qos: 1, state: .queued, subscriptionIdentifiers: [5, 6])
        file.claim("on", 77, identifier: 3, qos: 1, state: .queued)
        file.subscription("over", "a", qos: 1)
        file.subscription("on", "b", qos: 1, options: 12, identifier: 5)
        file.retained(1)
        let (store, summary) = try imported(file)
        #expect(
            summary.description == """
                1 session, 1 subscription, 0 retained messages, 1 queued message; left out: 2 expired sessions, \
                2 expired messages, 1 message that the file does not hold
                """)
        let session = try #require(store.session("on"))
        // It was lost 60 seconds ago and has 40 more.
        #expect(session.disconnectedAt == Self.now - 60_000)
        #expect(session.subscriptions.first?.identifier == 5)
        #expect(session.subscriptions.first?.options.noLocal == true)
        #expect(session.subscriptions.first?.options.retainAsPublished == true)
        let entry = try #require(store.queue("on").first)
        #expect(entry.identifiers == [5, 6])
        #expect(entry.message.expiresAt == Self.now + 60_000)
    }

    @Test("A queue keeps its order where an old message stands behind younger ones, or one stands twice")
    func order() throws {
        var file = SnapshotWriter(version: 6)
        for id: UInt64 in 1...6 { file.message(7 - id, "t", payload: text("\(7 - id)"), qos: 1) }
        file.client("a")
        for id: UInt64 in [3, 1, 4, 4, 6, 5] { file.claim("a", id, identifier: 1, qos: 1, state: .queued) }
        file.client("b")
        for id: UInt64 in 1...6 { file.claim("b", id, identifier: 1, qos: 1, state: .queued) }
        let (store, _) = try imported(file)
        #expect(store.payloads("a") == ["3", "1", "4", "4", "6", "5"])
        #expect(store.payloads("b") == ["1", "2", "3", "4", "5", "6"])
        // Six, and copies of 1, 4 and 5 for the first session.
        #expect(store.all.messageCount == 9)
    }

    @Test("Random queues keep their order, positions grow, and a message is stored once where that can be")
    func randomOrder() throws {
        for seed: UInt64 in 1...60 {
            var random = SeededGenerator(seed: seed)
            var file = SnapshotWriter(version: 6)
            let count = UInt64.random(in: 1...40, using: &random)
            for id in (1...count).reversed() { file.message(id, "t", payload: text("\(id)"), qos: 1) }
            var expected: [String: [String]] = [:]
            for name in ["a", "b", "c"] {
                file.client(name)
                var ids = (1...count).filter { _ in Bool.random(using: &random) }
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    ids.insert(.random(in: 1...count, using: &random), at: .random(in: 0...ids.count, using: &random))
                }
                for id in ids { file.claim(name, id, identifier: 1, qos: 1, state: .queued) }
                expected[name] = ids.map { "\($0)" }
            }
            let (store, _) = try imported(file)
            for (name, payloads) in expected {
                try #require(store.payloads(name) == payloads, "seed \(seed)")
                let positions = store.queue(name).map(\.position)
                try #require(positions == positions.sorted() && Set(positions).count == positions.count, "seed \(seed)")
            }
            try #require(store.all.messageCount <= Int(count) * 2 + 9)
        }
    }

    @Test("A QoS 2 message between PUBREC and PUBREL reaches its receivers, and its PUBREL is only confirmed")
    func arrivals() throws {
        var file = SnapshotWriter(version: 6)
        file.message(1, "x/1", payload: text("old"), qos: 1, retain: true)
        file.message(2, "x/1", payload: text("arriving"), qos: 2, retain: true, properties: [0x01, 1])
        file.message(3, "gone", payload: [], qos: 2, retain: true)
        file.message(4, "gone", payload: text("was retained"), qos: 1, retain: true)
        file.message(5, "$x/1", payload: text("for nobody"), qos: 2)
        file.client("publisher")
        file.claim("publisher", 2, identifier: 700, qos: 2, state: .waitForPubrel, isIncoming: true)
        file.claim("publisher", 3, identifier: 701, qos: 2, state: .waitForPubrel, isIncoming: true)
        file.claim("publisher", 5, identifier: 702, qos: 2, state: .waitForPubrel, isIncoming: true)
        // Not acknowledged: the publisher will send it again.
        file.claim("publisher", 1, identifier: 703, qos: 2, state: .queued, isIncoming: true)
        file.client("subscriber")
        file.claim("subscriber", 1, identifier: 1, qos: 1, state: .queued)
        file.client("at most once")
        file.subscription("publisher", "x/#", qos: 2, options: 4)
        file.subscription("subscriber", "x/#", qos: 2, options: 8, identifier: 3)
        file.subscription("subscriber", "+/1", qos: 1, identifier: 4)
        file.subscription("at most once", "x/1", qos: 0)
        file.retained(1)
        file.retained(4)
        let (store, summary) = try imported(file)
        #expect(store.received("publisher").sorted() == [700, 701, 702])
        #expect(store.payloads("publisher").isEmpty)
        #expect(store.payloads("at most once").isEmpty)
        #expect(store.payloads("subscriber") == ["old", "arriving"])
        let entry = try #require(store.queue("subscriber").last)
        #expect(entry.qos == 2 && entry.retain && entry.identifiers == [3, 4])
        #expect(entry.message.properties == [0x01, 1])
        #expect(
            store.all.retained.mapValues { String(decoding: $0.payload, as: UTF8.self) } == [text("x/1"): "arriving"])
        #expect(summary.queued == 2)
    }

    @Test("What MQTT does not allow is left out and counted, and the rest comes")
    func refused() throws {
        var file = SnapshotWriter(version: 6)
        file.message(1, "wild/+", payload: text("no topic"), qos: 1)
        file.message(2, "good", payload: text("good"), qos: 1)
        file.client("")
        file.client("nul\0")
        file.client("c")
        file.client("c")
        file.claim("c", 1, identifier: 1, qos: 1, state: .queued)
        file.claim("c", 2, identifier: 2, qos: 1, state: .queued)
        file.claim("nobody", 2, identifier: 2, qos: 1, state: .queued)
        file.subscription("c", "a#", qos: 1)
        file.subscription("c", "$share//x", qos: 1)
        file.subscription("c", "a", qos: 1, identifier: .max)
        file.subscription("c", "$share/g/x", qos: 1)
        file.subscription("nobody", "x", qos: 1)
        let (store, summary) = try imported(file)
        #expect(store.payloads("c") == ["good"])
        #expect(summary.sessions == 1 && summary.subscriptions == 1 && summary.queued == 1)
        #expect(summary.refused == 9)
        #expect(summary.description.hasSuffix("left out: 9 entries that MQTT does not allow"))
    }

    @Test("A store that refuses stops the import")
    func refusedByStore() throws {
        let scratch = try Scratch()
        let path = try scratch.write(MosquittoSnapshotTests.sample(version: 6))
        var random = SeededGenerator(seed: 1)
        #expect(throws: StoreImportError.refused(.full)) {
            try StoreImport.mosquitto(from: path, now: Self.now, using: &random) { request in
                switch request {
                case .append(let token, _), .put(let token, _), .remove(let token, _), .read(let token, _, _, _, _):
                    .failed(token, .full)
                }
            }
        }
    }
}
