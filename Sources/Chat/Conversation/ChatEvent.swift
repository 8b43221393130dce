/// What a conversation tells the person who has it.
package enum ChatEvent: Sendable, Equatable {
    // MARK: The connection

    case connecting(attempt: Int)
    case connected(sessionPresent: Bool)
    /// Lost, or not to be had; the next attempt follows.
    case waiting(String, seconds: Double)
    case loggedIn
    case loggedOut

    // MARK: Others

    case login(ChatName)
    /// `isPresumed`: nobody said so, but no answer came after a reconnection.
    case logout(ChatName, isPresumed: Bool)
    /// Was here before we noticed.
    case active(ChatName)
    case status(ChatName, ChatStatus)
    case people([Person])
    /// To us.
    case privateMessage(from: ChatName, String)
    /// `isOwn`: written under our name, and not by this program.
    case groupMessage(ChatName, from: ChatName, String, isOwn: Bool)

    // MARK: What we did

    /// Numbered, so that what becomes of it can be told later.
    case sending(Int, Place, String)
    /// The broker has it. `isHeard` false: it says that nobody listens there.
    case sent(Int, Place, String, isHeard: Bool)
    case notSent(Int, Place, String, why: String)
    case joined(ChatName)
    case left(ChatName)
    case ownStatus(ChatStatus)
    case looking(Place?)
    case help
    /// Worth knowing.
    case note(String)
    /// Something was refused, and why.
    case refused(String)

    /// Who is here.
    package struct Person: Sendable, Hashable {
        package let name: ChatName
        package let status: ChatStatus
        package let isOurselves: Bool
    }
}

/// What a conversation wants done. `subscribe`, `unsubscribe`, `abandon`, `publish` and `finish` are done one after another, each
/// when the one before has been answered; the others at once.
package enum ChatAction: Sendable, Equatable {
    case tell(ChatEvent)
    /// Answered by `subscribed`.
    case subscribe(Listening)
    /// Answered by `unsubscribed`.
    case unsubscribe(Listening)
    /// A group that the broker's session is in and we are not: subscribe and unsubscribe. No answer.
    case abandon(ChatName)
    /// Answered by `published` with the ticket.
    case publish(Publication)
    /// The groups that the next start rejoins.
    case remember([ChatName])
    /// Call `timerFired` then, in place of any earlier time.
    case wake(ContinuousClock.Instant)
    /// Say goodbye.
    case finish
    /// Say goodbye now, whatever waits. `withWill`: the others could not be told, so the broker is to do it.
    case close(withWill: Bool)

    /// A message on its way out.
    package struct Publication: Sendable, Hashable {
        package let ticket: Int
        package let topic: ChatTopic
        package let text: String
        /// Goes along as a user property in 5.0, so that our other clients can tell a duplicate.
        package let identifier: String?
    }
}
