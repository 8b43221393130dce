public import MQTTProtocol
public import MQTTTransport
public import NIOCore
import NIOPosix
import Synchronization

/// An MQTT client, 3.1.1 and 5.0: one session with one broker, kept over as many connections as it takes.
///
/// ```swift
/// try await MQTTClient.withConnection(to: .tcp("localhost")) { client in
///     let subscription = try await client.subscribe(to: "sensors/+/temperature", qos: .atLeastOnce)
///     try await client.publish(Message("sensors/7/temperature", "21.5", qos: .atLeastOnce))
///     for try await message in subscription { … }
/// }
/// ```
///
/// A client does its work while ``run()`` runs: `withConnection` starts and ends that by itself; a service makes a client and
/// runs it in a task of its own. Methods may be called from any task, at any time: what is asked before the first
/// connection, or between two, waits for the next one. Every method that waits can be cancelled; it then throws
/// ``ClientError/cancelled`` and leaves nothing behind but what has been sent already.
public final class MQTTClient: Sendable {
    /// What the client holds for readers that do not keep up. What it holds for the server is limited by
    /// `ClientConfiguration`.
    public struct Limits: Sendable, Hashable {
        /// Messages waiting in one subscription, beyond which the socket is not read. The reader holds as many again.
        public var bufferedMessagesMax = 1_000
        /// Bytes of topics and payloads waiting in one subscription, beyond which the socket is not read.
        public var bufferedBytesMax = 8 * 1024 * 1024
        /// Messages that no subscription wants, kept for one that is made later; more are dropped.
        public var unclaimedMessagesMax = 1_000

        public init() {}
    }

    public let endpoint: Endpoint
    public let configuration: ClientConfiguration
    public let reconnect: ReconnectPolicy
    public let limits: Limits
    let authenticator: (any Authenticator)?
    let jitter: JitterSource?
    let loop: any EventLoop
    let mailbox: Mailbox
    let stateStreams = StateStreams()
    let core: NIOLoopBoundBox<ClientCore>
    let challenges: AsyncStream<[UInt8]?>?
    let hasRun = Atomic<Bool>(false)

    /// Makes a client; nothing happens before ``run()``.
    /// - Parameters:
    ///   - endpoint: where the broker is.
    ///   - configuration: the content of CONNECT, and limits.
    ///   - reconnect: `.afterLoss` unless told.
    ///   - limits: for readers.
    ///   - store: keeps messages of QoS 1 and 2 over the end of the process; nil = in memory only. The file is opened here.
    ///   - authenticator: for enhanced authentication, §4.12.
    ///   - jitter: where the chance in the delays between connections comes from, such as a token's own source; nil = the
    ///     system's. Where it fails, the client ends with `noRandomness`: there is no weaker source to fall back to.
    ///   - observer: sees every packet, see ``PacketObserver``; nil costs nothing.
    ///   - eventLoopGroup: where the client's loop is taken from; NIO's shared one unless told.
    /// - Throws: `ClientError.invalidField` or `.notInVersion` where the configuration cannot be put into a CONNECT;
    ///   `.storeFailed` where the store's file cannot be used.
    public init(
        _ endpoint: Endpoint, _ configuration: ClientConfiguration = ClientConfiguration(),
        reconnect: ReconnectPolicy = .afterLoss, limits: Limits = Limits(), store: MessageStore? = nil,
        authenticator: (any Authenticator)? = nil, jitter: JitterSource? = nil, observer: PacketObserver? = nil,
        eventLoopGroup: (any EventLoopGroup)? = nil
    ) throws(ClientError) {
        var configuration = configuration
        if let authenticator { configuration.authenticationMethod = authenticator.method }
        let session = try ClientSession(configuration)
        var file: MessageFile?
        if let store { file = try MessageFile(store, now: ClientCore.second) }
        self.endpoint = endpoint
        self.configuration = configuration
        self.reconnect = reconnect
        self.limits = limits
        self.authenticator = authenticator
        self.jitter = jitter
        let loop = (eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton).next()
        self.loop = loop
        let mailbox = Mailbox(loop: loop)
        self.mailbox = mailbox
        var continuation: AsyncStream<[UInt8]?>.Continuation?
        if authenticator != nil {
            let (stream, input) = AsyncStream.makeStream(of: [UInt8]?.self)
            challenges = stream
            continuation = input
        } else {
            challenges = nil
        }
        core = NIOLoopBoundBox.makeBoxSendingValue(
            ClientCore(
                loop: loop, mailbox: mailbox, states: stateStreams, limits: limits, session: session,
                challenges: continuation, store: file, observer: observer),
            eventLoop: loop)
    }

