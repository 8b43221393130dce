/// A value kept under a key: a session, a retained message.
package struct StateRecord: Equatable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]

    package init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// What a shard asks of the storage ports (`MessageLog`, `StateStore`): effects, answered later by `StorageEvent`s.
/// Requests of one shard take effect in the order they were made; answers may come in any order.
package enum StorageRequest: Equatable, Sendable {
    /// Keep the batch. Answered by `stored` with the position of its first message, or `failed`.
    case append(StorageToken, LogBatch)
    /// Read a queue after a position. Answered by `records`.
    case read(StorageToken, QueueID, after: LogPosition, countMax: Int, bytesMax: Int)
    /// Keep a value. Answered by `stored` or `failed`.
    case put(StorageToken, StateRecord)
    /// Forget a value. Answered by `stored` or `failed`.
    case remove(StorageToken, key: [UInt8])
}

/// Why storage did not keep something.
package enum StorageFailure: Error, Equatable, Sendable {
    case full
    case unavailable
}

/// The storage ports' answers.
package enum StorageEvent: Equatable, Sendable {
    case stored(StorageToken, first: LogPosition)
    case failed(StorageToken, StorageFailure)
    case records(StorageToken, [QueuedRecord])
}
