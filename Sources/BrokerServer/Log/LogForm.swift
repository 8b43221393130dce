import BrokerConfiguration
import Glibc

/// How a line of the log looks: in mosquitto's form or as a JSON object, with the time as the configuration wants it.
struct LogForm: Sendable {
    /// A line of text is no longer than this, its end included; of a message in JSON, so much is there before its escapes: a
    /// client's names may be 64 KiB each.
    static let lineBytesMax = 4096

    var format: LogFormat
    var timestamp: LogTimestamp

    /// - Returns: `whole` with its time and its end, and `bare` for places that have a time and an end of their own.
    func line(_ type: LogType, _ text: String) -> (whole: String, bare: String) {
        var now = timeval()
        gettimeofday(&now, nil)
        switch format {
        case .text:
            let time = timestamp.prefix(unixSeconds: Int(now.tv_sec))
            return (LogForm.cut(time + text) + "\n", text)
        case .json:
            let object = LogLine.json(type, LogForm.cut(text), timestamp, now)
            return (object + "\n", object)
        }
    }

    /// What a log says where lines of it are missing.
    static func missing(_ lines: Int) -> String {
        "Warning: \(lines == 1 ? "a line is" : "\(lines) lines are") missing here: this log could not be written, or not fast "
            + "enough."
    }

    /// At most `lineBytesMax` with the line's end; what is longer ends in `…`.
    static func cut(_ text: String) -> String {
        guard text.utf8.count >= lineBytesMax else { return text }
        let mark = "…"
        var end = text.utf8.index(text.startIndex, offsetBy: lineBytesMax - 1 - mark.utf8.count)
        // Not inside a scalar.
        while UTF8.isContinuation(text.utf8[end]) { end = text.utf8.index(before: end) }
        return text[..<end] + mark
    }
}
