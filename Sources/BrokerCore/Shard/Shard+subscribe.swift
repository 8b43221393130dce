import MQTTDelivery
import MQTTProtocol

extension Shard {
    /// SUBSCRIBE, §3.8: each filter as if it stood alone, one SUBACK for all. [5.0 MQTT-3.8.4-5] [3.1.1 MQTT-3.8.4-4]
    mutating func receiveSubscribe(
        _ packet: Subscribe, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) throws(Fault) {
        let sessionSlot = connection.pointee.session
        if let client = debugName(connection) {
            log(.debug, .received(.subscribe, client: client, identifier: packet.packetIdentifier, reason: 0))
        }
        var codes: [ReasonCode] = []
        codes.reserveCapacity(packet.subscriptions.count)
        var retainedFor: [RetainedRequest] = []
        var changes = SubscriptionChanges()
        for asked in packet.subscriptions {
            var subscription = asked
            if connection.pointee.isMounted { subscription.filter = try mount(asked.filter, connection) }
            changes.note(subscription.filter, self.subscription(to: subscription.filter, sessionSlot))
            let code = try subscription.filter.bytes.borrowed { filter throws(Fault) in
                try subscribe(
                    subscription, filter, packet.subscriptionIdentifier ?? 0, sessionSlot, &retainedFor)
            }
            codes.append(code)  // [5.0 MQTT-3.8.4-6] [3.1.1 MQTT-3.9.3-1]
            if code.isError {
                changes.changes.removeLast()
            } else {
                let client = sessions.pointer(sessionSlot).pointee.clientIdentifier
                log(
                    [.subscribe, .debug],
                    .subscription(client: client, filter: subscription.filter, qos: subscription.qos.rawValue))
            }
        }
        let session = sessions.pointer(sessionSlot)
        let isKept = session.pointee.details?.storage != nil
        guard !neighbours.isAlone else {
            answer(.suback, packet.packetIdentifier, codes, isKept ? changes : nil, nil, connection, slot)
            return retainedFor.isEmpty ? () : startRetained(retainedFor, sessionSlot)
        }
        // First every neighbour must send us what it publishes, then we must have what it retained before that.
        let reply = storage.newToken()
        answer(.suback, packet.packetIdentifier, codes, isKept ? changes : nil, reply, connection, slot)
        whenAllHaveHeard(
            .barrier(
                RetainedStart(
                    connection: id(of: slot), reply: reply, session: sessionSlot,
                    generation: session.pointee.generation, requests: retainedFor)))
    }

    /// UNSUBSCRIBE, §3.10.
    mutating func receiveUnsubscribe(
        _ packet: Unsubscribe, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) throws(Fault) {
        let sessionSlot = connection.pointee.session
        if let client = debugName(connection) {
            log(.debug, .received(.unsubscribe, client: client, identifier: packet.packetIdentifier, reason: 0))
        }
        var codes: [ReasonCode] = []
        var changes = SubscriptionChanges()
        for asked in packet.filters {
            let filter = connection.pointee.isMounted ? try mount(asked, connection) : asked
            changes.note(filter, subscription(to: filter, sessionSlot))
            let code = try filter.bytes.borrowed { bytes throws(Fault) in
                try unsubscribe(bytes, sessionSlot)
            }
            codes.append(code)
            guard code != .notAuthorized else { continue }
            let client = sessions.pointer(sessionSlot).pointee.clientIdentifier
            log([.unsubscribe, .debug], .unsubscription(client: client, filter: filter))
        }
        let isKept = sessions.pointer(sessionSlot).pointee.details?.storage != nil
        answer(.unsuback, packet.packetIdentifier, codes, isKept ? changes : nil, nil, connection, slot)
    }

    /// The answer, when what it says is kept and neighbours have `heard` it: whatever is published after SUBACK comes.
    /// [5.0 MQTT-3.8.4-2] [3.1.1 MQTT-3.8.4-2]
    private mutating func answer(
        _ type: PacketType, _ identifier: UInt16, _ codes: [ReasonCode], _ kept: SubscriptionChanges?,
        _ heard: StorageToken?, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        guard kept != nil || connection.pointee.hasWaitingReplies || heard != nil else {
            return sendCodes(type, identifier, codes, connection, slot)
        }
        var token: StorageToken?
        if let kept { token = keepSubscriptions(kept, connection.pointee.session) }
        queueReply(
            .init(type: type, identifier: identifier, reason: .success, token: token, other: heard, codes: codes),
            connection, slot)
    }

    /// Keeps what has changed; refused, it is taken back.
    private mutating func keepSubscriptions(_ changes: SubscriptionChanges, _ slot: UInt32) -> StorageToken? {
        let session = sessions.pointer(slot)
        guard let token = keepSession(slot) else { return nil }
        session.pointee.details?.subscriptionChanges.append(changes)
        storage.await(token, .subscriptions(session: slot, generation: session.pointee.generation))
        return token
    }

