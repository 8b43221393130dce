/// Lines that a log's reader has not taken yet, in their order and so many bytes at most: lines beyond those are counted,
/// not kept.
/// Before: `LogSink.put`. After: its descriptor, as soon as that takes something.
struct LogBacklog {
    /// Bytes that wait at most.
    static let bytesMax = 1 << 20
    /// Bytes written at once, at most. What is no larger goes into a pipe whole, or not at all (POSIX: `PIPE_BUF`, which is
    /// 4096 on Linux).
    static let pieceBytesMax = 4096

    private var bytes: [UInt8] = []
    private var start = 0
    /// Lines that are neither written nor kept, and that no line tells of yet.
    private(set) var lost = 0
    /// Lines that the first of `bytes` tells of.
    private var told = 0

    var isEmpty: Bool { start == bytes.count }

    /// Keeps a line, whole or not at all.
    mutating func add(_ line: UnsafeRawBufferPointer) {
        guard bytes.count - start + line.count <= LogBacklog.bytesMax else { return lose() }
        keep(line)
    }

    /// Keeps the rest of a line whose beginning is written: without it the next one would not begin where a line does.
    mutating func keep(_ rest: UnsafeRawBufferPointer) {
        // Not each time: what waits may be a megabyte.
        if start > bytes.count / 2 {
            bytes.removeSubrange(..<start)
            start = 0
        }
        bytes.append(contentsOf: rest)
    }

    mutating func lose() { lost += 1 }

    /// What to write next: whole lines, as many as one piece holds, or a piece of a longer one.
    var piece: ArraySlice<UInt8> {
        let most = bytes[start...].prefix(LogBacklog.pieceBytesMax)
        guard let end = most.lastIndex(of: UInt8(ascii: "\n")) else { return most }
        return most[...end]
    }

    /// So many bytes of `piece` have been written.
    mutating func wrote(_ count: Int) {
        start += count
        told = 0
        if isEmpty { (bytes, start) = ([], 0) }
    }

    /// A line in the place of those that are lost, which says how many.
    mutating func tell(_ line: UnsafeRawBufferPointer) {
        keep(line)
        (told, lost) = (lost, 0)
    }

    /// Nobody will take what waits.
    mutating func giveUp() {
        let end = UInt8(ascii: "\n")
        // What begins with an end tells of lost ones below a line that has none.
        let lines = bytes[start...].drop { $0 == end }.count { $0 == end }
        lost += told > 0 ? told + lines - 1 : lines
        (bytes, start, told) = ([], 0, 0)
    }
}
