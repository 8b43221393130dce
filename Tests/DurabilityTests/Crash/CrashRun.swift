import Dispatch
import Foundation
import Glibc
import MQTTTestKit
import SeededRandom

/// The crash test itself: publishers and subscribers talk, the broker is killed at a moment that nobody chose, started
/// again on the same store, and everybody goes on by the protocol; many times over. At the end all is drained and held
/// against the `Ledger`. What must not be is collected as text.
struct CrashRun {
    struct Plan {
        var seed: UInt64
        var rounds: Int
        /// Event loops of each round, in turn.
        var eventLoops: [Int]
        /// How the broker ends; nil: it stays, and only all connections are lost, which shows whether the test itself
        /// keeps to the protocol.
        var end: End? = .killed
        var settings = ""
    }

    private static let publisherCount = 4
    private static let topicsEach = 6

    let plan: Plan
    private var chance: SeededGenerator
    private let store: StoreFolder
    /// The broker that stays, where one does.
    private var lasting: BrokerProcess?
    private var publishers: [CrashPublisher]
    private var subscribers: [CrashSubscriber]
    private var hearings: [String: Hearing] = [:]
    private var shared = SharedHearing()
    private(set) var findings: [String] = []
    /// What happened, for the test's output.
    private(set) var told = ""

    init(_ plan: Plan) throws {
        self.plan = plan
        chance = SeededGenerator(seed: plan.seed)
        store = try StoreFolder()
        let run = unique("r")
        publishers = (0..<Self.publisherCount).map {
            CrashPublisher(
                number: $0, version: $0.isMultiple(of: 2) ? 4 : 5, topics: Self.topicsEach,
                window: [40, 1, 15, 60][$0],
                run: run)
        }
        subscribers = [
            CrashSubscriber("\(run)steady4", version: 4, filter: "crash/#", qos: 2, habit: .steady),
            CrashSubscriber("\(run)steady5", version: 5, filter: "crash/+/+", qos: 1, habit: .steady),
            CrashSubscriber("\(run)coming4", version: 4, filter: "crash/#", qos: 2, habit: .comingAndGoing),
            CrashSubscriber("\(run)coming5", version: 5, filter: "crash/#", qos: 2, habit: .comingAndGoing),
            CrashSubscriber("\(run)away4", version: 4, filter: "crash/+/2", qos: 2, habit: .awayMostly),
            CrashSubscriber("\(run)away5", version: 5, filter: "crash/1/#", qos: 2, habit: .awayMostly),
            CrashSubscriber("\(run)slow5", version: 5, filter: "crash/+/0", qos: 2, habit: .slow),
            CrashSubscriber("\(run)share1", version: 5, filter: "$share/g/crash/#", qos: 2, habit: .steady),
            CrashSubscriber("\(run)share2", version: 5, filter: "$share/g/crash/#", qos: 2, habit: .comingAndGoing),
            CrashSubscriber("\(run)share3", version: 5, filter: "$share/g/crash/#", qos: 2, habit: .slow),
        ]
        for subscriber in subscribers where !subscriber.filter.hasPrefix("$share") {
            hearings[subscriber.name] = Hearing(grantedQoS: subscriber.qos)
        }
    }

    /// Runs it whole; stops at the first round with a finding.
    mutating func run() throws {
        for round in 0..<plan.rounds where findings.isEmpty { try self.round(round) }
        guard findings.isEmpty else { return }
        let broker = try start(plan.rounds)
        checkRetained(broker)
        try drain(broker)
        checkRetained(broker)
        for index in publishers.indices { publishers[index].lose(&findings) }
        for index in subscribers.indices { subscribers[index].lose() }
        if plan.end != nil { _ = broker.stop() }
        // What is done is done: nothing comes again.
        guard findings.isEmpty else { return }
        let last = try start(plan.rounds + 1)
        try drain(last)
        checkRetained(last)
        tell()
        _ = last.stop()
    }

