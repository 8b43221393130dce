import BrokerConfiguration
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Writes log lines in mosquitto's form to wherever the configuration says. Lines of all loops pass one lock; a line
/// nobody wants costs one comparison.
final class LogWriter: Sendable {
    /// Lines longer than this are cut: a client's names may be 64 KiB each.
    static let lineBytesMax = 4096

    /// Everything a configuration says, and the file it names, open.
    struct Setup: Sendable {
        fileprivate let configuration: LogConfiguration
        fileprivate let timestamp: LogTimestamp
        fileprivate let path: String?
        fileprivate var file: Int32

        /// Opens the log file if there is one, by `privileges` for the user that the broker becomes; throws where it cannot.
        init(_ configuration: LogConfiguration, _ privileges: Privileges? = nil) throws(LogFileError) {
            self.configuration = configuration
            timestamp = configuration.timestamp
            var path: String?
            for case .file(let named) in configuration.destinations { path = named }
            self.path = path
            file = -1
            if let path { file = try LogWriter.open(path, privileges) }
        }

        /// Where it is not used after all.
        func close() { if file >= 0 { Glibc.close(file) } }
    }

    private let setup: NIOLockedValueBox<Setup>
    /// Of `Setup.configuration`, for who asks often: types in the low bits, `connection_messages` above.
    private let interest: Synchronization.Atomic<UInt32>
    /// Lines for `log_dest topic`, taken by whoever publishes them.
    private let topicLines = NIOLockedValueBox<[(topic: String, text: String)]>([])
    private static let topicLinesMax = 1000

    init(_ configuration: LogConfiguration, _ privileges: Privileges? = nil) throws {
        let setup = try Setup(configuration, privileges)
        self.setup = NIOLockedValueBox(setup)
        interest = Synchronization.Atomic(LogWriter.packed(configuration))
        LogWriter.openSyslog(configuration)
    }

    /// Lines go where `setup` says from now on.
    func replace(_ fresh: Setup) {
        let old = setup.withLockedValue { setup in
            defer { setup = fresh }
            return setup
        }
        old.close()
        interest.store(LogWriter.packed(fresh.configuration), ordering: .relaxed)
        LogWriter.openSyslog(fresh.configuration)
    }

    var types: LogTypes { LogTypes(rawValue: UInt16(truncatingIfNeeded: interest.load(ordering: .relaxed))) }
    var connectionMessages: Bool { interest.load(ordering: .relaxed) >= LogWriter.connectionBit }

    private static let connectionBit: UInt32 = 1 << 16
    private static func packed(_ configuration: LogConfiguration) -> UInt32 {
        UInt32(configuration.types.rawValue) | (configuration.connectionMessages ? connectionBit : 0)
    }

    private static func openSyslog(_ configuration: LogConfiguration) {
        guard configuration.destinations.contains(.syslog) else { return }
        openlog(syslogName, LOG_PID, configuration.syslogLocalFacility.map { Int32((16 + $0) << 3) } ?? LOG_DAEMON)
    }

    private static nonisolated(unsafe) let syslogName = strdup("martlet")

    /// Opens the log file anew, for a tool that has moved the old one away. Where that fails lines go on into the old one.
    func reopen() throws {
        guard let path = setup.withLockedValue({ $0.path }) else { return }
        let fresh = try LogWriter.open(path)
        let old = setup.withLockedValue { setup in
            defer { setup.file = fresh }
            return setup.file
        }
        close(old)
    }

    private static func open(_ path: String, _ privileges: Privileges? = nil) throws(LogFileError) -> Int32 {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
        let descriptor: Int32
        do {
            descriptor = try privileges?.open(path, flags, mode: 0o640) ?? Glibc.open(path, flags, 0o640)
        } catch { throw LogFileError(path: path, reason: "\(error)") }
        guard descriptor >= 0 else { throw LogFileError(path: path, reason: String(cString: strerror(errno))) }
        return descriptor
    }

    func wants(_ type: LogType) -> Bool { types.contains(LogTypes(type)) }

    func write(_ type: LogType, _ text: @autoclosure () -> String) { write(type, text(), to: { _ in true }) }

    /// For what standard error is told anyway: to the file and to syslog alone.
    func writeAside(_ type: LogType, _ text: String) {
        write(type, text) { destination in
            switch destination {
            case .file, .syslog: true
            default: false
            }
        }
    }

    private func write(_ type: LogType, _ text: @autoclosure () -> String, to isMeant: (LogDestination) -> Bool) {
        guard wants(type) else { return }
        let (configuration, timestamp) = setup.withLockedValue { ($0.configuration, $0.timestamp) }
        guard !configuration.destinations.isEmpty else { return }
        var seconds = timeval()
        gettimeofday(&seconds, nil)
        var text = text()
        var line: String
        switch configuration.format {
        case .text:
            line = timestamp.prefix(unixSeconds: Int(seconds.tv_sec)) + text
            if line.utf8.count > LogWriter.lineBytesMax { line = String(line.prefix(LogWriter.lineBytesMax)) + "…" }
        case .json:
            if text.utf8.count > LogWriter.lineBytesMax { text = String(text.prefix(LogWriter.lineBytesMax)) + "…" }
            line = LogLine.json(type, text, timestamp, seconds)
            text = line
        }
        line += "\n"
        for destination in configuration.destinations where isMeant(destination) {
            switch destination {
            case .standardError: LogWriter.put(line, STDERR_FILENO)
            case .standardOutput: LogWriter.put(line, STDOUT_FILENO)
            case .file: setup.withLockedValue { if $0.file >= 0 { LogWriter.put(line, $0.file) } }
            case .syslog:
                text.withCString { text in withVaList([text]) { vsyslog(LogWriter.priority(type), "%s", $0) } }
            case .topic:
                guard let topic = type.topic else { continue }
                topicLines.withLockedValue { if $0.count < LogWriter.topicLinesMax { $0.append((topic, text)) } }
            }
        }
    }

    /// Lines that are to be published, and forgets them.
    func takeTopicLines() -> [(topic: String, text: String)] {
        topicLines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }

    /// One write for one line, so that lines of several loops do not mix.
    private static func put(_ line: String, _ descriptor: Int32) {
        var line = line
        line.withUTF8 { bytes in
            var at = 0
            while at < bytes.count {
                let n = Glibc.write(descriptor, bytes.baseAddress.unsafelyUnwrapped + at, bytes.count - at)
                if n < 0 && errno == EINTR { continue }
                if n <= 0 { return }  // a log that cannot be written must not stop the broker
                at += n
            }
        }
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

    /// `A:P` as mosquitto writes a peer.
    static func text(_ address: SocketAddress?) -> String {
        guard let address else { return "<unknown>" }
        guard address.protocol != .unix else { return "a local process" }
        return "\(address.ipAddress ?? "<unknown>"):\(address.port ?? 0)"
    }
}

/// The log file cannot be opened.
struct LogFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String
    var description: String { "log_dest file \(path): cannot open it for writing: \(reason)" }
}
