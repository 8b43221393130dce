import DequeModule
import MQTTDelivery
import MQTTProtocol

/// SUBSCRIBE and UNSUBSCRIBE, §3.8 to §3.11. What is subscribed to is what the program wants, not an event: it is asked for
/// again whenever the server has lost it. Before: the program, or a new connection. After: a completion, and deliveries.
extension ClientSession {
    /// A SUBSCRIBE or UNSUBSCRIBE that is not answered yet.
    struct SubscriptionCall {
        enum Kind {
            case subscribe([SubscriptionFilter])
            case unsubscribe([TopicFilter])
        }

        let kind: Kind
        let handle: SubscriptionHandle
        let userProperties: [UserProperty]
        /// Nil where nobody waits: restored, or cancelled.
        var request: RequestIdentifier?
        /// Made again by the session itself.
        var isRestoring = false
        /// The identifier the program wants, for a retry under the same one.
        var wanted: UInt16?
        /// 0 = not sent.
        var packetIdentifier: UInt16 = 0
    }

    /// Subscribes, now or when there is a connection, and again whenever the server has lost the session.
    /// - Parameters:
    ///   - packetIdentifier: nil = the next one. A number is for a retry that must carry the identifier of the first try.
    ///   - request: named by the completion, `.subscribed` with a reason code for each filter: a refusal is for its filter
    ///     alone.
    /// - Returns: what deliveries and `unsubscribe` name it by.
    /// - Throws: `noFilters`, `invalidField`; `notInVersion` for options that 3.1.1 does not have; when connected also
    ///   `wildcardSubscriptionsNotSupported`, `sharedSubscriptionsNotSupported`, `packetTooLarge`, `packetIdentifierInUse`.
    @discardableResult
    public mutating func subscribe(
        to filters: [SubscriptionFilter], userProperties: [UserProperty] = [], packetIdentifier: UInt16? = nil,
        as request: RequestIdentifier?, at now: Instant
    ) throws(ClientError) -> SubscriptionHandle {
        guard !filters.isEmpty else { throw .noFilters }  // [5.0 MQTT-3.8.3-2]
        try userProperties.check()
        for filter in filters { try check(filter) }
        if let packetIdentifier { try check(identifier: packetIdentifier) }
        let handle = subscriptions.add(filters)
        var call = SubscriptionCall(
            kind: .subscribe(filters), handle: handle, userProperties: userProperties, request: request)
        call.wanted = packetIdentifier
        if state == .connected, let error = sizeError(ControlPacket(.subscribe(packet(of: call, filters, 1)))) {
            _ = subscriptions.remove(handle)
            throw error
        }
        requests.append(call)
        sendCalls(at: now)
        return handle
    }

    /// Gives a subscription up: all its filters that no other subscription wants.
    /// - Parameter request: named by the completion, `.unsubscribed`.
    /// - Throws: `invalidField` for user properties that cannot be sent.
    public mutating func unsubscribe(
        from handle: SubscriptionHandle, userProperties: [UserProperty] = [], as request: RequestIdentifier?,
        at now: Instant
    ) throws(ClientError) {
        try userProperties.check()
        let filters = subscriptions.remove(handle)
        // A SUBSCRIBE that has not been sent need not be.
        let unsent = requests.filter { $0.handle == handle && $0.packetIdentifier == 0 }
        requests.removeAll { $0.handle == handle && $0.packetIdentifier == 0 }
        for call in unsent { complete(call.request, .failed(.cancelled)) }
        guard !filters.isEmpty, !(server == nil && state != .connected && configuration.cleanStart) else {
            return complete(
                request, .unsubscribed(UnsubscribeResult(reasonCodes: [], reasonString: nil, userProperties: [])))
        }
        requests.append(
            SubscriptionCall(
                kind: .unsubscribe(filters), handle: handle, userProperties: userProperties, request: request))
        sendCalls(at: now)
    }

    /// Gives filters up that this program has not asked for: what an earlier one left in the session.
    package mutating func unsubscribe(
        fromFilters filters: [TopicFilter], userProperties: [UserProperty] = [], as request: RequestIdentifier?,
        at now: Instant
    ) throws(ClientError) {
        guard !filters.isEmpty else { throw .noFilters }
        try userProperties.check()
        requests.append(
            SubscriptionCall(
                kind: .unsubscribe(filters), handle: subscriptions.add([]), userProperties: userProperties,
                request: request))
        sendCalls(at: now)
    }

    /// Stops wanting a subscription without a word to the server, which goes on sending what belongs to it. For a session that
    /// outlives the program.
    public mutating func forget(_ handle: SubscriptionHandle) { _ = subscriptions.remove(handle) }

