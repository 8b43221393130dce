/// Messages on their way from the session to their readers: gathered during a tick, put into each reader's buffer at its
/// end. It knows who lags. Messages that no subscription wants yet wait here for one that does: those of a resumed session
/// come before the program has subscribed again.
struct Deliveries {
    private struct Reader {
        let filters: [TopicFilter]
        let buffer: DeliveryBuffer
        var pending: [Message] = []
    }

    private var readers: [SubscriptionHandle: Reader] = [:]
    private var dirty: [SubscriptionHandle] = []
    private var unclaimed: [Message] = []
    private var unclaimedBytes = 0
    /// Readers over their limit.
    private(set) var overfull: Set<SubscriptionHandle> = []
    /// Messages that nobody claimed and that there was no room for.
    private(set) var dropped = 0

    mutating func open(_ handle: SubscriptionHandle, _ filters: [SubscriptionFilter], _ buffer: DeliveryBuffer) {
        var reader = Reader(filters: filters.map(\.filter), buffer: buffer)
        if !unclaimed.isEmpty {
            let matches = { (message: Message) in reader.filters.contains { $0.matches(message.topic) } }
            reader.pending = unclaimed.filter(matches)
            unclaimed.removeAll(where: matches)
            unclaimedBytes = unclaimed.reduce(0) { $0 + $1.queuedBytes }
        }
        if !reader.pending.isEmpty { dirty.append(handle) }
        readers[handle] = reader
    }

    mutating func add(_ message: Message, to route: ClientAction.Route, _ limits: MQTTClient.Limits) {
        switch route {
        case .one(let handle): add(message, to: handle)
        case .several(let handles): for handle in handles { add(message, to: handle) }
        case .none:
            guard unclaimed.count < limits.unclaimedMessagesMax,
                unclaimedBytes + message.queuedBytes <= limits.bufferedBytesMax
            else {
                dropped += 1
                return
            }
            unclaimed.append(message)
            unclaimedBytes += message.queuedBytes
        }
    }

    private mutating func add(_ message: Message, to handle: SubscriptionHandle) {
        guard let isFirst = readers[handle]?.pending.isEmpty else { return }
        if isFirst { dirty.append(handle) }
        readers[handle]?.pending.append(message)
    }

    /// Wakes the readers of what was gathered.
    mutating func put() {
        guard !dirty.isEmpty else { return }
        for handle in dirty {
            guard let reader = readers[handle], !reader.pending.isEmpty else { continue }
            readers[handle]?.pending = []
            if reader.buffer.put(reader.pending) { overfull.insert(handle) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Asks those over their limit whether they still are.
    mutating func recheck() {
        for handle in overfull where !(readers[handle]?.buffer.isOverfull ?? false) { overfull.remove(handle) }
    }

    /// Ends a reader's sequence; false where it has ended before.
    @discardableResult
    mutating func close(_ handle: SubscriptionHandle, _ end: Result<Void, ClientError>) -> Bool {
        guard let reader = readers.removeValue(forKey: handle) else { return false }
        if !reader.pending.isEmpty { _ = reader.buffer.put(reader.pending) }
        reader.buffer.finish(end)
        return true
    }

    /// Ends a reader's sequence after the messages gathered for it.
    mutating func finish(_ handle: SubscriptionHandle, _ end: Result<Void, ClientError>) {
        close(handle, end)
    }

    mutating func finishAll(_ end: Result<Void, ClientError>) {
        for handle in readers.keys.map(\.self) { close(handle, end) }
        overfull = []
    }
}
