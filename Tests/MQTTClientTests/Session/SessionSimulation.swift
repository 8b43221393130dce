import MQTTClient
import MQTTProtocol
import SeededRandom
import Testing

/// A session against the model broker over a network that is cut after any packet, from a seed: QoS 2 exactly once, QoS 1 at
/// least once, each in order, both ways; no identifier is left in use at the end.
struct SessionSimulation: ~Copyable {
    private var random: SeededGenerator
    private var session: ClientSession
    private var codec: ClientCodec
    private var broker = ModelBroker()
    private var now = ContinuousClock.now
    private var toServer: [[UInt8]] = []
    private var toClient: [Packet] = []
    private let version: ProtocolVersion
    private let losesSessions: Bool

    private var sent: [QoS: [Int]] = [:]
    private var promised: [QoS: [Int]] = [:]
    private var outcomes: [UInt64: RequestResult] = [:]
    private var cancelled: Set<Int> = []
    private var deliveries: [QoS: [Int]] = [:]
    private var due: [Message] = []
    private(set) var cuts = 0
    private(set) var connections = 0

    init(seed: UInt64, losesSessions: Bool = false) throws {
        random = SeededGenerator(seed: seed)
        self.losesSessions = losesSessions
        version = random.next() % 2 == 0 ? .v5 : .v311
        var configuration = ClientConfiguration(clientIdentifier: "sim", version: version)
        configuration.cleanStart = false
        configuration.sessionExpiryIntervalSeconds = version == .v5 ? 3_600 : 0
        configuration.keepAliveSeconds = 0
        if random.next() % 3 == 0 { configuration.acknowledgement = .byApplication }
        configuration.inflightMax = UInt16(1 + random.next() % 20)
        if version == .v5 {
            if random.next() % 2 == 0 { broker.receiveMaximum = UInt16(1 + random.next() % 5) }
            if random.next() % 2 == 0 { broker.topicAliasMaximum = UInt16(1 + random.next() % 4) }
            if random.next() % 2 == 0 {
                configuration.receiveMaximum = 8
                broker.windowMax = 8
            }
        }
        codec = ClientCodec(configuration)
        var session = try ClientSession(configuration)
        try session.subscribe(to: [SubscriptionFilter("down", qos: .exactlyOnce)], as: RequestIdentifier(0), at: now)
        self.session = session
    }

    mutating func run(steps: Int) throws {
        var next = 0
        for _ in 0..<steps {
            switch random.next() % 20 {
            case 0..<4:
                next += 1
                try publish(next)
            case 4..<6:
                next += 1
                let qos = QoS(rawValue: UInt8(random.next() % 3)) ?? .atMostOnce
                promised[qos, default: []].append(next)
                broker.send(next, qos)
                toClient += broker.flush()
            case 6 where random.next() % 4 == 0: cut()
            case 7 where random.next() % 8 == 0 && next > 0: cancel(1 + Int(random.next() % UInt64(next)))
            case 8 where !due.isEmpty:
                session.acknowledge(due.remove(at: Int(random.next() % UInt64(due.count))), at: now)
                obey()
            default: step()
            }
            now += .milliseconds(1)
        }
        settle()
        check()
    }

    private mutating func publish(_ number: Int) throws {
        let qos = QoS(rawValue: UInt8(random.next() % 3)) ?? .atMostOnce
        sent[qos, default: []].append(number)
        let topic: Topic = random.next() % 2 == 0 ? "up/one" : "up/two"
        try session.publish(Message(topic, bytes(number), qos: qos), as: RequestIdentifier(UInt64(number)), at: now)
        obey()
    }

    private mutating func cancel(_ number: Int) {
        guard outcomes[UInt64(number)] == nil else { return }
        session.cancel(RequestIdentifier(UInt64(number)))
        obey()
        if outcomes[UInt64(number)] == .failed(.cancelled) { cancelled.insert(number) }
    }

    private mutating func cut() {
        cuts += 1
        toServer = []
        toClient = []
        broker.cut()
        session.transportLost()
        obey()
        if losesSessions, random.next() % 3 == 0 { broker.forgetSession() }
    }

