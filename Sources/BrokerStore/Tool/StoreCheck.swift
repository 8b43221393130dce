import BrokerCore
import GRDB
import MQTTProtocol

/// Reads a whole store and says what is wrong with it: SQLite's own check of the file, then every session's record, every
/// queue entry with its message, every retained message; at last the counts. Nothing is repaired.
package struct StoreCheck {
    /// What was seen.
    package private(set) var sessions = 0
    package private(set) var subscriptions = 0
    package private(set) var queued = 0
    package private(set) var inflight = 0
    package private(set) var received = 0
    package private(set) var retained = 0
    /// What is wrong; empty = whole.
    package private(set) var problems: [String] = []

    private static let problemsMax = 100

    /// What was seen, for a person.
    package var summary: String {
        func count(_ number: Int, _ one: String) -> String { "\(number) \(one)\(number == 1 ? "" : "s")" }
        return [
            count(sessions, "session"), count(subscriptions, "subscription"),
            count(queued, "queued message") + " (\(inflight) on their way)",
            count(received, "QoS 2 identifier") + " received", count(retained, "retained message"),
        ].joined(separator: ", ")
    }

    /// Checks a store.
    ///
    /// - Parameter progress: is told how many of how many queue entries were read.
    /// - Throws: `StoreError` where it cannot be looked at: in use, foreign, newer, not readable.
    package init(path: String, progress: (_ done: Int, _ whole: Int) -> Void = { _, _ in }) throws(StoreError) {
        let file = try StoreFile(lookingAt: path)
        do {
            problems = try file.read { db in
                try String.fetchAll(db, sql: "PRAGMA integrity_check(\(Self.problemsMax))").filter { $0 != "ok" }
            }
        } catch {
            problems = ["\(error)"]
        }
        try file.close()
        guard problems.isEmpty else { return }
        do {
            let dialogue = try StoreDialogue(path: path, isLook: true)
            read(dialogue, progress)
            try dialogue.close()
        } catch {
            guard case .corrupt(_, let detail) = error else { throw error }
            problems.append(detail)
        }
    }

    private mutating func read(_ dialogue: StoreDialogue, _ progress: (Int, Int) -> Void) {
        var all: [RestoredSession] = []
        var count = 0
        do {
            try dialogue.restore(session: { all.append($0) }, retained: { _ in count += 1 })
        } catch {
            return complain(error)
        }
        retained = count
        let whole = dialogue.statistics.queued
        for session in all {
            sessions += 1
            subscriptions += session.record.subscriptions.count
            inflight += session.inflight.count
            received += session.received.count
            let name = session.record.clientIdentifier.description
            do {
                let before = queued
                let found = try self.count(session, name, dialogue) { progress(before + $0, whole) }
                queued += found
                let expected = session.waiting + session.inflight.count
                if found != expected {
                    complain("session \(name): \(found) queued messages where \(expected) are counted")
                }
            } catch {
                complain(error)
            }
        }
        if queued != whole, problems.isEmpty { complain("\(queued) queued messages where \(whole) are counted") }
    }

    private mutating func count(
        _ session: RestoredSession, _ name: String, _ dialogue: StoreDialogue, _ progress: (Int) -> Void
    ) throws -> Int {
        var count = 0
        var last = LogPosition.start
        while true {
            let records = try dialogue.read(session.record.queue, after: last, countMax: 1_000, bytesMax: 1 << 22)
            guard let end = records.last else { return count }
            for record in records {
                if record.position <= last, count > 0 { complain("session \(name): its queue is out of order") }
                if record.message.topic.isEmpty {
                    complain("session \(name): message \(record.position.value) is none")
                }
                last = record.position
            }
            count += records.count
            last = end.position
            progress(count)
        }
    }

    private mutating func complain(_ error: any Error) {
        if case .corrupt(_, let detail)? = error as? StoreError { complain(detail) } else { complain("\(error)") }
    }

    private mutating func complain(_ problem: String) {
        if problems.count < Self.problemsMax { problems.append(problem) }
    }
}
