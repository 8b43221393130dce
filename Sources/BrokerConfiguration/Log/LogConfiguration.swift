/// What is logged, where to, and how each line begins.
package struct LogConfiguration: Sendable, Equatable {
    /// Each at most once, in the order of the file. Default standard error; empty logs nowhere. mosquitto: `log_dest`.
    package var destinations: [LogDestination] = [.standardError]
    /// Default error, warning, notice, information. mosquitto: `log_type`.
    package var types: LogTypes = .standard
    /// Whether a line begins with the time. Default true. mosquitto: `log_timestamp`.
    package var writesTimestamp = true
    /// A `strftime` format; `nil`, the default, is unix seconds. mosquitto: `log_timestamp_format`.
    package var timestampFormat: String?
    /// Default text. Ours: `log_format`.
    package var format = LogFormat.text
    /// Syslog facility local0…local7; `nil`, the default, is daemon. mosquitto: `log_facility`.
    package var syslogLocalFacility: Int?
    /// Whether clients that come and go are worth a line. Default true. mosquitto: `connection_messages`.
    package var connectionMessages = true

    /// How each line begins, from the two settings above.
    package var timestamp: LogTimestamp {
        guard writesTimestamp else { return .none }
        guard let timestampFormat else { return .unixSeconds }
        return .format(timestampFormat)
    }
}

/// The form of a line; `rawValue` is the word in `log_format`.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `TIME: TEXT`, as mosquitto writes it.
    case text
    /// One JSON object a line: `time`, `type`, `message`.
    case json
}

/// A place for log lines.
package enum LogDestination: Sendable, Hashable {
    case standardError
    /// `unbuffered` writes each line at once even into a pipe or file.
    case standardOutput(unbuffered: Bool)
    case syslog
    /// `$SYS/broker/log/…`, see `LogType.topic`.
    case topic
    case file(path: String)
}

/// The kind of a log line; `rawValue` is the word in `log_type`.
package enum LogType: String, Sendable, CaseIterable {
    case error, warning, notice, information, debug, subscribe, unsubscribe, `internal`, websockets

    /// Where `log_dest topic` publishes it; `nil` where it does not: a line about sending a debug line would never end.
    package var topic: String? {
        switch self {
        case .error: "$SYS/broker/log/E"
        case .warning: "$SYS/broker/log/W"
        case .notice: "$SYS/broker/log/N"
        case .information: "$SYS/broker/log/I"
        case .subscribe: "$SYS/broker/log/M/subscribe"
        case .unsubscribe: "$SYS/broker/log/M/unsubscribe"
        case .websockets: "$SYS/broker/log/WS"
        case .debug, .internal: nil
        }
    }
}

/// A set of `LogType`s that costs one comparison to ask.
package struct LogTypes: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package init(_ type: LogType) {
        switch type {
        case .error: self = .error
        case .warning: self = .warning
        case .notice: self = .notice
        case .information: self = .information
        case .debug: self = .debug
        case .subscribe: self = .subscribe
        case .unsubscribe: self = .unsubscribe
        case .internal: self = .internal
        case .websockets: self = .websockets
        }
    }

    package static let error = LogTypes(rawValue: 1 << 0)
    package static let warning = LogTypes(rawValue: 1 << 1)
    package static let notice = LogTypes(rawValue: 1 << 2)
    package static let information = LogTypes(rawValue: 1 << 3)
    package static let debug = LogTypes(rawValue: 1 << 4)
    package static let subscribe = LogTypes(rawValue: 1 << 5)
    package static let unsubscribe = LogTypes(rawValue: 1 << 6)
    package static let `internal` = LogTypes(rawValue: 1 << 7)
    package static let websockets = LogTypes(rawValue: 1 << 8)

    /// What is logged unless somebody says otherwise.
    package static let standard: LogTypes = [.error, .warning, .notice, .information]
    package static let all = LogTypes(rawValue: (1 << 9) - 1)
}
