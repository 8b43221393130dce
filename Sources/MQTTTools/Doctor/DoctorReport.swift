/// What `martlet doctor` found, stage by stage. Later stages than a failed one are not there: they could not be tried.
package struct DoctorReport: Sendable {
    /// In the order of their trying; its number is the exit status of a run that failed there.
    package enum Stage: Int, Sendable, CaseIterable {
        case lookup = 10
        case socket = 11
        case tls = 12
        case webSocket = 13
        case mqtt = 14
        case credentials = 15
        case subscribe = 16
        case roundTrip = 17

        package var name: String {
            switch self {
            case .lookup: "DNS"
            case .socket: "TCP"
            case .tls: "TLS"
            case .webSocket: "WebSocket"
            case .mqtt: "MQTT"
            case .credentials: "credentials"
            case .subscribe: "subscribe"
            case .roundTrip: "round trip"
            }
        }
    }

    package enum Outcome: String, Sendable {
        case ok, warning, failed
    }

    package struct Finding: Sendable {
        package let stage: Stage
        package var outcome: Outcome
        /// In one line: what was found, or what went wrong.
        package var summary: String
        package var milliseconds: Double?
        /// What else is worth knowing, a line each.
        package var facts: [String] = []
        /// What the reader can do.
        package var remedy: String?
    }

    package let target: String
    package internal(set) var findings: [Finding] = []

    package var isHealthy: Bool { !findings.contains { $0.outcome == .failed } }
    /// 0, or the number of the stage that failed.
    package var exitStatus: Int32 {
        findings.first { $0.outcome == .failed }.map { Int32($0.stage.rawValue) } ?? 0
    }

    // MARK: As text

    /// - Parameter mark: the sign of an outcome, perhaps in colour.
    package func text(mark: (Outcome) -> String) -> String {
        var lines = ["\(target)"]
        for finding in findings {
            let name = finding.stage.name
            let time = finding.milliseconds.map { "  (\(Self.tenths($0)) ms)" } ?? ""
            lines.append(
                " \(mark(finding.outcome)) \(name)\(String(repeating: " ", count: 12 - name.count))\(finding.summary)\(time)"
            )
            lines += finding.facts.map { String(repeating: " ", count: 15) + $0 }
            if let remedy = finding.remedy { lines.append(String(repeating: " ", count: 13) + "→ \(remedy)") }
        }
        return lines.joined(separator: "\n")
    }

    /// One JSON object.
    package var json: String {
        let findings = findings.map { finding in
            var fields = [
                "\"stage\":\(JSONText.quoted(finding.stage.name))",
                "\"outcome\":\(JSONText.quoted(finding.outcome.rawValue))",
                "\"summary\":\(JSONText.quoted(finding.summary))",
            ]
            if let time = finding.milliseconds { fields.append("\"milliseconds\":\(Self.tenths(time))") }
            if !finding.facts.isEmpty {
                fields.append("\"facts\":[\(finding.facts.map(JSONText.quoted).joined(separator: ","))]")
            }
            if let remedy = finding.remedy { fields.append("\"remedy\":\(JSONText.quoted(remedy))") }
            return "{\(fields.joined(separator: ","))}"
        }
        return """
            {"target":\(JSONText.quoted(target)),"healthy":\(isHealthy),"exitStatus":\(exitStatus),\
            "stages":[\(findings.joined(separator: ","))]}
            """
    }

    private static func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