    // MARK: One filter

    /// The filter behind the listener's mount point; of a shared one, its filter.
    private func mount(
        _ filter: MQTTString, _ connection: UnsafeMutablePointer<Connection>
    ) throws(Fault) -> MQTTString {
        let bytes = filter.bytes.withUnsafeBytes { bytes -> [UInt8] in
            guard case .shared(_, let inner) = TopicSyntax.sharedFilter(bytes) else {
                return mounted(bytes, connection)
            }
            return [UInt8](bytes[..<inner.lowerBound])
                + mounted(UnsafeRawBufferPointer(rebasing: bytes[inner]), connection)
        }
        guard let filter = MQTTString(bytes) else { throw .refused(.topicFilterInvalid) }
        return filter
    }

    /// The session's subscription with exactly this filter, as it is now.
    private func subscription(to filter: MQTTString, _ slot: UInt32) -> SubscriptionChanges.State? {
        let session = sessions.pointer(slot)
        guard session.pointee.details?.storage != nil else { return nil }
        return filter.bytes.withUnsafeBytes { bytes in
            if TopicSyntax.hasSharePrefix(bytes) {
                return session.pointee.shared.first { $0.group == filter }.map { ($0.options, $0.identifier) }
            }
            guard let place = place(of: bytes, slot) else { return nil }
            let subscriber = routes.subscriber(at: place)
            return (subscriber.options, subscriber.identifier)
        }
    }

    /// Makes a filter's subscription what it was.
    mutating func takeBack(_ change: SubscriptionChanges.Change, _ slot: UInt32) {
        change.filter.bytes.withUnsafeBytes { bytes in
            let isShared = TopicSyntax.hasSharePrefix(bytes)
            if let before = change.before {
                if isShared { return joinGroup(change.filter, before.identifier, before.options, slot) }
                _ = addSubscription(bytes, before.identifier, before.options, slot)
            } else if isShared {
                _ = leaveGroup(bytes, slot)
            } else if let place = place(of: bytes, slot) {
                remove(bytes, place, slot)
            }
        }
    }

    private mutating func subscribe(
        _ subscription: Subscription, _ filter: UnsafeRawBufferPointer, _ identifier: UInt32, _ session: UInt32,
        _ retainedFor: inout [RetainedRequest]
    ) throws(Fault) -> ReasonCode {
        let options = DeliveryOptions(
            qos: subscription.qos, noLocal: subscription.noLocal, retainAsPublished: subscription.retainAsPublished)
        switch TopicSyntax.sharedFilter(filter) {
        case .invalid:
            throw .refused(.topicFilterInvalid)  // [5.0 MQTT-4.8.2-1] [5.0 MQTT-4.8.2-2]
        case .shared(_, let inner):
            guard TopicFault.levels(of: filter) <= TopicFault.levelsMax else { return .topicFilterInvalid }
            // [5.0 MQTT-3.8.3-4]
            guard !subscription.noLocal else { throw .malformed(.noLocalOnShared) }
            guard mayAsk(.subscribe, UnsafeRawBufferPointer(rebasing: filter[inner]), session) else {
                return .notAuthorized
            }
            joinGroup(subscription.filter, identifier, options, session)
        case .notShared:
            // [5.0 MQTT-4.7.1-1] [5.0 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-2] [3.1.1 MQTT-4.7.1-3]
            guard TopicSyntax.isValidFilter(filter) else { throw .refused(.topicFilterInvalid) }
            guard TopicFault.levels(of: filter) <= TopicFault.levelsMax else { return .topicFilterInvalid }
            guard mayAsk(.subscribe, filter, session) else { return .notAuthorized }
            let isNew = addSubscription(filter, identifier, options, session)
            let wants =
                subscription.retainHandling == .sendAlways || (subscription.retainHandling == .sendIfNew && isNew)
            if wants, settings.retainAvailable {
                retainedFor.append(
                    RetainedRequest(filter: subscription.filter, options: options, identifier: identifier))
            }
        }
        return ReasonCode(rawValue: subscription.qos.rawValue)
    }

    /// Adds a subscription, or replaces the options of the one that is there without a gap; true where it is new.
    /// [5.0 MQTT-3.8.4-3] [5.0 MQTT-3.8.4-4] [3.1.1 MQTT-3.8.4-3]
    mutating func addSubscription(
        _ filter: UnsafeRawBufferPointer, _ identifier: UInt32, _ options: DeliveryOptions, _ slot: UInt32
    ) -> Bool {
        defer { invalidate(filter) }
        if let place = place(of: filter, slot) {
            routes.update(at: place, identifier: identifier, options: options)
            return false
        }
        let session = sessions.pointer(slot)
        let place = routes.subscribe(
            filter,
            Subscriber(
                kind: .session, slot: slot, record: UInt32(session.pointee.subscriptions.count),
                identifier: identifier, options: options))
        session.pointee.subscriptions.append(place)
        if isOnlyLocal(at: place.node) { announce(filter, isWanted: true) }
        return true
    }

