/// Who is here. [CH-3]
///
/// A session that outlives connections brings logins and logouts of the time we were away. Our own login goes through the same
/// queue, so its echo is the mark between past and present: what came before it is not answered, and at the first connection
/// not even shown. Whoever was here then answers our login anyway.
extension Conversation {
    mutating func receiveLogin(_ person: ChatName, at now: Instant) {
        if person == name { return receiveOwnLogin(at: now) }
        switch phase {
        case .catchingUp(isFirst: true), .away, .over: return
        case .catchingUp(isFirst: false), .present, .leaving: break
        }
        introduce(person) { .login($0) }
        guard phase == .present else { return }
        publish(.active, name.text, as: .active)  // [CH-3]
        // Nothing is retained in this chat: a newcomer can only know what is said again.
        if ownStatus != .online { publish(.status(of: name), ownStatus.rawValue, as: .status) }
    }

    private mutating func receiveOwnLogin(at now: Instant) {
        guard case .catchingUp = phase else { return }
        becomePresent(at: now)
    }

    mutating func becomePresent(at now: Instant) {
        echoDue = nil
        guard case .catchingUp = phase else { return }
        phase = .present
        tell(.loggedIn)
        // Also where a connection was lost before it could be told.
        if !isListed { listDue = now + Self.listDelay }
        arm()
    }

    mutating func receiveActive(_ person: ChatName) {
        guard person != name else { return }
        if case .catchingUp(isFirst: true) = phase { return }
        // Answers to our own login come as one list. [CH-4]
        let isListed = listDue != nil
        introduce(person) { isListed ? nil : .active($0) }
    }

    /// Adds a person who is not known yet, with one line; a second login or answer adds nothing. [CH-3]
    private mutating func introduce(_ person: ChatName, _ event: (ChatName) -> ChatEvent?) {
        guard people[person] == nil else {
            people[person]?.isConfirmed = true
            return
        }
        guard people.count < Self.peopleMax else {
            return complain("more than \(Self.peopleMax) people: others are not shown")
        }
        people[person] = Person(status: earlyStatuses.removeValue(forKey: person) ?? .online)
        if let event = event(person) { tell(event) }
    }

    mutating func receiveLogout(_ person: ChatName, at now: Instant) {
        if person == name { return receiveOwnLogout(at: now) }
        if case .catchingUp(isFirst: true) = phase { return }
        earlyStatuses[person] = nil
        guard people.removeValue(forKey: person) != nil else { return }
        tell(.logout(person, isPresumed: false))
    }

    /// Our own will, of a connection that the broker gave up later than we did: the others must hear that we are here.
    private mutating func receiveOwnLogout(at now: Instant) {
        guard phase == .present else { return }
        if let assertedAt, now - assertedAt < Self.assertWait { return }
        assertedAt = now
        announce()
    }

    mutating func receiveStatus(_ person: ChatName, _ text: String) {
        guard person != name else { return }
        guard let status = ChatStatus(rawValue: text) else {
            // [CH-8]
            return complain("\(person) sent a status that is none: \(SafeText.shown(String(text.prefix(40))))")
        }
        guard let before = people[person] else {
            if earlyStatuses.count < 256 { earlyStatuses[person] = status }
            return
        }
        people[person]?.status = status
        if before.status != status { tell(.status(person, status)) }
    }

    /// Those of whom nothing was heard since the reconnection are not here any more.
    mutating func forgetUnconfirmed() {
        confirmDue = nil
        for name in people.filter({ !$0.value.isConfirmed }).keys.sorted() {
            people[name] = nil
            tell(.logout(name, isPresumed: true))
        }
    }
}
