package import MQTTClient

/// What `martlet bench` is to do.
package struct BenchPlan: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Connections, and how long each takes.
        case conn
        /// Messages to the broker, and how long their acknowledgements take.
        case pub
        /// Messages from the broker, whoever sends them.
        case sub
        /// Each publisher has a subscriber: nothing lost, nothing twice, all in order, and how long each message takes.
        case pairs
    }

    package let kind: Kind
    package let endpoint: Endpoint
    /// Client identifiers get a number behind them.
    package var configuration: ClientConfiguration
    /// Connections; of `pairs`, publishers and as many subscribers.
    package var clients = 10
    /// Each publisher's; nil = as many as `duration` has room for. Of `sub` the sum that ends it.
    package var messages: Int?
    /// For `pub`, `sub` and `pairs` without a number of messages.
    package var duration = Duration.seconds(10)
    package var qos = QoS.atMostOnce
    /// Payload bytes; at least `BenchStamp.bytes`.
    package var payloadBytes = 64
    /// Messages a second, all publishers together; nil = as fast as it goes.
    package var rate: Double?
    /// Messages that a publisher sends before it waits for the last one's acknowledgement.
    package var batch = 20
    /// Connections that are opened at the same time.
    package var opening = 50
    /// Topics begin with it; `sub` subscribes to it as it is.
    package var topic = "martlet-bench"
    /// How long the last messages may take to arrive.
    package var patience = Duration.seconds(10)

    package init(_ kind: Kind, _ endpoint: Endpoint, _ configuration: ClientConfiguration) {
        self.kind = kind
        self.endpoint = endpoint
        self.configuration = configuration
    }
}

/// What a message of a benchmark carries: its number and when it was sent, on this machine's monotonic clock.
struct BenchStamp {
    static let bytes = 16

    let number: UInt64
    /// Since the run began.
    let microseconds: UInt64

    init(number: UInt64, microseconds: UInt64) { (self.number, self.microseconds) = (number, microseconds) }

    /// Nil where the message is none of ours.
    init?(_ payload: [UInt8]) {
        guard payload.count >= Self.bytes else { return nil }
        func read(_ at: Int) -> UInt64 { payload[at..<(at + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(number: read(0), microseconds: read(8))
    }

    func payload(of size: Int) -> [UInt8] {
        var payload = [UInt8](repeating: UInt8(ascii: "."), count: max(size, Self.bytes))
        for index in 0..<8 {
            payload[index] = UInt8(truncatingIfNeeded: number >> (56 - 8 * index))
            payload[8 + index] = UInt8(truncatingIfNeeded: microseconds >> (56 - 8 * index))
        }
        return payload
    }
}
