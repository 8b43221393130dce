/// What publishers were promised, and what subscribers were given. Knows no sockets: the crash test tells it what it
/// saw, and it says what must not be. `Hearing` is one subscriber's half, `Retention` that of retained messages.
struct Stream: Hashable, CustomStringConvertible {
    /// One publisher's messages on one topic, all at one QoS: what the standard keeps in order (§4.6).
    let publisher: Int
    let topic: Int

    var description: String { "publisher \(publisher), topic \(topic)" }

    /// Topics of odd number carry QoS 1, the others QoS 2.
    var qos: UInt8 { topic.isMultiple(of: 2) ? 2 : 1 }
    /// Every third topic's messages are retained.
    var isRetained: Bool { topic.isMultiple(of: 3) }
    var topicName: String { "crash/\(publisher)/\(topic)" }

    init(publisher: Int, topic: Int) {
        self.publisher = publisher
        self.topic = topic
    }

    /// From a topic's name.
    init?(_ name: String) {
        let levels = name.split(separator: "/")
        guard levels.count == 3, levels[0] == "crash", let publisher = Int(levels[1]), let topic = Int(levels[2]) else {
            return nil
        }
        self.init(publisher: publisher, topic: topic)
    }
}

/// What one subscriber, or one shared subscription's members together, heard of each stream. Messages of a stream are
/// numbered from 1.
struct Hearing {
    /// The last number that was heard with all before it.
    private var heard: [Stream: Int] = [:]
    /// How many times a message came again.
    private(set) var repeats = 0
    /// QoS that the subscription grants: what is delivered has the lower of this and the stream's.
    let grantedQoS: UInt8

    init(grantedQoS: UInt8) { self.grantedQoS = grantedQoS }

    /// The last number that was heard with all before it; 0 = nothing yet.
    func last(_ stream: Stream) -> Int { heard[stream] ?? 0 }

    /// A message was given to the application. `mayRepeat`: the packet was marked DUP, or its publisher has sent it more
    /// than once. Nil, or what is wrong.
    mutating func hear(_ stream: Stream, _ number: Int, qos: UInt8, mayRepeat: Bool) -> String? {
        let last = last(stream)
        if qos != min(stream.qos, grantedQoS) { return "\(stream): \(number) came at QoS \(qos)" }
        if number == last + 1 {
            heard[stream] = number
            return nil
        }
        if number > last + 1 { return "\(stream): \(number) came after \(last): some are missing, or out of order" }
        if qos == 2 { return "\(stream): \(number) came again at QoS 2, after \(last)" }
        if !mayRepeat { return "\(stream): \(number) came again after \(last), without DUP and sent only once" }
        repeats += 1
        return nil
    }
}

/// The same for the members of a shared subscription: each gets some of a stream, in order; together they get it all.
struct SharedHearing {
    private var heard: [Stream: Set<Int>] = [:]
    private var last: [Member: Int] = [:]
    private(set) var repeats = 0

    private struct Member: Hashable {
        let name: String
        let stream: Stream
    }

    func count(_ stream: Stream) -> Int { heard[stream]?.count ?? 0 }
    /// The first of `1...sent` that nobody heard.
    func firstMissing(_ stream: Stream, of sent: Int) -> Int? {
        let heard = heard[stream] ?? []
        return sent > heard.count ? (1...sent).first { !heard.contains($0) } : nil
    }

    mutating func hear(
        _ stream: Stream, _ number: Int, by name: String, qos: UInt8, mayRepeat: Bool
    ) -> String? {
        let member = Member(name: name, stream: stream)
        if heard[stream, default: []].insert(number).inserted {
            defer { last[member] = number }
            // A message that was sent again may be handed to another member than the first copy, which waits for its own.
            if let last = last[member], number < last, !mayRepeat {
                return "\(stream): \(number) came to \(name) after \(last): out of order"
            }
            return nil
        }
        if qos == 2 { return "\(stream): \(number) came again at QoS 2, to \(name)" }
        if !mayRepeat { return "\(stream): \(number) came again, to \(name), without DUP and sent only once" }
        repeats += 1
        return nil
    }
}

/// What a topic's retained message may be: what was acknowledged last, or anything that was sent after it and has no
/// answer yet.
struct Retention {
    /// Nil = deleted, or never set.
    private var acknowledged: Int?
    private var acknowledgedAt = 0
    private var open: [(at: Int, value: Int?)] = []
    private var sent = 0

    /// A message, or a deletion (nil), was sent for the first time; the handle for `acknowledge`.
    mutating func send(_ value: Int?) -> Int {
        sent += 1
        open.append((sent, value))
        return sent
    }

    mutating func acknowledge(_ at: Int) {
        guard let index = open.firstIndex(where: { $0.at == at }) else { return }
        let value = open.remove(at: index).value
        if at > acknowledgedAt { (acknowledgedAt, acknowledged) = (at, value) }
    }

    func allows(_ value: Int?) -> Bool {
        value == acknowledged || open.contains { $0.at > acknowledgedAt && $0.value == value }
    }

    var description: String {
        "acknowledged \(acknowledged.map(String.init) ?? "nothing"), open \(open.map { $0.value ?? 0 }) (0 = deletion)"
    }
}
