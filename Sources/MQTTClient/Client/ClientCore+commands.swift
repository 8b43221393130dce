import MQTTProtocol

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What tasks ask for, done on the loop, and the answers. Before: `Mailbox`. After: `ClientSession`.
extension ClientCore {
    /// Does all that has been asked since the last time.
    func receiveCommands() {
        let now = ClientSession.Instant.now
        for command in mailbox.take() { receive(command, at: now) }
        endTick()
    }

    private func receive(_ command: Mailbox.Command, at now: ClientSession.Instant) {
        if let end { return refuse(command, end) }
        switch command {
        case .publish(let message, let request, let continuation):
            publish(message, request, continuation, at: now)
        case .subscribe(let filters, let properties, let identifier, let buffer, let request, let continuation):
            do throws(ClientError) {
                let handle = try session.subscribe(
                    to: filters, userProperties: properties, packetIdentifier: identifier, as: request, at: now)
                answers[request.value] = .subscribe(handle, continuation)
                deliveries.open(handle, filters, buffer)
            } catch {
                continuation.resume(returning: .failure(error))
            }
        case .unsubscribe(let handle, let properties, let request, let continuation):
            answers[request.value] = .unsubscribe(handle, continuation)
            attempt(request) { () throws(ClientError) in
                try session.unsubscribe(from: handle, userProperties: properties, as: request, at: now)
            }
        case .reauthenticate(let data, let request, let continuation):
            answers[request.value] = .reauthenticate(continuation)
            attempt(request) { () throws(ClientError) in try session.reauthenticate(with: data, as: request, at: now) }
        case .awaitConnection(let request, let continuation):
            if session.state == .connected { return continuation.resume(returning: .success(())) }
            connectionWaiters.append((request, continuation))
        case .cancel(let request): cancel(request)
        case .forget(let handle): forget(handle, at: now)
        case .drained: readerDrained()
        case .acknowledge(let message): session.acknowledge(message, at: now)
        case .authentication(.success(let data)):
            // The connection that asked may be gone.
            try? session.continueAuthentication(with: data, at: now)
        case .authentication(.failure(let error)): session.failAuthentication("\(error)", at: now)
        case .close(let goodbye): leave(goodbye)
        }
    }

    private func publish(
        _ message: Message, _ request: RequestIdentifier?, _ continuation: Mailbox.Answer<PublishResult>?,
        at now: ClientSession.Instant
    ) {
        var request = request
        if let store, message.qos != .atMostOnce {
            let number = store.add(message, now: Self.second)
            let named = request ?? Self.storeRequest(number)
            storedNumbers[named.value] = number
            request = named
        }
        if let request, let continuation { answers[request.value] = .publish(continuation) }
        attempt(request) { () throws(ClientError) in try session.publish(message, as: request, at: now) }
    }

    /// Queues what an earlier process has left in the store, before anything else.
    func publishKept() {
        guard let store else { return }
        for (number, message) in store.kept {
            let request = Self.storeRequest(number)
            do throws(ClientError) {
                try session.publish(message, as: request, at: .now)
                storedNumbers[request.value] = number
            } catch {
                // More than the queue takes now stays in the file for the next process.
                break
            }
        }
    }

    /// Requests of nobody: their numbers are out of the way of those that tasks make.
    private static func storeRequest(_ number: UInt64) -> RequestIdentifier { RequestIdentifier(number | 1 << 63) }

    /// Seconds since 1970, for expiry over the end of a process.
    static var second: UInt64 { UInt64(max(0, time(nil))) }

    /// Asks the session; what it says at once goes to the caller.
    private func attempt(_ request: RequestIdentifier?, _ body: () throws(ClientError) -> Void) {
        do throws(ClientError) {
            try body()
        } catch {
            if let request { answer(request, .failed(error)) }
        }
    }

    private func cancel(_ request: RequestIdentifier) {
        if let at = connectionWaiters.firstIndex(where: { $0.0 == request }) {
            return connectionWaiters.remove(at: at).1.resume(returning: .failure(.cancelled))
        }
        session.cancel(request)
    }

    /// Nobody holds the subscription any more.
    private func forget(_ handle: SubscriptionHandle, at now: ClientSession.Instant) {
        guard deliveries.close(handle, .success(())) else { return }
        readerDrained()
        if session.isKeptByServer {
            // What the server keeps for us while we are away is not given up because a program ends.
            session.forget(handle)
        } else {
            try? session.unsubscribe(from: handle, as: nil, at: now)
        }
    }

    /// The client has ended: nothing is asked of it any more.
    private func refuse(_ command: Mailbox.Command, _ end: Result<Void, ClientError>) {
        var error = ClientError.closed
        if case .failure(let cause) = end { error = cause }
        switch command {
        case .publish(_, _, let continuation): continuation?.resume(returning: .failure(error))
        case .subscribe(_, _, _, _, _, let continuation): continuation.resume(returning: .failure(error))
        case .unsubscribe(_, _, _, let continuation): continuation.resume(returning: .failure(error))
        case .reauthenticate(_, _, let continuation): continuation.resume(returning: .failure(error))
        case .awaitConnection(_, let continuation): continuation.resume(returning: .failure(error))
        case .cancel, .forget, .drained, .acknowledge, .authentication, .close: break
        }
    }

    // MARK: Answers

    func answer(_ request: RequestIdentifier, _ result: RequestResult) {
        // What ends with the client, and not with the server, stays in the store.
        if end == nil, let number = storedNumbers.removeValue(forKey: request.value) { store?.remove(number) }
        switch (answers.removeValue(forKey: request.value), result) {
        case (.publish(let continuation), .published(let result)): continuation.resume(returning: .success(result))
        case (.publish(let continuation), .failed(let error)): continuation.resume(returning: .failure(error))
        case (.subscribe(let handle, let continuation), .subscribed(let result)):
            if result.reasonCodes.allSatisfy(\.isError) {
                deliveries.close(handle, .success(()))
                continuation.resume(
                    returning: .failure(.refused(result.reasonCodes[0], reasonString: result.reasonString)))
            } else {
                continuation.resume(returning: .success(result))
            }
        case (.subscribe(let handle, let continuation), .failed(let error)):
            forget(handle, at: .now)
            continuation.resume(returning: .failure(error))
        case (.unsubscribe(let handle, let continuation), .unsubscribed(let result)):
            deliveries.close(handle, .success(()))
            readerDrained()
            continuation.resume(returning: .success(result))
        case (.unsubscribe(let handle, let continuation), .failed(let error)):
            // Given up all the same: the session does not want it any more.
            deliveries.close(handle, .success(()))
            continuation.resume(returning: .failure(error))
        case (.reauthenticate(let continuation), .authenticated): continuation.resume(returning: .success(()))
        case (.reauthenticate(let continuation), .failed(let error)): continuation.resume(returning: .failure(error))
        case (nil, _): break  // Nobody waits.
        case (.some, _): preconditionFailure("request \(request.value) was answered with \(result)")
        }
    }
}
