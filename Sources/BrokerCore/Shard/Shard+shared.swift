import DequeModule
import MQTTDelivery
import MQTTProtocol

/// A shared subscription, §4.8.2: its members take turns. One shard keeps it, for members everywhere; it ends with its
/// last member.
struct SharedGroup: ~Copyable {
    struct Member {
        var name: PeerMember
        var identifier: UInt32
        var options: DeliveryOptions
        var isOnline: Bool
        /// Whom rights are asked for.
        var subject: AccessSubject
        /// What has been asked, under a policy.
        var permissions: MemberPermissions?
    }

    /// `$share/NAME/FILTER`, whole.
    let name: MQTTString
    /// Where the group stands in the tree.
    var place: SubscriptionPlace
    var members: [Member] = []
    var indices: [PeerMember: Int] = [:]
    var turn = 0

    /// Stands for a group's name where a word must do (FNV-1a); never 0.
    static func number(_ name: MQTTString) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in name.bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return max(hash, 1)
    }
}

/// A session's membership in a group, kept with the session.
struct SharedMembership {
    var group: MQTTString
    /// Names the group in messages on their way to this session, in the log too: the same after a restart.
    var number: UInt32
    var options: DeliveryOptions
    var identifier: UInt32
}

extension Shard {
    // MARK: Members, at their own shard

    /// Joins, or replaces the options of a member that is there.
    mutating func joinGroup(
        _ group: MQTTString, _ identifier: UInt32, _ options: DeliveryOptions, _ slot: UInt32
    ) {
        let session = sessions.pointer(slot)
        if let at = session.pointee.shared.firstIndex(where: { $0.group == group }) {
            session.pointee.shared[at].options = options
            session.pointee.shared[at].identifier = identifier
        } else {
            sharedMemberships += 1
            session.pointee.shared.append(
                SharedMembership(
                    group: group, number: SharedGroup.number(group), options: options, identifier: identifier))
        }
        let generation = session.pointee.generation
        let home = home(of: group)
        guard home == index else {
            return neighbours.say(
                .join(
                    group: group, session: slot, generation: generation, options: options, identifier: identifier,
                    subject: subject(of: slot)),
                to: home)
        }
        joinHere(
            group, PeerMember(shard: index, session: slot, generation: generation), options, identifier,
            subject(of: slot))
    }

    /// Leaves the group of this name; false where the session is no member.
    mutating func leaveGroup(_ name: UnsafeRawBufferPointer, _ slot: UInt32) -> Bool {
        let session = sessions.pointer(slot)
        guard let at = session.pointee.shared.firstIndex(where: { $0.group.bytes.elementsEqual(name) }) else {
            return false
        }
        let membership = session.pointee.shared.remove(at: at)
        sharedMemberships -= 1
        rememberLeft(membership, slot)
        leave(membership.group, slot)
        return true
    }

    mutating func leave(_ group: MQTTString, _ slot: UInt32) {
        let generation = sessions.pointer(slot).pointee.generation
        let home = home(of: group)
        guard home == index else {
            return neighbours.say(.leave(group: group, session: slot, generation: generation), to: home)
        }
        leaveHere(group, PeerMember(shard: index, session: slot, generation: generation))
    }

    /// Tells the groups of a session that it got or lost its connection.
    mutating func announcePresence(_ slot: UInt32, isOnline: Bool) {
        let session = sessions.pointer(slot)
        guard !session.pointee.shared.isEmpty else { return }
        let generation = session.pointee.generation
        for membership in session.pointee.shared {
            let home = home(of: membership.group)
            if home == index {
                let member = PeerMember(shard: index, session: slot, generation: generation)
                setPresence(membership.group, member, isOnline)
            } else {
                neighbours.say(
                    .presence(group: membership.group, session: slot, generation: generation, isOnline: isOnline),
                    to: home)
            }
        }
    }

