import BrokerCore
import BrokerStore
import Foundation

/// Writes until it is killed, and says on a line where each message stands as soon as the store has answered. Messages
/// carry their numbers, which go on where an earlier run ended.
enum Endurance {
    static func run(path: String, _ durability: String) throws {
        let answers = AnswerBox()
        let kinds: [String: Durability] = ["os": .os, "interval": .interval(seconds: 1)]
        // Small sizes: so that little traffic passes through everything.
        var settings = StoreSettings()
        settings.redoBytesMax = 4000
        settings.walBytesMax = 200_000
        settings.segmentEntriesMax = 64
        settings.segmentClosesAt = 8
        settings.rowBytesMax = 2000
        settings.compactionInterval = .milliseconds(10)
        let store = try Store(path: path, durability: kinds[durability] ?? .sync, settings: settings) { shard, events in
            answers.put(shard, events)
        }
        var number = 0
        store.submit([.read(StorageToken(0), QueueID(1), after: .start, countMax: .max, bytesMax: .max)], from: 0)
        for case (_, .records(_, let records)) in answers.take() { number = records.count }
        var passing: [LogPosition] = []
        while true {
            var batch = LogBatch()
            for i in 0..<(1 + number % 7) {
                let index = batch.append(
                    LoggedMessage(topic: [116], payload: Array("\(number + i)".utf8), qos: 1, retain: false))
                batch.entries.append(entry(1, index))
            }
            let count = batch.messageCount
            // A second queue whose messages are done with at once.
            batch.entries.append(entry(2, count - 1))
            for position in passing { batch.changes.append(.acknowledged(QueueID(2), position)) }
            store.submit([.append(StorageToken(UInt64(number)), batch)], from: 0)
            for case (_, .stored(_, let first)) in answers.take() {
                let lines = (0..<count).map { "\(first.value + UInt64($0))\n" }.joined()
                FileHandle.standardOutput.write(Data(lines.utf8))
                passing = [LogPosition(first.value + UInt64(count - 1))]
            }
            number += count
        }
    }

    private static func entry(_ queue: UInt64, _ message: Int) -> QueueEntry {
        QueueEntry(queue: QueueID(queue), message: message, qos: 1, retain: false, subscriptionIdentifiers: [])
    }
}