    /// Whether the server keeps the session when the connection has ended.
    public var isKeptByServer: Bool { (server?.sessionExpiryIntervalSeconds ?? 0) > 0 }

    // MARK: Checks

    private func check(_ subscription: SubscriptionFilter) throws(ClientError) {
        if version != .v5,
            subscription.noLocal || subscription.retainAsPublished || subscription.retainHandling != .sendAlways
        {
            throw .notInVersion("No Local, Retain As Published and Retain Handling")
        }
        if subscription.noLocal, subscription.filter.isShared {
            throw .invalidField("No Local on a shared subscription, §3.8.3.1")  // [5.0 MQTT-3.8.3-4]
        }
        if let error = limit(on: subscription) { throw error }
    }

    private func limit(on subscription: SubscriptionFilter) -> ClientError? {
        guard state == .connected, let server else { return nil }
        if subscription.filter.isShared, !server.sharedSubscriptionAvailable { return .sharedSubscriptionsNotSupported }
        if subscription.filter.hasWildcard, !server.wildcardSubscriptionAvailable {
            return .wildcardSubscriptionsNotSupported
        }
        return nil
    }

    private func check(identifier: UInt16) throws(ClientError) {
        guard identifier != 0 else { throw .invalidField("packet identifier 0, §2.2.1") }
        // Identifiers are handed out in sequence: out of turn, one can only be taken up when nothing is in flight.
        guard window.span == 0 else { throw .packetIdentifierInUse(identifier) }
    }

    // MARK: Sending

    /// Sends the SUBSCRIBEs and UNSUBSCRIBEs that have not been sent on this connection.
    private mutating func sendCalls(at now: Instant) {
        guard state == .connected else { return }
        for at in requests.indices where requests[at].packetIdentifier == 0 {
            guard window.hasRoom(limit: window.count + 1) else { return }
            let call = requests[at]
            let slot = flows.insert(.request)
            var identifier: UInt16
            if let wanted = call.wanted.flatMap(PacketIdentifier.init), window.span == 0 {
                window.restore(slot, identifier: wanted, state: .puback)
                identifier = wanted.value
            } else {
                identifier = window.open(slot, awaiting: .puback)
            }
            requests[at].packetIdentifier = identifier
            switch call.kind {
            case .subscribe(let filters): send(.subscribe(packet(of: call, filters, identifier)), at: now)
            case .unsubscribe(let filters):
                send(
                    .unsubscribe(
                        Unsubscribe(
                            packetIdentifier: identifier, filters: filters.map(\.bytes),
                            userProperties: call.userProperties.map(\.wire))),
                    at: now)
            }
        }
    }

    private func packet(
        of call: SubscriptionCall, _ filters: [SubscriptionFilter], _ identifier: UInt16
    ) -> Subscribe {
        let hasIdentifiers =
            version == .v5 && configuration.usesSubscriptionIdentifiers
            && (server?.subscriptionIdentifierAvailable ?? true)
        return Subscribe(
            packetIdentifier: identifier, subscriptionIdentifier: hasIdentifiers ? call.handle.value : nil,
            userProperties: call.userProperties.map(\.wire),
            subscriptions: filters.map {
                MQTTProtocol.Subscription(
                    filter: $0.filter.bytes, qos: $0.qos, noLocal: $0.noLocal,
                    retainAsPublished: $0.retainAsPublished, retainHandling: $0.retainHandling)
            })
    }

    /// A new connection: calls that were under way begin again, and what the server has lost is asked for again.
    mutating func restoreSubscriptions(sessionPresent: Bool, at now: Instant) {
        for at in requests.indices where requests[at].packetIdentifier != 0 {
            release(requests[at].packetIdentifier)
            requests[at].packetIdentifier = 0
        }
        requests.removeAll(where: \.isRestoring)
        let isInDoubt = isSessionInDoubt
        isSessionInDoubt = false
        if sessionPresent {
            if isInDoubt { subscriptions.unconfirmAll() }
        } else {
            subscriptions.unconfirmAll()
            // What is gone need not be given up.
            for call in requests {
                if case .unsubscribe(let filters) = call.kind {
                    complete(
                        call.request,
                        .unsubscribed(
                            UnsubscribeResult(
                                reasonCodes: filters.map { _ in .noSubscriptionExisted }, reasonString: nil,
                                userProperties: [])))
                }
            }
            requests.removeAll { if case .unsubscribe = $0.kind { true } else { false } }
        }
        for (handle, filters) in subscriptions.unconfirmed() {
            var asked: [SubscriptionFilter] = []
            for filter in filters {
                if let error = limit(on: filter) {
                    refuse(filter.filter, of: handle, error)
                } else {
                    var again = filter
                    // Retained messages have been sent, if the session is the one we had.
                    if sessionPresent, version == .v5, filter.retainHandling == .sendAlways, !filter.filter.isShared {
                        again.retainHandling = .sendIfNew
                    }
                    asked.append(again)
                }
            }
            // The call that made it is still to be answered, or there is none and the session asks by itself.
            guard !asked.isEmpty, !requests.contains(where: { $0.handle == handle }) else { continue }
            requests.append(
                SubscriptionCall(
                    kind: .subscribe(asked), handle: handle, userProperties: [], request: nil, isRestoring: true))
        }
        sendCalls(at: now)
    }

