import MQTTDelivery
import MQTTProtocol

/// Rights: where the policy is asked, and what is remembered of its answers. Without a policy nobody asks anything.
///
/// Publishing is asked once for a topic's plan and connection, receiving when a plan is resolved: who may not read a
/// topic does not stand in its plan. Both end with the plan, and all plans end when the policy is replaced.
extension Shard {
    /// The policy and the listeners' settings from now on, for everyone who is there too.
    package mutating func replaceAccess(
        policy: (any AccessPolicy)?, listeners: [ListenerSettings], at now: Int64
    ) {
        precondition(listeners.count >= self.listeners.count, "listeners keep their numbers")
        self.now = now
        let hadPolicy = self.policy != nil
        self.policy = policy
        self.listeners = listeners
        guard hadPolicy || policy != nil else { return }
        versions.bumpAll()
        for slot in 0..<UInt32(connections.highWater) where connections.isTaken(slot) {
            let connection = connections.pointer(slot)
            connection.pointee.isFree = policy == nil && !connection.pointee.isMounted
        }
        for slot in 0..<UInt32(groups.highWater) where groups.isTaken(slot) {
            for index in groups.pointer(slot).pointee.members.indices {
                groups.pointer(slot).pointee.members[index].permissions = nil
            }
        }
        for slot in 0..<UInt32(sessions.highWater) where sessions.isTaken(slot) { recheck(slot) }
    }

    /// What waits for this session is asked about once more before it goes out.
    mutating func recheck(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        session.pointee.rechecks =
            policy != nil
            && (!session.pointee.queue.isEmpty || !session.pointee.window.isEmpty
                || session.pointee.details?.hasMore == true || (session.pointee.details?.arriving ?? 0) > 0)
    }

    func subject(of slot: UInt32) -> AccessSubject {
        let session = sessions.pointer(slot)
        return AccessSubject(
            clientIdentifier: session.pointee.clientIdentifier, userName: session.pointee.userName,
            listener: session.pointee.listener)
    }

    // MARK: Publishing

    /// Whether the connection may publish to the plan's topic. A topic nobody may publish to is not asked about.
    mutating func mayPublish(
        _ plan: UnsafeMutablePointer<RouteCache.Plan>, _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        guard let policy else { return true }
        if let known = connection.pointee.permissions.answer(plan.pointee.number) { return known }
        let topic = RouteCache.Plan.topic(plan)
        let decision = policy.decide(subject(of: connection.pointee.session), .publish, topic)
        connection.pointee.permissions.keep(decision.isAllowed, plan.pointee.number)
        if !decision.isAllowed { tellDenial(.publish, topic, decision.reason, connection) }
        return decision.isAllowed
    }

    /// The server's name for what a client calls `topic`: behind its listener's mount point.
    func mounted(_ topic: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>) -> [UInt8] {
        (connection.pointee.extras?.mountPoint ?? []) + topic
    }

    /// What the client calls the server's `topic`.
    func unmounted(
        _ topic: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>
    ) -> UnsafeRawBufferPointer {
        guard let mountPoint = connection.pointee.extras?.mountPoint, topic.starts(with: mountPoint) else {
            return topic
        }
        return UnsafeRawBufferPointer(rebasing: topic[mountPoint.count...])
    }

    // MARK: Receiving

    func mayReceive(_ slot: UInt32, _ topic: UnsafeRawBufferPointer) -> Bool {
        guard let policy else { return true }
        return policy.decide(subject(of: slot), .receive, topic).isAllowed
    }

    /// Takes those who may not read `topic` out of what matched it.
    mutating func withhold(_ topic: UnsafeRawBufferPointer) {
        guard let policy else { return }
        // Entries of one session stand together: it is asked about once.
        var asked: (slot: UInt32, isAllowed: Bool)?
        var kept = 0
        for i in 0..<matches.count {
            let subscriber = matches.found[i]
            if subscriber.kind == .session {
                if asked?.slot != subscriber.slot {
                    let decision = policy.decide(subject(of: subscriber.slot), .receive, topic)
                    asked = (subscriber.slot, decision.isAllowed)
                    if !decision.isAllowed { logDenial(.debug, .receive, topic, decision.reason, subscriber.slot) }
                }
                guard asked?.isAllowed == true else { continue }
            }
            matches.found[kept] = subscriber
            kept += 1
        }
        matches.truncate(to: kept)
    }

    /// Whether a member of a group may have a message.
    func mayReceive(
        _ member: inout SharedGroup.Member, _ topic: UnsafeRawBufferPointer, plan number: UInt64
    ) -> Bool {
        guard let policy else { return true }
        if number != 0, let known = member.permissions?.cache.answer(number) { return known }
        let isAllowed = policy.decide(member.subject, .receive, topic).isAllowed
        guard number != 0 else { return isAllowed }
        let permissions = member.permissions ?? MemberPermissions()
        permissions.cache.keep(isAllowed, number)
        member.permissions = permissions
        return isAllowed
    }

    /// A session's client has come back as somebody else: what its filters match is resolved anew.
    mutating func rightsChanged(_ slot: UInt32) {
        guard policy != nil else { return }
        recheck(slot)
        for place in sessions.pointer(slot).pointee.subscriptions {
            var filter: [UInt8] = []
            routes.levels.path(to: place.node, into: &filter)
            filter.withUnsafeBytes { invalidate($0) }
        }
        for membership in sessions.pointer(slot).pointee.shared {
            joinGroup(membership.group, membership.identifier, membership.options, slot)
        }
    }

    // MARK: Subscribing

    /// Whether a session may subscribe, or unsubscribe: the filter without `$share/GROUP/`.
    mutating func mayAsk(_ action: AccessAction, _ filter: UnsafeRawBufferPointer, _ slot: UInt32) -> Bool {
        guard let policy else { return true }
        let decision = policy.decide(subject(of: slot), action, filter)
        if !decision.isAllowed { logDenial(.notice, action, filter, decision.reason, slot) }
        return decision.isAllowed
    }
}