    /// A message that the group's shard hands to this member.
    mutating func take(
        _ parts: MessageParts, _ message: PeerMessage, _ slot: UInt32, _ generation: UInt32, _ group: MQTTString,
        _ options: DeliveryOptions, _ identifier: UInt32
    ) {
        guard isSession(slot, generation),
            let membership = sessions.pointer(slot).pointee.shared.first(where: { $0.group == group })
        else { return giveBack(parts, group, message) }
        var dispatch = Dispatch(parts: parts)
        dispatch.remote = message.origin
        dispatch.exchange = message.exchange
        dispatch.expirySeconds = remainingSeconds(parts.expiresAt)
        deliver(
            Delivery(
                session: slot, qos: grantedQoS(options.qos, parts.qos),
                retain: parts.retain && options.retainAsPublished, identifier: identifier, group: membership.number),
            &dispatch)
        dispatch.finish()
    }

    /// A message of the group that this shard's member does not get after all.
    /// - Parameter message: how it came, where the member was gone: its publisher waits until another has it.
    mutating func giveBack(_ parts: MessageParts, _ group: MQTTString, _ message: PeerMessage? = nil) {
        let home = home(of: group)
        if home == index { return redispatch(parts, group, message) }
        neighbours.say(
            .orphan(
                group: group, pack(parts, for: home, from: message?.origin, exchange: message?.exchange)), to: home)
        if message != nil, parts.qos > 0 { awaitReturn(to: home) }
    }

    // MARK: The group, at its shard

    private func home(of group: MQTTString) -> Int { group.bytes.withUnsafeBytes { neighbours.home($0) } }

    mutating func joinHere(
        _ name: MQTTString, _ member: PeerMember, _ options: DeliveryOptions, _ identifier: UInt32,
        _ subject: AccessSubject
    ) {
        let group = groups.pointer(groupNames[name] ?? makeGroup(name))
        if let at = group.pointee.indices[member] {
            group.pointee.members[at].options = options
            group.pointee.members[at].identifier = identifier
            if group.pointee.members[at].subject != subject {
                group.pointee.members[at].subject = subject
                group.pointee.members[at].permissions = nil
            }
            return
        }
        group.pointee.indices[member] = group.pointee.members.count
        group.pointee.members.append(
            .init(name: member, identifier: identifier, options: options, isOnline: true, subject: subject))
    }

    private mutating func makeGroup(_ name: MQTTString) -> UInt32 {
        let slot = groups.insert(SharedGroup(name: name, place: SubscriptionPlace(node: 0, index: 0)))
        name.bytes.withUnsafeBytes { bytes in
            guard case .shared(_, let range) = TopicSyntax.sharedFilter(bytes) else {
                preconditionFailure("a group's name has been checked")
            }
            let filter = UnsafeRawBufferPointer(rebasing: bytes[range])
            let place = routes.subscribe(
                filter, Subscriber(kind: .group, slot: slot, options: DeliveryOptions(qos: .exactlyOnce)))
            groups.pointer(slot).pointee.place = place
            if isOnlyLocal(at: place.node) { announce(filter, isWanted: true) }
            invalidate(filter)
        }
        groupNames[name] = slot
        return slot
    }

    mutating func leaveHere(_ name: MQTTString, _ member: PeerMember) {
        guard let slot = groupNames[name] else { return }
        let group = groups.pointer(slot)
        guard let at = group.pointee.indices.removeValue(forKey: member) else { return }
        let moved = group.pointee.members.removeLast()
        if at < group.pointee.members.count {
            group.pointee.members[at] = moved
            group.pointee.indices[moved.name] = at
        }
        if group.pointee.members.isEmpty { endGroup(slot) }
    }

    private mutating func endGroup(_ slot: UInt32) {
        let group = groups.pointer(slot)
        let place = group.pointee.place
        groupNames.removeValue(forKey: group.pointee.name)
        var filter: [UInt8] = []
        routes.levels.path(to: place.node, into: &filter)
        filter.withUnsafeBytes { bytes in
            if isOnlyLocal(at: place.node) { announce(bytes, isWanted: false) }
            if let moved = routes.remove(at: place) { reseat(moved, at: place) }
            invalidate(bytes)
        }
        groups.remove(slot)
    }

