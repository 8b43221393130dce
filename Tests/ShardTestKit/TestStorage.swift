package import BrokerCore

/// What shards of one broker write to, and what is left when they are gone.
package final class ModelDisk {
    package var engine = ModelStorage()
    package init() {}
}

/// One shard's way to storage, for tests: it does what it is asked in the order of asking, when the test lets it, or
/// refuses; and answers when the test says so, in any order.
package struct TestStorage {
    package enum Mode { case answersAtOnce, held }

    package var mode = Mode.answersAtOnce
    /// What is asked waits for `write`; else it takes effect at once, and only its answer waits.
    package var delaysWrites = false
    /// Why a request is refused, or nil where it is done. Asked when its turn comes.
    package var refusal: (StorageRequest) -> StorageFailure? = { _ in nil }
    package let disk: ModelDisk
    package var engine: ModelStorage { disk.engine }
    /// Everything asked so far.
    package private(set) var requests: [StorageRequest] = []
    /// Asked and not done: a crash loses them.
    package private(set) var waiting: [StorageRequest] = []
    /// Answers that have not arrived yet, in the order of asking.
    package private(set) var answers: [StorageEvent] = []
    private var keepsRequests: Bool

    package init(disk: ModelDisk = ModelDisk(), keepsRequests: Bool = true) {
        self.disk = disk
        self.keepsRequests = keepsRequests
    }

    package mutating func ask(_ request: StorageRequest) {
        if keepsRequests { requests.append(request) }
        waiting.append(request)
        if !delaysWrites { write() }
    }

    /// Does up to `count` of what was asked, oldest first: each whole, or not at all.
    package mutating func write(_ count: Int = .max) {
        let taken = waiting.prefix(count)
        waiting.removeFirst(taken.count)
        for request in taken {
            if let failure = refusal(request) {
                answers.append(.failed(request.token, failure))
            } else {
                answers.append(disk.engine.perform(request))
            }
        }
    }

    /// Nothing is asked that was not done and answered.
    package var isIdle: Bool { waiting.isEmpty && answers.isEmpty }

    /// Takes one answer for delivery.
    package mutating func takeAnswer(at index: Int = 0) -> StorageEvent { answers.remove(at: index) }
}

extension StorageRequest {
    package var token: StorageToken {
        switch self {
        case .append(let token, _), .put(let token, _), .remove(let token, _), .read(let token, _, _, _, _): token
        }
    }

    package var isAppend: Bool {
        if case .append = self { true } else { false }
    }

    package var isRead: Bool {
        if case .read = self { true } else { false }
    }
}
