import Foundation
import MQTTTestKit
import Testing

/// The broker is killed again and again under load, and everything acknowledged must be there. A failure prints its seed:
/// `MARTLET_CRASH_SEED=n swift test --filter CrashTests` plans the same run. `make crash` runs hundreds of rounds.
@Suite("Crash", .blocking, .serialized)
struct CrashTests {
    /// Event loops of each round, in turn; the last case changes them between runs.
    @Test(
        "kill -9 under load loses nothing acknowledged, doubles no QoS 2 message, keeps order and the retained set",
        arguments: [[1], [2], [1, 3, 2]])
    func killedUnderLoad(_ eventLoops: [Int]) throws {
        try check(CrashRun.Plan(seed: seed, rounds: rounds ?? 20, eventLoops: eventLoops))
    }

    @Test("the same where the broker is told to end", arguments: [[1], [2, 1]])
    func terminatedUnderLoad(_ eventLoops: [Int]) throws {
        try check(CrashRun.Plan(seed: seed, rounds: rounds ?? 5, eventLoops: eventLoops, end: .terminated))
    }

    @Test("the same where nothing is synced, for the process alone has died", arguments: ["os", "interval 1"])
    func killedUnsynced(_ durability: String) throws {
        let plan = CrashRun.Plan(
            seed: seed, rounds: rounds ?? 5, eventLoops: [1, 2], settings: "durability \(durability)")
        try check(plan)
    }

    @Test("the same where only every connection is lost", arguments: [1, 2])
    func connectionsLost(_ eventLoops: Int) throws {
        try check(CrashRun.Plan(seed: seed, rounds: rounds ?? 5, eventLoops: [eventLoops], end: nil))
    }

    private var seed: UInt64 { number("MARTLET_CRASH_SEED") ?? UInt64.random(in: 1...999_999_999) }
    private var rounds: Int? { number("MARTLET_CRASH_ROUNDS").map { Int($0) } }
    private func number(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } }

    private func check(_ plan: CrashRun.Plan) throws {
        var plan = plan
        if BrokerUnderTest.isMosquitto {
            // To try the test itself on another broker: one that saves at its end, and keeps order without a window.
            if plan.end != nil { plan.end = .terminated }
            plan.settings = "max_inflight_messages 0"
        }
        var run = try CrashRun(plan)
        try run.run()
        print("crash test on \(plan.eventLoops) event loops, seed \(plan.seed): \(run.told)")
        #expect(run.findings.isEmpty, "seed \(plan.seed):\n\(run.findings.joined(separator: "\n"))")
    }
}