    mutating func setPresence(_ name: MQTTString, _ member: PeerMember, _ isOnline: Bool) {
        guard let slot = groupNames[name], let at = groups.pointer(slot).pointee.indices[member] else { return }
        groups.pointer(slot).pointee.members[at].isOnline = isOnline
    }

    // MARK: Delivering

    /// One copy for the group: to the next member that can take it, at that member's QoS. [5.0 MQTT-4.8.2-3]
    /// `plan`: the number of the topic's plan, 0 = none.
    mutating func forwardShared(_ slot: UInt32, plan: UInt64, _ dispatch: inout Dispatch) {
        let group = groups.pointer(slot)
        if let exchange = dispatch.exchange, isKept(exchange, group: group.pointee.name) { return }
        guard let index = chosenMember(group, dispatch.parts, plan: plan) else { return }
        group.pointee.turn = (index &+ 1) % group.pointee.members.count
        let member = group.pointee.members[index]
        dispatch.receivers &+= 1
        guard member.name.shard == self.index else {
            let message = pack(
                dispatch.parts, for: member.name.shard, from: origin(of: &dispatch), exchange: dispatch.exchange)
            neighbours.say(
                .hand(
                    session: member.name.session, generation: member.name.generation, message,
                    group: group.pointee.name, options: member.options, identifier: member.identifier),
                to: member.name.shard)
            if dispatch.parts.qos > 0 { confirm(by: member.name.shard, &dispatch) }
            return
        }
        let session = sessions.pointer(member.name.session)
        guard let membership = session.pointee.shared.first(where: { $0.group == group.pointee.name }) else { return }
        deliver(
            Delivery(
                session: member.name.session, qos: grantedQoS(member.options.qos, dispatch.parts.qos),
                retain: dispatch.parts.retain && member.options.retainAsPublished, identifier: member.identifier,
                group: membership.number),
            &dispatch)
    }

    /// The next in turn that is connected and keeps up; else the next that is connected; else, where messages are
    /// kept for the absent, the next of those.
    /// Members who may not read the topic are passed over.
    func chosenMember(
        _ group: UnsafeMutablePointer<SharedGroup>, _ parts: MessageParts, plan: UInt64
    ) -> Int? {
        let count = group.pointee.members.count
        guard count > 0 else { return nil }
        var connected: Int?
        var absent: Int?
        for step in 0..<count {
            let index = (group.pointee.turn &+ step) % count
            if policy != nil, !mayReceive(&group.pointee.members[index], parts.topic, plan: plan) { continue }
            let member = group.pointee.members[index]
            guard member.isOnline else {
                if absent == nil { absent = index }
                continue
            }
            if keepsUp(member, parts.qos) { return index }
            if connected == nil { connected = index }
        }
        return connected ?? absent
    }

    /// Whether a message to this member would leave at once. Of members elsewhere we only know that they are there.
    private func keepsUp(_ member: SharedGroup.Member, _ qos: UInt8) -> Bool {
        guard member.name.shard == index else { return true }
        let session = sessions.pointer(member.name.session)
        guard session.pointee.isOnline else { return false }
        let connection = connections.pointer(session.pointee.connection)
        guard connection.pointee.flow == .flowing, session.pointee.queue.isEmpty else { return false }
        return min(member.options.qos, qos) == 0
            || session.pointee.window.hasRoom(limit: connection.pointee.sendLimit)
    }

    /// Another member's turn for a message that has come back.
    mutating func redispatch(_ parts: MessageParts, _ name: MQTTString, _ message: PeerMessage?) {
        guard let slot = groupNames[name] else { return }
        var dispatch = Dispatch(parts: parts)
        dispatch.remote = message?.origin
        dispatch.exchange = message?.exchange
        dispatch.expirySeconds = remainingSeconds(parts.expiresAt)
        forwardShared(slot, plan: 0, &dispatch)
        dispatch.finish()
    }
}
