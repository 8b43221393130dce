public import MQTTProtocol

/// One Topic Filter of a SUBSCRIBE with its options, §3.8.3.1.
public struct SubscriptionFilter: Sendable, Hashable {
    public var filter: TopicFilter
    /// The highest QoS messages are to come with.
    public var qos: QoS
    /// Not our own messages; 5.0 only, and not for shared subscriptions.
    public var noLocal: Bool
    /// Keep RETAIN as the publisher set it; 5.0 only.
    public var retainAsPublished: Bool
    /// Whether retained messages are sent at once; 5.0 only.
    public var retainHandling: RetainHandling

    public init(
        _ filter: TopicFilter, qos: QoS = .atMostOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAlways
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }
}

/// What became of a SUBSCRIBE: one reason code a filter, in order, §3.9.
public struct SubscribeResult: Sendable, Hashable {
    /// Names the subscription to `unsubscribe`, and in deliveries.
    public let handle: SubscriptionHandle
    /// As many as there were filters: the granted QoS, or 0x80 and above. In 3.1.1 failure is 0x80.
    public let reasonCodes: [ReasonCode]
    /// §3.9.2.1.2
    public let reasonString: String?
    /// §3.9.2.1.3
    public let userProperties: [UserProperty]
}

/// What became of an UNSUBSCRIBE, §3.11. In 3.1.1 there are no codes: all are `success`.
public struct UnsubscribeResult: Sendable, Hashable {
    /// One for each filter that was given up; none where another subscription still wants them all.
    public let reasonCodes: [ReasonCode]
    public let reasonString: String?
    public let userProperties: [UserProperty]
}

/// What became of a PUBLISH: `success` or `noMatchingSubscribers`; refusals are errors.
public struct PublishResult: Sendable, Hashable {
    public let reasonCode: ReasonCode
    /// §3.4.2.2.2
    public let reasonString: String?
    /// §3.4.2.2.3
    public let userProperties: [UserProperty]
    /// What the message went under, §2.2.1; nil at QoS 0. For logs: it may be another message's by now. Results are equal where
    /// the server said the same, whatever this is.
    public internal(set) var packetIdentifier: UInt16?

    package init(_ reasonCode: ReasonCode, reasonString: String? = nil, userProperties: [UserProperty] = []) {
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    public static func == (left: PublishResult, right: PublishResult) -> Bool {
        left.reasonCode == right.reasonCode && left.reasonString == right.reasonString
            && left.userProperties == right.userProperties
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(reasonCode)
        hasher.combine(reasonString)
        hasher.combine(userProperties)
    }
}

/// One `subscribe` of a session. In 5.0 its number is the Subscription Identifier, §3.8.2.1.2.
public struct SubscriptionHandle: Sendable, Hashable {
    /// 1 to 268,435,455.
    public let value: UInt32
}

/// A request's name, chosen by whoever asks; its completion carries it. Numbers of requests that are still open must
/// differ.
public struct RequestIdentifier: Sendable, Hashable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}