    /// One packet moves in one direction, or a connection is made.
    private mutating func step() {
        if session.state == .disconnected {
            connections += 1
            codec = ClientCodec(session.configuration)
            session.transportOpened(at: now)
            return obey()
        }
        if !toServer.isEmpty, random.next() % 2 == 0 || toClient.isEmpty {
            let bytes = toServer.removeFirst()
            let read = bytes.withUnsafeBytes {
                try? Packet.decode($0, version: version, from: .client, maximumPacketSize: 100_000)
            }
            guard let read else { preconditionFailure("the client sent what cannot be read: \(bytes)") }
            toClient += broker.receive(read.packet)
            toClient += broker.flush()
        } else if !toClient.isEmpty {
            let packet = toClient.removeFirst()
            var run = ByteRun()
            packet.encode(into: &run, version: version)
            codec.append(run.bytes)
            do {
                while let packet = try codec.next() { session.receive(packet, at: now) }
            } catch {
                Issue.record("\(error)")
            }
            obey()
        }
    }

    private mutating func obey() {
        while let action = session.nextAction() {
            switch action {
            case .send(let packet):
                var bytes: [UInt8] = []
                codec.encode(packet, into: &bytes)
                toServer.append(bytes)
            case .deliver(let message, _):
                deliveries[message.qos, default: []].append(number(message.payload))
                if message.qos != .atMostOnce, session.configuration.acknowledgement == .byApplication {
                    due.append(message)
                }
            case .complete(let request, let result):
                #expect(outcomes[request.value] == nil, "request \(request.value) completed twice")
                outcomes[request.value] = result
            case .close(let error):
                if case .connectionLost = error { break }
                Issue.record("closed: \(error.map(String.init(describing:)) ?? "by itself")")
            case .setDeadline, .connected, .authenticate, .subscriptionRefused: break
            }
        }
    }

    /// The network is good now: everything comes to its end.
    private mutating func settle() {
        for _ in 0..<200_000 {
            while let message = due.popLast() {
                session.acknowledge(message, at: now)
                obey()
            }
            toClient += broker.flush()
            if session.state == .connected, toServer.isEmpty, toClient.isEmpty, broker.isIdle { return }
            step()
        }
        Issue.record("does not come to rest")
    }

    private func check() {
        #expect(broker.faults.isEmpty, "\(broker.faults)")
        #expect(session.packetIdentifiersInUse == 0)
        #expect(session.queuedMessages == 0)
        for (qos, numbers) in sent {
            let wanted = numbers.filter { !cancelled.contains($0) }
            for number in wanted { #expect(outcomes[UInt64(number)] == .published(PublishResult(.success))) }
            if qos == .atMostOnce { continue }
            let got = broker.taken[qos] ?? []
            if qos == .exactlyOnce, !losesSessions {
                #expect(got.filter { !cancelled.contains($0) } == wanted, "QoS 2 up: exactly once, in order")
            }
            #expect(firsts(got).filter { !cancelled.contains($0) } == wanted, "QoS \(qos.rawValue) up: all, in order")
        }
        guard !losesSessions else { return }
        #expect(deliveries[.exactlyOnce] ?? [] == promised[.exactlyOnce] ?? [], "QoS 2 down: exactly once, in order")
        #expect(firsts(deliveries[.atLeastOnce] ?? []) == promised[.atLeastOnce] ?? [], "QoS 1 down: all, in order")
    }

    /// First appearances, in order.
    private func firsts(_ numbers: [Int]) -> [Int] {
        var seen: Set<Int> = []
        return numbers.filter { seen.insert($0).inserted }
    }
}

@Suite("ClientSession in a bad network")
struct SessionSimulationTests {
    @Test(
        "[5.0 MQTT-4.4.0-1] [5.0 MQTT-4.4.0-2] [5.0 MQTT-4.6.0-1] [3.1.1 MQTT-4.4.0-1] [3.1.1 MQTT-4.6.0-1] cut after any packet: QoS 2 exactly once, QoS 1 at least once, in order",
        arguments: 0..<40 as Range<UInt64>)
    func cuts(part: UInt64) throws {
        for seed in part * 25..<(part + 1) * 25 {
            var simulation = try SessionSimulation(seed: seed + 1)
            try simulation.run(steps: 600)
        }
    }

    @Test(
        "[5.0 MQTT-3.2.2-5] a server that forgets: what callers wait for arrives all the same, in order",
        arguments: 0..<8 as Range<UInt64>)
    func forgetfulServer(part: UInt64) throws {
        for seed in part * 25..<(part + 1) * 25 {
            var simulation = try SessionSimulation(seed: seed + 10_000, losesSessions: true)
            try simulation.run(steps: 600)
        }
    }
}