    private mutating func unsubscribe(_ filter: UnsafeRawBufferPointer, _ slot: UInt32) throws(Fault) -> ReasonCode {
        if TopicSyntax.hasSharePrefix(filter) {
            guard case .shared(_, let inner) = TopicSyntax.sharedFilter(filter) else { return .topicFilterInvalid }
            guard mayAsk(.unsubscribe, UnsafeRawBufferPointer(rebasing: filter[inner]), slot) else {
                return .notAuthorized
            }
            return leaveGroup(filter, slot) ? .success : .noSubscriptionExisted
        }
        guard TopicSyntax.isValidFilter(filter) else { throw .refused(.topicFilterInvalid) }
        guard mayAsk(.unsubscribe, filter, slot) else { return .notAuthorized }
        // Character by character the same filter, or none. [5.0 MQTT-3.10.4-1] [3.1.1 MQTT-3.10.4-1]
        guard let place = place(of: filter, slot) else { return .noSubscriptionExisted }
        remove(filter, place, slot)
        return .success
    }

    private mutating func remove(_ filter: UnsafeRawBufferPointer, _ place: SubscriptionPlace, _ slot: UInt32) {
        if isOnlyLocal(at: place.node) { announce(filter, isWanted: false) }
        removeSubscription(place, of: slot)
        invalidate(filter)
    }

    /// Where this session's subscription to exactly this filter stands: the shorter of two lists is searched.
    private func place(of filter: UnsafeRawBufferPointer, _ slot: UInt32) -> SubscriptionPlace? {
        guard let node = routes.find(filter), let list = routes.list(at: node) else { return nil }
        let session = sessions.pointer(slot)
        if Int(list.pointee.count) <= session.pointee.subscriptions.count {
            let entries = SubscriptionTree.List.entries(list)
            for i in 0..<Int(list.pointee.count) where entries[i].kind == .session && entries[i].slot == slot {
                return SubscriptionPlace(node: node, index: UInt32(i))
            }
            return nil
        }
        return session.pointee.subscriptions.first { $0.node == node }
    }

    /// Takes a subscription out of the tree and of the session's list, and mends both lists' back references.
    private mutating func removeSubscription(_ place: SubscriptionPlace, of slot: UInt32) {
        let record = Int(routes.subscriber(at: place).record)
        if let moved = routes.remove(at: place) { reseat(moved, at: place) }
        let session = sessions.pointer(slot)
        let last = session.pointee.subscriptions.count - 1
        if record != last {
            let other = session.pointee.subscriptions[last]
            session.pointee.subscriptions[record] = other
            routes.setRecord(UInt32(record), at: other)
        }
        session.pointee.subscriptions.removeLast()
    }

    /// Whether this filter's list has exactly one subscriber that is not a neighbour: the first to come, the last to go.
    func isOnlyLocal(at node: UInt32) -> Bool {
        guard !neighbours.isAlone, let list = routes.list(at: node), Int(list.pointee.count) <= neighbours.count else {
            return false
        }
        let entries = SubscriptionTree.List.entries(list)
        var local = 0
        for i in 0..<Int(list.pointee.count) where entries[i].kind != .shard { local += 1 }
        return local == 1
    }

    /// A subscriber has moved to another place in its list.
    mutating func reseat(_ moved: Subscriber, at place: SubscriptionPlace) {
        switch moved.kind {
        case .session: sessions.pointer(moved.slot).pointee.subscriptions[Int(moved.record)] = place
        case .group: groups.pointer(moved.slot).pointee.place = place
        case .shard: break
        }
    }

    mutating func unsubscribeAll(_ slot: UInt32) {
        var filter: [UInt8] = []
        while let place = sessions.pointer(slot).pointee.subscriptions.last {
            filter.removeAll(keepingCapacity: true)
            routes.levels.path(to: place.node, into: &filter)
            if isOnlyLocal(at: place.node) { filter.withUnsafeBytes { announce($0, isWanted: false) } }
            removeSubscription(place, of: slot)
            filter.withUnsafeBytes { invalidate($0) }
        }
        while let membership = sessions.pointer(slot).pointee.shared.popLast() {
            sharedMemberships -= 1
            leave(membership.group, slot)
        }
    }

    /// Routes that a filter can match are resolved anew.
    mutating func invalidate(_ filter: UnsafeRawBufferPointer) {
        for byte in filter where byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") {
            return versions.bump(filter: filter)
        }
        cache.drop(filter, hash: cache.hash(filter))
    }
}
