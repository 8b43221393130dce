package import BrokerCore

/// The storage ports for tests: `MemoryStorage`, whose answers arrive when the test says so, or which refuses. What it
/// keeps takes effect when it is asked, in the order of asking; only the answers wait.
package struct TestStorage {
    package enum Mode { case answersAtOnce, held }

    package var mode = Mode.answersAtOnce
    /// Why a request is refused, or nil where it is done.
    package var refusal: (StorageRequest) -> StorageFailure? = { _ in nil }
    package private(set) var engine = MemoryStorage()
    /// Everything asked so far.
    package private(set) var requests: [StorageRequest] = []
    /// Answers that have not arrived yet, in the order of asking.
    package private(set) var answers: [StorageEvent] = []
    private var keepsRequests: Bool

    package init(keepsRequests: Bool = true) { self.keepsRequests = keepsRequests }

    package mutating func ask(_ request: StorageRequest) {
        if keepsRequests { requests.append(request) }
        if let failure = refusal(request) {
            answers.append(.failed(request.token, failure))
        } else {
            answers.append(engine.perform(request))
        }
    }

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
