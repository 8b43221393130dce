import MQTTDelivery
public import MQTTTransport
import NIOCore
import Synchronization

/// A client's life: connect, wait for the end, wait a little, connect again. Everything it starts ends before it returns.
extension MQTTClient {
    /// Connects and keeps connected, until ``close(_:sessionExpiryIntervalSeconds:reasonString:userProperties:)``, the task's
    /// cancellation (which says goodbye too), or an error that no further attempt can mend. To be called once.
    /// - Throws: the `ClientError` that ended the client.
    public func run() async throws(ClientError) {
        guard !hasRun.exchange(true, ordering: .relaxed) else { throw .invalidField("a client runs once") }
        await onLoop { $0.publishKept() }
        mailbox.open(core)
        let result = await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                if let challenges, let authenticator {
                    group.addTask { [mailbox] in
                        for await challenge in challenges {
                            mailbox.post(.authentication(await Self.answer(challenge, authenticator)))
                        }
                    }
                }
                let result = await supervise()
                await onLoop { $0.finish(result) }
                await group.waitForAll()
                return result
            }
        } onCancel: {
            close()
        }
        if let result { throw result }
    }

    /// Runs a client as long as `body` runs: connects, calls `body`, says goodbye, and returns when all is closed. With a
    /// policy that retries the first connection, `body` starts at once and what it asks for waits.
    ///
    /// When the client ends while `body` runs, its requests and sequences throw what ended it.
    /// - Throws: what `body` throws, or the `ClientError` of a first connection that failed.
    public static func withConnection<Result>(
        to endpoint: Endpoint, _ configuration: ClientConfiguration = ClientConfiguration(),
        reconnect: ReconnectPolicy = .afterLoss, limits: Limits = Limits(),
        store: MessageStore? = nil, authenticator: (any Authenticator)? = nil, jitter: JitterSource? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (MQTTClient) async throws -> sending Result
    ) async throws -> sending Result {
        let client = try MQTTClient(
            endpoint, configuration, reconnect: reconnect, limits: limits, store: store,
            authenticator: authenticator, jitter: jitter)
        async let life: Void = client.run()
        do {
            if !reconnect.retriesFirstConnection { try await client.connected() }
            let result = try await body(client)
            client.close()
            // What ended it has reached the body, if it mattered to it.
            try? await life
            return result
        } catch {
            client.close()
            try? await life
            throw error
        }
    }

    // MARK: Connections

    /// Why the client ended, nil = the program wanted it.
    private func supervise() async -> ClientError? {
        var backoff = reconnect.backoff
        var attempt = 0
        var hasConnected = false
        while true {
            attempt += 1
            if await onLoop({ $0.isClosing }) { return nil }
            stateStreams.send(.connecting(attempt: attempt))
            let (error, succeeded) = await connection()
            if succeeded {
                hasConnected = true
                attempt = 0
                backoff = reconnect.backoff
            }
            guard let error else { return nil }
            if await onLoop({ $0.isClosing }) { return nil }
            guard error.isTransient, hasConnected || reconnect.retriesFirstConnection else { return error }
            guard let next = backoff, next.retriesMax == Backoff.forever || next.retries < next.retriesMax else {
                return error
            }
            let random: UInt32
            do {
                random = try await jitter?() ?? UInt32.random(in: 0...UInt32.max)
            } catch {
                return .noRandomness("\(error)")
            }
            guard case .retry(let delay) = backoff?.next(random: random) else { return error }
            stateStreams.send(.waiting(delay, after: error))
            await sleep(delay)
        }
    }

    /// One connection from its beginning to its end: why it ended, and whether it was accepted.
    private func connection() async -> (ClientError?, succeeded: Bool) {
        var data: [UInt8]?
        do {
            data = try await authenticator?.begin()
        } catch {
            return (.authenticationFailed("\(error)"), false)
        }
        let opened: OpenedChannel
        do {
            opened = try await Connector.open(endpoint, on: loop, timeout: configuration.connectTimeout) {
                [core] channel in
                core.value.mayConnect(channel)
                    ? channel.eventLoop.makeSucceededVoidFuture()
                    : channel.eventLoop.makeFailedFuture(ClientError.closed)
            }
        } catch {
            await onLoop { $0.connectFailed() }
            return (.connectFailed(error), false)
        }
        let before = await onLoop { $0.acceptedConnections }
        let ended = loop.flatSubmit { [core, data] in
            core.value.adopt(opened, authenticationData: data)
        }
        let error = (try? await ended.get()) ?? nil
        let after = await onLoop { $0.acceptedConnections }
        return (error, after != before)
    }

    private func sleep(_ delay: Duration) async {
        let nap = loop.flatSubmit { [core] in core.value.sleep(delay) }
        try? await nap.get()
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (ClientCore) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            loop.execute { [core] in continuation.resume(returning: body(core.value)) }
        }
    }

    private static func answer(
        _ challenge: [UInt8]?, _ authenticator: any Authenticator
    ) async -> Result<[UInt8]?, ClientError> {
        do {
            return .success(try await authenticator.respond(to: challenge))
        } catch {
            return .failure(.authenticationFailed("\(error)"))
        }
    }
}
