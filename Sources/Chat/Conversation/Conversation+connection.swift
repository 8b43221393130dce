package import MQTTClient

/// Coming and going: subscribe, then log in; log in again after a reconnection; log out. [CH-2] [CH-7]
extension Conversation {
    package mutating func connecting(attempt: Int) { tell(.connecting(attempt: attempt)) }

    /// The connection failed or was lost.
    package mutating func waiting(_ why: String, seconds: Double) {
        switch phase {
        case .away, .leaving, .over: break
        case .catchingUp(let isFirst): phase = .away(isFirst: isFirst)
        case .present: phase = .away(isFirst: false)
        }
        echoDue = nil
        listDue = nil
        confirmDue = nil
        tell(.waiting(why, seconds: seconds))
    }

    /// CONNACK was favourable.
    package mutating func connected(sessionPresent: Bool, at now: Instant) {
        connection += 1
        tell(.connected(sessionPresent: sessionPresent))
        guard case .away(let isFirst) = phase else { return }
        phase = .catchingUp(isFirst: isFirst)
        if connection == 1 {
            // [CH-2]: each is done when SUBACK has come, so that no answer to our login is missed.
            actions.append(.subscribe(.presence))
            actions.append(.subscribe(.inbox))
            for group in memberships.keys.sorted() { actions.append(.subscribe(.group(group))) }
        } else {
            // The client has subscribed again by itself, if the broker had lost that. Who is still here is found out anew.
            for name in people.keys { people[name]?.isConfirmed = false }
            confirmDue = now + Self.confirmWait
            arm()
        }
        announce()
    }

    /// We are here.
    mutating func announce() {
        publish(.login, name.text, as: .login)  // [CH-2]
        publish(.status(of: name), ownStatus.rawValue, as: .status)
    }

    /// The answer to a SUBSCRIBE.
    /// - Parameters:
    ///   - codes: what the broker said to each filter; empty where all failed.
    ///   - failure: why all failed.
    package mutating func subscribed(_ listening: Listening, codes: [ReasonCode], failure: String?, at now: Instant) {
        moved(at: now)
        let filters = listening.filters(for: name)
        if case .group(let group) = listening { return joined(group, codes.first, failure) }
        if let failure {
            // [CH-13] denies by not delivering; other brokers say so.
            for (filter, _) in filters { tell(.refused("you may not read \(filter): \(failure)")) }
            return
        }
        for ((filter, qos), code) in zip(filters, codes) {
            if code.isError {
                tell(.refused("you may not read \(filter): \(code)"))
            } else if code.rawValue < qos.rawValue {
                tell(.note("the broker grants QoS \(code.rawValue) for \(filter), not \(qos.rawValue)"))
            }
        }
    }

    private mutating func joined(_ group: ChatName, _ code: ReasonCode?, _ failure: String?) {
        guard memberships[group] == .joining else {
            // A script that ends leaves at once what it has just joined: it hears of both.
            if memberships[group] == .leaving, let code, !code.isError { tell(.joined(group)) }
            return
        }
        if let failure {
            memberships[group] = nil
            tell(.refused("you may not join \(group): \(failure)"))
        } else if let code, code.isError {
            memberships[group] = nil
            tell(.refused("you may not join \(group): \(code)"))
        } else {
            memberships[group] = .joined
            tell(.joined(group))
        }
        actions.append(.remember(groups))
    }

    /// The answer to an UNSUBSCRIBE, or there was none to be had.
    package mutating func unsubscribed(_ listening: Listening, failure: String?, at now: Instant) {
        moved(at: now)
        guard case .group(let group) = listening, memberships[group] == .leaving else { return }
        memberships[group] = nil
        unread[.group(group)] = nil
        if let failure {
            tell(.refused("\(group) could not be left at the broker: \(failure)"))
        } else {
            tell(.left(group))
        }
        actions.append(.remember(groups))
    }

    /// What became of a PUBLISH.
    /// - Parameters:
    ///   - isHeard: false where the broker says that nobody listens.
    ///   - failure: why it was not taken.
    package mutating func published(_ ticket: Int, isHeard: Bool, failure: String?, at now: Instant) {
        moved(at: now)
        guard let what = tickets.removeValue(forKey: ticket) else { return }
        switch what {
        case .message(let place, let text):
            if let failure {
                let identifier = "\(nonce)-\(ticket)"
                echoes.removeAll { $0.identifier == identifier }
                tell(.notSent(ticket, place, text, why: failure))
            } else {
                tell(.sent(ticket, place, text, isHeard: isHeard))
            }
        case .login:
            if let failure { tell(.refused("the others were not told that you are here: \(failure)")) }
            guard case .catchingUp = phase else { break }
            // Where we may not read /chat/login its echo never comes.
            echoDue = now + (failure == nil ? Self.echoWait : .zero)
        case .logout:
            if let failure {
                tell(.refused("the others were not told that you go: \(failure)"))
            } else {
                tell(.loggedOut)
            }
        case .status:
            if let failure { tell(.refused("the others were not told how you are: \(failure)")) }
        case .active:
            if let failure { complain("the others were not told that you are here: \(failure)") }
        }
        arm()
    }

    // MARK: Leaving

    /// The person wants to go, or input is at its end: groups, logout, goodbye. [CH-7]
    package mutating func leave(at now: Instant) {
        guard phase != .leaving, phase != .over else { return }
        let isAway = if case .away = phase { true } else { false }
        phase = .leaving
        (echoDue, listDue, confirmDue) = (nil, nil, nil)
        // Nothing to take leave of, and nothing that waits to be sent.
        if isAway, !tickets.values.contains(where: { if case .message = $0 { true } else { false } }) {
            return end(withWill: false)
        }
        actions.append(.remember(stays ? groups : []))
        if !stays {
            for group in memberships.keys.sorted() {
                memberships[group] = .leaving
                actions.append(.unsubscribe(.group(group)))
            }
        }
        publish(.logout, name.text, as: .logout)
        // Of who comes and goes while we are away we want to know nothing when we return; of messages all.
        actions.append(.unsubscribe(.presence))
        actions.append(.finish)
        leaveDue = now + Self.leaveWait
        arm()
    }

    /// Something was answered: who leaves may wait a little longer. [CH-7]
    private mutating func moved(at now: Instant) {
        guard phase == .leaving, leaveDue != nil else { return }
        leaveDue = now + Self.leaveWait
        arm()
    }

    mutating func end(withWill: Bool) {
        guard phase != .over else { return }
        phase = .over
        actions.append(.close(withWill: withWill))
    }

    /// The client is over, whatever we wanted.
    package mutating func closed() {
        phase = .over
        (echoDue, listDue, confirmDue, leaveDue) = (nil, nil, nil, nil)
    }
}
