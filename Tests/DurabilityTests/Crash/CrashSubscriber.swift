import MQTTTestKit
import SeededRandom

/// A subscriber of the crash test, with a session that lasts: does its half of every handshake, and remembers across
/// connections which QoS 2 identifiers it has not been told to release (§4.3.3). It may be slow, or come and go.
struct CrashSubscriber {
    /// How it behaves.
    enum Habit { case steady, slow, comingAndGoing, awayMostly }

    let name: String
    let version: UInt8
    let filter: String
    let qos: UInt8
    let habit: Habit
    private var client: RawClient?
    /// Read from the socket and not looked at yet: lost with the connection, as if the network had it still.
    private var backlog: ArraySlice<ReceivedPacket> = []
    /// QoS 2 messages taken and not released.
    private var unreleased: [UInt16: [UInt8]] = [:]
    private var isSubscribed = false

    init(_ name: String, version: UInt8, filter: String, qos: UInt8, habit: Habit) {
        self.name = name
        self.version = version
        self.filter = filter
        self.qos = qos
        self.habit = habit
    }

    var isConnected: Bool { client != nil }
    var hasBacklog: Bool { !backlog.isEmpty }

    /// Connects; the first time it subscribes too, and both must succeed.
    mutating func connect(to broker: BrokerProcess, _ findings: inout [String]) {
        guard let opened = try? RawClient(broker, version: version, deadlineMilliseconds: patienceMilliseconds) else {
            return
        }
        var properties = version == 5 ? [Property.sessionExpiryInterval(.max)] : []
        if habit == .slow, version == 5 { properties.append(.receiveMaximum(5)) }
        do {
            try opened.connect(id: name, version: version, cleanStart: false, properties: properties)
            if !isSubscribed { try opened.subscribe(filter, qos) }
        } catch {
            if !opened.hasEnded || !isSubscribed { findings.append("\(name) cannot connect: \(error)") }
            return
        }
        if isSubscribed, opened.connack?.sessionPresent != true { findings.append("\(name): its session is gone") }
        isSubscribed = true
        client = opened
    }

    mutating func lose() {
        client?.close()
        client = nil
        backlog = []
    }

    /// Does some of what is to be done and gives what the application got to `hear`; true where anything happened.
    mutating func step(
        _ broker: BrokerProcess, draining: Bool, _ chance: inout SeededGenerator, _ findings: inout [String],
        hear: (ReceivedPacket) -> String?
    ) -> Bool {
        guard let client else {
            if draining || comesBack(&chance) { connect(to: broker, &findings) }
            return isConnected
        }
        if !draining, goesAway(&chance) {
            if chance.once(in: 2) { client.send(Wire.disconnect) }
            lose()
            return true
        }
        backlog += client.arrived()
        let isLazy = habit == .slow && !draining
        if isLazy, !chance.once(in: 8) { return false }
        let count = isLazy ? 3 : backlog.count
        let now = backlog.prefix(count)
        backlog = backlog.dropFirst(count)
        for packet in now { receive(packet, client, &findings, hear) }
        if client.hasEnded, backlog.isEmpty { self.client = nil }
        return !now.isEmpty
    }

    private func comesBack(_ chance: inout SeededGenerator) -> Bool {
        switch habit {
        case .steady, .slow: true
        case .comingAndGoing: chance.once(in: 200)
        case .awayMostly: chance.once(in: 3_000)
        }
    }

    private func goesAway(_ chance: inout SeededGenerator) -> Bool {
        switch habit {
        case .steady, .slow: false
        case .comingAndGoing: chance.once(in: 300)
        case .awayMostly: chance.once(in: 300)
        }
    }

    private mutating func receive(
        _ packet: ReceivedPacket, _ client: RawClient, _ findings: inout [String], _ hear: (ReceivedPacket) -> String?
    ) {
        func say(_ finding: String?) {
            if let finding { findings.append("\(name): \(finding)") }
        }
        switch (packet.kind, packet.packetID) {
        case (.publish, let identifier?) where packet.qos == 2:
            if let known = unreleased[identifier] {
                if known != packet.payload || !packet.dup {
                    say("identifier \(identifier) is not released, and came again with \(packet), dup \(packet.dup)")
                }
            } else {
                unreleased[identifier] = packet.payload
                say(hear(packet))
            }
            client.send(Wire.pubrec(identifier))
        case (.publish, let identifier?):
            say(hear(packet))
            client.send(Wire.puback(identifier))
        case (.publish, nil): say(hear(packet))
        case (.pubrel, let identifier?):
            unreleased[identifier] = nil
            client.send(Wire.pubcomp(identifier))
        case (.disconnect, _) where packet.reasonCode == 0x8B: break  // it is told to end
        default: say("received \(packet)")
        }
    }
}
