import MQTTDelivery
import MQTTProtocol

/// Publishers that keep their messages while a queue, or the store, is full (`queue_full_policy refuse_publisher`).
/// Clients of 5.0 are told in the acknowledgement. Those of 3.x have no word for it: their PUBLISH is not taken, they are
/// not read, and when there is no room within `queueFullWait` their connection ends.
extension Shard {
    /// Who has no room.
    enum Full {
        case session(UInt32)
        case store
    }

    /// Whoever of the receivers of a QoS 1 or 2 message has no room for it: it goes to all of them or to none. Receivers at
    /// neighbours are not seen; those say no when they have it.
    func full(_ plan: UnsafeMutablePointer<RouteCache.Plan>, _ dispatch: Dispatch) -> Full? {
        if dispatch.parts.retain, !storage.hasRoom { return .store }
        let subscribers = RouteCache.Plan.subscribers(plan)
        for i in 0..<Int(plan.pointee.count) {
            let subscriber = subscribers[i]
            switch subscriber.kind {
            case .session:
                if subscriber.options.noLocal, subscriber.slot == dispatch.session { continue }
                if let full = full(subscriber.slot, subscriber.options, dispatch.parts) { return full }
            case .group:
                let group = groups.pointer(subscriber.slot)
                guard let index = chosenMember(group, dispatch.parts, plan: plan.pointee.number) else { continue }
                let member = group.pointee.members[index]
                guard member.name.shard == self.index else { continue }
                if let full = full(member.name.session, member.options, dispatch.parts) { return full }
            case .shard: continue
            }
        }
        return nil
    }

    private func full(_ slot: UInt32, _ options: DeliveryOptions, _ parts: MessageParts) -> Full? {
        guard grantedQoS(options.qos, parts.qos) > 0 else { return nil }
        let session = sessions.pointer(slot)
        if !storage.hasRoom, session.pointee.details?.storage != nil { return .store }
        return limitHit(session, messages: 1, bytes: parts.queuedSize) == nil ? nil : .session(slot)
    }

    /// A publisher that cannot be told no is not read until there is room. Its packet is taken again then.
    mutating func hold(
        _ full: Full, _ dispatch: Dispatch, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) -> Fault {
        counters.packetsReceived &-= 1
        counters.bytesReceived &-= UInt64(dispatch.frame.count)
        counters.publishesReceived &-= 1
        counters.payloadBytesReceived &-= UInt64(dispatch.parts.payload.count)
        waitForRoom(connection, slot)
        switch full {
        case .session(let session): details(of: session).publishersWaiting.append(id(of: slot))
        case .store: publishersWaiting.append(id(of: slot))
        }
        return .noRoom
    }

    /// Stops reading a connection for want of room, for so long and no longer.
    mutating func waitForRoom(_ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32) {
        let extras = extras(of: connection)
        guard !extras.waitsForRoom else { return }
        extras.waitsForRoom = true
        pause(slot)
        guard extras.roomWaitEndsAt == nil else { return }
        let end = now + settings.queueFullWait
        extras.roomWaitEndsAt = end
        schedule(.roomWait, slot, connection.pointee.generation, at: end)
    }

    /// It has waited long enough.
    mutating func roomWaitIsOver(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard let extras = connection.pointee.extras, extras.waitsForRoom, let end = extras.roomWaitEndsAt, end <= now
        else { return }
        close(slot, .refused(.quotaExceeded))
    }

    /// A queue has become shorter: publishers go on when half of it is free, so that they do not come and go with every
    /// message.
    mutating func releasePublishers(_ slot: UInt32) {
        let session = sessions.pointer(slot)
        guard let details = session.pointee.details,
            limitHit(session, messages: settings.queuedMessagesMax / 2, bytes: settings.queuedBytesMax / 2) == nil
        else { return }
        resumePublishers(&details.publishersWaiting)
    }

    mutating func resumePublishers(_ list: inout [ConnectionID]) {
        let waiting = list
        list = []
        for id in waiting where exists(id) {
            guard let extras = connections.pointer(id.slot).pointee.extras, extras.waitsForRoom else { continue }
            extras.waitsForRoom = false
            resume(id.slot)
        }
    }

    /// The store has reached its limit, or is below it again.
    mutating func setRoom(_ hasRoom: Bool) {
        storage.hasRoom = hasRoom
        guard hasRoom else { return }
        var waiting: [ConnectionID] = []
        swap(&waiting, &publishersWaiting)
        resumePublishers(&waiting)
    }
}
