import BrokerCore
import BrokerStore
import Glibc
import MQTTProtocol
import ShardTestKit
import Testing

/// The engine beside `ModelStorage`, from seeds: the same requests, the same answers, and after each restart, orderly or
/// not, the same state.
@Suite("The engine against a model", .blocking)
struct ModelTests {
    @Test("the same answers, and the same state after every restart", arguments: UInt64(0)..<24)
    func agrees(_ seed: UInt64) throws {
        let scratch = try Scratch()
        let path = scratch.directory + "/martlet.db"
        var traffic = RandomTraffic(seed: seed)
        var model = ModelStorage()
        var store = try WaitingStore(path, settings: seed % 3 == 0 ? .strict : .tiny)
        for _ in 0..<400 {
            let request = traffic.next()
            let expected = model.perform(request)
            let answer = try #require(store.ask(request))
            try #require(answer == expected, "seed \(seed): \(store.failures)")
            if case .append(_, let batch) = request, case .stored(_, let first) = answer {
                traffic.learn(batch, first: first)
            }
            if traffic.chance(3) {
                if traffic.chance(50) {
                    try store.close()
                    store = try WaitingStore(path, settings: .tiny)
                } else {
                    // What a crash of the broker leaves: the files as they are, the log first, for what chores carry over
                    // meanwhile is in it too.
                    let copy = scratch.directory + "/copy.db"
                    for end in ["-wal", ""] { try copyFile(path + end, copy + end) }
                    let crashed = try WaitingStore(copy, settings: .tiny)
                    var expected = model
                    try compare(crashed, expected.restart(), &expected, traffic.queues, seed)
                    try crashed.close()
                    continue
                }
                try compare(store, model.restart(), &model, traffic.queues, seed)
            }
        }
        try store.close()
    }

    /// Requests that come together, in groups as the store makes them, end as if each had come alone.
    @Test("requests in groups", arguments: UInt64(100)..<108)
    func groups(_ seed: UInt64) throws {
        let scratch = try Scratch()
        let path = scratch.directory + "/martlet.db"
        var traffic = RandomTraffic(seed: seed)
        var model = ModelStorage()
        var settings = StoreSettings.tiny
        settings.acknowledgementLinger = .milliseconds(2)
        var store = try WaitingStore(path, settings: settings)
        for round in 0..<60 {
            let requests = (0..<(1 + traffic.below(12))).map { _ in traffic.next() }
            let answers = store.ask(requests)
            for (request, answer) in zip(requests, answers) {
                let expected = model.perform(request)
                let answer = try #require(answer)
                guard case .append(_, let batch) = request, case .stored(_, let first) = answer else {
                    try #require(answer == expected, "seed \(seed): \(store.failures)")
                    continue
                }
                if batch.messageCount > 0 { try #require(answer == expected, "seed \(seed): \(store.failures)") }
                traffic.learn(batch, first: first)
            }
            if round % 10 == 9 {
                try store.close()
                store = try WaitingStore(path, settings: settings)
                try compare(store, model.restart(), &model, traffic.queues, seed)
            }
        }
        try store.close()
    }

    private func compare(
        _ store: WaitingStore, _ expected: (sessions: [RestoredSession], retained: [LoggedMessage]),
        _ model: inout ModelStorage, _ queues: [QueueID], _ seed: UInt64
    ) throws {
        let (sessions, retained) = try store.restore()
        let byName = sessions.sorted {
            $0.record.clientIdentifier.bytes.lexicographicallyPrecedes($1.record.clientIdentifier.bytes)
        }
        try #require(byName.map(\.record) == expected.sessions.map(\.record), "seed \(seed): \(store.failures)")
        for (found, wanted) in zip(byName, expected.sessions) {
            try #require(found.received == wanted.received, "seed \(seed): \(store.failures)")
            try #require(Set(found.shares) == Set(wanted.shares), "seed \(seed): \(store.failures)")
            try #require(found.waiting == wanted.waiting, "seed \(seed): \(store.failures)")
            let flights = wanted.inflight.sorted { $0.record.position < $1.record.position }
            try #require(found.inflight.map(\.record) == flights.map(\.record), "seed \(seed): \(store.failures)")
            try #require(
                found.inflight.map(\.identifier) == flights.map(\.identifier), "seed \(seed): \(store.failures)")
            try #require(
                found.inflight.map(\.isReleased) == flights.map(\.isReleased), "seed \(seed): \(store.failures)")
        }
        try #require(store.store.check() == [], "seed \(seed)")
        let topics = { (messages: [LoggedMessage]) in
            messages.sorted { $0.topic.lexicographicallyPrecedes($1.topic) }
        }
        try #require(topics(retained) == topics(expected.retained), "seed \(seed): \(store.failures)")
        for queue in queues {
            let read = StorageRequest.read(StorageToken(5), queue, after: .start, countMax: .max, bytesMax: .max)
            try #require(store.ask(read) == model.perform(read), "seed \(seed): \(store.failures)")
        }
    }

    private func copyFile(_ from: String, _ to: String) throws {
        unlink(to)
        let source = open(from, O_RDONLY | O_CLOEXEC)
        defer { Glibc.close(source) }
        let target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { Glibc.close(target) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = Glibc.read(source, &buffer, buffer.count), count > 0 {
            try #require(Glibc.write(target, buffer, count) == count)
        }
    }
}
