import BrokerCore

/// Rows of messages that were read last, so that a queue's next messages do not read the row again. Bounded in bytes.
struct RowCache {
    /// A row with the place of each of its messages.
    final class Row {
        let bytes: [UInt8]
        let first: UInt64
        /// Where each message begins, and the end.
        private let offsets: [Int]
        /// Where each stands, relative to `first`; nil = one after another.
        private let positions: [UInt64]?

        /// Nil where the bytes are not whole messages, or not as many as positions.
        init?(first: UInt64, count: Int, positions: UnsafeRawBufferPointer?, body: UnsafeRawBufferPointer) {
            var offsets: [Int] = []
            offsets.reserveCapacity(count + 1)
            var at = 0
            while at < body.count {
                guard let length = LoggedMessage.length(UnsafeRawBufferPointer(rebasing: body[at...])) else {
                    return nil
                }
                offsets.append(at)
                at += length
            }
            guard offsets.count == count else { return nil }
            offsets.append(at)
            if let positions {
                var source = ByteSource(positions)
                var list: [UInt64] = []
                list.reserveCapacity(count)
                var before: UInt64 = 0
                for number in 0..<count {
                    let step = source.varint()
                    guard step > 0 || number == 0, step < UInt64(Engine.numberMax) &- before else { return nil }
                    before += step
                    list.append(before)
                }
                guard !source.isDamaged else { return nil }
                self.positions = list
            } else {
                self.positions = nil
            }
            self.first = first
            self.offsets = offsets
            bytes = [UInt8](body)
        }

        /// The bytes of the message at a position.
        func range(of position: UInt64) -> Range<Int>? {
            guard position >= first else { return nil }
            let relative = position - first
            let at: Int
            if let positions {
                var low = 0
                var high = positions.count
                while low < high {
                    let middle = (low + high) / 2
                    if positions[middle] < relative { low = middle + 1 } else { high = middle }
                }
                guard low < positions.count, positions[low] == relative else { return nil }
                at = low
            } else {
                guard relative < UInt64(offsets.count - 1) else { return nil }
                at = Int(relative)
            }
            return offsets[at]..<offsets[at + 1]
        }
    }

    private struct Kept {
        var row: Row
        var usedAt: UInt64
    }

    let bytesMax: Int
    private var rows: [UInt64: Kept] = [:]
    private var bytes = 0
    private var clock: UInt64 = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    mutating func row(_ first: UInt64) -> Row? {
        clock += 1
        rows[first]?.usedAt = clock
        return rows[first]?.row
    }

    mutating func insert(_ row: Row) {
        clock += 1
        remove(row.first)
        rows[row.first] = Kept(row: row, usedAt: clock)
        bytes += row.bytes.count
        while bytes > bytesMax, rows.count > 1, let oldest = rows.min(by: { $0.value.usedAt < $1.value.usedAt }) {
            remove(oldest.key)
        }
    }

    mutating func remove(_ first: UInt64) {
        if let kept = rows.removeValue(forKey: first) { bytes -= kept.row.bytes.count }
    }

    mutating func removeAll() {
        rows = [:]
        bytes = 0
    }
}
