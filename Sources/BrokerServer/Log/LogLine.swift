import BrokerConfiguration
import Glibc

/// A log line as a JSON object of its own, for collectors that should not have to guess: `time`, `type` and `message`.
enum LogLine {
    /// `time` is RFC 3339 in UTC with milliseconds, or what `log_timestamp_format` makes of it, or is not there under
    /// `log_timestamp false`.
    static func json(_ type: LogType, _ message: String, _ timestamp: LogTimestamp, _ now: timeval) -> String {
        let time: String? =
            switch timestamp {
            case .none: nil
            case .unixSeconds: rfc3339(now)
            case .format(let format): LogTimestamp.format(unixSeconds: Int(now.tv_sec), format: format)
            }
        let head = time.map { "\"time\":\(quoted($0))," } ?? ""
        return "{\(head)\"type\":\"\(type.rawValue)\",\"message\":\(quoted(message))}"
    }

    private static func rfc3339(_ now: timeval) -> String {
        var seconds = now.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: some BinaryInteger) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = String(1000 + now.tv_usec / 1000).dropFirst()
        return "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds)Z"
    }

    /// A JSON string, RFC 8259 §7.
    static func quoted(_ text: String) -> String {
        var out = "\""
        out.reserveCapacity(text.utf8.count + 2)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
