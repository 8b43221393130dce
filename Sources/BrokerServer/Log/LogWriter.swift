import BrokerConfiguration
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Writes log lines in mosquitto's form to wherever the configuration says, through a `LogSink` for each descriptor; a line
/// nobody wants costs one comparison.
final class LogWriter: Sendable {
    /// Everything a configuration says, and the file it names, open.
    struct Setup: Sendable {
        fileprivate let configuration: LogConfiguration
        fileprivate let form: LogForm
        fileprivate let path: String?
        fileprivate var file: LogSink?

        /// Opens the log file if there is one, by `privileges` for the user that the broker becomes; throws where it cannot.
        init(_ configuration: LogConfiguration, _ privileges: Privileges? = nil) throws(LogFileError) {
            self.configuration = configuration
            form = LogForm(format: configuration.format, timestamp: configuration.timestamp)
            var path: String?
            for case .file(let named) in configuration.destinations { path = named }
            self.path = path
            file = nil
            if let path { file = try LogWriter.open(path, form, privileges) }
        }
    }

    private let setup: NIOLockedValueBox<Setup>
    /// Of `Setup.configuration`, for who asks often: types in the low bits, `connection_messages` above.
    private let interest: Synchronization.Atomic<UInt32>
    /// Lines for `log_dest topic`, taken by whoever publishes them.
    private let topicLines = NIOLockedValueBox<[(topic: String, text: String)]>([])
    private static let topicLinesMax = 1000

    private let standardError: LogSink
    private let standardOutput: LogSink
    private let syslog: NIOLockedValueBox<SyslogSink?>

    init(_ configuration: LogConfiguration, _ privileges: Privileges? = nil) throws {
        let setup = try Setup(configuration, privileges)
        self.setup = NIOLockedValueBox(setup)
        interest = Synchronization.Atomic(LogWriter.packed(configuration))
        standardError = LogSink(STDERR_FILENO, isOwned: false, form: setup.form)
        standardOutput = LogSink(STDOUT_FILENO, isOwned: false, form: setup.form)
        syslog = NIOLockedValueBox(LogWriter.syslog(configuration))
    }

    /// Lines go where `setup` says from now on.
    func replace(_ fresh: Setup) {
        change { $0 = fresh }
        standardError.setForm(fresh.form)
        standardOutput.setForm(fresh.form)
        syslog.withLockedValue { $0 = LogWriter.syslog(fresh.configuration) }
        interest.store(LogWriter.packed(fresh.configuration), ordering: .relaxed)
    }

    private static func syslog(_ configuration: LogConfiguration) -> SyslogSink? {
        guard configuration.destinations.contains(.syslog) else { return nil }
        return SyslogSink(localFacility: configuration.syslogLocalFacility)
    }

    var types: LogTypes { LogTypes(rawValue: UInt16(truncatingIfNeeded: interest.load(ordering: .relaxed))) }
    var connectionMessages: Bool { interest.load(ordering: .relaxed) >= LogWriter.connectionBit }

    private static let connectionBit: UInt32 = 1 << 16
    private static func packed(_ configuration: LogConfiguration) -> UInt32 {
        UInt32(configuration.types.rawValue) | (configuration.connectionMessages ? connectionBit : 0)
    }

    /// Opens the log file anew, for a tool that has moved the old one away. Where that fails lines go on into the old one.
    func reopen() throws {
        let (path, form) = setup.withLockedValue { ($0.path, $0.form) }
        guard let path else { return }
        let fresh = try LogWriter.open(path, form)
        change { $0.file = fresh }
    }

    /// To a setup with another file, or none.
    private func change(_ body: (inout Setup) -> Void) {
        let old = setup.withLockedValue { setup in
            defer { body(&setup) }
            return setup.file
        }
        old?.finish()
    }

    private static func open(
        _ path: String, _ form: LogForm, _ privileges: Privileges? = nil
    ) throws(LogFileError) -> LogSink {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
        let descriptor: Int32
        do {
            descriptor = try privileges?.open(path, flags, mode: 0o640) ?? Glibc.open(path, flags, 0o640)
        } catch { throw LogFileError(path: path, reason: "\(error)") }
        guard descriptor >= 0 else { throw LogFileError(path: path, reason: String(cString: strerror(errno))) }
        return LogSink(descriptor, isOwned: true, form: form)
    }

    /// Waits until what was written has reached its readers, for a second at most each.
    func flush() {
        let limit = 1.0
        standardError.flush(withinSeconds: limit)
        standardOutput.flush(withinSeconds: limit)
        setup.withLockedValue { $0.file }?.flush(withinSeconds: limit)
        syslog.withLockedValue { $0 }?.flush(withinSeconds: limit)
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
        let setup = setup.withLockedValue { $0 }
        guard !setup.configuration.destinations.isEmpty else { return }
        let line = setup.form.line(type, text())
        for destination in setup.configuration.destinations where isMeant(destination) {
            switch destination {
            case .standardError: standardError.put(line.whole)
            case .standardOutput: standardOutput.put(line.whole)
            case .file: setup.file?.put(line.whole)
            case .syslog: syslog.withLockedValue { $0 }?.put(type, line.bare)
            case .topic:
                guard let topic = type.topic else { continue }
                topicLines.withLockedValue { if $0.count < LogWriter.topicLinesMax { $0.append((topic, line.bare)) } }
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
