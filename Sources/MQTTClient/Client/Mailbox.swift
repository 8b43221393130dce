import NIOCore
import Synchronization

/// The one way from tasks to the event loop that the client lives on: one lock a call, and one wake-up a tick, however many
/// calls there were.
final class Mailbox: Sendable {
    typealias Answer<Value: Sendable> = CheckedContinuation<Result<Value, ClientError>, Never>

    /// What tasks ask for.
    enum Command: Sendable {
        case publish(Message, RequestIdentifier?, Answer<PublishResult>?)
        case subscribe(
            [SubscriptionFilter], [UserProperty], UInt16?, DeliveryBuffer, RequestIdentifier, Answer<SubscribeResult>)
        case unsubscribe(SubscriptionHandle, [UserProperty], RequestIdentifier, Answer<UnsubscribeResult>)
        case reauthenticate([UInt8]?, RequestIdentifier, Answer<Void>)
        case awaitConnection(RequestIdentifier, Answer<Void>)
        case cancel(RequestIdentifier)
        /// A subscription that nobody holds any more.
        case forget(SubscriptionHandle)
        /// A reader has emptied a buffer that had stopped the reading.
        case drained
        case acknowledge(Message)
        case authentication(Result<[UInt8]?, ClientError>)
        case close(Goodbye)
    }

    /// How to leave.
    struct Goodbye: Sendable {
        var reasonCode = ReasonCode.normalDisconnection
        var sessionExpiryIntervalSeconds: UInt32?
        var reasonString: String?
        var userProperties: [UserProperty] = []
    }

    private struct State {
        var commands: [Command] = []
        var isScheduled = false
        var core: NIOLoopBoundBox<ClientCore>?
    }

    private let state = Mutex(State())
    private let requests = Atomic<UInt64>(0)
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    /// Names the core that commands go to; those that came before are handed over.
    func open(_ core: NIOLoopBoundBox<ClientCore>) {
        state.withLock { $0.core = core }
        schedule()
    }

    func post(_ command: Command) {
        let core = state.withLock { state -> NIOLoopBoundBox<ClientCore>? in
            state.commands.append(command)
            guard !state.isScheduled, let core = state.core else { return nil }
            state.isScheduled = true
            return core
        }
        if let core { loop.execute { core.value.receiveCommands() } }
    }

    /// All commands there are, for the loop.
    func take() -> [Command] {
        state.withLock { state in
            state.isScheduled = false
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Asks and waits for the answer. A cancelled task gets `ClientError.cancelled`, and the request is withdrawn.
    func ask<Value: Sendable>(
        isolation: isolated (any Actor)? = #isolation,
        _ command: (RequestIdentifier, Answer<Value>) -> Command
    ) async throws(ClientError) -> Value {
        let request = RequestIdentifier(requests.add(1, ordering: .relaxed).newValue)
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { (answer: Answer<Value>) in
                guard !Task.isCancelled else { return answer.resume(returning: .failure(.cancelled)) }
                post(command(request, answer))
                // Cancelled between the question and the call above: the withdrawal came first and found nothing.
                if Task.isCancelled { post(.cancel(request)) }
            }
        } onCancel: {
            post(.cancel(request))
        }.get()
    }

    private func schedule() {
        let core = state.withLock { state -> NIOLoopBoundBox<ClientCore>? in
            guard !state.isScheduled, !state.commands.isEmpty else { return nil }
            state.isScheduled = true
            return state.core
        }
        if let core { loop.execute { core.value.receiveCommands() } }
    }
}
