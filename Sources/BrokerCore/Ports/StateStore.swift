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
///
/// `failed` means: nothing of the request was kept, and nothing of it will be found after a restart. An engine that
/// cannot know (a commit whose outcome is unclear) finds out before it answers. Queues that no session's record names
/// are void after a restart.
package enum StorageRequest: Equatable, Sendable {
    /// Keep the batch. Answered by `stored` with the position of its first message, or `failed`.
    case append(StorageToken, LogBatch)
    /// Read a queue after a position, oldest first, those in flight too. Answered by `records`, which may be fewer than
    /// asked for, but none only where nothing stands after the position.
    case read(StorageToken, QueueID, after: LogPosition, countMax: Int, bytesMax: Int)
    /// Keep a value. Answered by `stored` or `failed`.
    case put(StorageToken, StateRecord)
    /// Forget a value. Answered by `stored` or `failed`.
    case remove(StorageToken, key: [UInt8])
}

/// Why storage did not keep something.
package enum StorageFailure: Error, Equatable, Sendable {
    /// No room: a full disk, or the limit of the store.
    case full
    case unavailable
    /// A queue is full, and the publisher is to hear of it. Shards tell each other this; engines do not answer it.
    case quota
}

/// The storage ports' answers.
package enum StorageEvent: Equatable, Sendable {
    case stored(StorageToken, first: LogPosition)
    case failed(StorageToken, StorageFailure)
    case records(StorageToken, [QueuedRecord])
    /// No answer: what is kept has reached the operator's limit for the whole store (`false`), or is below it again
    /// (`true`). Every shard is told. Until there is room the core asks for no more queue entries; other requests, and
    /// those that were under way, are to be kept all the same: they are few, and acknowledgements make room.
    case room(Bool)
}