    private mutating func start(_ round: Int) throws -> BrokerProcess {
        if let lasting { return lasting }
        let broker = try store.start(plan.settings, eventLoops: plan.eventLoops[round % plan.eventLoops.count])
        if plan.end == nil { lasting = broker }
        return broker
    }

    // MARK: One life of the broker

    private mutating func round(_ number: Int) throws {
        if number > 0, plan.end != nil, chance.once(in: 4) { try interruptStart(number) }
        let broker = try start(number)
        if number == 0 {
            // Subscriptions come first, so that every message is for them.
            for index in subscribers.indices { subscribers[index].connect(to: broker, &findings) }
        } else {
            checkRetained(broker)
        }
        let death = Death(of: broker, plan.end, afterMicroseconds: UInt32.random(in: 5_000...500_000, using: &chance))
        for index in publishers.indices { publishers[index].connect(to: broker, &findings) }
        while findings.isEmpty, !death.hasCome {
            if !step(broker, sending: true, draining: false) { usleep(300) }
        }
        death.wait()
        for index in publishers.indices { publishers[index].lose(&findings) }
        for index in subscribers.indices { subscribers[index].lose() }
        guard plan.end == nil || Deadline(milliseconds: patienceMilliseconds).wait(until: { !broker.isRunning }) else {
            throw Trouble("the broker does not end")
        }
        if !findings.isEmpty { findings.append("in round \(number); the broker said:\n\(broker.log.suffix(4_000))") }
    }

    /// A crash while the store is being read.
    private mutating func interruptStart(_ number: Int) throws {
        let patience = UInt32.random(in: 0...120_000, using: &chance)
        if let finding = try store.interruptStart(
            afterMicroseconds: patience, plan.settings, eventLoops: plan.eventLoops[0])
        {
            findings.append("in round \(number): \(finding)")
        }
    }

    /// Everybody does something, in an order of chance; false where there was nothing to do.
    private mutating func step(_ broker: BrokerProcess, sending: Bool, draining: Bool) -> Bool {
        var happened = false
        for index in publishers.indices.shuffled(using: &chance) {
            if publishers[index].step(sending: sending, &chance, &findings) { happened = true }
        }
        for index in subscribers.indices.shuffled(using: &chance) {
            let (publishers, name) = (publishers, subscribers[index].name)
            let isShared = hearings[name] == nil
            let did = subscribers[index].step(broker, draining: draining, &chance, &findings) { packet in
                guard let stream = Stream(packet.topicText) else { return "unexpected \(packet)" }
                if packet.payload.isEmpty { return nil }  // a deletion
                guard let number = packet.payloadText.split(separator: " ").first.flatMap({ Int($0) }) else {
                    return "damaged payload in \(packet)"
                }
                if packet.payloadText != "\(number) of \(stream)" { return "damaged payload in \(packet)" }
                let wasResent = publishers[stream.publisher].resent.contains(CrashPublisher.key(stream, number))
                let mayRepeat = packet.dup || wasResent
                if isShared { return shared.hear(stream, number, by: name, qos: packet.qos, mayRepeat: mayRepeat) }
                return hearings[name]?.hear(stream, number, qos: packet.qos, mayRepeat: mayRepeat)
            }
            if did { happened = true }
        }
        return happened
    }

    // MARK: Reading back

    /// Everybody is online, nothing new is sent: all that was sent must be acknowledged, and heard.
    private mutating func drain(_ broker: BrokerProcess) throws {
        for index in publishers.indices where !publishers[index].isConnected {
            publishers[index].connect(to: broker, &findings)
        }
        var deadline = Deadline(milliseconds: patienceMilliseconds)
        var quiet = 0
        while findings.isEmpty {
            if step(broker, sending: false, draining: true) {
                deadline = Deadline(milliseconds: patienceMilliseconds)
                quiet = 0
            } else {
                quiet += 1
                usleep(1_000)
            }
            // Complete, and for a while nothing more: what comes twice has time to come.
            if quiet > 200, missing() == nil { return }
            if deadline.millisecondsLeft == 0 { break }
        }
        if findings.isEmpty, let missing = missing() { findings.append("after everything: \(missing)") }
        if !findings.isEmpty { findings.append("while draining; the broker said:\n\(broker.log.suffix(4_000))") }
    }

