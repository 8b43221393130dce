/// What a `ClientSession` wants done, in this order. Whoever drives the session does it; the session itself touches
/// nothing.
public enum ClientAction: Sendable {
    /// Encode with `ClientCodec` and write.
    case send(ControlPacket)
    /// A message came: it is for these subscriptions.
    case deliver(Message, to: Route)
    /// A request is done.
    case complete(RequestIdentifier, RequestResult)
    /// Call `timerFired` at that instant, in place of any earlier one. Calling it too early does no harm.
    case setDeadline(ContinuousClock.Instant)
    /// CONNACK was favourable.
    case connected(ServerInformation)
    /// The server asks for a step of enhanced authentication, §4.12: answer with `continueAuthentication`. The data is
    /// the server's Authentication Data.
    case authenticate([UInt8]?)
    /// A filter could not be subscribed to again after the session was lost.
    case subscriptionRefused(SubscriptionHandle, TopicFilter, ClientError)
    /// Close the transport when everything before this is written. Nil = because we wanted to.
    case close(ClientError?)

    /// Which subscriptions a message is for.
    public enum Route: Sendable, Hashable {
        /// No subscription of this session wants it: the server remembers one that this program has not made.
        case none
        case one(SubscriptionHandle)
        case several([SubscriptionHandle])
    }
}

/// How a request ended.
public enum RequestResult: Sendable, Hashable {
    case published(PublishResult)
    case subscribed(SubscribeResult)
    case unsubscribed(UnsubscribeResult)
    /// Re-authentication succeeded.
    case authenticated
    case failed(ClientError)
}
