package import MQTTClient

/// The same work in the clear, over TLS and over mutual TLS, side by side: what security costs on this machine.
package struct BenchComparison: Sendable {
    /// One way to the broker.
    package struct Way: Sendable {
        package let name: String
        package let endpoint: Endpoint
        /// The same broker and settings, met at another port of this machine.
        package let through: @Sendable (Int) -> Endpoint

        package init(_ name: String, _ endpoint: Endpoint, through: @escaping @Sendable (Int) -> Endpoint) {
            (self.name, self.endpoint, self.through) = (name, endpoint, through)
        }
    }

    package struct Row: Sendable {
        package let name: String
        package let target: String
        /// From the first SYN to CONNACK.
        package let connecting: BenchReport.Latency?
        /// Of this process, one connection after another.
        package let cpuMillisecondsPerConnection: Double
        /// There and back, QoS as planned, TCP payload: headers of IP and TCP are not counted.
        package let wireBytesPerMessage: Double?
        package let messagesPerSecond: Double
        package let cpuMicrosecondsPerMessage: Double
        package let failures: [(String, Int)]
        package let isSound: Bool
    }

    package let ways: [Way]
    package let configuration: ClientConfiguration
    package var connections = 100
    package var messages = 20_000
    package var payloadBytes = 64
    package var qos = QoS.atLeastOnce

    /// Messages for which bytes are counted.
    private static let countedMessages = 500

    package init(_ ways: [Way], _ configuration: ClientConfiguration) {
        (self.ways, self.configuration) = (ways, configuration)
    }

    /// - Parameter say: is told what is being done.
    package func run(say: @Sendable (String) -> Void = { _ in }) async -> [Row] {
        var rows: [Row] = []
        for way in ways {
            say("\(way.name): \(connections) connections")
            var plan = BenchPlan(.conn, way.endpoint, configuration)
            plan.clients = connections
            plan.opening = 1
            let connecting = await Bench(plan).run()
            say("\(way.name): \(messages) messages")
            let moved = await Bench(pairs(way.endpoint, messages)).run()
            say("\(way.name): bytes on the wire")
            let bytes = await wireBytes(way)
            rows.append(
                Row(
                    name: way.name, target: "\(way.endpoint)", connecting: connecting.latency,
                    cpuMillisecondsPerConnection: connecting.cpuSeconds * 1_000
                        / Double(max(1, connecting.connections)),
                    wireBytesPerMessage: bytes, messagesPerSecond: moved.rate,
                    cpuMicrosecondsPerMessage: moved.cpuSeconds * 1_000_000 / Double(max(1, moved.received)),
                    failures: connecting.failures + moved.failures, isSound: connecting.isSound && moved.isSound))
        }
        return rows
    }

    private func pairs(_ endpoint: Endpoint, _ messages: Int) -> BenchPlan {
        var plan = BenchPlan(.pairs, endpoint, configuration)
        plan.clients = 1
        plan.messages = messages
        plan.payloadBytes = payloadBytes
        plan.qos = qos
        return plan
    }

    /// Two runs through a relay that counts, one of them longer: the difference is messages and nothing else.
    private func wireBytes(_ way: Way) async -> Double? {
        var totals: [Int] = []
        for messages in [Self.countedMessages, 2 * Self.countedMessages] {
            guard let listen = Wiretap.Address("0", host: "127.0.0.1"),
                let target = Wiretap.Address("\(way.endpoint.port)", host: way.endpoint.host),
                let relay = try? await Wiretap(on: listen, to: target, show: nil)
            else { return nil }
            let report = await Bench(pairs(way.through(relay.port), messages)).run()
            await relay.close()
            guard report.isSound else { return nil }
            totals.append(relay.bytesPassed)
        }
        return Double(totals[1] - totals[0]) / Double(Self.countedMessages)
    }

    // MARK: As text

    package static func text(_ rows: [Row]) -> String {
        func digits(_ value: Double?, _ count: Int) -> String { value.map { BenchReport.digits($0, count) } ?? "-" }
        let columns: [(String, (Row) -> String)] = [
            ("", { $0.name }),
            ("connect p50 ms", { digits($0.connecting?.p50, 2) }),
            ("p99 ms", { digits($0.connecting?.p99, 2) }),
            ("CPU ms/conn", { digits($0.cpuMillisecondsPerConnection, 2) }),
            ("bytes/message", { digits($0.wireBytesPerMessage, 1) }),
            ("messages/s", { digits($0.messagesPerSecond, 0) }),
            ("CPU µs/message", { digits($0.cpuMicrosecondsPerMessage, 1) }),
        ]
        var lines = [""] + rows.map { _ in "" }
        for (index, (title, value)) in columns.enumerated() {
            let cells = [title] + rows.map(value)
            let width = cells.map(\.count).max() ?? 0
            for (line, cell) in cells.enumerated() {
                let space = String(repeating: " ", count: width - cell.count)
                lines[line] += index == 0 ? cell + space : "  " + space + cell
            }
        }
        for row in rows {
            for (failure, count) in row.failures { lines.append("\(row.name): \(count) × \(failure)") }
        }
        return lines.joined(separator: "\n")
    }

    package static func json(_ rows: [Row]) -> String {
        let objects = rows.map { row in
            func number(_ value: Double?) -> String { value.map { BenchReport.digits($0, 3) } ?? "null" }
            return """
                {"way":\(JSONText.quoted(row.name)),"target":\(JSONText.quoted(row.target)),\
                "connectMilliseconds":{"p50":\(number(row.connecting?.p50)),"p99":\(number(row.connecting?.p99))},\
                "cpuMillisecondsPerConnection":\(number(row.cpuMillisecondsPerConnection)),\
                "wireBytesPerMessage":\(number(row.wireBytesPerMessage)),\
                "messagesPerSecond":\(number(row.messagesPerSecond)),\
                "cpuMicrosecondsPerMessage":\(number(row.cpuMicrosecondsPerMessage)),"sound":\(row.isSound)}
                """
        }
        return "[\(objects.joined(separator: ","))]"
    }
}
