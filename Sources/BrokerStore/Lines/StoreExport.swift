package import BrokerCore
import MQTTProtocol

/// A store as lines of JSON, one object a line. The store is anything that gives its sessions, reads its queues and
/// gives its retained messages; it is not changed. Memory: the sessions, and a few messages of each.
package struct StoreExport {
    /// How a queue is read.
    package typealias Read = (QueueID, _ after: LogPosition, _ countMax: Int, _ bytesMax: Int) throws -> [QueuedRecord]

    /// A session's place in its queue.
    private struct Cursor {
        let client: [UInt8]
        let queue: QueueID
        let inflight: [LogPosition: RestoredSession.Inflight]
        /// What was read ahead; the last is the next.
        var ahead: [QueuedRecord] = []
        var position: LogPosition { ahead.last?.position ?? .start }
    }

    private static let readAheadCount = 64
    private static let readAheadBytes = 1 << 18

    private var cursors: [Cursor] = []
    /// Numbers of cursors, as a heap by their positions.
    private var heap: [Int] = []
    private let read: Read
    private let write: ([UInt8]) throws -> Void
    /// What was written.
    package private(set) var summary = ImportSummary()

    /// - Parameters:
    ///   - read: gives the records of a queue behind a position, oldest first, those in flight too.
    ///   - write: takes one line, its end included.
    package init(read: @escaping Read, write: @escaping ([UInt8]) throws -> Void) throws {
        self.read = read
        self.write = write
        try write(StoreLine.store())
    }

    /// All sessions come before the messages.
    package mutating func add(_ session: RestoredSession) throws {
        try write(StoreLine.session(session))
        summary.sessions += 1
        summary.subscriptions += session.record.subscriptions.count
        var inflight: [LogPosition: RestoredSession.Inflight] = [:]
        for message in session.inflight { inflight[message.record.position] = message }
        guard session.waiting > 0 || !inflight.isEmpty else { return }
        cursors.append(
            Cursor(client: session.record.clientIdentifier.bytes, queue: session.record.queue, inflight: inflight))
    }

    /// Writes all messages that wait, each once, with those that wait for it.
    package mutating func writeQueues(progress: (_ entries: Int) -> Void = { _ in }) throws {
        for number in cursors.indices where try refill(number) { push(number) }
        var last = LogPosition.start
        var count = 0
        while let number = heap.first {
            guard let record = cursors[number].ahead.popLast() else {
                preconditionFailure("an empty cursor in the heap")
            }
            if record.position != last {
                count += 1
                last = record.position
                try write(StoreLine.message(record.message, number: count))
            }
            try write(
                StoreLine.entry(
                    record, client: cursors[number].client, number: count,
                    inflight: cursors[number].inflight[record.position]))
            summary.queued += 1
            progress(summary.queued)
            if try refill(number, after: record.position) { sift(0) } else { popFirst() }
        }
    }

    package mutating func addRetained(_ message: LoggedMessage) throws {
        try write(StoreLine.retained(message))
        summary.retained += 1
    }

    /// False where the queue is at its end.
    private mutating func refill(_ number: Int, after position: LogPosition = .start) throws -> Bool {
        if cursors[number].ahead.isEmpty {
            let records = try read(cursors[number].queue, position, Self.readAheadCount, Self.readAheadBytes)
            cursors[number].ahead = records.reversed()
        }
        return !cursors[number].ahead.isEmpty
    }

    // MARK: A heap of cursors

    /// Ties go by the cursor's number, so that an export of the same store is the same file.
    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        cursors[a].position == cursors[b].position ? a < b : cursors[a].position < cursors[b].position
    }

    private mutating func push(_ number: Int) {
        heap.append(number)
        var at = heap.count - 1
        while at > 0, isBefore(heap[at], heap[(at - 1) / 2]) {
            heap.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    private mutating func popFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sift(0)
    }

    private mutating func sift(_ start: Int) {
        var at = start
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < heap.count && isBefore(heap[child], heap[least]) {
                least = child
            }
            guard least != at else { return }
            heap.swapAt(at, least)
            at = least
        }
    }
}
