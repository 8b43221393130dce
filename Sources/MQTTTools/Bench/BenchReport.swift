/// What a run of `martlet bench` found.
package struct BenchReport: Sendable {
    /// Milliseconds, from an HdrHistogram with three digits.
    package struct Latency: Sendable {
        package let count: Int
        package let minimum, p50, p90, p95, p99, p999, maximum: Double

        fileprivate var rows: [(String, Double)] {
            [
                ("min", minimum), ("p50", p50), ("p90", p90), ("p95", p95), ("p99", p99), ("p99.9", p999),
                ("max", maximum),
            ]
        }
    }

    package let kind: BenchPlan.Kind
    package let target: String
    package var seconds = 0.0
    package var connections = 0
    package var sent = 0
    package var received = 0
    package var lost = 0
    package var duplicates = 0
    package var late = 0
    package var failures: [(String, Int)] = []
    package var latency: Latency?
    /// Of this process, user and system.
    package var cpuSeconds = 0.0
    /// Whether all came that was promised: nothing lost at QoS 1 and 2, nothing twice at QoS 0 and 2, all in order, no failures.
    package var isSound = true

    package var rate: Double {
        let count = kind == .conn ? connections : max(sent, received)
        return seconds > 0 ? Double(count) / seconds : 0
    }

    package var text: String {
        var lines = ["\(kind.rawValue) \(target)"]
        func add(_ name: String, _ value: String) {
            lines.append("  \(name)\(String(repeating: " ", count: 14 - name.count))\(value)")
        }
        add("time", "\(Self.digits(seconds, 2)) s, \(Self.digits(cpuSeconds, 2)) s of CPU here")
        add("connections", "\(connections)")
        if kind != .conn { add("messages", "\(sent) sent, \(received) received") }
        add("rate", "\(Self.digits(rate, 0)) a second")
        if kind == .pairs { add("check", "\(lost) lost, \(duplicates) twice, \(late) out of order") }
        if let latency {
            add(
                kind == .conn ? "connecting" : kind == .pub ? "acknowledged" : "delivered",
                latency.rows.map { "\($0) \(Self.digits($1, 3))" }.joined(separator: "  ") + " ms")
        }
        for (failure, count) in failures.prefix(5) { add("failed", "\(count) × \(failure)") }
        return lines.joined(separator: "\n")
    }

    /// One JSON object; times of `latencyMilliseconds` in milliseconds.
    package var json: String {
        var fields = [
            "\"kind\":\(JSONText.quoted(kind.rawValue))", "\"target\":\(JSONText.quoted(target))",
            "\"seconds\":\(Self.digits(seconds, 6))", "\"cpuSeconds\":\(Self.digits(cpuSeconds, 6))",
            "\"connections\":\(connections)", "\"sent\":\(sent)", "\"received\":\(received)",
            "\"ratePerSecond\":\(Self.digits(rate, 3))", "\"lost\":\(lost)", "\"duplicates\":\(duplicates)",
            "\"outOfOrder\":\(late)", "\"sound\":\(isSound)",
        ]
        if let latency {
            let rows = latency.rows.map { "\"\($0)\":\(Self.digits($1, 3))" }
            fields.append("\"latencyMilliseconds\":{\"count\":\(latency.count),\(rows.joined(separator: ","))}")
        }
        let failed = failures.map { "{\"reason\":\(JSONText.quoted($0)),\"count\":\($1)}" }
        fields.append("\"failures\":[\(failed.joined(separator: ","))]")
        return "{\(fields.joined(separator: ","))}"
    }

    /// So many digits behind the point.
    static func digits(_ value: Double, _ count: Int) -> String {
        let scale = (0..<count).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = Int((value * scale).rounded())
        guard count > 0 else { return "\(rounded)" }
        let text = String(abs(rounded))
        let padded = String(repeating: "0", count: max(0, count + 1 - text.count)) + text
        return (rounded < 0 ? "-" : "") + padded.dropLast(count) + "." + padded.suffix(count)
    }
}
