import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A shared subscription, §4.8.2: its members take turns. It ends with its last member.
struct SharedGroup: ~Copyable {
    struct Member {
        var session: UInt32
        /// Where the session keeps its record of this membership.
        var record: UInt32
        var identifier: UInt32
        var options: DeliveryOptions
    }

    /// Names the group in messages on their way; never used twice, so a message does not meet a stranger's group.
    let serial: UInt32
    /// `$share/NAME/FILTER`, whole.
    let name: MQTTString
    /// Where the group stands in the tree.
    var place: SubscriptionPlace
    var members: [Member] = []
    var turn = 0
}

/// A session's membership in a group.
struct SharedMembership {
    var group: UInt32
    /// Its index among the members.
    var index: Int
}

extension Shard {
    /// Joins, or replaces the options of a member that is there.
    mutating func joinGroup(
        _ name: MQTTString, _ filter: UnsafeRawBufferPointer, _ identifier: UInt32, _ options: DeliveryOptions,
        _ slot: UInt32
    ) {
        let group = groupNames[name] ?? makeGroup(name, filter)
        let members = groups.pointer(group)
        let session = sessions.pointer(slot)
        if let membership = session.pointee.shared.first(where: { $0.group == group }) {
            members.pointee.members[membership.index].identifier = identifier
            members.pointee.members[membership.index].options = options
            return
        }
        session.pointee.shared.append(SharedMembership(group: group, index: members.pointee.members.count))
        members.pointee.members.append(
            .init(
                session: slot, record: UInt32(session.pointee.shared.count - 1), identifier: identifier,
                options: options))
    }

    private mutating func makeGroup(_ name: MQTTString, _ filter: UnsafeRawBufferPointer) -> UInt32 {
        let slot = groups.insert(
            SharedGroup(serial: nextGeneration(), name: name, place: SubscriptionPlace(node: 0, index: 0)))
        groupSerials[groups.pointer(slot).pointee.serial] = slot
        groups.pointer(slot).pointee.place = routes.subscribe(
            filter, Subscriber(kind: .group, slot: slot, options: DeliveryOptions(qos: .exactlyOnce)))
        groupNames[name] = slot
        invalidate(filter)
        return slot
    }

    /// Leaves the group of this name; false where the session is no member.
    mutating func leaveGroup(_ name: UnsafeRawBufferPointer, _ slot: UInt32) -> Bool {
        guard let name = try? MQTTString(validating: name), let group = groupNames[name],
            sessions.pointer(slot).pointee.shared.contains(where: { $0.group == group })
        else { return false }
        leave(group, slot)
        return true
    }

    mutating func leave(_ group: UInt32, _ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let record = session.pointee.shared.firstIndex(where: { $0.group == group }) else { return }
        let index = session.pointee.shared[record].index
        session.pointee.shared.remove(at: record)
        for later in record..<session.pointee.shared.count {
            let membership = session.pointee.shared[later]
            groups.pointer(membership.group).pointee.members[membership.index].record = UInt32(later)
        }
        let members = groups.pointer(group)
        let last = members.pointee.members.count - 1
        if index != last {
            let moved = members.pointee.members[last]
            members.pointee.members[index] = moved
            sessions.pointer(moved.session).pointee.shared[Int(moved.record)].index = index
        }
        members.pointee.members.removeLast()
        if members.pointee.members.isEmpty { endGroup(group) }
    }

    private mutating func endGroup(_ slot: UInt32) {
        let group = groups.pointer(slot)
        let place = group.pointee.place
        groupNames.removeValue(forKey: group.pointee.name)
        groupSerials.removeValue(forKey: group.pointee.serial)
        var filter: [UInt8] = []
        routes.levels.path(to: place.node, into: &filter)
        if let moved = routes.remove(at: place) { reseat(moved, at: place) }
        filter.withUnsafeBytes { invalidate($0) }
        groups.remove(slot)
    }

    // MARK: Delivering

    /// One copy for the group: to the next member that can take it, at that member's QoS. [5.0 MQTT-4.8.2-3]
    mutating func forwardShared(_ slot: UInt32, _ dispatch: inout Dispatch) {
        let group = groups.pointer(slot)
        guard let index = nextMember(group, qos: dispatch.parts.qos) else { return }
        let member = group.pointee.members[index]
        dispatch.receivers &+= 1
        deliver(
            Delivery(
                session: member.session, qos: grantedQoS(member.options.qos, dispatch.parts.qos),
                retain: dispatch.parts.retain && member.options.retainAsPublished, identifier: member.identifier,
                group: group.pointee.serial),
            &dispatch)
    }

    /// The next in turn that is connected and keeps up; else the next that is connected; else, where messages are
    /// kept for the absent, the next of those.
    private func nextMember(_ group: UnsafeMutablePointer<SharedGroup>, qos: UInt8) -> Int? {
        let count = group.pointee.members.count
        guard count > 0 else { return nil }
        var connected: Int?
        var absent: Int?
        for step in 0..<count {
            let index = (group.pointee.turn &+ step) % count
            let member = group.pointee.members[index]
            let session = sessions.pointer(member.session)
            if session.pointee.isOnline {
                let connection = connections.pointer(session.pointee.connection)
                if connection.pointee.flow == .flowing, session.pointee.queue.isEmpty,
                    min(member.options.qos, qos) == 0
                        || session.pointee.window.hasRoom(limit: connection.pointee.sendLimit)
                {
                    group.pointee.turn = (index &+ 1) % count
                    return index
                }
                if connected == nil { connected = index }
            } else if absent == nil {
                absent = index
            }
        }
        guard let chosen = connected ?? absent else { return nil }
        group.pointee.turn = (chosen &+ 1) % count
        return chosen
    }

    // MARK: When a member's session ends

    /// Messages of shared subscriptions that the ending session had not acknowledged and that another may have: what
    /// was queued, and QoS 1 in flight. QoS 2 that has begun ends with its session. [5.0 MQTT-4.8.2-4] [5.0 MQTT-4.8.2-5]
    mutating func takeSharedMessages(_ slot: UInt32) -> [(group: UInt32, message: Message)] {
        let session = sessions.pointer(slot)
        var taken: [(group: UInt32, message: Message)] = []
        session.pointee.window.forEach { entry in
            guard entry.payload.group != 0, entry.state == .puback else { return }
            entry.payload.message.retain()
            taken.append((entry.payload.group, entry.payload.message))
        }
        for outgoing in session.pointee.queue where outgoing.group != 0 {
            outgoing.message.retain()
            taken.append((outgoing.group, outgoing.message))
        }
        return taken
    }

    /// Gives messages of a member that left to the others.
    mutating func redeliver(_ orphans: [(group: UInt32, message: Message)]) {
        for orphan in orphans {
            if let group = groupSerials[orphan.group], !orphan.message.isExpired(at: now) {
                var dispatch = Dispatch(parts: orphan.message.parts)
                dispatch.expirySeconds = remainingSeconds(orphan.message)
                forwardShared(group, &dispatch)
                dispatch.finish()
            }
            orphan.message.release()
        }
    }
}