    private mutating func refuse(_ filter: TopicFilter, of handle: SubscriptionHandle, _ error: ClientError) {
        subscriptions.settle(filter, of: handle, granted: false)
        actions.append(.subscriptionRefused(handle, filter, error))
    }

    private mutating func release(_ identifier: UInt16) {
        if let slot = window.close(identifier) { flows.remove(slot) }
    }

    mutating func cancelSubscriptionCall(_ request: RequestIdentifier) {
        guard let at = requests.firstIndex(where: { $0.request == request }) else { return }
        requests[at].request = nil
        let call = requests[at]
        complete(request, .failed(.cancelled))
        // Not sent, not needed. What was sent is answered some time, and then forgotten.
        guard call.packetIdentifier == 0 else { return }
        if case .subscribe = call.kind {
            requests.remove(at: at)
            _ = subscriptions.remove(call.handle)
        }
    }

    // MARK: Answers

    /// Takes the call out that an answer is for; nil where the answer is for nothing of that kind.
    private mutating func takeCall(_ identifier: UInt16, isSubscribe: Bool) -> SubscriptionCall? {
        guard
            let at = requests.firstIndex(where: {
                guard $0.packetIdentifier == identifier else { return false }
                if case .subscribe = $0.kind { return isSubscribe }
                return !isSubscribe
            })
        else { return nil }
        release(identifier)
        return requests.remove(at: at)
    }

    mutating func receive(_ suback: Suback, at now: Instant) {
        guard mayExplain(suback.reasonString, suback.userProperties, at: now) else { return }
        guard let call = takeCall(suback.packetIdentifier, isSubscribe: true), case .subscribe(let filters) = call.kind
        else { return violate("SUBACK \(suback.packetIdentifier) for no SUBSCRIBE", at: now) }
        guard suback.reasonCodes.count == filters.count else {
            // [5.0 MQTT-3.8.4-6] [3.1.1 MQTT-3.8.4-5]
            complete(call.request, .failed(.protocolError(.protocolError, "SUBACK with a wrong number of codes")))
            return violate("SUBACK with a wrong number of codes", at: now)
        }
        for (filter, code) in zip(filters, suback.reasonCodes) {
            if code.isError, call.request == nil {
                refuse(filter.filter, of: call.handle, .refused(code, reasonString: suback.reasonString?.text))
            } else {
                subscriptions.settle(filter.filter, of: call.handle, granted: !code.isError)
            }
        }
        complete(
            call.request,
            .subscribed(
                SubscribeResult(
                    handle: call.handle, reasonCodes: suback.reasonCodes, reasonString: suback.reasonString?.text,
                    userProperties: suback.userProperties.map(UserProperty.init))))
        drain(at: now)
    }

    mutating func receive(_ unsuback: Unsuback, at now: Instant) {
        guard mayExplain(unsuback.reasonString, unsuback.userProperties, at: now) else { return }
        guard let call = takeCall(unsuback.packetIdentifier, isSubscribe: false),
            case .unsubscribe(let filters) = call.kind
        else { return violate("UNSUBACK \(unsuback.packetIdentifier) for no UNSUBSCRIBE", at: now) }
        guard version != .v5 || unsuback.reasonCodes.count == filters.count else {
            // [5.0 MQTT-3.11.3-1]
            complete(call.request, .failed(.protocolError(.protocolError, "UNSUBACK with a wrong number of codes")))
            return violate("UNSUBACK with a wrong number of codes", at: now)
        }
        complete(
            call.request,
            .unsubscribed(
                UnsubscribeResult(
                    reasonCodes: version == .v5 ? unsuback.reasonCodes : filters.map { _ in .success },
                    reasonString: unsuback.reasonString?.text,
                    userProperties: unsuback.userProperties.map(UserProperty.init))))
        drain(at: now)
    }
}
