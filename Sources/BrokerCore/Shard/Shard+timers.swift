import HeapModule
import MQTTProtocol

/// Something that is due at a moment. A deadline is not taken back: when it comes, it looks whether it still means
/// anything.
struct Deadline: Comparable {
    enum Kind: Equatable {
        case connectTimeout
        case keepAlive
        case stall(blocking: UInt32)
        case sessionExpiry(attachment: UInt32)
        case will(attachment: UInt32)
        /// Time to look for expired retained messages; `slot` is the walk under way, or none.
        case retainedSweep
        /// Storage refused to read a session's queue: it is asked again.
        case readOn
        /// The same for steps of QoS 2, and for a session's record.
        case stepRetry, recordRetry
        /// The same for what nobody waits for.
        case storageRetry
        /// Time to look for messages that have waited too long; `slot` is the session to begin with.
        case queueSweep
        /// A publisher has waited for room.
        case roomWait
    }

    var at: Int64
    var kind: Kind
    var slot: UInt32
    var generation: UInt32

    static func < (a: Self, b: Self) -> Bool { a.at < b.at }
}

extension Shard {
    /// When `advance` is wanted next, in milliseconds; nil = nothing is pending.
    package var nextDeadline: Int64? { deadlines.min?.at }

    mutating func schedule(_ kind: Deadline.Kind, _ slot: UInt32, _ generation: UInt32, at moment: Int64) {
        deadlines.insert(Deadline(at: moment, kind: kind, slot: slot, generation: generation))
    }

    /// Time has passed: does what is due.
    package mutating func advance(to now: Int64) {
        self.now = now
        while let next = deadlines.min, next.at <= now {
            deadlines.removeMin()
            switch next.kind {
            case .connectTimeout, .keepAlive, .stall, .roomWait: dueForConnection(next)
            case .sessionExpiry, .will, .readOn, .stepRetry, .recordRetry: dueForSession(next)
            case .retainedSweep: sweepIsDue(next)
            case .storageRetry: retryStorage()
            case .queueSweep: if next.generation == settingsNumber { sweepQueues(from: next.slot) }
            }
        }
    }

    private mutating func dueForConnection(_ due: Deadline) {
        let id = ConnectionID(slot: due.slot, generation: due.generation)
        guard exists(id) else { return }
        let connection = connections.pointer(due.slot)
        switch due.kind {
        case .connectTimeout:
            // [5.0 MQTT-3.1.4-1]: a connection without CONNECT is not kept.
            if connection.pointee.phase == .awaitingConnect { close(due.slot, .connectTimeout) }
        case .keepAlive: keepAliveIsDue(due.slot, connection)
        case .stall(let blocking): stall(due.slot, blocking: blocking)
        case .roomWait: roomWaitIsOver(due.slot, connection)
        default: break
        }
    }

    private mutating func dueForSession(_ due: Deadline) {
        guard sessions.isTaken(due.slot), sessions.pointer(due.slot).pointee.generation == due.generation else {
            return
        }
        let session = sessions.pointer(due.slot)
        switch due.kind {
        case .will(let attachment): willIsDue(due.slot, attachment: attachment)
        case .sessionExpiry(let attachment):
            guard session.pointee.attachment == attachment, !session.pointee.isOnline else { return }
            counters.sessionsExpired &+= 1
            endSession(due.slot)
        case .readOn: readAgain(due.slot)
        case .stepRetry: retrySteps(due.slot)
        case .recordRetry:
            session.pointee.details?.recordIsDue = false
            keepSession(due.slot)
        default: break
        }
    }

    // MARK: Expired retained messages

    /// Begins to look for expired retained messages, if the operator wants that.
    mutating func scheduleSweep() {
        guard let interval = settings.retainedSweepInterval else { return }
        schedule(.retainedSweep, SlotTable<RetainedWalk>.none, settingsNumber, at: now + interval)
    }

    /// One that was begun under other settings ends here.
    private mutating func sweepIsDue(_ due: Deadline) {
        guard due.generation == settingsNumber else {
            if due.slot != SlotTable<RetainedWalk>.none { retained.cancel(due.slot) }
            return
        }
        sweepRetained(walk: due.slot)
    }

    /// Looks at some of them and leaves the rest for later: nobody waits for this.
    private mutating func sweepRetained(walk: UInt32) {
        var walk = walk
        if walk == SlotTable<RetainedWalk>.none { walk = retained.walk("#") }
        for _ in 0..<Shard.retainedStepsMax {
            let (message, isPaused) = retained.next(walk, at: now, stepsMax: 1)
            guard message == nil, !isPaused else { continue }
            retained.cancel(walk)
            return scheduleSweep()
        }
        schedule(.retainedSweep, walk, settingsNumber, at: now + 10)
    }

    // MARK: Keep alive

    mutating func scheduleKeepAlive(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.keepAlive > 0 else { return }  // 0 turns it off: §3.1.2.10
        schedule(.keepAlive, slot, connection.pointee.generation, at: now + connection.pointee.keepAlive)
    }

    /// One and a half times the keep-alive without a packet. [5.0 MQTT-3.1.2-22] [3.1.1 MQTT-3.1.2-24]
    private mutating func keepAliveIsDue(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.phase != .closing else { return }
        // While we do not read, its silence is ours.
        let heard = connection.pointee.pauses > 0 ? now : connection.pointee.lastReceived
        let dueAt = heard + connection.pointee.keepAlive
        guard dueAt <= now else {
            return schedule(.keepAlive, slot, connection.pointee.generation, at: dueAt)
        }
        disconnect(id(of: slot), .keepAliveTimeout, .keepAliveTimeout, at: now)
    }
}
