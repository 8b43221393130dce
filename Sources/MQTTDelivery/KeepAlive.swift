/// A client's keep-alive, §3.1.2.10: when to send PINGREQ, and when to give the server up. It owns no clock: instants
/// are arguments and must come from a monotonic one. Deadlines are lazy: traffic does not move the timer, a timer that
/// fires early is told when to come again.
package enum KeepAlive: ~Copyable {
    package typealias Instant = ContinuousClock.Instant

    package struct Limits: Sendable, Hashable {
        /// PINGREQ when nothing was sent for this long: the keep-alive of CONNECT, or the server's. Nil = 0 = off.
        package var sendIdle: Duration?
        /// PINGREQ when nothing came for this long, whatever was sent: finds a server that takes all and says nothing.
        package var receiveIdle: Duration?
        /// How long a PINGRESP may take.
        package var pingresp: Duration

        package init(sendIdle: Duration?, receiveIdle: Duration?, pingresp: Duration) {
            self.sendIdle = sendIdle
            self.receiveIdle = receiveIdle
            self.pingresp = pingresp
        }
    }

    package struct Activity: Sendable {
        let limits: Limits
        var lastSent: Instant
        var lastReceived: Instant
        /// We do not read, so that silence proves nothing.
        var isPaused = false

        var pingreqDue: Instant? {
            let bySending = limits.sendIdle.map { lastSent + $0 }
            let byReceiving = isPaused ? nil : limits.receiveIdle.map { lastReceived + $0 }
            guard let bySending else { return byReceiving }
            return byReceiving.map { min($0, bySending) } ?? bySending
        }
    }

    package enum Action: Sendable, Hashable {
        /// Come again then.
        case rearm(Instant)
        /// Send PINGREQ, and come again then.
        case sendPingreq(Instant)
        /// No PINGRESP came in time: close the connection.
        case expired
        case none
    }

    case idle
    case counting(Activity)
    case awaiting(Activity, since: Instant)
    case expired

    /// The connection is up; returns when to call `timerFired` first, nil = never.
    package mutating func start(_ limits: Limits, at now: Instant) -> Instant? {
        let activity = Activity(limits: limits, lastSent: now, lastReceived: now)
        self = .counting(activity)
        return activity.pingreqDue
    }

    package mutating func stop() { self = .idle }

    /// A packet was sent whole.
    package mutating func sent(at now: Instant) {
        switch consume self {
        case .idle: self = .idle
        case .expired: self = .expired
        case .counting(var activity):
            activity.lastSent = now
            self = .counting(activity)
        case .awaiting(var activity, let since):
            activity.lastSent = now
            self = .awaiting(activity, since: since)
        }
    }

    /// Bytes came: a server in the middle of a large packet is alive.
    package mutating func received(at now: Instant) {
        switch consume self {
        case .idle: self = .idle
        case .expired: self = .expired
        case .counting(var activity):
            activity.lastReceived = now
            self = .counting(activity)
        case .awaiting(var activity, let since):
            activity.lastReceived = now
            self = .awaiting(activity, since: since)
        }
    }

    /// PINGRESP came. False where none was asked for, which is no fault: the caller may have sent PINGREQ by hand.
    package mutating func receivedPingresp() -> Bool {
        switch consume self {
        case .idle:
            self = .idle
            return false
        case .expired:
            self = .expired
            return false
        case .counting(let activity):
            self = .counting(activity)
            return false
        case .awaiting(let activity, _):
            self = .counting(activity)
            return true
        }
    }

    /// We stop reading, or go on: nobody is given up for what we did not read.
    package mutating func pause(_ isPaused: Bool, at now: Instant) {
        switch consume self {
        case .idle: self = .idle
        case .expired: self = .expired
        case .counting(var activity):
            activity.isPaused = isPaused
            activity.lastReceived = now
            self = .counting(activity)
        case .awaiting(var activity, let since):
            activity.isPaused = isPaused
            activity.lastReceived = now
            self = .awaiting(activity, since: since)
        }
    }

    package mutating func timerFired(at now: Instant) -> Action {
        switch consume self {
        case .idle:
            self = .idle
            return .none
        case .expired:
            self = .expired
            return .none
        case .counting(var activity):
            guard let due = activity.pingreqDue else {
                self = .counting(activity)
                return .none
            }
            guard now >= due else {
                self = .counting(activity)
                return .rearm(due)
            }
            activity.lastSent = now
            self = .awaiting(activity, since: now)
            return .sendPingreq(Self.next(activity, since: now, after: now))
        case .awaiting(var activity, let since):
            if !activity.isPaused, now >= Self.pingrespDue(activity, since: since) {
                self = .expired
                return .expired
            }
            // A keep-alive shorter than the patience with the server asks again meanwhile, so that the server does not
            // give us up.
            if let idle = activity.limits.sendIdle, now >= activity.lastSent + idle {
                activity.lastSent = now
                self = .awaiting(activity, since: since)
                return .sendPingreq(Self.next(activity, since: since, after: now))
            }
            let due = Self.next(activity, since: since, after: now)
            self = .awaiting(activity, since: since)
            return .rearm(due)
        }
    }

    private static func pingrespDue(_ activity: Activity, since: Instant) -> Instant {
        max(since, activity.lastReceived) + activity.limits.pingresp
    }

    private static func next(_ activity: Activity, since: Instant, after now: Instant) -> Instant {
        var due = pingrespDue(activity, since: since)
        // While paused the server is not given up, however often this fires.
        if activity.isPaused, due <= now { due = now + activity.limits.pingresp }
        guard let idle = activity.limits.sendIdle else { return due }
        return min(due, activity.lastSent + idle)
    }
}
