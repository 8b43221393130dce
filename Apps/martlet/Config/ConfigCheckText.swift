import BrokerConfiguration
import ConfigurationLint

/// The check as a person reads it: the verdict first, then who may come in, the lines, remarks, advice.
struct ConfigCheckText {
    let file: String
    let report: ConfigurationReport
    let findings: [Finding]
    let leavesOutHonoured: Bool

    var text: String { [verdict, doors, lines, remarks, advice].filter { !$0.isEmpty }.joined(separator: "\n") }

    private var verdict: String {
        let errors = report.errors.count
        if errors > 0 {
            return "\(file): \(Terminal.red("cannot be used")), \(errors) \(errors == 1 ? "error" : "errors")\n"
        }
        guard report.canStart else { return "\(file): \(Terminal.red("this version would not start with it"))\n" }
        return "\(file): \(Terminal.green("can be used"))\n"
    }

    private var doors: String {
        guard let listeners = report.configuration?.listeners else { return "" }
        return "Who may come in\n" + listeners.map { "  \($0.place): \($0.admission)\n" }.joined()
    }

    private var lines: String {
        let shown = report.settings.filter { !leavesOutHonoured || $0.verdict != .honoured }
        guard !shown.isEmpty else { return "" }
        let rows = shown.map { setting in
            (
                place: "\(setting.file):\(setting.line)", line: "\(setting.key) \(setting.value)",
                verdict: setting.verdict
            )
        }
        let widthMax = 48
        let placeWidth = rows.map(\.place.count).max() ?? 0
        let lineWidth = min(rows.map(\.line.count).max() ?? 0, widthMax)
        return "What becomes of each line\n"
            + rows.map { row in
                let reason = row.verdict.reason.map { ": \($0)" } ?? ""
                return
                    "  \(padded(row.place, placeWidth))  \(padded(row.line, lineWidth))  \(row.verdict.word)\(reason)\n"
            }.joined()
    }

    private var remarks: String {
        // What a line's own verdict says is not said again.
        let told = Set(report.settings.filter { $0.verdict != .honoured }.map { "\($0.file):\($0.line)" })
        let shown = report.remarks.filter { remark in
            remark.severity == .error || !told.contains("\(remark.file):\(remark.line ?? 0)")
        }
        guard !shown.isEmpty else { return "" }
        return "Remarks\n" + shown.map { "  \($0.severity.rawValue): \($0)\n" }.joined()
    }

    private var advice: String {
        guard !findings.isEmpty else { return "" }
        return "Advice\n" + findings.map { "  \($0.rule.rawValue): \($0.remark)\n" }.joined()
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
