import MQTTTestKit
import SeededRandom

/// A publisher of the crash test: sends on several topics with many messages under way, keeps what has no answer, and
/// sends it again on the next connection as the standard says (§4.4): PUBLISH with DUP, or PUBREL where PUBREC had come.
/// Holds the broker to its half: answers in order, no refusals, a session that is still there.
struct CrashPublisher {
    private struct Entry {
        let stream: Stream
        /// Nil: the retained message is deleted, which is no message to the subscribers.
        let number: Int?
        let identifier: UInt16
        let retention: Int?
        var isReleased = false
    }

    let name: String
    let version: UInt8
    /// Messages without an answer at once, at most; what a 5.0 broker takes at once (Receive Maximum) goes before.
    private(set) var window: Int
    private let streams: [Stream]
    private var client: RawClient?
    private var open: [Entry] = []
    private var lastIdentifier: UInt16 = 0
    /// The broker has acknowledged something of this session, so it must know it from now on.
    private var isKnown = false

    /// Messages sent of each stream.
    private(set) var sent: [Stream: Int] = [:]
    /// Messages whose PUBACK or PUBREC was seen.
    private(set) var acknowledgedCount = 0
    /// Messages sent more than once, as `CrashRun.key`.
    private(set) var resent: Set<String> = []
    private(set) var retained: [Stream: Retention] = [:]

    init(number: Int, version: UInt8, topics: Int, window: Int, run: String) {
        name = "\(run)p\(number)"
        self.version = version
        self.window = window
        streams = (0..<topics).map { Stream(publisher: number, topic: $0) }
    }

    var isConnected: Bool { client != nil }
    var isSettled: Bool { open.isEmpty }
    var description: String { "\(name): \(open.count) unanswered, first \(open.first.map { "\($0)" } ?? "-")" }

    static func key(_ stream: Stream, _ number: Int) -> String { "\(stream.publisher)/\(stream.topic)/\(number)" }

    /// Connects and sends again what had no answer. A broker that dies meanwhile is no finding.
    mutating func connect(to broker: BrokerProcess, _ findings: inout [String]) {
        guard let opened = try? RawClient(broker, version: version, deadlineMilliseconds: patienceMilliseconds) else {
            return
        }
        let lasting = version == 5 ? [Property.sessionExpiryInterval(.max)] : []
        do {
            try opened.connect(id: name, version: version, cleanStart: false, properties: lasting)
        } catch {
            if !opened.hasEnded { findings.append("\(name) cannot connect: \(error)") }
            return
        }
        if isKnown, opened.connack?.sessionPresent != true { findings.append("\(name): its session is gone") }
        client = opened
        if let receiveMaximum = opened.connack?.number(0x21) { window = min(window, Int(receiveMaximum)) }
        for entry in open {
            opened.send(entry.isReleased ? Wire.pubrel(entry.identifier) : packet(entry, dup: true))
            if !entry.isReleased, let number = entry.number { resent.insert(Self.key(entry.stream, number)) }
        }
    }

    /// Its connection is gone; what had come before is still heard.
    mutating func lose(_ findings: inout [String]) {
        hear(&findings)
        client?.close()
        client = nil
    }

    /// Hears what came, and sends on where the window has room; true where anything happened.
    mutating func step(sending: Bool, _ chance: inout SeededGenerator, _ findings: inout [String]) -> Bool {
        guard let client else { return false }
        let heard = hear(&findings)
        guard sending, open.count < window else { return heard }
        var bytes: [UInt8] = []
        for _ in 0..<min(window - open.count, 16) {
            let entry = nextEntry(&chance)
            open.append(entry)
            bytes += packet(entry, dup: false)
        }
        client.send(bytes)
        return true
    }

    private mutating func nextEntry(_ chance: inout SeededGenerator) -> Entry {
        let stream = streams[Int.random(in: 0..<streams.count, using: &chance)]
        repeat {
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        } while open.contains {
            $0.identifier == lastIdentifier
        }
        let number: Int?
        if stream.isRetained, chance.once(in: 5) {
            number = nil
        } else {
            sent[stream, default: 0] += 1
            number = sent[stream]
        }
        let retention = stream.isRetained ? retained[stream, default: Retention()].send(number) : nil
        return Entry(stream: stream, number: number, identifier: lastIdentifier, retention: retention)
    }

    private func packet(_ entry: Entry, dup: Bool) -> [UInt8] {
        Wire.publish(
            topic: entry.stream.topicName, payload: entry.number.map { "\($0) of \(entry.stream)" } ?? "",
            qos: entry.stream.qos, id: entry.identifier, dup: dup, retain: entry.stream.isRetained,
            properties: version == 5 ? [] : nil)
    }

    @discardableResult
    private mutating func hear(_ findings: inout [String]) -> Bool {
        guard let client else { return false }
        let packets = client.arrived()
        for packet in packets { receive(packet, client, &findings) }
        if client.hasEnded { self.client = nil }
        return !packets.isEmpty
    }

    private mutating func receive(_ packet: ReceivedPacket, _ client: RawClient, _ findings: inout [String]) {
        if packet.kind == .disconnect, packet.reasonCode == 0x8B { return }  // it is told to end
        // A PUBREL that is sent again may find its identifier released before: 0x92, which is no error (§3.7.2.1).
        let isGood = (packet.reasonCode ?? 0) < 0x80 || (packet.kind == .pubcomp && packet.reasonCode == 0x92)
        guard isGood, let identifier = packet.packetID else {
            findings.append("\(name) received \(packet)")
            return
        }
        let at: Int?
        switch packet.kind {
        case .puback:
            // In the order of sending, [MQTT-4.6.0-2].
            at = open.firstIndex { $0.stream.qos == 1 }
        case .pubrec:
            // [MQTT-4.6.0-3]
            at = open.firstIndex { $0.stream.qos == 2 && !$0.isReleased }
        case .pubcomp:
            at = open.firstIndex { $0.isReleased && $0.identifier == identifier }
        default: at = nil
        }
        guard let at, open[at].identifier == identifier else {
            findings.append("\(name) received \(packet), not the answer that is due; \(description)")
            return
        }
        isKnown = true
        switch packet.kind {
        case .puback: acknowledge(open.remove(at: at))
        case .pubrec:
            if !BrokerUnderTest.isMosquitto { acknowledge(open[at]) }
            open[at].isReleased = true
            client.send(Wire.pubrel(identifier))
        default:
            let entry = open.remove(at: at)
            // mosquitto hands a QoS 2 message on with its PUBREL, as it may (§4.3.3).
            if BrokerUnderTest.isMosquitto { acknowledge(entry) }
        }
    }

    private mutating func acknowledge(_ entry: Entry) {
        acknowledgedCount += 1
        if let retention = entry.retention { retained[entry.stream]?.acknowledge(retention) }
    }
}
