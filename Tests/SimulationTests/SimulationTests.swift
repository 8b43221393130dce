import Foundation
import Testing

/// Many clients with bad networks against the broker's mind, which crashes, on a disk that is late or refuses.
/// `SIMULATION_SEED=7 swift test --filter Simulation` runs one seed again; `SIMULATION_SECONDS=60` or
/// `SIMULATION_COUNT=3000` run as many new ones, from `SIMULATION_FIRST` where that is said (`scripts/simulate`).
@Suite("Simulation")
struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let steps = number("SIMULATION_STEPS") ?? 3_000
    static let isLong = number("SIMULATION_SECONDS") != nil || number("SIMULATION_COUNT") != nil
    /// Seeds of the long run that may fail before it gives up.
    static let failuresMax = 50

    static func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }

    /// Seeds that found something in the long run once: members that leave a group and go, a session that was found again
    /// after it had been begun anew, QoS 0 that came twice after a crash.
    static let found: [UInt64] = [
        1_000_608, 1_001_372, 1_003_317, 1_006_197, 1_006_221, 1_006_371, 1_010_512, 1_010_767, 1_011_398, 1_016_484,
        1_021_352, 1_023_221, 1_025_638,
    ]

    /// A fixed list, and one that changes with the day.
    static var seeds: [UInt64] {
        if let seed = number("SIMULATION_SEED") { return [UInt64(seed)] }
        let today = UInt64(Date().timeIntervalSince1970 / 86_400)
        return isLong ? [] : Array(1...150) + found + [today]
    }

    @Test(
        "nothing acknowledged is lost, QoS 2 comes once, order holds, memory is bounded, everything comes to rest",
        arguments: seeds)
    func holds(seed: UInt64) {
        let simulation = Simulation(seed: seed)
        simulation.run(steps: Self.steps)
        #expect(simulation.model.violations.isEmpty, "\(simulation.report)")
    }

    @Test(
        "more seeds, for as long as SIMULATION_SECONDS says",
        .enabled(if: isLong, "asked for by scripts/simulate"))
    func holdsForLong() {
        let start = Date()
        let end = start + Double(Self.number("SIMULATION_SECONDS") ?? 86_400)
        let countMax = Self.number("SIMULATION_COUNT") ?? .max
        let first = UInt64(Self.number("SIMULATION_FIRST") ?? Int(start.timeIntervalSince1970))
        var (count, failures, crashes, deliveries, wills) = (0, 0, 0, 0, 0)
        while count < countMax, Date() < end, failures < Self.failuresMax {
            let simulation = Simulation(seed: first + UInt64(count))
            simulation.run(steps: Self.steps)
            #expect(simulation.model.violations.isEmpty, "\(simulation.report)")
            failures += simulation.model.violations.isEmpty ? 0 : 1
            crashes += simulation.crashes
            deliveries += simulation.model.deliveries
            wills += simulation.model.wills
            count += 1
        }
        print(
            "simulated \(count) seeds from \(first), \(Self.steps) steps each: \(deliveries) deliveries, \(wills) wills "
                + "that were due, \(crashes) crashes of the broker, \(failures) seeds failed")
    }
}

extension Simulation {
    /// What is needed to see it again, and what went wrong.
    var report: String {
        "SIMULATION_SEED=\(seed) (\(worlds.count) shards, \(crashes) crashes, \(model.hasRefusals ? "with" : "no") refusals)\n"
            + model.violations.joined(separator: "\n")
    }
}
