import MQTTClient

/// One person's part in the chat, as a value: who is here and how they are, groups, what is unread, what is on its way. Things that
/// happen go in, `ChatAction`s come out; it has no socket, no clock and no terminal. [CH-1…10]
///
/// What it knows of MQTT: topics, their QoS, and that a session may outlive a connection. Before: `ChatRun`, which drives it on an
/// `MQTTClient`. After: `Conversation+connection`, `+presence`, `+messages`, `+command`.
package struct Conversation: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// How long after our own login the list of people is told: answers on `/chat/active` come meanwhile. [CH-4]
    package static let listDelay = Duration.milliseconds(500)
    /// How long the echo of our own login may take, after the broker has acknowledged it.
    package static let echoWait = Duration.seconds(2)
    /// How long after a reconnection the others have to be heard of.
    package static let confirmWait = Duration.seconds(10)
    /// How long the logout may take without anything moving. [CH-7]
    package static let leaveWait = Duration.seconds(2)
    /// Between two repetitions of our login because somebody else took it back.
    static let assertWait = Duration.seconds(5)
    /// People and groups that are remembered.
    static let peopleMax = 10_000

    /// Where we stand.
    package enum Phase: Sendable, Equatable {
        /// No connection; `isFirst`: there never was one.
        case away(isFirst: Bool)
        /// Connected, but what comes may be of the past: until the echo of our own login. See `Conversation+presence`.
        case catchingUp(isFirst: Bool)
        case present
        case leaving
        case over
    }

    struct Person: Sendable, Equatable {
        var status = ChatStatus.online
        /// Heard of since the last reconnection.
        var isConfirmed = true
    }

    enum Membership: Sendable, Equatable {
        case joining, joined, leaving
    }

    package let name: ChatName
    /// Whether groups are kept over the logout.
    let stays: Bool
    /// Makes our identifiers different from those of another run; chance, from the caller.
    let nonce: String

    package internal(set) var phase = Phase.away(isFirst: true)
    package internal(set) var ownStatus = ChatStatus.online
    var people: [ChatName: Person] = [:]
    /// Of people who have not been introduced: QoS 0 may overtake QoS 2.
    var earlyStatuses: [ChatName: ChatStatus] = [:]
    var memberships: [ChatName: Membership] = [:]
    /// Messages that are there and have not been looked at.
    package internal(set) var unread: [Place: Int] = [:]
    /// Where a line without a command goes.
    package internal(set) var place: Place?
    /// What is on the screen: nil = everything, newest last.
    var view: Place?
    var isAtEnd = true
    var seen = SeenMessages()
    /// Counts connections.
    var connection = 0
    /// Messages on their way, by ticket.
    var tickets: [Int: Ticket] = [:]
    var lastTicket = 0
    /// Our own group messages that have not come back.
    var echoes: [Echo] = []
    /// Complaints about what others send are made once each.
    var complaints: Set<String> = []

    /// The first list of people has been told.
    var isListed = false
    var listDue: Instant?
    var echoDue: Instant?
    var confirmDue: Instant?
    var leaveDue: Instant?
    var assertedAt: Instant?
    var actions: [ChatAction] = []

    /// What a ticket is for.
    enum Ticket: Sendable, Equatable {
        case login, logout, active, status
        case message(Place, String)
    }

    /// One of our own group messages on its way back to us.
    struct Echo: Sendable, Equatable {
        let group: ChatName
        let text: String
        let identifier: String
    }

    /// - Parameters:
    ///   - groups: those of earlier, which are rejoined.
    ///   - stays: `--stay`.
    ///   - nonce: a text by chance, at most 16 bytes.
    package init(name: ChatName, groups: [ChatName] = [], stays: Bool = false, nonce: String) {
        self.name = name
        self.stays = stays
        self.nonce = nonce
        for group in groups { memberships[group] = .joining }
    }

    // MARK: What there is

    /// Who is here, ourselves too, in the order of their names. [CH-4]
    package var peopleHere: [ChatEvent.Person] {
        var list = people.map { ChatEvent.Person(name: $0.key, status: $0.value.status, isOurselves: false) }
        switch phase {
        case .catchingUp, .present: list.append(ChatEvent.Person(name: name, status: ownStatus, isOurselves: true))
        case .away, .leaving, .over: break
        }
        return list.sorted { $0.name < $1.name }
    }

    /// Groups we hear.
    package var groups: [ChatName] {
        memberships.filter { $0.value == .joined }.keys.sorted()
    }

    /// All that was asked for since the last time, in order.
    package mutating func takeActions() -> [ChatAction] {
        defer { actions = [] }
        return actions
    }

    // MARK: Time

    /// Calling it too early does no harm.
    package mutating func timerFired(at now: Instant) {
        if let due = echoDue, now >= due { becomePresent(at: now) }
        if let due = listDue, now >= due {
            listDue = nil
            isListed = true
            tell(.people(peopleHere))
        }
        if let due = confirmDue, now >= due { forgetUnconfirmed() }
        if let due = leaveDue, now >= due {
            leaveDue = nil
            end(withWill: tickets.values.contains(.logout))
        }
        arm()
    }

    func earliest() -> Instant? { [listDue, echoDue, confirmDue, leaveDue].compactMap(\.self).min() }

    mutating func arm() {
        if let due = earliest() { actions.append(.wake(due)) }
    }

    mutating func tell(_ event: ChatEvent) { actions.append(.tell(event)) }

    /// Says something about what others send, once.
    mutating func complain(_ words: String) {
        guard complaints.count < 100, complaints.insert(words).inserted else { return }
        tell(.note(words))
    }

    /// Hands a message out and remembers what it is for.
    @discardableResult
    mutating func publish(_ topic: ChatTopic, _ text: String, as ticket: Ticket) -> Int {
        lastTicket += 1
        tickets[lastTicket] = ticket
        var identifier: String?
        if case .message = ticket { identifier = "\(nonce)-\(lastTicket)" }
        actions.append(
            .publish(ChatAction.Publication(ticket: lastTicket, topic: topic, text: text, identifier: identifier)))
        return lastTicket
    }
}
