/// A subscription that was granted, as a sequence of its messages. Reading it slowly slows the server down: when
/// `MQTTClient.Limits.bufferedMessagesMax` messages or `bufferedBytesMax` bytes wait here, the client stops reading its
/// socket until some are taken; until then nothing else comes either.
///
/// The sequence ends when the subscription is given up or the client is closed, and throws the `ClientError` that ended the
/// client, or that refused the subscription after a reconnection. In a cancelled task it ends. It goes on over
/// reconnections. Several iterators share the messages, each goes to one.
///
/// When the last reference goes, the subscription is given up with UNSUBSCRIBE, unless the server keeps the session while we are
/// away (`cleanStart` false, a session expiry): then it stays, and only ``unsubscribe(userProperties:)`` ends it.
public final class Subscription: AsyncSequence, Sendable {
    public typealias Element = Message
    public typealias Failure = ClientError

    /// What was asked for.
    public let filters: [SubscriptionFilter]
    /// What the server said to each filter, in order, and its name for the subscription.
    public let result: SubscribeResult
    let buffer: DeliveryBuffer
    private let mailbox: Mailbox

    init(filters: [SubscriptionFilter], result: SubscribeResult, buffer: DeliveryBuffer, mailbox: Mailbox) {
        self.filters = filters
        self.result = result
        self.buffer = buffer
        self.mailbox = mailbox
    }

    deinit { mailbox.post(.forget(result.handle)) }

    /// Reads the messages of a subscription.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let subscription: Subscription
        private var batch: [Message] = []
        private var next = 0

        init(_ subscription: Subscription) { self.subscription = subscription }

        /// The next message; nil at the end, and in a cancelled task.
        /// - Throws: `ClientError`, see `Subscription`.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(ClientError) -> Message? {
            if next == batch.count {
                batch = []
                next = 0
                switch await subscription.buffer.take(isolation: actor) {
                case .messages(let messages): batch = messages
                case .cancelled: return nil
                case .end(let end):
                    try end.get()
                    return nil
                }
            }
            defer { next += 1 }
            return batch[next]
        }

        /// The next message; nil at the end, and in a cancelled task.
        public mutating func next() async throws(ClientError) -> Message? {
            try await next(isolation: nil)
        }
    }

    /// Messages that came and that no iterator has taken yet.
    public var waitingMessages: Int { buffer.count }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// UNSUBSCRIBE, §3.10: ends the sequence when the server has answered.
    /// - Throws: `closed`, `cancelled`; `invalidField` for user properties that cannot be sent.
    @discardableResult
    public func unsubscribe(userProperties: [UserProperty] = []) async throws(ClientError) -> UnsubscribeResult {
        try await mailbox.ask { request, continuation in
            .unsubscribe(result.handle, userProperties, request, continuation)
        }
    }
}