    private func missing() -> String? {
        for publisher in publishers {
            if !publisher.isSettled { return "\(publisher.description)" }
            for (stream, sent) in publisher.sent {
                if let number = shared.firstMissing(stream, of: sent) {
                    return "\(stream): nobody of the group got \(number)"
                }
                for subscriber in subscribers where wants(subscriber, stream) {
                    let last = hearings[subscriber.name]?.last(stream) ?? sent
                    if last < sent { return "\(stream): \(subscriber.name) got \(last) of \(sent)" }
                }
            }
        }
        return nil
    }

    private func wants(_ subscriber: CrashSubscriber, _ stream: Stream) -> Bool {
        switch subscriber.filter {
        case "crash/+/2": stream.topic == 2
        case "crash/+/0": stream.topic == 0
        case "crash/1/#": stream.publisher == 1
        default: true
        }
    }

    /// The retained set, as someone new is told it.
    private mutating func checkRetained(_ broker: BrokerProcess) {
        do {
            let client = try RawClient.patient(broker, cleanStart: true, properties: [])
            client.send(Wire.subscribe(id: 1, [("crash/#", 0)], properties: []))
            var found: [Stream: Int] = [:]
            var isGranted = false
            let patience = Deadline(milliseconds: patienceMilliseconds)
            var quiet = Deadline(milliseconds: 300)
            // For a while nothing more; and where something is missing, a busy machine may still bring it.
            while patience.millisecondsLeft > 0,
                !isGranted || quiet.millisecondsLeft > 0 || !wronglyRetained(found).isEmpty
            {
                guard let packet = try client.next(withinMilliseconds: 50) else { continue }
                quiet = Deadline(milliseconds: 300)
                if packet.kind == .suback { isGranted = true }
                guard packet.kind == .publish, packet.retain, let stream = Stream(packet.topicText) else { continue }
                found[stream] = packet.payloadText.split(separator: " ").first.flatMap { Int($0) }
            }
            findings += wronglyRetained(found)
        } catch {
            findings.append("reading retained messages: \(error)\n\(broker.log.suffix(4_000))")
        }
    }

    /// Streams whose retained message is not one that it may be.
    private func wronglyRetained(_ found: [Stream: Int]) -> [String] {
        publishers.flatMap { publisher in
            publisher.retained.compactMap { stream, retention in
                guard !retention.allows(found[stream]) else { return nil }
                return
                    "\(stream): retained is \(found[stream].map(String.init) ?? "nothing"), \(retention.description)"
            }
        }
    }

    private mutating func tell() {
        let sent = publishers.reduce(0) { $0 + $1.sent.values.reduce(0, +) }
        let resent = publishers.reduce(0) { $0 + $1.resent.count }
        let repeats = hearings.values.reduce(shared.repeats) { $0 + $1.repeats }
        told = "\(plan.rounds) rounds, \(sent) messages, \(resent) sent again, \(repeats) repeats at QoS 1"
    }
}

/// A broker's end that comes after a while by itself, whatever the test is doing then.
private final class Death: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let end: ContinuousClock.Instant

    init(of broker: BrokerProcess, _ how: End?, afterMicroseconds delay: UInt32) {
        end = .now + .microseconds(Int(delay))
        let (done, pid) = (done, broker.pid)
        Thread.detachNewThread {
            usleep(delay)
            if let how { kill(pid, how == .killed ? SIGKILL : SIGTERM) }
            done.signal()
        }
    }

    /// The signal is sent, or is just about to be.
    var hasCome: Bool { .now >= end }

    func wait() { done.wait() }
}
