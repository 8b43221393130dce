import Foundation
import Testing

/// Many clients with bad networks against the broker's mind. `SIMULATION_SEED=7 swift test --filter Simulation` runs
/// one seed again; `SIMULATION_SECONDS=60` runs new seeds for that long (`scripts/simulate`).
@Suite("Simulation")
struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let steps = environment["SIMULATION_STEPS"].flatMap { Int($0) } ?? 3_000

    /// A fixed list, and one that changes with the day.
    static var seeds: [UInt64] {
        if let seed = environment["SIMULATION_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        let today = UInt64(Date().timeIntervalSince1970 / 86_400)
        return Array(1...40) + [today]
    }

    @Test(
        "nothing acknowledged is lost, QoS 2 comes once, order holds, memory is bounded, everything comes to rest",
        arguments: seeds)
    func holds(seed: UInt64) {
        let simulation = Simulation(seed: seed)
        simulation.run(steps: Self.steps)
        let report = simulation.model.violations.joined(separator: "\n")
        #expect(simulation.model.violations.isEmpty, "SIMULATION_SEED=\(seed)\n\(report)")
    }

    @Test(
        "more seeds, for as long as SIMULATION_SECONDS says",
        .enabled(if: environment["SIMULATION_SECONDS"] != nil, "asked for by scripts/simulate"))
    func holdsForLong() {
        let seconds = Self.environment["SIMULATION_SECONDS"].flatMap { Double($0) } ?? 0
        let start = Date()
        var seed = UInt64(start.timeIntervalSince1970)
        var count = 0
        while Date().timeIntervalSince(start) < seconds {
            let simulation = Simulation(seed: seed)
            simulation.run(steps: Self.steps)
            let report = simulation.model.violations.joined(separator: "\n")
            #expect(simulation.model.violations.isEmpty, "SIMULATION_SEED=\(seed)\n\(report)")
            seed += 1
            count += 1
        }
        print("simulated \(count) seeds of \(Self.steps) steps, the last was \(seed - 1)")
    }
}
