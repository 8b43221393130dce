import Dispatch
import MQTTTestKit
import SeededRandom
import Synchronization
import Testing

/// Nothing that comes over a socket ends or stops the broker, and whoever behaves is served meanwhile.
@Suite("Corpora and their mutations thrown at a broker", .blocking, .serialized)
struct CorpusAttackTests {
    /// How an input is sent.
    private enum Manner: CaseIterable {
        /// As the first bytes of a connection.
        case first
        /// After a CONNECT that was accepted.
        case connected
        /// Byte by byte.
        case slowly
        /// The connection is left open and silent for a while.
        case halfOpen
        /// No more is sent, and the broker must end the connection.
        case finished
        /// Ended by a reset, with answers unread.
        case reset
    }

    @Test("a broker takes them all, and a healthy client beside them never waits", arguments: [1, 2, 3] as [UInt64])
    func thrown(seed: UInt64) async throws {
        let broker = try BrokerProcess.start(
            """
            listener {port} 127.0.0.1
            allow_anonymous true
            connect_timeout 2
            max_pending_connections_per_address 1000
            """)
        let isOver = Mutex(false)
        let hasBegun = DispatchSemaphore(value: 0)
        async let rounds = keepTalking(broker, hasBegun) { isOver.withLock { $0 } }
        // In a full run its thread may come late: nothing is thrown before the healthy pair has had a round.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                hasBegun.wait()
                continuation.resume()
            }
        }
        // However the attack ends, the healthy pair is told.
        let outcome = Result { try attack(broker, seed) }
        isOver.withLock { $0 = true }
        #expect(try await rounds >= 3, "the healthy client hardly had a turn; seed \(seed)")
        try outcome.get()
        #expect(broker.isRunning, "seed \(seed)\n\(broker.log)")
        #expect(broker.stop(), "the broker did not end when asked; seed \(seed)")
    }

    private func keepTalking(
        _ broker: BrokerProcess, _ hasBegun: DispatchSemaphore, until isOver: () -> Bool
    ) async throws -> Int {
        defer { hasBegun.signal() }
        var pair = try HealthyPair(broker)
        repeat {
            try pair.round()
            hasBegun.signal()
        } while !isOver()
        return pair.rounds
    }

    private func attack(_ broker: BrokerProcess, _ seed: UInt64) throws {
        var chance = SeededGenerator(seed: seed)
        var open: [RawClient] = []
        for (number, original) in try Attack.corpus().enumerated() {
            var inputs = [original]
            for _ in 0..<3 { inputs.append(Attack.mutated(original, &chance)) }
            for (index, input) in inputs.enumerated() {
                let manner = Manner.allCases[(number + index) % Manner.allCases.count]
                let client = try RawClient(broker, version: [3, 4, 5][number % 3])
                try send(input, by: client, manner, "\(seed)-\(number)-\(index)", &chance)
                if manner == .halfOpen { open.append(client) }
                if open.count > 100 { open.removeFirst(50) }
            }
        }
    }

    private func send(
        _ input: [UInt8], by client: RawClient, _ manner: Manner, _ name: String, _ chance: inout SeededGenerator
    ) throws {
        switch manner {
        case .first: client.send(input)
        case .halfOpen: client.send(Array(input.dropLast()))
        case .connected:
            try client.connect(id: "attack-\(name)", version: client.version)
            client.send(input)
        case .slowly:
            // A pause of 0 ms still hands each byte to the kernel on its own.
            client.sendSlowly(Array(input.prefix(64)), pauseMilliseconds: 0)
        case .finished:
            if Bool.random(using: &chance) { try client.connect(id: "attack-\(name)", version: client.version) }
            client.send(input)
            client.finishSending()
            try client.packetsUntilClosed(withinMilliseconds: patienceMilliseconds)
        case .reset:
            client.send(Wire.connect(id: "attack-\(name)", version: client.version) + input)
            client.reset()
        }
    }
}