    /// What happens to the connection: the present state, then each that follows. Every call makes a stream of its own; it
    /// ends with `closed`.
    public var states: AsyncStream<ConnectionState> { stateStreams.listen() }

    /// Where the client stands now.
    public var state: ConnectionState { stateStreams.current }

    /// Waits until there is a connection.
    /// - Throws: the `ClientError` that ended the client; `cancelled`.
    public func connected() async throws(ClientError) {
        try await mailbox.ask { .awaitConnection($0, $1) }
    }

    // MARK: Publishing

    /// Publishes and waits until the QoS flow is complete: sent (0), acknowledged by PUBACK (1), by PUBCOMP (2). The flow
    /// goes on over reconnections.
    /// - Returns: `success`, or `noMatchingSubscribers`.
    /// - Throws: `refused` with the server's reason code; a limit of the server (`qosNotSupported`, `retainNotSupported`,
    ///   `packetTooLarge`); `queueFull` and `queueFullOfBytes`; `expired`; `invalidField`; `cancelled`; what ended the client.
    @discardableResult
    public func publish(_ message: Message) async throws(ClientError) -> PublishResult {
        try await mailbox.ask { .publish(message, $0, $1) }
    }

    /// Publishes without waiting and without an answer, from anywhere. What cannot be sent is lost without a word, so this
    /// is for QoS 0, and for callbacks that cannot wait.
    public func send(_ message: Message) { mailbox.post(.publish(message, nil, nil)) }

    // MARK: Subscribing

    /// Subscribes to several filters at once and waits for SUBACK, §3.8. The subscription is made again by itself when the
    /// server has lost the session.
    /// - Parameter packetIdentifier: nil but for a retry that must carry the number of the first try.
    /// - Returns: the messages of all the filters. A refusal is for its filter alone: see `result.reasonCodes`.
    /// - Throws: `refused` where the server refused every filter; `noFilters`, `invalidField`, `notInVersion`;
    ///   `wildcardSubscriptionsNotSupported`, `sharedSubscriptionsNotSupported`, `packetTooLarge`; `packetIdentifierInUse`;
    ///   `cancelled`; what ended the client.
    public func subscribe(
        to filters: [SubscriptionFilter], userProperties: [UserProperty] = [], packetIdentifier: UInt16? = nil
    ) async throws(ClientError) -> Subscription {
        let buffer = DeliveryBuffer(
            messagesMax: limits.bufferedMessagesMax, bytesMax: limits.bufferedBytesMax
        ) { [mailbox] in mailbox.post(.drained) }
        let result = try await mailbox.ask {
            .subscribe(filters, userProperties, packetIdentifier, buffer, $0, $1)
        }
        return Subscription(filters: filters, result: result, buffer: buffer, mailbox: mailbox)
    }

    /// Subscribes to one filter.
    /// - Throws: as `subscribe(to:userProperties:packetIdentifier:)`.
    public func subscribe(
        to filter: TopicFilter, qos: QoS = .atMostOnce
    ) async throws(ClientError) -> Subscription {
        try await subscribe(to: [SubscriptionFilter(filter, qos: qos)])
    }

    /// The program is done with a message: its PUBACK or PUBREC may go out. For `AcknowledgementPolicy.byApplication`.
    public func acknowledge(_ message: Message) { mailbox.post(.acknowledge(message)) }

    // MARK: Authentication, and leaving

    /// Authenticates once more on the living connection, §4.12.1.
    /// - Throws: `authenticationFailed` by the authenticator, `notConnected`; `disconnectedByServer` where the server says no.
    public func reauthenticate() async throws(ClientError) {
        guard let authenticator else { throw .invalidField("no authenticator was given") }
        var data: [UInt8]?
        do {
            data = try await authenticator.begin()
        } catch {
            throw .authenticationFailed("\(error)")
        }
        try await mailbox.ask { .reauthenticate(data, $0, $1) }
    }

    /// Says goodbye with DISCONNECT, §3.14, and ends the client: `run` returns, what waits fails with `closed`, subscriptions
    /// end. Without a connection it just ends.
    /// - Parameters:
    ///   - reasonCode: `disconnectWithWill` has the will published; 5.0 only.
    ///   - sessionExpiryIntervalSeconds: replaces CONNECT's, such as 0 to end the session at once; 5.0 only.
    public func close(
        _ reasonCode: ReasonCode = .normalDisconnection, sessionExpiryIntervalSeconds: UInt32? = nil,
        reasonString: String? = nil, userProperties: [UserProperty] = []
    ) {
        mailbox.post(
            .close(
                Mailbox.Goodbye(
                    reasonCode: reasonCode, sessionExpiryIntervalSeconds: sessionExpiryIntervalSeconds,
                    reasonString: reasonString, userProperties: userProperties)))
    }
}
