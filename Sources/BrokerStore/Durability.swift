/// When a request counts as kept.
package enum Durability: Equatable, Sendable {
    /// Synced to the disk: survives a crash of the machine.
    case sync
    /// Handed to the operating system: survives a crash of the broker.
    case os
    /// As `os`, and synced every so many seconds.
    case interval(seconds: Double)
}

/// Sizes that decide how a store works, in bytes unless said otherwise. The defaults were measured
/// (Docs/decisions/0011-the-store.md); tests make them small, so that little traffic passes through everything.
package struct StoreSettings: Sendable {
    /// The limit of the whole store, by the bytes of messages kept; nil = the disk's. At it, `room(false)` is told.
    package var messageBytesMax: Int?
    /// The same by their number, each message once.
    package var messagesMax: Int?
    /// A page of the file; takes effect when it is created.
    package var pageBytes = 8192
    /// Of messages in a row.
    package var rowBytesMax = 1 << 20
    /// Of messages in one group.
    package var groupBytesMax = 8 << 20
    /// Of redo records that a restart replays.
    package var redoBytesMax = 8 << 20
    /// How long acknowledgements may wait for a group to be written with; zero = they are written before they are
    /// answered, as all else is.
    package var acknowledgementLinger = Duration.milliseconds(10)
    /// Of the write-ahead log, before it is carried into the file.
    package var walBytesMax = 16 << 20
    /// Of rows kept in memory for readers.
    package var cacheBytesMax = 32 << 20
    /// Entries of a queue that lie in one piece, at most.
    package var segmentEntriesMax = 2048
    /// A piece that is written takes no more entries from this many on.
    package var segmentClosesAt = 128
    /// Rows below this are put together when many lie beside each other.
    package var smallRowBytes = 64 << 10
    /// The newest rows change of themselves: so many are left alone.
    package var rowsSpared = 32
    /// Between two looks for rows to be put together.
    package var compactionInterval = Duration.milliseconds(250)
    /// Between two looks for retained messages whose time has passed, where nothing else is written.
    package var expiryInterval = Duration.seconds(1)
    /// Free pages that are given back to the disk when they are more than a quarter of the file and than this.
    package var freeBytesKept = 16 << 20
    /// Pages of the file at most: for tests of a full disk.
    package var pageCountMax: Int?
    /// Steps to layouts beyond the newest, each some statements: for tests of upgrades.
    package var furtherSteps: [[String]] = []

    package init() {}
}

/// How a store is doing.
package struct StoreStatistics: Equatable, Sendable {
    /// Queue entries: a message that ten sessions wait for counts ten times.
    package var queued = 0
    /// Their messages' bytes.
    package var queuedBytes = 0
    package var retained = 0
    /// Records of sessions.
    package var sessions = 0
    /// Bytes of messages kept, each once, with those of the same row that nobody needs any more.
    package var messageBytes = 0
    /// Messages kept, each once: at most so many, where several sessions wait for the same.
    package var messages = 0
    /// Rows of messages.
    package var rows = 0
    /// Pages of the file, free ones included, in bytes.
    package var fileBytes = 0
    package var freeBytes = 0
    /// Groups that were written.
    package var commits: UInt64 = 0
    /// Messages that were written.
    package var messagesWritten: UInt64 = 0
    /// How long the last commit took, its sync included, in nanoseconds.
    package var commitNanoseconds: UInt64 = 0
    /// Groups that could not be written, or reads that failed.
    package var failures: UInt64 = 0
    package var lastFailure: StoreError?

    package init() {}
}
