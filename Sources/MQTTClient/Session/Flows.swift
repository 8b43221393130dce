import MQTTProtocol

/// What lies under each packet identifier in use: the window hands out identifiers and places, this table what they
/// mean. Rows are reused.
struct Flows {
    /// A message on its way to the server at QoS 1 or 2.
    struct Publish {
        /// Nil once the server has taken the message over with PUBREC.
        var message: Message?
        /// Nil when nobody waits any more.
        var request: RequestIdentifier?
        /// PUBREC's, which is the answer to the caller.
        var result = PublishResult(.success)
        /// Counts against the server's Receive Maximum of this connection.
        var isCounted: Bool
        /// Sent on this connection.
        var isSent: Bool
        /// The order PUBRECs came in, which is the order of PUBRELs [5.0 MQTT-4.6.0-4].
        var release: UInt64 = 0
    }

    enum Row {
        case free
        case publish(Publish)
        /// A SUBSCRIBE or UNSUBSCRIBE: an index into the session's requests would move, so they are found by identifier.
        case request
    }

    private var rows: [Row] = []
    private var free: [UInt32] = []

    mutating func insert(_ row: Row) -> UInt32 {
        if let index = free.popLast() {
            rows[Int(index)] = row
            return index
        }
        rows.append(row)
        return UInt32(rows.count - 1)
    }

    subscript(_ index: UInt32) -> Row {
        get { rows[Int(index)] }
        set { rows[Int(index)] = newValue }
    }

    mutating func remove(_ index: UInt32) {
        rows[Int(index)] = .free
        free.append(index)
    }

    mutating func removeAll() {
        rows = []
        free = []
    }

    /// The first message whose caller is this one.
    func index(of request: RequestIdentifier) -> UInt32? {
        rows.firstIndex {
            if case .publish(let publish) = $0 { publish.request == request } else { false }
        }.map { UInt32($0) }
    }
}
