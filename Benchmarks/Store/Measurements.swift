import BrokerCore
import BrokerStore
import Foundation
import MQTTProtocol
import Synchronization

/// One run of one measurement, on a store of its own.
struct Measurement {
    let path: String
    let messages: Int

    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        let duration = start.duration(to: .now).components
        return Double(duration.seconds) + Double(duration.attoseconds) / 1e18
    }

    static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    static var residentMegabytes: Double {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return Double(text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096 / 1e6
    }

    static func message(_ number: Int, retain: Bool = false) -> LoggedMessage {
        LoggedMessage(
            topic: Array("bench/\(retain ? "\(number)" : "topic")".utf8),
            payload: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 130), qos: 1, retain: retain)
    }

    func batch(of count: Int, queue: QueueID?, from number: Int = 0) -> LogBatch {
        var batch = LogBatch()
        for i in 0..<count {
            let index = batch.append(Measurement.message(number + i, retain: queue == nil))
            if let queue {
                batch.entries.append(
                    QueueEntry(queue: queue, message: index, qos: 1, retain: false, subscriptionIdentifiers: []))
            } else {
                batch.retained.append(index)
            }
        }
        return batch
    }

    // MARK: Runs

    func write() throws {
        let shards = 2
        let size = 2000
        let underWay = 4
        let templates = (0..<shards).map { batch(of: size, queue: QueueID(UInt64($0 + 1))) }
        let answers = AnswerBox()
        let store = try Store(path: path, shardCount: shards) { shard, events in answers.put(shard, events) }
        let before = Measurement.processorSeconds
        var sent = 0
        var answered = 0
        var token: UInt64 = 0
        func send(_ shard: Int, acknowledging first: LogPosition?) {
            var batch = templates[shard]
            if let first {
                for i in 0..<size {
                    batch.changes.append(
                        .acknowledged(QueueID(UInt64(shard + 1)), LogPosition(first.value + UInt64(i))))
                }
            }
            token += 1
            sent += size
            store.submit([.append(StorageToken(token), batch)], from: shard)
        }
        let seconds = Measurement.seconds {
            for shard in 0..<shards { for _ in 0..<underWay { send(shard, acknowledging: nil) } }
            while answered < sent {
                for (shard, event) in answers.take() {
                    guard case .stored(_, let first) = event else { fatalError("\(event)") }
                    answered += size
                    if sent < messages { send(shard, acknowledging: first) }
                }
            }
        }
        let processor = Measurement.processorSeconds - before
        print(
            String(
                format: "write: %.0f messages/s, %.2f µs of processor time each, %llu commits, last %.2f ms, %.0f MB resident",
                Double(answered) / seconds, processor / Double(answered) * 1e6, store.statistics.commits,
                Double(store.statistics.commitNanoseconds) / 1e6, Measurement.residentMegabytes))
        try store.close()
        printSize()
    }

    func latency() throws {
        let answers = AnswerBox()
        let store = try Store(path: path) { shard, events in answers.put(shard, events) }
        var times: [Double] = []
        var last: LogPosition?
        for i in 0..<messages {
            var batch = batch(of: 1, queue: QueueID(1))
            if let last { batch.changes.append(.acknowledged(QueueID(1), last)) }
            let seconds = Measurement.seconds {
                store.submit([.append(StorageToken(UInt64(i)), batch)], from: 0)
                for case (_, .stored(_, let first)) in answers.take() { last = first }
            }
            times.append(seconds)
        }
        times.sort()
        print(
            String(
                format: "latency: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, longest %.2f ms", times[times.count / 2] * 1e3,
                times[times.count * 99 / 100] * 1e3, times[times.count * 999 / 1000] * 1e3, times[times.count - 1] * 1e3))
        try store.close()
    }

    func drain() throws {
        let answers = AnswerBox()
        var store = try Store(path: path) { shard, events in answers.put(shard, events) }
        try fill(store, answers, queue: QueueID(1))
        print(String(format: "drain: filled, %.0f MB resident", Measurement.residentMegabytes))
        try store.close()
        printSize()
        store = try Store(path: path) { shard, events in answers.put(shard, events) }
        print(String(format: "drain: opened, %.0f MB resident", Measurement.residentMegabytes))
        var after = LogPosition.start
        var read = 0
        var residentMax = 0.0
        var token: UInt64 = 0
        let seconds = Measurement.seconds {
            var acknowledged = LogBatch()
            while read < messages {
                var requests: [StorageRequest] = []
                if !acknowledged.isEmpty { requests.append(.append(StorageToken(token + 1), acknowledged)) }
                requests.append(
                    .read(StorageToken(token + 2), QueueID(1), after: after, countMax: 128, bytesMax: 1 << 20))
                token += 2
                store.submit(requests, from: 0)
                var isRead = false
                while !isRead {
                    for (_, event) in answers.take() {
                        if case .failed = event { fatalError("\(store.statistics.lastFailure.map(\.description) ?? "?")") }
                        guard case .records(_, let records) = event else { continue }
                        isRead = true
                        acknowledged = LogBatch()
                        for record in records {
                            acknowledged.changes.append(.acknowledged(QueueID(1), record.position))
                        }
                        read += records.count
                        after = records.last?.position ?? after
                    }
                }
                if token % 20_000 == 0 { residentMax = max(residentMax, Measurement.residentMegabytes) }
            }
            store.submit([.append(StorageToken(token + 1), acknowledged)], from: 0)
        }
        print(
            String(
                format: "drain: %.0f messages/s, at most %.0f MB resident", Double(read) / seconds, residentMax))
        try store.close()
        printSize()
    }

    func start() throws {
        let answers = AnswerBox()
        var store = try Store(path: path) { shard, events in answers.put(shard, events) }
        let queues = 1000
        let record = SessionRecord(
            clientIdentifier: MQTTString("session"), queue: QueueID(1), expiryIntervalSeconds: .max,
            disconnectedAt: 1, subscriptions: [], will: nil, willDueAt: nil)
        for queue in 0..<queues {
            var other = record
            other.clientIdentifier = MQTTString("session\(queue)")
            other.queue = QueueID(UInt64(queue + 1))
            store.submit([.put(StorageToken(UInt64(queue)), other.stateRecord)], from: 0)
            _ = answers.take()
            try fill(store, answers, queue: other.queue, count: messages / queues)
        }
        try fill(store, answers, queue: nil)
        try store.close()
        printSize()
        var sessions = 0
        var waiting = 0
        var retained = 0
        let opening = try Measurement.seconds {
            store = try Store(path: path) { shard, events in answers.put(shard, events) }
        }
        let restoring = try Measurement.seconds {
            try store.restore(
                session: {
                    sessions += 1
                    waiting += $0.waiting
                }, retained: { _ in retained += 1 })
        }
        print(
            String(
                format: "start: opened in %.3f s, %d sessions with %d messages and %d retained given out in %.3f s, %.0f MB",
                opening, sessions, waiting, retained, restoring, Measurement.residentMegabytes))
        try store.close()
    }

    private func fill(_ store: Store, _ answers: AnswerBox, queue: QueueID?, count: Int? = nil) throws {
        let count = count ?? messages
        let size = min(count, 2000)
        var sent = 0
        var waiting = 0
        while sent < count || waiting > 0 {
            while sent < count, waiting < 8 {
                store.submit([.append(StorageToken(0), batch(of: size, queue: queue, from: sent))], from: 0)
                sent += size
                waiting += 1
            }
            waiting -= answers.take().count
        }
    }

    private func printSize() {
        let bytes = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        print(String(format: "  file: %.1f MB", Double(bytes) / 1e6))
    }
}

/// Answers on their way from the store's thread.
final class AnswerBox: Sendable {
    private let events = Mutex<[(Int, StorageEvent)]>([])
    private let arrived = DispatchSemaphore(value: 0)

    func put(_ shard: Int, _ more: [StorageEvent]) {
        let isFirst = events.withLock { events in
            defer { events += more.map { (shard, $0) } }
            return events.isEmpty
        }
        if isFirst { arrived.signal() }
    }

    /// Waits for some.
    func take() -> [(Int, StorageEvent)] {
        arrived.wait()
        return events.withLock { events in
            defer { events = [] }
            return events
        }
    }
}
