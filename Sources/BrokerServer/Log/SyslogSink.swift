import BrokerConfiguration
import Dispatch
import Glibc
import Synchronization

/// The system's log. The C library waits where it is full, a dozen lines that nobody takes, so it is called on a thread that
/// may wait; so many lines wait for it at most.
final class SyslogSink: Sendable {
    /// Lines on their way, at most.
    static let linesMax = 1000

    private let queue = DispatchQueue(label: "martlet.syslog")
    private let lines = DispatchGroup()
    private let waiting = Atomic(0)
    private let lost = Atomic(0)

    /// - Parameter localFacility: of local0 to local7; `nil` is daemon.
    init(localFacility: Int?) {
        openlog(SyslogSink.name, LOG_PID, localFacility.map { Int32((16 + $0) << 3) } ?? LOG_DAEMON)
    }

    private static nonisolated(unsafe) let name = strdup("martlet")

    func put(_ type: LogType, _ text: String) {
        guard waiting.add(1, ordering: .relaxed).newValue <= SyslogSink.linesMax else {
            waiting.subtract(1, ordering: .relaxed)
            lost.add(1, ordering: .relaxed)
            return
        }
        queue.async(group: lines) {
            SyslogSink.write(type, text)
            self.waiting.subtract(1, ordering: .relaxed)
            let lost = self.lost.exchange(0, ordering: .relaxed)
            if lost > 0 { SyslogSink.write(.warning, LogForm.missing(lost)) }
        }
    }

    private static func write(_ type: LogType, _ text: String) {
        text.withCString { text in withVaList([text]) { vsyslog(priority(type), "%s", $0) } }
    }

    private static func priority(_ type: LogType) -> Int32 {
        switch type {
        case .error: LOG_ERR
        case .warning: LOG_WARNING
        case .notice: LOG_NOTICE
        case .information: LOG_INFO
        default: LOG_DEBUG
        }
    }

    /// Waits until what was put has been taken, not for longer than so many seconds.
    func flush(withinSeconds limit: Double) { _ = lines.wait(timeout: .now() + limit) }
}
