import Foundation
import MQTTClient
import Synchronization

/// One publisher and one subscriber by our own library, and what they took: the counterpart of `paho.c`, with the same
/// arguments and the same line of JSON. `Benchmarks/library.py` runs both in turns.
///
///     library-benchmark PORT QOS MESSAGES INFLIGHT BYTES
///
/// At most INFLIGHT messages have been given to the library and are not complete: so many tasks publish, each waits for its
/// message before it sends the next.
@main
struct LibraryBenchmark {
    static let topic: Topic = "bench/library"
    /// Each task numbers its messages: above this bit stands the task.
    static let laneShift: UInt64 = 40
    /// Messages that tasks have taken up.
    static let begun = Atomic<Int>(0)

    let port: Int
    let qos: QoS
    let messages: Int
    let inflight: Int
    let bytes: Int

    init?(_ words: [String]) {
        let numbers = words.compactMap { Int($0) }
        guard words.count == 5, numbers.count == 5, let qos = UInt8(exactly: numbers[1]).flatMap(QoS.init),
            numbers[2] >= 1, (1...65_535).contains(numbers[3]), numbers[4] >= 8
        else { return nil }
        (port, self.qos, messages, inflight, bytes) = (numbers[0], qos, numbers[2], numbers[3], numbers[4])
    }

    static func main() async throws {
        guard let benchmark = LibraryBenchmark(Array(CommandLine.arguments.dropFirst())) else {
            FileHandle.standardError.write(Data("usage: library-benchmark PORT QOS MESSAGES INFLIGHT BYTES\n".utf8))
            exit(2)
        }
        try await benchmark.run()
    }

    func run() async throws {
        try await MQTTClient.withConnection(to: .tcp("127.0.0.1", port: port), configuration("subscriber")) { reader in
            let subscription = try await reader.subscribe(to: TopicFilter(Self.topic), qos: qos)
            try await MQTTClient.withConnection(to: .tcp("127.0.0.1", port: port), configuration("publisher")) {
                writer in
                let begin = Measure()
                async let arrivals = arrivals(subscription)
                try await publish(writer)
                let (end, late) = try await arrivals
                let line =
                    "{\"seconds\": \(end.seconds - begin.seconds), \"cpu_s\": \(end.cpuSeconds - begin.cpuSeconds), "
                    + "\"peak_kb\": \(Measure.peakKilobytes), \"arrived\": \(messages), \"late\": \(late), \"failures\": 0}"
                print(line)
            }
        }
    }

    private func configuration(_ name: String) -> ClientConfiguration {
        var configuration = ClientConfiguration(clientIdentifier: "martlet-\(name)", version: .v311)
        configuration.inflightMax = UInt16(inflight)
        return configuration
    }

    private func publish(_ writer: MQTTClient) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<inflight {
                group.addTask { [self] in
                    var number = UInt64(lane) << Self.laneShift
                    while Self.begun.add(1, ordering: .relaxed).oldValue < messages {
                        var payload = [UInt8](repeating: 0, count: bytes)
                        payload.withUnsafeMutableBytes { $0.storeBytes(of: number, as: UInt64.self) }
                        number += 1
                        try await writer.publish(Message(Self.topic, payload, qos: qos))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// When the last message came, and how many came out of their task's order.
    private func arrivals(_ subscription: Subscription) async throws -> (Measure, late: Int) {
        var expected = [UInt64](repeating: 0, count: inflight)
        var (count, late) = (0, 0)
        for try await message in subscription {
            let number = message.payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
            let lane = Int(number >> Self.laneShift)
            if number & (1 << Self.laneShift - 1) != expected[lane] { late += 1 }
            expected[lane] = (number & (1 << Self.laneShift - 1)) + 1
            count += 1
            if count == messages { break }
        }
        return (Measure(), late)
    }
}

/// What has been used so far.
struct Measure {
    let seconds: Double
    let cpuSeconds: Double

    init() {
        var used = rusage()
        getrusage(__rusage_who_t(0), &used)
        cpuSeconds =
            Double(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + Double(used.ru_utime.tv_usec + used.ru_stime.tv_usec)
            / 1e6
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        seconds = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    /// The most that was resident, in KiB: since exec, which getrusage's is not.
    static var peakKilobytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }) else { return 0 }
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
