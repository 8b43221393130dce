import MQTTClient
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs a `BenchPlan` with `MQTTClient`s, as many tasks as it has clients.
package struct Bench: Sendable {
    /// How far a run is, for whoever watches.
    package struct Progress: Sendable {
        package let seconds: Double
        package let connected, sent, received, failed: Int
    }

    let plan: BenchPlan
    let tally = BenchTally()
    /// Makes topics and client identifiers differ from those of another run.
    let unique: String

    package init(_ plan: BenchPlan) {
        self.plan = plan
        var generator = SystemRandomNumberGenerator()
        unique = String(generator.next() as UInt64, radix: 36)
    }

    /// - Parameter watch: is told once a second.
    package func run(watch: @escaping @Sendable (Progress) -> Void = { _ in }) async -> BenchReport {
        let watching = Task { await watchOver(watch) }
        defer { watching.cancel() }
        let cpu = ProcessTime.seconds
        let begin = ContinuousClock.now
        var report = BenchReport(kind: plan.kind, target: "\(plan.endpoint)")
        switch plan.kind {
        case .conn: await connectAll(&report)
        case .pub: await publishAll(&report)
        case .sub: await subscribeAll(&report)
        case .pairs: await pairAll(&report)
        }
        if report.seconds == 0 { report.seconds = begin.milliseconds / 1_000 }
        report.cpuSeconds = ProcessTime.seconds - cpu
        report.connections = tally.connected.load(ordering: .relaxed)
        report.sent = tally.sent.load(ordering: .relaxed)
        report.received = tally.received.load(ordering: .relaxed)
        report.failures = tally.failuresInWords
        report.latency = tally.latency
        report.isSound =
            report.isSound && report.failures.isEmpty && report.late == 0
            && (plan.qos == .atMostOnce || report.lost == 0) && (plan.qos == .atLeastOnce || report.duplicates == 0)
        return report
    }

    private func watchOver(_ watch: @Sendable (Progress) -> Void) async {
        let begin = ContinuousClock.now
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            watch(
                Progress(
                    seconds: begin.milliseconds / 1_000, connected: tally.connected.load(ordering: .relaxed),
                    sent: tally.sent.load(ordering: .relaxed), received: tally.received.load(ordering: .relaxed),
                    failed: tally.failed.load(ordering: .relaxed)))
        }
    }

    // MARK: Clients

    /// A client that is connected, or nil where that failed, which is counted.
    func open(_ role: String, _ number: Int) async -> MQTTClient? {
        var configuration = plan.configuration
        let prefix = configuration.clientIdentifier.isEmpty ? "bench-\(unique)" : configuration.clientIdentifier
        configuration.clientIdentifier = "\(prefix)-\(role)\(number)"
        let begin = ContinuousClock.now
        do throws(ClientError) {
            let client = try MQTTClient(plan.endpoint, configuration, reconnect: .never)
            Task { try? await client.run() }
            try await client.connected()
            tally.connected.wrappingAdd(1, ordering: .relaxed)
            if plan.kind == .conn { tally.took(since: begin) }
            return client
        } catch {
            tally.fail(error)
            return nil
        }
    }

    /// As many as the plan says, some at a time.
    func openAll(_ role: String) async -> [MQTTClient] {
        await withTaskGroup(of: MQTTClient?.self) { group in
            var clients: [MQTTClient] = []
            for number in 0..<plan.clients {
                if number >= plan.opening, let done = await group.next(), let done { clients.append(done) }
                group.addTask { await open(role, number) }
            }
            for await client in group { if let client { clients.append(client) } }
            return clients
        }
    }

    private func connectAll(_ report: inout BenchReport) async {
        let begin = ContinuousClock.now
        let clients = await openAll("c")
        report.seconds = begin.milliseconds / 1_000
        for client in clients { client.close() }
    }
}

/// Processor time of this process, user and system.
enum ProcessTime {
    static var seconds: Double {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
