/// When a loop's output is written: at once, at the end of the turn, or a little later.
///
/// A write costs the same whether it carries one message or fifty. So output gathers over a turn of the loop; but where
/// few sockets are ready in a turn, gathering costs time and gains nothing, and where much comes in for very many
/// receivers, one turn gathers too little. Once there is ample for each, waiting only lets it grow cold.
/// Before: `ShardLoop` has received. After: it flushes, or schedules that.
struct FlushPace {
    /// Output that waits: bytes, and connections that they go to.
    struct Waiting {
        var bytes: Int
        var connections: Int

        var isEnough: Bool { bytes >= connections * FlushPace.runBytesEnough }
        /// Larger writes would cost no less a message, and what waits leaves the processor's cache.
        var isAmple: Bool { bytes >= connections * FlushPace.runBytesAmple }
    }

    /// A turn with more reads than this is a busy one: the next does not write before its end.
    static let promptReadsMax = 4
    /// More than this is worth gathering even in a quiet turn.
    static let promptBytesMax = 8192
    /// A turn that brought this much has more where that came from.
    static let bulkBytesMin = 65_536
    /// Output for each connection that is a write's worth, on the average.
    static let runBytesEnough = 2048
    /// So much for each connection is written before anything else is read, however busy the turn is.
    static let runBytesAmple = 8192
    /// How long output gathers beyond its turn at most, in microseconds.
    static let lingerMicroseconds: Int64 = 500

    /// Reads of this turn after which there was output.
    private var reads = 0
    /// Bytes received in this turn.
    private var bytesReceived = 0
    /// Reads that may still be answered at once.
    private var promptReads = FlushPace.promptReadsMax
    /// Output is waiting beyond its turn.
    private(set) var isLingering = false

    mutating func received(_ count: Int) { bytesReceived += count }

    /// A read has ended and left output. Returns whether to write it now.
    mutating func writesAfterRead(_ waiting: Waiting) -> Bool {
        reads += 1
        if isLingering {
            isLingering = !waiting.isEnough
            return !isLingering
        }
        if waiting.isAmple { return true }
        guard promptReads > 0, waiting.bytes < FlushPace.promptBytesMax else { return false }
        promptReads -= 1
        return true
    }

    /// The turn has ended. Returns whether to write what waits now; if not, `lingerEnded` follows after
    /// `lingerMicroseconds`.
    mutating func writesAfterTurn(_ waiting: Waiting) -> Bool {
        promptReads = reads > FlushPace.promptReadsMax ? 0 : FlushPace.promptReadsMax
        let isBulk = bytesReceived >= FlushPace.bulkBytesMin
        reads = 0
        bytesReceived = 0
        isLingering = isBulk && !waiting.isEnough
        return !isLingering
    }

    mutating func lingerEnded() { isLingering = false }
}
