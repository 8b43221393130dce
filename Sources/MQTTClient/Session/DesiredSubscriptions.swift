import MQTTProtocol

/// The subscriptions a program wants, connected or not, and which of them a message is for.
///
/// A filter may be wanted by several handles; the server knows it once, with the identifier and options of whoever asked
/// last. Messages find their handles by Subscription Identifier where the server says them; without (3.1.1, a server that has
/// none, or a filter wanted twice) by matching.
struct DesiredSubscriptions {
    struct Entry {
        var subscription: SubscriptionFilter
        /// Who wants it, the one whose identifier the server has last.
        var handles: [SubscriptionHandle]
        /// The server has said yes, in this session.
        var isConfirmed: Bool

        var owner: SubscriptionHandle { handles[handles.count - 1] }
    }

    private(set) var entries: [Entry] = []
    private var live: Set<SubscriptionHandle> = []
    /// Filters wanted by several handles.
    private var sharedFilters = 0
    private var lastHandle: UInt32 = 0
    /// Most messages have the topic of the one before: where that one went by matching.
    private var lastMatch: (topic: Topic, route: ClientAction.Route)?
    private var lastNamed: (identifiers: [UInt32], topic: Topic, route: ClientAction.Route)?

    /// The largest Subscription Identifier, §3.8.2.1.2.
    private static let handleMax: UInt32 = 268_435_455

    var isEmpty: Bool { entries.isEmpty }

    mutating func add(_ subscriptions: [SubscriptionFilter]) -> SubscriptionHandle {
        repeat {
            lastHandle = lastHandle == Self.handleMax ? 1 : lastHandle + 1
        } while live.contains(SubscriptionHandle(value: lastHandle))
        let handle = SubscriptionHandle(value: lastHandle)
        live.insert(handle)
        for subscription in subscriptions {
            if let at = index(of: subscription.filter) {
                entries[at].subscription = subscription
                entries[at].isConfirmed = false
                if !entries[at].handles.contains(handle) { entries[at].handles.append(handle) }
            } else {
                entries.append(Entry(subscription: subscription, handles: [handle], isConfirmed: false))
            }
        }
        changed()
        return handle
    }

    /// The server's answer to one filter of `handle`.
    mutating func settle(_ filter: TopicFilter, of handle: SubscriptionHandle, granted: Bool) {
        guard let at = index(of: filter) else { return }
        if granted {
            entries[at].isConfirmed = true
        } else {
            removeHandle(handle, at: at)
        }
        changed()
    }

    /// Gives a subscription up; returns the filters that nobody else wants.
    mutating func remove(_ handle: SubscriptionHandle) -> [TopicFilter] {
        var unwanted: [TopicFilter] = []
        for at in entries.indices.reversed() where entries[at].handles.contains(handle) {
            let filter = entries[at].subscription.filter
            removeHandle(handle, at: at)
            if index(of: filter) == nil { unwanted.append(filter) }
        }
        live.remove(handle)
        changed()
        return unwanted.reversed()
    }

    /// The server has lost the session: nothing is confirmed any more.
    mutating func unconfirmAll() {
        for at in entries.indices { entries[at].isConfirmed = false }
    }

    /// Subscriptions to be made again, by the handle whose identifier they carry.
    func unconfirmed() -> [(handle: SubscriptionHandle, subscriptions: [SubscriptionFilter])] {
        var order: [SubscriptionHandle] = []
        var found: [SubscriptionHandle: [SubscriptionFilter]] = [:]
        for entry in entries where !entry.isConfirmed {
            if found[entry.owner] == nil { order.append(entry.owner) }
            found[entry.owner, default: []].append(entry.subscription)
        }
        return order.map { ($0, found[$0] ?? []) }
    }

    /// Identifiers say more than topics: where subscriptions overlap the server may send a copy for each. They are taken
    /// at their word where the topic fits; a server that remembers the session of an earlier process may send that one's.
    mutating func route(_ message: Message) -> ClientAction.Route {
        let identifiers = message.receipt?.subscriptionIdentifiers ?? []
        guard !identifiers.isEmpty, sharedFilters == 0 else { return match(message.topic) }
        if let lastNamed, lastNamed.identifiers == identifiers, lastNamed.topic == message.topic {
            return lastNamed.route
        }
        var handles: [SubscriptionHandle] = []
        for identifier in identifiers {
            let handle = SubscriptionHandle(value: identifier)
            let fits = entries.contains { $0.owner == handle && $0.subscription.filter.matches(message.topic) }
            if fits, !handles.contains(handle) { handles.append(handle) }
        }
        let route = handles.isEmpty ? match(message.topic) : Self.route(handles)
        lastNamed = (identifiers, message.topic, route)
        return route
    }

    private mutating func match(_ topic: Topic) -> ClientAction.Route {
        if let lastMatch, lastMatch.topic == topic { return lastMatch.route }
        var handles: [SubscriptionHandle] = []
        for entry in entries where entry.subscription.filter.matches(topic) {
            for handle in entry.handles where !handles.contains(handle) { handles.append(handle) }
        }
        let route = Self.route(handles)
        lastMatch = (topic, route)
        return route
    }

    private static func route(_ handles: [SubscriptionHandle]) -> ClientAction.Route {
        switch handles.count {
        case 0: .none
        case 1: .one(handles[0])
        default: .several(handles)
        }
    }

    private func index(of filter: TopicFilter) -> Int? {
        entries.firstIndex { $0.subscription.filter == filter }
    }

    private mutating func removeHandle(_ handle: SubscriptionHandle, at index: Int) {
        entries[index].handles.removeAll { $0 == handle }
        if entries[index].handles.isEmpty { entries.remove(at: index) }
    }

    private mutating func changed() {
        lastMatch = nil
        lastNamed = nil
        sharedFilters = entries.count { $0.handles.count > 1 }
        live = entries.reduce(into: []) { $0.formUnion($1.handles) }
    }
}
