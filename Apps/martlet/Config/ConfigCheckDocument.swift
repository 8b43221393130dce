import BrokerConfiguration
import ConfigurationLint
import Foundation

/// The check as a program reads it. Fields are only ever added.
struct ConfigCheckDocument: Encodable {
    struct Line: Encodable {
        let file: String
        let line: Int
        let key: String
        let value: String
        /// `honoured`, `deprecated`, `surpassed`, `ignored` or `refused`.
        let verdict: String
        let reason: String?
    }

    struct Door: Encodable {
        let place: String
        let admits: String
    }

    struct Remark: Encodable {
        /// `error`, `warning` or `note`.
        let severity: String
        let file: String
        let line: Int?
        let message: String
        /// Only in `advice`.
        let rule: String?

        init(_ remark: Diagnostic, rule: String? = nil) {
            severity = remark.severity.rawValue
            file = remark.file
            line = remark.line
            message = remark.message
            self.rule = rule
        }
    }

    let file: String
    /// Whether a broker would start with it.
    let canStart: Bool
    let listeners: [Door]
    let lines: [Line]
    let remarks: [Remark]
    let advice: [Remark]

    init(_ file: String, _ report: ConfigurationReport, _ findings: [Finding]) {
        self.file = file
        canStart = report.canStart
        listeners = (report.configuration?.listeners ?? []).map { Door(place: $0.place, admits: $0.admission) }
        lines = report.settings.map {
            Line(
                file: $0.file, line: $0.line, key: $0.key, value: $0.value, verdict: $0.verdict.word,
                reason: $0.verdict.reason)
        }
        remarks = report.remarks.map { Remark($0) }
        advice = findings.map { Remark($0.remark, rule: $0.rule.rawValue) }
    }

    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
